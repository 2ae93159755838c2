"""Writes conformance cases that PyTorch computed: `python generate.py OUT.zip [COUNT [SEED]]`.

Needs torch and numpy. Every operator below gives a few cases with random attributes and odd sizes;
inputs are float32 numbers, everything is computed in float64, and outputs and gradients are stored
as float32. The archive holds `index.json` (a list of KIND/NAME), and for each case NAME.json (the
operator with its attributes as in PyTorch's functional interface) and NAME.npz (`in_*`, `out_i`,
`cot_i`, `grad_*`). The same seed gives the same archive on one version of PyTorch.
"""

import io
import json
import sys
import zipfile

import numpy as np
import torch
import torch.nn.functional as F

RNG = np.random.default_rng(int(sys.argv[3]) if len(sys.argv) > 3 else 20260)
CASES = []


def operator(function):
    """Registers a generator: a function that returns (attributes, inputs, compute)."""
    CASES.append(function)
    return function


def normal(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def positive(*shape):
    return (RNG.random(shape) * 2 + 0.1).astype(np.float32)


def unit(*shape):
    return (RNG.random(shape) * 1.8 - 0.9).astype(np.float32)


def integers(high, *shape, low=0):
    return RNG.integers(low, high, shape).astype(np.int64)


def pick(*choices):
    return choices[RNG.integers(len(choices))]


def extents(rank=None, low=1, high=8):
    rank = RNG.integers(1, 5) if rank is None else rank
    return [int(n) for n in RNG.integers(low, high, rank)]


def axis_of(shape):
    return int(RNG.integers(-len(shape), len(shape)))


# Pointwise -----------------------------------------------------------------------------------

def pointwise(name, compute, draw=normal, **attributes):
    def case():
        return {"type": name, **attributes}, {"x": draw(*extents())}, compute
    case.__name__ = name
    CASES.append(case)


for name, draw in [
    ("neg", normal), ("abs", normal), ("sign", normal), ("exp", normal), ("expm1", normal),
    ("log", positive), ("log1p", positive), ("sqrt", positive), ("rsqrt", positive),
    ("reciprocal", positive), ("square", normal), ("sin", normal), ("cos", normal), ("tan", unit),
    ("tanh", normal), ("sigmoid", normal), ("erf", normal), ("floor", normal), ("ceil", normal),
    ("round", normal), ("relu", normal),
]:
    pointwise(name, lambda x, name=name: getattr(torch, name)(x), draw)
pointwise("leaky_relu", lambda x: F.leaky_relu(x, 0.2), negative_slope=0.2)
pointwise("elu", lambda x: F.elu(x, 1.3), alpha=1.3)
pointwise("gelu", lambda x: F.gelu(x), approximate="none")
pointwise("gelu", lambda x: F.gelu(x, approximate="tanh"), approximate="tanh")
pointwise("silu", F.silu)
pointwise("softplus", lambda x: F.softplus(x))
pointwise("hardswish", F.hardswish, lambda *s: normal(*s) * 3)
pointwise("clamp", lambda x: torch.clamp(x, -0.5, 0.8), min=-0.5, max=0.8)
pointwise("clamp", lambda x: torch.clamp(x, min=-0.25), min=-0.25)
pointwise("pow", lambda x: torch.pow(x, 2.5), positive, exponent=2.5)
pointwise("pow", lambda x: torch.pow(x, 3), normal, exponent=3)


# Broadcast -----------------------------------------------------------------------------------

def broadcast_pair():
    a = extents(int(RNG.integers(1, 5)), 1, 6)
    b = [n if RNG.random() < 0.6 else 1 for n in a]
    b = b[int(RNG.integers(0, len(a))):]
    return (a, b) if RNG.random() < 0.5 else (b, a)


def binary(name, compute, draw=normal):
    def case():
        a, b = broadcast_pair()
        return {"type": name}, {"x": draw(*a), "y": draw(*b)}, compute
    case.__name__ = name
    CASES.append(case)


binary("add", torch.add)
binary("sub", torch.sub)
binary("mul", torch.mul)
binary("div", torch.div, lambda *s: positive(*s) * pick(-1, 1))
binary("minimum", torch.minimum)
binary("maximum", torch.maximum)
binary("pow", torch.pow, positive)
binary("atan2", torch.atan2)
binary("remainder", torch.remainder, lambda *s: positive(*s) * pick(-1, 1))


@operator
def where():
    a, b = broadcast_pair()
    shape = torch.broadcast_shapes(a, b)
    inputs = {"condition": RNG.random(shape) < 0.5, "x": normal(*a), "y": normal(*b)}
    return {"type": "where"}, inputs, lambda condition, x, y: torch.where(condition, x, y)


# Reductions ----------------------------------------------------------------------------------

def reduction(name, compute, draw=normal, **attributes):
    def case():
        shape = extents(int(RNG.integers(1, 5)), 1, 7)
        count = int(RNG.integers(1, len(shape) + 1))
        dims = [int(d) for d in RNG.choice(len(shape), count, replace=False)]
        dims = [d if RNG.random() < 0.5 else d - len(shape) for d in dims]
        keep = bool(RNG.random() < 0.5)
        about = {"type": name, "dim": dims, "keepdim": keep, **attributes}
        return about, {"x": draw(*shape)}, lambda x: compute(x, dims, keep)
    case.__name__ = name
    CASES.append(case)


reduction("sum", lambda x, d, k: torch.sum(x, d, k))
reduction("mean", lambda x, d, k: torch.mean(x, d, k))
reduction("amax", lambda x, d, k: torch.amax(x, d, k))
reduction("amin", lambda x, d, k: torch.amin(x, d, k))
reduction("logsumexp", lambda x, d, k: torch.logsumexp(x, d, k))
reduction("var", lambda x, d, k: torch.var(x, d, correction=0, keepdim=k), correction=0)
reduction("norm", lambda x, d, k: torch.linalg.vector_norm(x, 2, d, k), p=2)
reduction("norm", lambda x, d, k: torch.linalg.vector_norm(x, 3, d, k), p=3)


def along(name, compute, draw=normal, low=1, **attributes):
    def case():
        shape = extents(int(RNG.integers(1, 5)), low, 8)
        dim = axis_of(shape)
        return {"type": name, "dim": dim, **attributes}, {"x": draw(*shape)}, \
            lambda x: compute(x, dim)
    case.__name__ = name
    CASES.append(case)


along("var", lambda x, d: torch.var(x, d, correction=1), low=2, correction=1)
along("prod", lambda x, d: torch.prod(x, d))
along("argmax", lambda x, d: torch.argmax(x, d))
along("argmin", lambda x, d: torch.argmin(x, d))
along("cumsum", lambda x, d: torch.cumsum(x, d))
along("cumprod", lambda x, d: torch.cumprod(x, d))
along("softmax", lambda x, d: F.softmax(x, d))
along("log_softmax", lambda x, d: F.log_softmax(x, d))
along("sort", lambda x, d: torch.sort(x, dim=d, stable=True))
along("flip", lambda x, d: torch.flip(x, [d]))


# Dense ---------------------------------------------------------------------------------------

@operator
def matmul():
    m, k, n, b = (int(v) for v in RNG.integers(1, 9, 4))
    a, c = pick(
        ([m, k], [k, n]), ([b, m, k], [b, k, n]), ([b, m, k], [k, n]), ([m, k], [b, k, n]),
        ([2, 1, m, k], [b, k, n]), ([k], [k, n]), ([m, k], [k]), ([k], [k]),
    )
    return {"type": "matmul"}, {"x": normal(*a), "y": normal(*c)}, torch.matmul


@operator
def linear():
    i, o = (int(v) for v in RNG.integers(1, 12, 2))
    inputs = {"x": normal(*extents(int(RNG.integers(0, 3))), i), "w": normal(o, i)}
    if RNG.random() < 0.7:
        inputs["b"] = normal(o)
    return {"type": "linear"}, inputs, lambda x, w, b=None: F.linear(x, w, b)


@operator
def bilinear():
    p, q, o, n = (int(v) for v in RNG.integers(1, 7, 4))
    inputs = {"x1": normal(n, p), "x2": normal(n, q), "w": normal(o, p, q), "b": normal(o)}
    return {"type": "bilinear"}, inputs, lambda x1, x2, w, b: F.bilinear(x1, x2, w, b)


@operator
def einsum():
    sizes = {letter: int(RNG.integers(1, 6)) for letter in "bijkl"}
    text = pick("bij,bjk->bik", "ij,jk->ki", "bi,bj->bij", "ij->j", "bij,kj->bki", "i,i->", "ijk,jil->kl")
    names = ["a", "b"]
    operands = text.split("->")[0].split(",")
    inputs = {n: normal(*[sizes[c] for c in o]) for n, o in zip(names, operands)}
    return {"type": "einsum", "equation": text}, inputs, lambda *t: torch.einsum(text, *t)


def convolution(rank, transposed):
    name = f"conv{'_transpose' if transposed else ''}{rank}d"

    def case():
        groups = int(pick(1, 1, 2, 3))
        i, o = (groups * int(v) for v in RNG.integers(1, 4, 2))
        kernel = [int(v) for v in RNG.integers(1, 4, rank)]
        stride = [int(v) for v in RNG.integers(1, 4, rank)]
        dilation = [int(v) for v in RNG.integers(1, 3, rank)]
        padding = [int(v) for v in RNG.integers(0, 3, rank)]
        size = [int(RNG.integers(5, 9 if rank < 3 else 7)) + d * (k - 1) for k, d in zip(kernel, dilation)]
        if transposed:
            padding = [min(p, d * (k - 1)) for p, d, k in zip(padding, dilation, kernel)]
            size = [int(v) for v in RNG.integers(2, 6, rank)]
        weight = [i, o // groups] if transposed else [o, i // groups]
        inputs = {"x": normal(2, i, *size), "w": normal(*weight, *kernel)}
        if RNG.random() < 0.7:
            inputs["b"] = normal(o)
        about = {"type": name, "stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        if RNG.random() < 0.3:
            about["stride"] = stride[0]
            stride[:] = [stride[0]] * rank
        extra = {}
        if transposed:
            output_padding = [int(RNG.integers(0, max(s, d))) for s, d in zip(stride, dilation)]
            about["output_padding"] = output_padding
            extra["output_padding"] = output_padding
        function = getattr(F, name)
        return about, inputs, lambda x, w, b=None: function(
            x, w, b, stride=stride, padding=padding, dilation=dilation, groups=groups, **extra)
    case.__name__ = name
    CASES.extend([case, case])


for rank in (1, 2, 3):
    convolution(rank, False)
    convolution(rank, True)


@operator
def unfold():
    about = {"type": "unfold", "kernel_size": [2, 3], "dilation": int(pick(1, 2)),
             "padding": int(pick(0, 1)), "stride": int(pick(1, 2))}
    arguments = [about[n] for n in ("kernel_size", "dilation", "padding", "stride")]
    return about, {"x": normal(2, 3, 7, 8)}, lambda x: F.unfold(x, *arguments)


@operator
def fold():
    about = {"type": "fold", "output_size": [5, 6], "kernel_size": [2, 3], "stride": 1, "padding": 0, "dilation": 1}
    return about, {"x": normal(2, 3 * 6, 4 * 4)}, lambda x: F.fold(x, (5, 6), (2, 3))


# Pools ---------------------------------------------------------------------------------------

def pool(kind, rank):
    name = f"{kind}_pool{rank}d"

    def case():
        kernel = [int(v) for v in RNG.integers(2, 4, rank)]
        stride = [int(v) for v in RNG.integers(1, 4, rank)]
        padding = [int(RNG.integers(0, k // 2 + 1)) for k in kernel]
        ceil = bool(RNG.random() < 0.5)
        x = normal(2, 3, *[int(v) for v in RNG.integers(5, 9 if rank < 3 else 7, rank)])
        about = {"type": name, "kernel_size": kernel, "stride": stride, "padding": padding, "ceil_mode": ceil}
        extra = {}
        if kind == "avg":
            about["count_include_pad"] = extra["count_include_pad"] = bool(RNG.random() < 0.5)
        elif rank < 3:
            about["dilation"] = extra["dilation"] = [int(v) for v in RNG.integers(1, 3, rank)]
        function = getattr(F, name)
        return about, {"x": x}, lambda x: function(x, kernel, stride, padding, ceil_mode=ceil, **extra)
    case.__name__ = name
    CASES.append(case)


def adaptive(kind, rank):
    name = f"adaptive_{kind}_pool{rank}d"

    def case():
        size = [int(v) for v in RNG.integers(1, 5, rank)]
        x = normal(2, 3, *[int(v) for v in RNG.integers(4, 8, rank)])
        return {"type": name, "output_size": size}, {"x": x}, lambda x: getattr(F, name)(x, size)
    case.__name__ = name
    CASES.append(case)


for rank in (1, 2, 3):
    for kind in ("avg", "max"):
        pool(kind, rank)
        adaptive(kind, rank)


# Norms ---------------------------------------------------------------------------------------

@operator
def batch_norm():
    c, training = int(RNG.integers(1, 6)), bool(RNG.random() < 0.6)
    mean, variance = normal(c), positive(c)
    about = {"type": "batch_norm", "training": training, "momentum": 0.1, "eps": 1e-5,
             "running_mean": mean.tolist(), "running_var": variance.tolist()}
    inputs = {"x": normal(3, c, *extents(int(RNG.integers(0, 3)), 2, 6)), "g": normal(c), "b": normal(c)}

    def compute(x, g, b):
        m, v = torch.tensor(mean).double(), torch.tensor(variance).double()
        y = F.batch_norm(x, m, v, g, b, training, 0.1, 1e-5)
        return y, m, v
    return about, inputs, compute


@operator
def layer_norm():
    shape = extents(int(RNG.integers(2, 5)), 2, 7)
    last = shape[-int(RNG.integers(1, len(shape))):]
    about = {"type": "layer_norm", "normalized_shape": last, "eps": 1e-5}
    inputs = {"x": normal(*shape), "g": normal(*last), "b": normal(*last)}
    return about, inputs, lambda x, g, b: F.layer_norm(x, last, g, b)


@operator
def rms_norm():
    shape = extents(int(RNG.integers(2, 5)), 2, 7)
    about = {"type": "rms_norm", "normalized_shape": shape[-1:], "eps": 1e-5}
    return about, {"x": normal(*shape), "g": normal(shape[-1])}, \
        lambda x, g: F.rms_norm(x, shape[-1:], g, 1e-5)


@operator
def group_norm():
    groups = int(RNG.integers(1, 4))
    c = groups * int(RNG.integers(1, 4))
    about = {"type": "group_norm", "num_groups": groups, "eps": 1e-5}
    inputs = {"x": normal(2, c, *extents(int(RNG.integers(1, 3)), 2, 6)), "g": normal(c), "b": normal(c)}
    return about, inputs, lambda x, g, b: F.group_norm(x, groups, g, b)


@operator
def instance_norm():
    c = int(RNG.integers(1, 5))
    inputs = {"x": normal(2, c, *extents(int(RNG.integers(1, 3)), 2, 6)), "g": normal(c), "b": normal(c)}
    return {"type": "instance_norm", "eps": 1e-5}, inputs, \
        lambda x, g, b: F.instance_norm(x, weight=g, bias=b)


along("normalize", lambda x, d: F.normalize(x, 2.0, d), p=2)


# Attention and recurrence ---------------------------------------------------------------------

@operator
def scaled_dot_product_attention():
    b, h, n, m, d, v = (int(x) for x in RNG.integers(1, 7, 6))
    causal = bool(RNG.random() < 0.4)
    m = n if causal else m
    inputs = {"q": normal(b, h, n, d), "k": normal(b, h, m, d), "v": normal(b, h, m, v)}
    if not causal and RNG.random() < 0.6:
        mask = RNG.random((b, 1, n, m)) < 0.7
        mask[..., 0] = True
        inputs["mask"] = mask
    return {"type": "scaled_dot_product_attention", "causal": causal}, inputs, \
        lambda q, k, v, mask=None: F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal)


def recurrent(kind):
    def case():
        layers, both = int(RNG.integers(1, 3)), bool(RNG.random() < 0.5)
        i, h, n, t = (int(v) for v in RNG.integers(1, 6, 4))
        batch_first = bool(RNG.random() < 0.5)
        module = getattr(torch.nn, kind.upper())(
            i, h, layers, bidirectional=both, batch_first=batch_first).double()
        inputs = {"x": normal(n, t, i) if batch_first else normal(t, n, i)}
        for name, value in module.named_parameters():
            inputs[name] = (normal(*value.shape) * 0.5).astype(np.float32)

        def compute(x, *weights):
            weights = dict(zip(list(inputs)[1:], weights))
            y, state = torch.func.functional_call(module, weights, (x,))
            return (y, *state) if isinstance(state, tuple) else (y, state)
        about = {"type": kind, "layers": layers, "bidirectional": both, "batch_first": batch_first}
        return about, inputs, compute
    case.__name__ = kind
    CASES.append(case)


for kind in ("rnn", "gru", "lstm"):
    recurrent(kind)


# Shape ---------------------------------------------------------------------------------------

@operator
def pad():
    mode = pick("constant", "reflect", "replicate", "circular")
    amounts = [int(v) for v in RNG.integers(0, 3, 4)]
    about = {"type": "pad", "pad": amounts, "mode": mode}
    value = 0.0
    if mode == "constant":
        about["value"] = value = float(pick(0.0, 1.5))
    return about, {"x": normal(2, 3, 4, 5)}, lambda x: F.pad(x, amounts, mode, value)


@operator
def cat():
    shape = extents(3, 1, 5)
    dim = axis_of(shape)
    other = list(shape)
    other[dim] += 2
    return {"type": "cat", "dim": dim}, {"a": normal(*shape), "b": normal(*other)}, \
        lambda a, b: torch.cat([a, b], dim)


@operator
def stack():
    shape, dim = extents(2, 1, 5), int(RNG.integers(-3, 3))
    return {"type": "stack", "dim": dim}, {"a": normal(*shape), "b": normal(*shape)}, \
        lambda a, b: torch.stack([a, b], dim)


@operator
def permute():
    dims = [int(v) for v in RNG.permutation(4)]
    return {"type": "permute", "dims": dims}, {"x": normal(*extents(4, 1, 6))}, lambda x: x.permute(dims)


@operator
def roll():
    shifts, dims = [int(v) for v in RNG.integers(-3, 4, 2)], [0, 2]
    return {"type": "roll", "shifts": shifts, "dims": dims}, {"x": normal(4, 3, 5)}, \
        lambda x: torch.roll(x, shifts, dims)


@operator
def pixel_shuffle():
    factor = int(pick(2, 3))
    return {"type": "pixel_shuffle", "upscale_factor": factor}, {"x": normal(2, 2 * factor**2, 3, 4)}, \
        lambda x: F.pixel_shuffle(x, factor)


@operator
def pixel_unshuffle():
    return {"type": "pixel_unshuffle", "downscale_factor": 2}, {"x": normal(2, 3, 4, 6)}, \
        lambda x: F.pixel_unshuffle(x, 2)


@operator
def repeat():
    return {"type": "repeat", "repeats": [2, 1, 3]}, {"x": normal(2, 3, 2)}, lambda x: x.repeat(2, 1, 3)


# Indexed -------------------------------------------------------------------------------------

@operator
def gather():
    shape = extents(3, 2, 6)
    dim = axis_of(shape)
    index = integers(shape[dim], *[int(RNG.integers(1, n + 1)) for n in shape])
    return {"type": "gather", "dim": dim}, {"x": normal(*shape), "index": index}, \
        lambda x, index: torch.gather(x, dim, index)


def scattered(name, compute, **attributes):
    def case():
        shape = extents(3, 2, 6)
        dim = axis_of(shape)
        smaller = [int(RNG.integers(1, n + 1)) for n in shape]
        inputs = {"x": normal(*shape), "index": integers(shape[dim], *smaller), "src": normal(*smaller)}
        return {"type": name, "dim": dim, **attributes}, inputs, \
            lambda x, index, src: compute(x, dim, index, src)
    case.__name__ = name
    CASES.append(case)


scattered("scatter_add", lambda x, d, i, s: torch.scatter_add(x, d, i, s))
for reduce in ("sum", "amax", "amin", "mean"):
    for include in (True, False):
        scattered("scatter_reduce", lambda x, d, i, s, r=reduce, n=include: torch.scatter_reduce(
            x, d, i, s, r, include_self=n), reduce=reduce, include_self=include)


@operator
def index_select():
    shape = extents(3, 2, 6)
    dim = axis_of(shape)
    return {"type": "index_select", "dim": dim}, \
        {"x": normal(*shape), "index": integers(shape[dim], 5)}, \
        lambda x, index: torch.index_select(x, dim, index)


@operator
def index_add():
    shape = extents(3, 2, 6)
    dim, alpha = axis_of(shape), float(pick(1.0, -0.5))
    source = list(shape)
    source[dim] = 4
    inputs = {"x": normal(*shape), "index": integers(shape[dim], 4), "src": normal(*source)}
    return {"type": "index_add", "dim": dim, "alpha": alpha}, inputs, \
        lambda x, index, src: torch.index_add(x, dim, index, src, alpha=alpha)


@operator
def embedding():
    rows = int(RNG.integers(2, 8))
    inputs = {"index": integers(rows, 3, 4), "w": normal(rows, 5)}
    return {"type": "embedding"}, inputs, lambda index, w: F.embedding(index, w)


@operator
def topk():
    shape = extents(3, 3, 7)
    dim, largest = axis_of(shape), bool(RNG.random() < 0.5)
    about = {"type": "topk", "k": 2, "dim": dim, "largest": largest, "sorted": True}
    return about, {"x": normal(*shape)}, lambda x: torch.topk(x, 2, dim, largest, True)


@operator
def one_hot():
    return {"type": "one_hot", "num_classes": 6}, {"x": integers(6, 3, 4)}, \
        lambda x: F.one_hot(x, 6)


# Resize and spectra ---------------------------------------------------------------------------

def resized(mode, rank, align=None):
    def case():
        size = [int(v) for v in RNG.integers(2, 9, rank)]
        x = normal(2, 3, *[int(v) for v in RNG.integers(3, 8, rank)])
        about = {"type": f"interpolate_{mode}", "size": size}
        extra = {}
        if align is not None:
            about["align_corners"] = extra["align_corners"] = align
        return about, {"x": x}, lambda x: F.interpolate(x, size, mode=mode, **extra)
    case.__name__ = f"interpolate_{mode}"
    CASES.append(case)


resized("nearest", 2)
for align in (False, True):
    resized("linear", 1, align)
    resized("bilinear", 2, align)
    resized("bicubic", 2, align)


@operator
def grid_sample():
    mode, padding, align = pick("bilinear", "nearest"), pick("zeros", "border", "reflection"), bool(pick(0, 1))
    inputs = {"x": normal(2, 3, 5, 6), "grid": (unit(2, 4, 3, 2) * 1.3).astype(np.float32)}
    about = {"type": "grid_sample", "mode": mode, "padding_mode": padding, "align_corners": align}
    return about, inputs, lambda x, grid: F.grid_sample(x, grid, mode, padding, align)


@operator
def rfft():
    n = int(pick(5, 8, 9, 12))
    return {"type": "rfft"}, {"x": normal(2, 3, n)}, lambda x: torch.view_as_real(torch.fft.rfft(x))


@operator
def irfft():
    n = int(pick(8, 9, 12))
    return {"type": "irfft", "n": n}, {"x": normal(2, n // 2 + 1, 2)}, \
        lambda x: torch.fft.irfft(torch.view_as_complex(x), n)


# Losses --------------------------------------------------------------------------------------

@operator
def cross_entropy():
    c, reduction = int(RNG.integers(2, 6)), pick("mean", "sum", "none")
    spatial = extents(int(RNG.integers(0, 3)), 1, 4)
    target = integers(c, 4, *spatial)
    smoothing = float(pick(0.0, 0.1))
    about = {"type": "cross_entropy", "label_smoothing": smoothing, "ignore_index": -100,
             "class_dim": 1, "reduction": reduction}
    weight = None
    if RNG.random() < 0.5:
        weight = positive(c)
        about["class_weight"] = weight.tolist()
    if RNG.random() < 0.3:
        about["ignore_index"] = 0
    ignore = about["ignore_index"]

    def compute(x, target):
        w = None if weight is None else torch.tensor(weight).double()
        return F.cross_entropy(x, target, w, ignore_index=ignore, label_smoothing=smoothing, reduction=reduction)
    return about, {"x": normal(4, c, *spatial), "target": target}, compute


def loss(name, compute, draw=normal, target=normal, **attributes):
    def case():
        reduction, shape = pick("mean", "sum", "none"), extents(int(RNG.integers(1, 4)))
        about = {"type": name, "reduction": reduction, **attributes}
        return about, {"x": draw(*shape), "target": target(*shape)}, \
            lambda x, target: compute(x, target, reduction)
    case.__name__ = name
    CASES.append(case)


loss("mse_loss", lambda x, t, r: F.mse_loss(x, t, reduction=r))
loss("l1_loss", lambda x, t, r: F.l1_loss(x, t, reduction=r))
loss("smooth_l1_loss", lambda x, t, r: F.smooth_l1_loss(x, t, reduction=r, beta=0.7), beta=0.7)
loss("huber_loss", lambda x, t, r: F.huber_loss(x, t, reduction=r, delta=0.6), delta=0.6)
loss("binary_cross_entropy_with_logits",
     lambda x, t, r: F.binary_cross_entropy_with_logits(x, t, reduction=r),
     target=lambda *s: RNG.random(s).astype(np.float32))
loss("kl_div", lambda x, t, r: F.kl_div(x, t, reduction=r), target=positive)


@operator
def cosine_similarity():
    shape = extents(3, 2, 6)
    dim = axis_of(shape)
    return {"type": "cosine_similarity", "dim": dim, "eps": 1e-8}, \
        {"x1": normal(*shape), "x2": normal(*shape)}, \
        lambda x1, x2: F.cosine_similarity(x1, x2, dim)


@operator
def ctc_loss():
    t, n, c, s = 9, 2, 5, 3
    lengths, target_lengths = [9, 7], [3, 2]
    about = {"type": "ctc_loss", "blank": 0, "input_lengths": lengths, "target_lengths": target_lengths,
             "reduction": pick("mean", "sum", "none")}
    # As a function of logits, so that the gradient is one by free numbers.
    inputs = {"log_probs": np.log(RNG.dirichlet(np.ones(c), (t, n))).astype(np.float32),
              "targets": integers(c, n, s, low=1)}
    return about, inputs, lambda log_probs, targets: F.ctc_loss(
        log_probs, targets, torch.tensor(lengths), torch.tensor(target_lengths), 0, about["reduction"])


# More names and attributes ---------------------------------------------------------------------

for name, draw in [
    ("log2", positive), ("log10", positive), ("exp2", normal), ("sinh", normal), ("cosh", normal),
    ("asin", unit), ("acos", unit), ("atan", normal), ("trunc", normal), ("hardsigmoid", normal),
    ("relu6", lambda *s: normal(*s) * 5), ("mish", normal), ("selu", normal), ("celu", normal),
    ("logsigmoid", normal), ("tanhshrink", normal), ("softsign", normal), ("hardtanh", normal),
    ("softshrink", normal), ("hardshrink", normal),
]:
    pointwise(name, lambda x, name=name: getattr(torch if hasattr(torch, name) else F, name)(x), draw)
pointwise("softplus", lambda x: F.softplus(x, 2.0, 3.0), beta=2.0, threshold=3.0)
binary("logaddexp", torch.logaddexp)
binary("hypot", torch.hypot, positive)
binary("fmod", torch.fmod, lambda *s: positive(*s) * pick(-1, 1))
along("cummax", lambda x, d: torch.cummax(x, d))
along("max", lambda x, d: torch.max(x, d))
along("min", lambda x, d: torch.min(x, d))
along("std", lambda x, d: torch.std(x, d, correction=1), low=2, correction=1)
along("logcumsumexp", lambda x, d: torch.logcumsumexp(x, d))
along("argsort", lambda x, d: torch.argsort(x, dim=d, stable=True))
along("softmin", lambda x, d: F.softmin(x, d))
reduction("norm", lambda x, d, k: torch.linalg.vector_norm(x, 1, d, k), p=1)
reduction("norm", lambda x, d, k: torch.linalg.vector_norm(x, float("inf"), d, k), p="inf")
loss("hinge_embedding_loss", lambda x, t, r: F.hinge_embedding_loss(x, t, 0.8, reduction=r),
     target=lambda *s: (RNG.integers(0, 2, s) * 2 - 1).astype(np.float32), margin=0.8)
loss("binary_cross_entropy", lambda x, t, r: F.binary_cross_entropy(x, t, reduction=r),
     draw=lambda *s: (RNG.random(s) * 0.9 + 0.05).astype(np.float32),
     target=lambda *s: RNG.random(s).astype(np.float32))
loss("poisson_nll_loss", lambda x, t, r: F.poisson_nll_loss(x, t, reduction=r), target=positive)


@operator
def tril():
    k = int(RNG.integers(-2, 3))
    return {"type": "tril", "diagonal": k}, {"x": normal(*extents(3, 2, 6))}, lambda x: torch.tril(x, k)


@operator
def triu():
    k = int(RNG.integers(-2, 3))
    return {"type": "triu", "diagonal": k}, {"x": normal(*extents(3, 2, 6))}, lambda x: torch.triu(x, k)


@operator
def masked_fill():
    shape = extents(3, 2, 6)
    inputs = {"x": normal(*shape), "mask": RNG.random(shape) < 0.4}
    return {"type": "masked_fill", "value": -1.5}, inputs, lambda x, mask: x.masked_fill(mask, -1.5)


@operator
def split():
    shape = extents(3, 5, 9)
    dim = axis_of(shape)
    sizes = [2, shape[dim] - 2]
    return {"type": "split", "split_size_or_sections": sizes, "dim": dim}, {"x": normal(*shape)}, \
        lambda x: torch.split(x, sizes, dim)


@operator
def chunk():
    shape = extents(3, 5, 9)
    dim = axis_of(shape)
    return {"type": "chunk", "chunks": 3, "dim": dim}, {"x": normal(*shape)}, \
        lambda x: torch.chunk(x, 3, dim)


@operator
def narrow_():
    return {"type": "narrow", "dim": 1, "start": 2, "length": 3}, {"x": normal(3, 7, 2)}, \
        lambda x: torch.narrow(x, 1, 2, 3)


@operator
def conv2d_words():
    padding = pick("same", "valid")
    about = {"type": "conv2d", "padding": padding, "dilation": 2, "stride": 1, "groups": 1}
    return about, {"x": normal(2, 3, 8, 9), "w": normal(4, 3, 3, 2), "b": normal(4)}, \
        lambda x, w, b: F.conv2d(x, w, b, padding=padding, dilation=2)


@operator
def avg_pool2d_divisor():
    about = {"type": "avg_pool2d", "kernel_size": 3, "stride": 2, "divisor_override": 5}
    return about, {"x": normal(2, 3, 8, 9)}, lambda x: F.avg_pool2d(x, 3, 2, divisor_override=5)


@operator
def interpolate_scale():
    mode, factor = pick("nearest", "bilinear", "bicubic"), [1.7, 0.6]
    about = {"type": f"interpolate_{mode}", "scale_factor": factor}
    return about, {"x": normal(2, 2, 7, 9)}, \
        lambda x: F.interpolate(x, scale_factor=factor, mode=mode)


@operator
def cross_entropy_soft():
    c, reduction = int(RNG.integers(2, 6)), pick("mean", "sum", "none")
    target = RNG.dirichlet(np.ones(c), 4).astype(np.float32)
    about = {"type": "cross_entropy", "reduction": reduction, "label_smoothing": 0.2}
    return about, {"x": normal(4, c), "target": target}, \
        lambda x, target: F.cross_entropy(x, target, reduction=reduction, label_smoothing=0.2)


@operator
def nll_loss():
    c, reduction = int(RNG.integers(2, 6)), pick("mean", "sum", "none")
    return {"type": "nll_loss", "reduction": reduction}, \
        {"x": normal(5, c), "target": integers(c, 5)}, \
        lambda x, target: F.nll_loss(x, target, reduction=reduction)


@operator
def triplet_margin_loss():
    shape = [4, 6]
    return {"type": "triplet_margin_loss", "margin": 0.7, "p": 2, "reduction": "mean"}, \
        {"anchor": normal(*shape), "positive": normal(*shape), "negative": normal(*shape)}, \
        lambda a, p, n: F.triplet_margin_loss(a, p, n, 0.7)


@operator
def fake_quantize():
    about = {"type": "fake_quantize_per_tensor_affine", "scale": 0.11, "zero_point": 7,
             "quant_min": 0, "quant_max": 255}
    return about, {"x": normal(4, 9) * 3}, \
        lambda x: torch.fake_quantize_per_tensor_affine(x.float(), 0.11, 7, 0, 255).double()


@operator
def prelu():
    return {"type": "prelu"}, {"x": normal(2, 3, 4), "w": unit(3)}, lambda x, w: F.prelu(x, w)


@operator
def solve():
    inputs = {"a": normal(2, 4, 4) + 4 * np.eye(4, dtype=np.float32), "b": normal(2, 4, 3)}
    return {"type": "solve"}, inputs, torch.linalg.solve


@operator
def cholesky():
    root = normal(3, 3)
    a = root @ root.T + 3 * np.eye(3, dtype=np.float32)
    return {"type": "cholesky"}, {"x": a.astype(np.float32)}, lambda x: torch.linalg.cholesky(x)


@operator
def fft():
    return {"type": "fft"}, {"x": normal(2, 7, 2)}, \
        lambda x: torch.view_as_real(torch.fft.fft(torch.view_as_complex(x)))


@operator
def addmm():
    about = {"type": "addmm", "beta": 0.5, "alpha": 2.0}
    return about, {"x": normal(3, 5), "mat1": normal(3, 4), "mat2": normal(4, 5)}, \
        lambda x, a, b: torch.addmm(x, a, b, beta=0.5, alpha=2.0)


# ---------------------------------------------------------------------------------------------

def narrow(array):
    array = np.asarray(array)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def build(case):
    about, inputs, compute = case()
    tensors = {}
    for name, value in inputs.items():
        tensor = torch.tensor(value)
        tensors[name] = tensor.double().requires_grad_() if tensor.is_floating_point() else tensor
    outputs = compute(*tensors.values())
    outputs = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
    arrays = {f"in_{name}": value for name, value in inputs.items()}
    total = None
    for index, output in enumerate(outputs):
        arrays[f"out_{index}"] = narrow(output.detach().numpy())
        if output.is_floating_point() and output.requires_grad:
            cotangent = normal(*output.shape)
            arrays[f"cot_{index}"] = cotangent
            part = (output * torch.tensor(cotangent).double()).sum()
            total = part if total is None else total + part
    if total is not None:
        total.backward()
        for name, tensor in tensors.items():
            if tensor.is_floating_point():
                gradient = tensor.grad if tensor.grad is not None else torch.zeros_like(tensor)
                arrays[f"grad_{name}"] = narrow(gradient.numpy())
    return about, arrays


def drawn(case):
    """A case whose random attributes PyTorch accepts."""
    while True:
        try:
            return build(case)
        except RuntimeError as error:
            if "too small" not in str(error):
                raise


def main(path, count):
    index = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        def put(name, data):
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED, 9)
        for number in range(count):
            case = CASES[number % len(CASES)]
            about, arrays = drawn(case)
            name = f"{case.__name__}_{number:04}"
            shapes = {key: list(value.shape) for key, value in arrays.items()}
            put(f"ops/{name}.json", json.dumps({"name": name, "op": about, "arrays": shapes}))
            stream = io.BytesIO()
            np.savez(stream, **arrays)
            put(f"ops/{name}.npz", stream.getvalue())
            index.append(f"ops/{name}")
        put("index.json", json.dumps(index))
    print(f"{count} cases of {len(CASES)} operators, PyTorch {torch.__version__}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 480)
