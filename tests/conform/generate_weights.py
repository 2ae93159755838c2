"""Writes a state dictionary of PyTorch as safetensors, with what the model gives:
`python generate_weights.py FOLDER`. The container is written by hand: a length, JSON, bytes."""

import json
import struct
import sys

import numpy as np
import torch
from torch import nn

torch.manual_seed(0)
torch.set_num_threads(1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
        self.head = nn.Linear(2 * 4 * 4, 3)

    def forward(self, x):
        return self.head(self.features(x).flatten(1))


net = Net()
net(torch.randn(8, 1, 6, 6))
net.eval()
header, data = {"__metadata__": {"format": "pt"}}, b""
for name, value in net.state_dict().items():
    own = value.numpy().tobytes()
    kind = {torch.float32: "F32", torch.int64: "I64"}[value.dtype]
    header[name] = {"dtype": kind, "shape": list(value.shape),
                    "data_offsets": [len(data), len(data) + len(own)]}
    data += own
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open(f"{sys.argv[1]}/state.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + data)
x = torch.randn(2, 1, 6, 6)
np.savez(f"{sys.argv[1]}/state.npz", x=x.numpy(), y=net(x).detach().numpy())
