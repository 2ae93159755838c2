//! What PyTorch calls the elementary functions, and those that it has besides.

use std::f64::consts::PI;

use crate::gradient::formula;
use crate::pointwise::unary::{as_float, clamp, cos, fill, float, log, log1p, operand, same, sin};
use crate::torch::{Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("trunc", |case| same(case, super::trunc())),
    ("fix", |case| same(case, super::trunc())),
    ("frac", |case| float(case, super::frac())),
    ("exp2", |case| float(case, super::exp2())),
    ("log2", |case| float(case, super::log2())),
    ("log10", |case| float(case, super::log10())),
    ("sinh", |case| float(case, super::sinh())),
    ("cosh", |case| float(case, super::cosh())),
    ("asin", |case| float(case, super::asin())),
    ("arcsin", |case| float(case, super::asin())),
    ("acos", |case| float(case, super::acos())),
    ("arccos", |case| float(case, super::acos())),
    ("atan", |case| float(case, super::atan())),
    ("arctan", |case| float(case, super::atan())),
    ("asinh", |case| float(case, super::asinh())),
    ("arcsinh", |case| float(case, super::asinh())),
    ("acosh", |case| float(case, super::acosh())),
    ("arccosh", |case| float(case, super::acosh())),
    ("atanh", |case| float(case, super::atanh())),
    ("arctanh", |case| float(case, super::atanh())),
    ("logit", logit),
    ("sinc", sinc),
];

/// `log(x / (1 - x))`, with `x` kept within `eps` of 0 and 1.
fn logit(case: &mut Case<'_>) -> Result<Vec<synfire_runtime::define::Wire>, String> {
    let x = operand(case)?;
    let mut x = as_float(case, x)?;
    if case.attribute("eps").is_some() {
        let eps = case.number("eps", 0.0)?;
        x = case.apply(clamp(eps, 1.0 - eps), &[x]);
    }
    Ok(vec![formula(case, [x], |[x]| (x.to(log()) - (-x).to(log1p())).wire)])
}

/// `sin(pi x) / (pi x)`, 1 at 0.
fn sinc(case: &mut Case<'_>) -> Result<Vec<synfire_runtime::define::Wire>, String> {
    let x = operand(case)?;
    let x = as_float(case, x)?;
    // At 0 the cosine has the value and the slope.
    let y = formula(case, [x], |[x]| {
        let angle = x * PI;
        let apart = angle.choose(angle, angle.to(fill(1.0)));
        angle.choose(angle.to(sin()) / apart, angle.to(cos())).wire
    });
    Ok(vec![y])
}
