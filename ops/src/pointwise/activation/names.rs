//! What PyTorch calls the activations.

use crate::pointwise::unary::{float, number};
use crate::torch::{Build, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("relu6", |case| float(case, super::relu6())),
    ("hardtanh", HARD_TANH),
    ("hard_tanh", HARD_TANH),
    ("hardsigmoid", |case| float(case, super::hard_sigmoid())),
    ("hard_sigmoid", |case| float(case, super::hard_sigmoid())),
    ("softplus", |case| {
        let (beta, threshold) = (case.number("beta", 1.0)?, case.number("threshold", 20.0)?);
        float(case, super::softplus_beta(beta, threshold))
    }),
    ("mish", |case| float(case, super::mish())),
    ("selu", |case| float(case, super::selu())),
    ("celu", |case| {
        let alpha = case.number("alpha", 1.0)?;
        float(case, super::celu(alpha))
    }),
    ("logsigmoid", |case| float(case, super::log_sigmoid())),
    ("log_sigmoid", |case| float(case, super::log_sigmoid())),
    ("softsign", |case| float(case, super::soft_sign())),
    ("tanhshrink", |case| float(case, super::tanh_shrink())),
    ("softshrink", |case| {
        let lambda = number(case, &["lambd", "lambda"], 0.5)?;
        float(case, super::soft_shrink(lambda))
    }),
    ("hardshrink", |case| {
        let lambda = number(case, &["lambd", "lambda"], 0.5)?;
        float(case, super::hard_shrink(lambda))
    }),
    ("threshold", |case| {
        let (bound, value) = (case.number("threshold", 0.0)?, case.number("value", 0.0)?);
        float(case, super::threshold(bound, value))
    }),
];

const HARD_TANH: Build = |case| {
    let low = number(case, &["min_val", "min"], -1.0)?;
    let high = number(case, &["max_val", "max"], 1.0)?;
    float(case, super::hard_tanh(low, high))
};
