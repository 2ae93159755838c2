//! What ONNX calls the further activations.

use std::any::Any;
use std::slice::from_ref;

use synfire_runtime::spec::Element;

use crate::onnx::{Emit, Onnx};
use crate::pointwise::unary::onnx::{clipped, one, plain};
use crate::pointwise::unary::{Unary, clamp, scale, shift};

/// ONNX's names, both ways.
pub const ONNX: Onnx = Onnx::reads(&[
    ("HardSigmoid", |node| {
        let (alpha, beta) = (node.number("alpha", 0.2)?, node.number("beta", 0.5)?);
        if (alpha - 1.0 / 6.0).abs() < 1e-6 && beta == 0.5 {
            return one(node, super::hard_sigmoid());
        }
        let x = node.input(0)?;
        let sloped = node.apply(scale(alpha), &[x]);
        let raised = node.apply(shift(beta), &[sloped]);
        Ok(vec![node.apply(clamp(0.0, 1.0), &[raised])])
    }),
    ("Mish", |node| one(node, super::mish())),
    ("Selu", |node| {
        let [scale, alpha] = super::SELU;
        let given = (node.number("gamma", scale)?, node.number("alpha", alpha)?);
        match (given.0 - scale).abs() < 1e-6 && (given.1 - alpha).abs() < 1e-6 {
            true => one(node, super::selu()),
            false => Err(format!("gamma and alpha {given:?}, wanted {scale} and {alpha}")),
        }
    }),
    ("Celu", |node| {
        let alpha = node.number("alpha", 1.0)?;
        one(node, super::celu(alpha))
    }),
    ("Softsign", |node| one(node, super::soft_sign())),
    ("ThresholdedRelu", |node| {
        let bound = node.number("alpha", 1.0)?;
        one(node, super::threshold(bound, 0.0))
    }),
    ("Shrink", |node| {
        let (lambda, bias) = (node.number("lambd", 0.5)?, node.number("bias", 0.0)?);
        match bias {
            0.0 => one(node, super::hard_shrink(lambda)),
            _ if bias == lambda => one(node, super::soft_shrink(lambda)),
            _ => Err(format!("a bias of {bias}, wanted 0 or {lambda}")),
        }
    }),
])
.writes(write);

const PLAIN: [(&str, &str); 3] = [("mish", "Mish"), ("selu", "Selu"), ("soft_sign", "Softsign")];

fn write(operator: &dyn Any, emit: &mut Emit<'_>) -> Option<Result<(), String>> {
    if let Some(done) = plain(&PLAIN, operator, emit) {
        return Some(done);
    }
    let (name, [first, second]) = operator.downcast_ref::<Unary>()?.named();
    let x = emit.input(0);
    match name {
        "hard_tanh" => clipped(emit, [first, second]),
        "hard_sigmoid" => {
            let attributes = [("alpha", (1.0 / 6.0).into()), ("beta", 0.5.into())];
            emit.last("HardSigmoid", &[x], &attributes);
        }
        "celu" if emit.input_spec(0).element != Element::F32 => {
            return Some(Err("ONNX has it of f32 alone".into()));
        }
        "celu" => emit.last("Celu", &[x], &[("alpha", first.into())]),
        "log_sigmoid" => {
            let below = emit.step("Neg", &[x], &[]);
            let soft = emit.step("Softplus", &[below], &[]);
            emit.last("Neg", &[soft], &[]);
        }
        "softplus_beta" => {
            let (beta, share) = (emit.number(first), emit.number(1.0 / first));
            let scaled = emit.step("Mul", &[x, beta], &[]);
            let soft = emit.step("Softplus", &[scaled], &[]);
            emit.last("Mul", &[soft, share], &[]);
        }
        "tanh_shrink" => {
            let bent = emit.step("Tanh", from_ref(&x), &[]);
            emit.last("Sub", &[x, bent], &[]);
        }
        "soft_shrink" | "hard_shrink" => {
            let bias = if name == "soft_shrink" { first } else { 0.0 };
            emit.last("Shrink", &[x], &[("lambd", first.into()), ("bias", bias.into())]);
        }
        "threshold" => {
            let (bound, value) = (emit.number(first), emit.number(second));
            let is_below = emit.step("LessOrEqual", &[x.clone(), bound], &[]);
            emit.last("Where", &[is_below, value, x], &[]);
        }
        _ => return None,
    }
    Some(Ok(()))
}
