"""Writes what PyTorch's training gives: `python generate.py curves.npz steps.npz`.

Needs torch and numpy. `curves.npz` holds four small models, each with its first weights
(`MODEL.parameter.NAME`), ten batches that are gone through five times (`MODEL.x`, bytes that stand
for (x - 128) / 64, and `MODEL.target`), and the loss of each of 50 steps with SGD and Adam
(`MODEL.loss.OPTIMISER`). `steps.npz` holds a weight that every optimiser updates by the same 20
gradients (`weight`, `gradients`, and `optimiser.NAME`: the weight after each step, computed in
float64), and the rates that schedules give to 60 steps (`schedule.NAME`). Settings stand below and
in tests/training/. The same version of PyTorch gives the same files.
"""

import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(1)
BATCHES, STEPS = 10, 50


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(6, 16, batch_first=True)
        self.head = nn.Linear(16, 4)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


class Transformer(nn.Module):
    """One block with norms in front, over the mean of all tokens."""

    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(16), nn.LayerNorm(16)
        self.query, self.key, self.value, self.output = (nn.Linear(16, 16) for _ in range(4))
        self.up, self.down = nn.Linear(16, 32), nn.Linear(32, 16)
        self.head = nn.Linear(16, 4)

    def forward(self, x):
        normal = self.norm1(x)

        def heads(layer):
            return layer(normal).reshape(*x.shape[:2], 4, 4).transpose(1, 2)

        seen = F.scaled_dot_product_attention(*map(heads, (self.query, self.key, self.value)))
        x = x + self.output(seen.transpose(1, 2).reshape(x.shape))
        x = x + self.down(F.gelu(self.up(self.norm2(x))))
        return self.head(x.mean(1))


def mlp():
    return nn.Sequential(
        nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 24), nn.Tanh(), nn.Linear(24, 4))


def cnn():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(12 * 3 * 3, 4))


MODELS = {
    "mlp": (mlp, (16, 16)),
    "cnn": (cnn, (8, 1, 12, 12)),
    "lstm": (Lstm, (8, 8, 6)),
    "transformer": (Transformer, (8, 5, 16)),
}


def curves(path):
    arrays = {}
    for number, (name, (build, extents)) in enumerate(MODELS.items()):
        random = np.random.default_rng(number)
        bytes_ = random.integers(0, 256, (BATCHES, *extents)).astype(np.uint8)
        arrays[f"{name}.x"] = bytes_
        x = torch.from_numpy((bytes_.astype(np.float32) - 128) / 64)
        # Learnable: the class says which quarter of the features is largest.
        quarters = x.reshape(BATCHES, extents[0], 4, -1).mean(-1)
        target = quarters.argmax(-1)
        arrays[f"{name}.target"] = target.numpy()
        for optimiser in ("sgd", "adam"):
            torch.manual_seed(number)
            model = build()
            for own, value in model.state_dict().items():
                if "num_batches" not in own:
                    arrays[f"{name}.parameter.{own}"] = value.numpy().copy()
            if optimiser == "sgd":
                steps = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
            else:
                steps = torch.optim.Adam(model.parameters(), lr=3e-3)
            losses = []
            for step in range(STEPS):
                loss = F.cross_entropy(model(x[step % BATCHES]), target[step % BATCHES])
                steps.zero_grad()
                loss.backward()
                steps.step()
                losses.append(loss.item())
            arrays[f"{name}.loss.{optimiser}"] = np.array(losses, np.float32)
            print(name, optimiser, losses[0], losses[-1])
            if optimiser == "sgd":
                for own, value in model.state_dict().items():
                    if "running" in own:
                        arrays[f"{name}.after.{own}"] = value.numpy().copy()
    np.savez_compressed(path, **arrays)


def optimisers():
    o = torch.optim
    return {
        "sgd": lambda p: o.SGD(p, lr=0.1),
        "sgd_momentum": lambda p: o.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1),
        "sgd_nesterov": lambda p: o.SGD(p, lr=0.1, momentum=0.8, nesterov=True),
        "adam": lambda p: o.Adam(p, lr=0.1),
        "adam_decay": lambda p: o.Adam(p, lr=0.1, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
        "adamw": lambda p: o.AdamW(p, lr=0.1, weight_decay=0.2),
        "rms_prop": lambda p: o.RMSprop(p, lr=0.01, weight_decay=0.1),
        "rms_prop_centred": lambda p: o.RMSprop(p, lr=0.01, alpha=0.9, momentum=0.7, centered=True),
        "adagrad": lambda p: o.Adagrad(p, lr=0.1),
        "adagrad_decay": lambda p: o.Adagrad(
            p, lr=0.1, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.5),
    }


def lars(weight, gradients):
    """You, Gitman and Ginsburg, 2017, algorithm 1, with numpy: rate 0.5, decay 0.1, trust 0.02."""
    velocity = np.zeros_like(weight)
    for gradient in gradients:
        norm = np.linalg.norm(weight)
        local = 0.02 * norm / (np.linalg.norm(gradient) + 0.1 * norm)
        velocity = 0.9 * velocity + 0.5 * local * (gradient + 0.1 * weight)
        weight = weight - velocity
        yield weight


def lion(weight, gradients):
    """Chen et al., 2023, algorithm 2, with numpy: rate 0.01, betas 0.9 and 0.99, decay 0.1."""
    mean = np.zeros_like(weight)
    for gradient in gradients:
        weight = weight - 0.01 * (np.sign(0.9 * mean + 0.1 * gradient) + 0.1 * weight)
        mean = 0.99 * mean + 0.01 * gradient
        yield weight


def schedules():
    s = torch.optim.lr_scheduler
    return {
        "step": lambda o: s.StepLR(o, 7, 0.3),
        "cosine": lambda o: s.CosineAnnealingLR(o, 59, 0.01),
        "warm_up": lambda o: s.LinearLR(o, 0.1, 1.0, 12),
        "warm_up_cosine": lambda o: s.SequentialLR(o, [
            s.LinearLR(o, 0.01, 1.0, 10), s.CosineAnnealingLR(o, 50)], [10]),
        "one_cycle": lambda o: s.OneCycleLR(o, 0.5, 60),
        "warm_restarts": lambda o: s.CosineAnnealingWarmRestarts(o, 11, 1, 0.02),
        "warm_restarts_growing": lambda o: s.CosineAnnealingWarmRestarts(o, 5, 3),
        # sharpDARTS has no scheduler in PyTorch: its formula, power 10.
        "cosine_power": lambda o: s.LambdaLR(o, lambda t: 0.01 / 0.5 + (1 - 0.01 / 0.5) * (
            10 ** ((1 + np.cos(np.pi * t / 59)) / 2 + 1) - 10) / (10**2 - 10)),
    }


def steps(path):
    random = np.random.default_rng(7)
    weight = random.standard_normal(11)
    gradients = random.standard_normal((20, 11)) * np.exp(random.standard_normal((20, 1)))
    weight, gradients = weight.astype(np.float32), gradients.astype(np.float32)
    arrays = {"weight": weight, "gradients": gradients}

    def run(build, change=lambda p: None):
        p = torch.tensor(weight.astype(np.float64), requires_grad=True)
        optimiser, after = build([p]), []
        for gradient in gradients:
            p.grad = torch.tensor(gradient.astype(np.float64))
            change(p)
            optimiser.step()
            after.append(p.detach().numpy().copy())
        return np.array(after, np.float32)

    for name, build in optimisers().items():
        arrays[f"optimiser.{name}"] = run(build)
    for name, own in (("lars", lars), ("lion", lion)):
        wide = weight.astype(np.float64), gradients.astype(np.float64)
        arrays[f"optimiser.{name}"] = np.array(list(own(*wide)), np.float32)
    plain = optimisers()["sgd"]
    arrays["clip.value"] = run(plain, lambda p: nn.utils.clip_grad_value_([p], 0.5))
    arrays["clip.norm"] = run(plain, lambda p: nn.utils.clip_grad_norm_([p], 2.0))
    model = nn.Linear(11, 1, bias=False).double()
    model.weight.data[:] = torch.tensor(weight)
    optimiser = plain(model.parameters())
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.8))
    averages = []
    for gradient in gradients:
        model.weight.grad = torch.tensor(gradient.astype(np.float64))[None]
        optimiser.step()
        average.update_parameters(model)
        averages.append(average.module.weight.detach().numpy()[0].copy())
    arrays["average"] = np.array(averages, np.float32)
    for name, build in schedules().items():
        optimiser = torch.optim.SGD([torch.zeros(1)], lr=0.5)
        schedule, rates = build(optimiser), []
        for _ in range(60):
            rates.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            schedule.step()
        arrays[f"schedule.{name}"] = np.array(rates, np.float64)
    np.savez_compressed(path, **arrays)


curves(sys.argv[1])
steps(sys.argv[2])
