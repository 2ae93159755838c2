"""Writes ONNX models with what onnxruntime computes: `python generate_onnx.py onnx.zip FOLDER`; into
FOLDER go two models that cannot be imported.

The archive has `index.json`, a list of `onnx/NAME`, and for each `NAME.onnx`, `NAME.json` (name,
model file, operator set, what exported it) and `NAME.npz` (inputs and outputs by name). Networks
are small and random; PyTorch exports them by both of its exporters. Nodes are models of one
operator each, so that every operator and attribute has a case of its own.
"""

import io
import json
import sys
import warnings
import zipfile

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")
torch.manual_seed(0)
torch.set_num_threads(1)
RANDOM = np.random.default_rng(0)
CASES = []
STAMP = (2020, 1, 1, 0, 0, 0)


def reference(model, inputs):
    """The outputs of a model by name, from onnxruntime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))


def case(name, model, inputs, made_by):
    data = model.SerializeToString()
    arrays = {**inputs, **reference(data, inputs)}
    opset = next(own.version for own in model.opset_import if own.domain == "")
    about = {"name": name, "model": f"{name}.onnx", "opset": opset, "made_by": made_by}
    CASES.append((name, data, about, arrays))


# ---- networks ----


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12), nn.ReLU(),
            nn.MaxPool2d(2), nn.Dropout(0.2))
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(12 * 7 * 7, 12), nn.ReLU(),
                                  nn.Linear(12, 10), nn.LogSoftmax(1))

    def forward(self, x):
        return self.head(self.features(x))


def double(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(),
                         nn.Conv2d(o, o, 3, padding=1), nn.GroupNorm(2, o), nn.LeakyReLU(0.1))


class UNet(nn.Module):
    def __init__(self, up):
        super().__init__()
        self.down = nn.ModuleList([double(2, 4), double(4, 8), double(8, 12)])
        self.up = nn.ModuleList([double(20, 8), double(12, 4)])
        self.kind = up
        if up == "transposed":
            self.rise = nn.ModuleList([nn.ConvTranspose2d(12, 12, 2, stride=2),
                                       nn.ConvTranspose2d(8, 8, 2, stride=2)])
        self.last = nn.Conv2d(4, 3, 1)

    def forward(self, x):
        kept = []
        for index, block in enumerate(self.down):
            x = block(x if index == 0 else F.max_pool2d(x, 2))
            kept.append(x)
        for index, block in enumerate(self.up):
            if self.kind == "transposed":
                x = self.rise[index](x)
            else:
                size = kept[1 - index].shape[2:]
                corners = self.kind == "corners"
                x = F.interpolate(x, size=size, mode="bilinear", align_corners=corners)
            x = block(torch.cat([kept[1 - index], x], 1))
        return torch.sigmoid(self.last(x))


class Inverted(nn.Module):
    def __init__(self, i, o, stride, expand):
        super().__init__()
        m = i * expand
        layers = [] if expand == 1 else [nn.Conv2d(i, m, 1, bias=False), nn.BatchNorm2d(m),
                                         nn.ReLU6()]
        layers += [nn.Conv2d(m, m, 3, stride, 1, groups=m, bias=False), nn.BatchNorm2d(m),
                   nn.ReLU6(), nn.Conv2d(m, o, 1, bias=False), nn.BatchNorm2d(o)]
        self.body, self.skips = nn.Sequential(*layers), stride == 1 and i == o

    def forward(self, x):
        return x + self.body(x) if self.skips else self.body(x)


class MobileNetV2(nn.Module):
    def __init__(self):
        super().__init__()
        plan = [(1, 8, 1, 1), (4, 12, 2, 2), (4, 16, 2, 2), (4, 20, 1, 2)]
        layers, i = [nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6()], 8
        for expand, o, stride, count in plan:
            for index in range(count):
                layers.append(Inverted(i, o, stride if index == 0 else 1, expand))
                i = o
        layers += [nn.Conv2d(i, 48, 1, bias=False), nn.BatchNorm2d(48), nn.ReLU6()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(48, 10))

    def forward(self, x):
        return self.head(F.adaptive_avg_pool2d(self.features(x), 1).flatten(1))


class Residual(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        self.c2, self.b2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.skip = None if stride == 1 and i == o else nn.Sequential(
            nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        y = self.b2(self.c2(F.relu(self.b1(self.c1(x)))))
        return F.relu(y + (x if self.skip is None else self.skip(x)))


class ResNet18(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        w = [width, width * 2, width * 3, width * 4]
        layers = [nn.Conv2d(3, w[0], 7, 2, 3, bias=False), nn.BatchNorm2d(w[0]), nn.ReLU(),
                  nn.MaxPool2d(3, 2, 1)]
        for stage, (i, o) in enumerate(zip([w[0]] + w[:3], w)):
            layers += [Residual(i, o, 1 if stage == 0 else 2), Residual(o, o, 1)]
        self.body = nn.Sequential(*layers)
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(w[3], 10)

    def forward(self, x):
        return self.head(torch.flatten(self.pool(self.body(x)), 1))


class Transformer(nn.Module):
    def __init__(self, activation="relu", first=False, causal=False):
        super().__init__()
        self.table, self.place = nn.Embedding(17, 16), nn.Parameter(torch.randn(12, 16) * 0.1)
        layer = nn.TransformerEncoderLayer(16, 4, 32, 0.1, activation, batch_first=True,
                                           norm_first=first)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head, self.causal = nn.Linear(16, 17), causal

    def forward(self, x):
        x = self.table(x) + self.place[: x.shape[1]]
        mask = None
        if self.causal:
            count = x.shape[1]
            mask = torch.triu(torch.full((count, count), float("-inf")), 1)
        return self.head(self.layers(x, mask=mask, is_causal=self.causal))


class Attention(nn.Module):
    """One block by hand, with scaled_dot_product_attention."""

    def __init__(self):
        super().__init__()
        self.qkv, self.out, self.norm = nn.Linear(16, 48), nn.Linear(16, 16), nn.LayerNorm(16)

    def forward(self, x):
        batch, time, width = x.shape
        q, k, v = self.qkv(self.norm(x)).chunk(3, -1)
        q, k, v = (t.view(batch, time, 4, 4).transpose(1, 2) for t in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return x + self.out(y.transpose(1, 2).reshape(batch, time, width))


class Recurrent(nn.Module):
    def __init__(self, kind, **more):
        super().__init__()
        self.net = kind(5, 7, batch_first=True, **more)
        width = 14 if more.get("bidirectional") else 7
        self.head = nn.Linear(width, 3)

    def forward(self, x):
        y, _ = self.net(x)
        return self.head(y[:, -1])


class States(nn.Module):
    """A network whose states go in and come out."""

    def __init__(self):
        super().__init__()
        self.net = nn.LSTM(5, 6)

    def forward(self, x, h, c):
        y, (h, c) = self.net(x, (h, c))
        return y, h, c


class Shapes(nn.Module):
    """Chains of shapes that are constants once the extents are known."""

    def forward(self, x):
        batch, channels, rows, columns = x.shape
        y = x.view(batch, channels // 2, 2, rows * columns)
        y = y.mean(2).reshape(batch, -1, rows, columns)
        z = torch.zeros(batch, 1, rows, columns) + torch.arange(columns)
        return F.pad(torch.cat([y, z], 1), (1, 2, 0, 1))[:, :, 1:, ::2]


def settle(model):
    """Statistics that are not those of a fresh normalisation; numbers that pack well."""
    for value in model.parameters():
        value.data = torch.round(value.data * 64) / 64
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, std=0.2)
            nn.init.normal_(part.running_mean, std=0.2)
            nn.init.uniform_(part.running_var, 0.5, 1.5)
    return model.eval()


def network(name, model, inputs, opset, exporters=("dynamo", "script"), dynamic=False):
    settle(model)
    inputs = tuple(torch.round(x * 8) / 8 if x.is_floating_point() else x for x in inputs)
    names = ["x", "h", "c"][: len(inputs)]
    for exporter in exporters:
        file = io.BytesIO()
        # One of them leaves normalisations as they are, the other folds them.
        more = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
        if exporter == "dynamo":
            more = {}
        if dynamic and exporter == "script":
            more["dynamic_axes"] = {"x": {0: "batch"}}
        elif dynamic:
            more["dynamic_shapes"] = [{0: torch.export.Dim("batch")}]
        version = opset if exporter == "script" else max(opset, 18)
        try:
            torch.onnx.export(model, inputs, file, input_names=names, opset_version=version,
                              dynamo=exporter == "dynamo", verbose=False, **more)
        except Exception as error:  # Told, never left out silently.
            print(f"{name}_{exporter}: not exported: {str(error)[:200]}", file=sys.stderr)
            continue
        exported = onnx.load_from_string(file.getvalue())
        for node in exported.graph.node:
            node.doc_string = ""
            del node.metadata_props[:]
        del exported.graph.value_info[:]
        arrays = {key: value.numpy() for key, value in zip(names, inputs)}
        case(f"{name}_{exporter}", exported, arrays, f"PyTorch, {exporter}, {version}")


def networks():
    image = lambda *extents: [torch.randn(*extents)]
    network("cnn", Cnn(), image(2, 1, 28, 28), 13, dynamic=True)
    network("unet_transposed", UNet("transposed"), image(1, 2, 16, 12), 17)
    network("unet_bilinear", UNet("bilinear"), image(1, 2, 16, 12), 18)
    network("unet_corners", UNet("corners"), image(1, 2, 10, 14), 16)
    network("mobilenet_v2", MobileNetV2(), image(1, 3, 32, 32), 15)
    network("resnet18", ResNet18(), image(1, 3, 32, 32), 14, dynamic=True)
    words = [torch.randint(0, 17, (2, 9))]
    network("transformer", Transformer(), words, 17)
    network("transformer_gelu", Transformer("gelu", True, True), words, 20)
    network("attention", Attention(), [torch.randn(2, 8, 16)], 18)
    series = [torch.randn(3, 6, 5)]
    network("lstm", Recurrent(nn.LSTM), series, 18)
    network("lstm_both", Recurrent(nn.LSTM, num_layers=2, bidirectional=True), series, 15)
    network("gru", Recurrent(nn.GRU, num_layers=2), series, 18)
    network("gru_both", Recurrent(nn.GRU, bidirectional=True), series, 14)
    network("rnn", Recurrent(nn.RNN, nonlinearity="relu"), series, 14)
    states = [torch.randn(4, 2, 5), torch.randn(1, 2, 6), torch.randn(1, 2, 6)]
    network("lstm_states", States(), states, 16)
    network("shapes", Shapes(), image(2, 4, 5, 6), 13, dynamic=True)


# ---- nodes ----


def noise(*extents):
    return RANDOM.standard_normal(extents).astype(np.float32)


def above(*extents):
    return (np.abs(noise(*extents)) + 0.1).astype(np.float32)


def node(name, kind, inputs, outputs=1, constants=(), opset=18, **attributes):
    """A model of one node; `constants` are the inputs that are initializers, None is left out."""
    names = ["" if value is None else f"i{index}" for index, value in enumerate(inputs)]
    results = [f"o{index}" for index in range(outputs)]
    own = helper.make_node(kind, names, results, name=name, **attributes)
    fed = {n: v for k, (n, v) in enumerate(zip(names, inputs)) if n and k not in constants}
    kept = [numpy_helper.from_array(np.asarray(inputs[k]), names[k]) for k in constants]
    info = lambda n, v: helper.make_tensor_value_info(
        n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
    graph = helper.make_graph([own], name, [info(n, v) for n, v in fed.items()],
                              [helper.make_empty_tensor_value_info(n) for n in results], kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    try:
        model = onnx.shape_inference.infer_shapes(model)
        case(name, model, fed, "onnx.helper")
    except Exception as error:
        print(f"{name}: left out: {str(error)[:200]}", file=sys.stderr)


def whole(*numbers):
    return np.array(numbers, dtype=np.int64)


def scalar(number, kind=np.float32):
    return np.array(number, dtype=kind)


def pointwise():
    for kind in ["Neg", "Abs", "Sign", "Exp", "Sin", "Cos", "Tan", "Tanh", "Sigmoid", "Relu",
                 "Softplus", "HardSwish", "Erf", "Floor", "Ceil", "Round", "Sinh", "Cosh", "Atan",
                 "Asinh", "Softsign", "Mish", "Reciprocal", "Selu", "Celu", "Elu", "LeakyRelu",
                 "HardSigmoid", "ThresholdedRelu", "Shrink", "IsNaN", "Identity"]:
        node(kind.lower(), kind, [noise(3, 7) * 2])
    for kind in ["Log", "Sqrt"]:
        node(kind.lower(), kind, [above(3, 7)])
    for kind in ["Asin", "Acos", "Atanh"]:
        node(kind.lower(), kind, [np.tanh(noise(3, 7))])
    node("acosh", "Acosh", [above(3, 7) + 1])
    node("is_inf", "IsInf", [np.array([1, np.inf, -np.inf, np.nan], np.float32)])
    node("elu_alpha", "Elu", [noise(3, 7)], alpha=0.7)
    node("leaky_alpha", "LeakyRelu", [noise(3, 7)], alpha=0.3)
    node("hard_sigmoid_torch", "HardSigmoid", [noise(3, 7) * 4], alpha=1 / 6, beta=0.5)
    node("shrink_soft", "Shrink", [noise(3, 7)], lambd=0.4, bias=0.4)
    node("gelu", "Gelu", [noise(3, 7)], opset=20)
    node("gelu_tanh", "Gelu", [noise(3, 7)], opset=20, approximate="tanh")
    node("neg_i64", "Neg", [whole(1, -2, 3)])
    node("abs_i32", "Abs", [np.array([1, -2, 3], np.int32)])
    node("clip", "Clip", [noise(3, 7), scalar(-0.5), scalar(0.25)], constants=(1, 2))
    node("clip_high", "Clip", [noise(3, 7), None, scalar(0.25)], constants=(2,))
    node("clip_streams", "Clip", [noise(3, 7), scalar(-0.5), scalar(0.25)])
    node("clip_i64", "Clip", [whole(-3, 1, 9), scalar(0, np.int64)], constants=(1,))
    node("prelu", "PRelu", [noise(2, 3, 4), noise(3, 1)], constants=(1,))
    node("not", "Not", [np.array([True, False, True])])
    node("cast_i64", "Cast", [noise(3, 7) * 3], to=TensorProto.INT64)
    node("cast_bool", "Cast", [whole(0, 1, -3)], to=TensorProto.BOOL)
    node("cast_f64", "Cast", [noise(3, 7)], to=TensorProto.DOUBLE)
    node("cast_like", "CastLike", [noise(3), whole(1)])
    node("dropout", "Dropout", [noise(3, 7)])


def pairs():
    for kind in ["Add", "Sub", "Mul", "Min", "Max"]:
        node(kind.lower(), kind, [noise(2, 3, 4), noise(3, 1)])
        node(f"{kind.lower()}_i64", kind, [whole(4, -7, 9), whole(2)], constants=(1,))
    node("div", "Div", [noise(2, 3), above(3)])
    node("div_i64", "Div", [whole(7, -7, 6, -6), whole(2, 2, -4, -4)])
    node("mod", "Mod", [whole(7, -7, 7, -7), whole(3, 3, -3, -3)])
    node("mod_float", "Mod", [noise(2, 5), above(5)], fmod=1)
    node("pow", "Pow", [above(2, 5), noise(5)])
    node("pow_i64", "Pow", [noise(2, 5), scalar(2, np.int64)], constants=(1,))
    node("max_three", "Max", [noise(2, 5), noise(5), noise(2, 1)])
    node("sum_three", "Sum", [noise(2, 5), noise(5), noise(2, 1)])
    node("mean_three", "Mean", [noise(2, 5), noise(5), noise(2, 1)])
    truths = [np.array([True, True, False, False]), np.array([True, False, True, False])]
    for kind in ["And", "Or", "Xor"]:
        node(kind.lower(), kind, truths)
    for kind in ["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"]:
        node(kind.lower(), kind, [whole(1, 2, 3), whole(2, 2, 2)])
        node(f"{kind.lower()}_float", kind, [noise(2, 5), noise(5)])
    node("where", "Where", [np.array([[True], [False]]), noise(2, 5), noise(5)])


def products():
    node("matmul", "MatMul", [noise(2, 3, 4), noise(4, 5)], constants=(1,))
    node("matmul_batch", "MatMul", [noise(2, 1, 3, 4), noise(3, 4, 5)])
    node("matmul_vector", "MatMul", [noise(3, 4), noise(4)])
    a, b, c = noise(3, 4), noise(4, 5), noise(5)
    node("gemm", "Gemm", [a, b, c], constants=(1, 2))
    node("gemm_turned", "Gemm", [a.T.copy(), b.T.copy(), noise(3, 1)], constants=(1, 2), alpha=0.5,
         beta=2.0, transA=1, transB=1)
    node("gemm_plain", "Gemm", [a, b.T.copy()], constants=(1,), transB=1)
    node("einsum", "Einsum", [noise(2, 3, 4), noise(2, 4, 5)], equation="bij, bjk -> bik")
    node("einsum_sum", "Einsum", [noise(3, 4)], equation="ij->j")


def windows():
    x, w, b = noise(1, 4, 9, 8), noise(6, 2, 3, 2), noise(6)
    node("conv", "Conv", [x, w, b], constants=(1, 2), group=2, strides=[2, 1], pads=[1, 0, 2, 1],
         dilations=[1, 2])
    node("conv_weight_fed", "Conv", [x, w], group=2)
    for side in ["SAME_UPPER", "SAME_LOWER", "VALID"]:
        node(f"conv_{side.lower()}", "Conv", [x, w, b], constants=(1, 2), group=2, strides=[2, 3],
             auto_pad=side)
    node("conv_line", "Conv", [noise(2, 3, 11), noise(4, 3, 3), noise(4)], constants=(1, 2),
         pads=[1, 2], strides=[2])
    node("conv_volume", "Conv", [noise(1, 2, 5, 6, 4), noise(3, 2, 2, 3, 2)], constants=(1,),
         pads=[0, 1, 0, 1, 1, 1])
    t = noise(4, 3, 3, 2)
    node("conv_transpose", "ConvTranspose", [x, t, noise(6)], constants=(1, 2), group=2,
         strides=[2, 3], pads=[1, 0, 0, 1], output_padding=[1, 2])
    node("conv_transpose_same", "ConvTranspose", [x, noise(4, 2, 3, 3)], constants=(1,),
         strides=[2, 2], auto_pad="SAME_UPPER")
    node("conv_transpose_shape", "ConvTranspose", [x, noise(4, 2, 3, 3)], constants=(1,),
         strides=[2, 2], output_shape=[18, 16])
    node("conv_transpose_line", "ConvTranspose", [noise(2, 3, 7), noise(3, 4, 4)], constants=(1,),
         strides=[2], pads=[1, 1])
    node("max_pool", "MaxPool", [x], kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1])
    node("max_pool_dilated", "MaxPool", [x], kernel_shape=[3, 2], dilations=[2, 3])
    node("max_pool_ceil", "MaxPool", [x], kernel_shape=[2, 3], strides=[2, 3], ceil_mode=1)
    node("max_pool_same", "MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2],
         auto_pad="SAME_UPPER")
    node("max_pool_line", "MaxPool", [noise(2, 3, 11)], kernel_shape=[3], strides=[2])
    node("max_pool_volume", "MaxPool", [noise(1, 2, 5, 6, 4)], kernel_shape=[2, 3, 2])
    node("average_pool", "AveragePool", [x], kernel_shape=[3, 2], strides=[2, 2],
         pads=[1, 0, 1, 1])
    node("average_pool_counts", "AveragePool", [x], kernel_shape=[3, 2], strides=[2, 2],
         pads=[1, 0, 1, 1], count_include_pad=1)
    node("average_pool_line", "AveragePool", [noise(2, 3, 11)], kernel_shape=[4], strides=[3])
    node("global_average", "GlobalAveragePool", [x])
    node("global_max", "GlobalMaxPool", [x])


def norms():
    x, c = noise(2, 6, 4, 3), lambda: noise(6)
    node("batch_norm", "BatchNormalization", [x, c(), c(), c(), above(6)],
         constants=(1, 2, 3, 4), epsilon=1e-3)
    node("layer_norm", "LayerNormalization", [x, noise(3), noise(3)], constants=(1, 2))
    node("layer_norm_two", "LayerNormalization", [x, noise(4, 3)], constants=(1,), axis=-2)
    node("layer_norm_channel", "LayerNormalization", [x, noise(6, 4, 3), noise(6, 4, 3)],
         constants=(1, 2), axis=1, epsilon=1e-3)
    node("group_norm", "GroupNormalization", [x, noise(3), noise(3)], constants=(1, 2),
         num_groups=3)
    node("group_norm_21", "GroupNormalization", [x, c(), c()], constants=(1, 2), num_groups=3,
         opset=21)
    node("instance_norm", "InstanceNormalization", [x, c(), c()], constants=(1, 2))
    node("lrn", "LRN", [x], size=3, alpha=0.01, beta=0.6, bias=1.5)
    node("lp_norm", "LpNormalization", [x], axis=1)
    node("softmax", "Softmax", [x], axis=1)
    node("log_softmax", "LogSoftmax", [x])


def reductions():
    x = above(2, 3, 4)
    for kind in ["Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp",
                 "SumSquare"]:
        name = f"reduce_{kind.lower()}"
        node(name, f"Reduce{kind}", [x, whole(-1, 0)], constants=(1,), keepdims=0)
        node(f"{name}_all", f"Reduce{kind}", [x])
    node("reduce_mean_13", "ReduceMean", [x], opset=13, axes=[1])
    node("reduce_sum_none", "ReduceSum", [x], noop_with_empty_axes=1)
    node("reduce_sum_i64", "ReduceSum", [whole(1, 2, 3)], keepdims=0)
    node("arg_max", "ArgMax", [x], axis=1)
    node("arg_min", "ArgMin", [x], axis=-1, keepdims=0)
    node("cum_sum", "CumSum", [x, scalar(1, np.int64)], constants=(1,))
    node("cum_sum_back", "CumSum", [x, scalar(-1, np.int64)], constants=(1,), exclusive=1,
         reverse=1)
    node("top_k", "TopK", [x, whole(2)], 2, constants=(1,), axis=-1)
    node("top_k_least", "TopK", [x, whole(2)], 2, constants=(1,), axis=1, largest=0)


def arrangements():
    x = noise(2, 6, 4)
    node("concat", "Concat", [x, noise(2, 1, 4)], axis=-2)
    node("split", "Split", [x, whole(1, 2, 3)], 3, constants=(1,), axis=1)
    node("split_even", "Split", [x], 4, axis=1, num_outputs=4)
    node("split_13", "Split", [x], 2, axis=-1, opset=13)
    node("slice", "Slice", [x, whole(1, -3), whole(2**62, -1), whole(1, 2)], constants=(1, 2, 3))
    node("slice_steps", "Slice", [x, whole(0, 4), whole(6, 0), whole(1, 2), whole(2, -1)],
         constants=(1, 2, 3, 4))
    node("slice_back", "Slice", [x, whole(-1), whole(-(2**62)), whole(1), whole(-2)],
         constants=(1, 2, 3, 4))
    node("pad", "Pad", [x, whole(0, 1, 2, 0, 0, 1), scalar(1.5)], constants=(1, 2))
    node("pad_negative", "Pad", [x, whole(0, -1, 2, 0, 1, -1)], constants=(1,))
    node("pad_axes", "Pad", [x, whole(1, 2), None, whole(-1)], constants=(1, 3))
    for mode in ["reflect", "edge"]:
        node(f"pad_{mode}", "Pad", [x, whole(0, 1, 2, 0, 2, 1)], constants=(1,), mode=mode)
    node("reshape", "Reshape", [x, whole(0, -1, 2)], constants=(1,))
    node("reshape_zero", "Reshape", [noise(2, 0, 3), whole(0, 6)], constants=(1,), allowzero=1)
    node("flatten", "Flatten", [x], axis=-1)
    node("flatten_all", "Flatten", [x], axis=0)
    node("squeeze", "Squeeze", [noise(1, 3, 1, 2), whole(-2)], constants=(1,))
    node("squeeze_all", "Squeeze", [noise(1, 3, 1, 2)])
    node("unsqueeze", "Unsqueeze", [x, whole(-1, 1)], constants=(1,))
    node("transpose", "Transpose", [x], perm=[2, 0, 1])
    node("transpose_all", "Transpose", [x])
    node("expand", "Expand", [noise(3, 1), whole(2, 1, 4)], constants=(1,))
    node("tile", "Tile", [noise(2, 3), whole(2, 3)], constants=(1,))
    node("trilu", "Trilu", [noise(2, 4, 5)])
    node("trilu_low", "Trilu", [noise(4, 5), scalar(-1, np.int64)], constants=(1,), upper=0)
    deep = noise(1, 8, 2, 3)
    node("depth_to_space", "DepthToSpace", [deep], blocksize=2)
    node("depth_to_space_crd", "DepthToSpace", [deep], blocksize=2, mode="CRD")
    node("space_to_depth", "SpaceToDepth", [noise(1, 2, 4, 6)], blocksize=2)


def indices():
    x = noise(3, 4, 5)
    node("gather", "Gather", [x, whole(1, 0, 3)], constants=(1,), axis=1)
    node("gather_negative", "Gather", [x, np.array([[0, -1], [2, -5]])], axis=-1)
    node("gather_one", "Gather", [x, scalar(-1, np.int64)], constants=(1,), axis=1)
    node("gather_i32", "Gather", [x, np.array([2, 0], np.int32)], axis=0)
    node("gather_elements", "GatherElements", [x, np.array([[[0, -1, 2, 1, 0]]])], axis=0)
    index = np.array([[1, 0, 2, 4, 3]])
    for how in ["none", "add", "mul", "max", "min"]:
        node(f"scatter_{how}", "ScatterElements", [noise(3, 5), index, noise(1, 5)], axis=1,
             reduction=how)
    node("one_hot", "OneHot", [whole(1, -1, 0), scalar(4, np.int64), np.array([2, 5], np.float32)],
         constants=(1, 2))
    node("one_hot_first", "OneHot", [whole(1, 3), scalar(4, np.int64),
                                     np.array([0, 1], np.float32)], constants=(1, 2), axis=0)


def resizes():
    x, none = noise(1, 2, 4, 6), None
    scales = np.array([1, 1, 2, 2], np.float32)
    sizes = whole(1, 2, 7, 5)
    half, torch_half = "half_pixel", "pytorch_half_pixel"
    node("resize_nearest", "Resize", [x, none, scales], constants=(2,), mode="nearest",
         nearest_mode="floor", coordinate_transformation_mode="asymmetric")
    node("resize_nearest_default", "Resize", [x, none, scales], constants=(2,))
    node("resize_nearest_sizes", "Resize", [x, none, none, sizes], constants=(3,), mode="nearest",
         nearest_mode="floor", coordinate_transformation_mode="asymmetric")
    node("resize_linear", "Resize", [x, none, none, sizes], constants=(3,), mode="linear",
         coordinate_transformation_mode=torch_half)
    node("resize_linear_scales", "Resize", [x, none, np.array([1, 1, 1.5, 0.6], np.float32)],
         constants=(2,), mode="linear", coordinate_transformation_mode=half)
    node("resize_linear_corners", "Resize", [x, none, none, sizes], constants=(3,), mode="linear",
         coordinate_transformation_mode="align_corners")
    node("resize_cubic", "Resize", [x, none, none, sizes], constants=(3,), mode="cubic",
         coordinate_transformation_mode=half)
    node("resize_axes", "Resize", [x, none, none, whole(7, 5)], constants=(3,), mode="linear",
         axes=[2, 3])
    for mode in ["linear", "cubic"]:
        node(f"resize_smooth_{mode}", "Resize", [x, none, none, whole(1, 2, 3, 4)], constants=(3,),
             mode=mode, antialias=1, exclude_outside=1, cubic_coeff_a=-0.5)
    grid = np.tanh(noise(1, 3, 4, 2))
    node("grid_sample", "GridSample", [x, grid], mode="bilinear")
    node("grid_sample_border", "GridSample", [x, grid * 1.5], mode="bilinear", align_corners=1,
         padding_mode="border")


def recurrent():
    for kind, gates, states in [("LSTM", 4, 2), ("GRU", 3, 1), ("RNN", 1, 1)]:
        for direction, count in [("forward", 1), ("reverse", 1), ("bidirectional", 2)]:
            x = noise(5, 2, 3)
            w, r = noise(count, gates * 4, 3) / 2, noise(count, gates * 4, 4) / 2
            b = noise(count, gates * 8) / 2
            initial = [noise(count, 2, 4) for _ in range(states)]
            more = {"linear_before_reset": 1} if kind == "GRU" else {}
            node(f"{kind.lower()}_{direction}", kind, [x, w, r, b, None, *initial], 1 + states,
                 constants=(1, 2, 3), hidden_size=4, direction=direction, **more)
    node("lstm_no_bias", "LSTM", [noise(5, 2, 3), noise(1, 16, 3), noise(1, 16, 4)], 3,
         constants=(1, 2), hidden_size=4)


def missing(path):
    """A model of which little can be imported: all of that must be listed."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])
    word = helper.make_tensor_value_info("word", TensorProto.STRING, [1])
    open_ = helper.make_tensor_value_info("open", TensorProto.FLOAT, ["batch", 3])
    y = helper.make_empty_tensor_value_info("y")
    steps = [
        helper.make_node("NonZero", ["x"], ["places"], name="places"),
        helper.make_node("Relu", ["places"], ["z"], name="behind"),
        helper.make_node("FancyAttention", ["z"], ["w"], name="fancy", domain="com.example"),
        helper.make_node("Unique", ["w"], ["v"], name="unique"),
        helper.make_node("MaxPool", ["x"], ["p"], name="pool", kernel_shape=[2]),
        helper.make_node("Relu", ["x"], ["r"], name="odd", slope=0.1),
        helper.make_node("Resize", ["x", "", "", "x"], ["s"], name="by_stream"),
        helper.make_node("Add", ["x", "nowhere"], ["t"], name="lost"),
        helper.make_node("Add", ["v", "t"], ["y"], name="last"),
    ]
    for name, inputs in [("missing", [x]), ("open", [x, word, open_])]:
        graph = helper.make_graph(steps, name, inputs, [y])
        opset = 18 if name == "missing" else 9
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)],
                                  ir_version=8)
        onnx.save(model, f"{path}/{name}.onnx")


def nodes():
    for family in [pointwise, pairs, products, windows, norms, reductions, arrangements, indices,
                   resizes, recurrent]:
        family()


def write(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        def put(name, data):
            archive.writestr(zipfile.ZipInfo(name, STAMP), data, zipfile.ZIP_DEFLATED, 9)

        put("index.json", json.dumps([f"onnx/{name}" for name, *_ in CASES]))
        for name, data, about, arrays in CASES:
            file = io.BytesIO()
            np.savez(file, **arrays)
            put(f"onnx/{name}.onnx", data)
            put(f"onnx/{name}.json", json.dumps(about))
            put(f"onnx/{name}.npz", file.getvalue())
    print(f"{len(CASES)} cases")


if __name__ == "__main__":
    networks()
    nodes()
    write(sys.argv[1])
    missing(sys.argv[2])
