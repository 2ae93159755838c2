//! The family on accelerators: the formulas of the table once more, for `f32`.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError, Specs};
use synfire_runtime::spec::Element;

use super::family::Parameters;
use crate::device::kernel::{Call, CubeKernel, RowName, size};
use crate::device::real::{
    acos, asin, atan, copysign, exp, exp2, expm1, is_nan, log1p, nan_where, power, round_ties_even,
    sinh,
};

pub(super) struct OnCube {
    name: RowName,
    parameters: Parameters,
}

impl OnCube {
    pub(super) fn new(
        name: &'static str,
        parameters: Parameters,
        specs: &Specs<'_>,
    ) -> Result<Self, KernelError> {
        match specs.inputs[0].element {
            Element::F32 => Ok(Self { name: RowName(name), parameters }),
            _ => Err(KernelError::Absent),
        }
    }
}

impl CubeKernel for OnCube {
    const IN_PLACE: &'static [(usize, usize)] = &[(0, 0)];

    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let x = call.input(0);
        let y = call.set_extents(0, &x.extents());
        let [p, q] = self.parameters.map(|parameter| parameter as f32);
        call.each(y.elements(), |client, cubes, units| {
            let (count, name) = (size(y.elements()), self.name);
            unary::launch::<R>(client, cubes, units, x.array(), y.array(), count, p, q, name);
        })
    }
}

#[cube(launch)]
fn unary(
    x: &Array<f32>,
    y: &mut Array<f32>,
    count: u32,
    p: f32,
    q: f32,
    #[comptime] name: RowName,
) {
    let index = ABSOLUTE_POS;
    if index < count as usize {
        y[index] = formula(x[index], p, q, name);
    }
}

#[cube]
fn formula(x: f32, p: f32, q: f32, #[comptime] name: RowName) -> f32 {
    match comptime!(name.0) {
        "neg" => -x,
        "abs" => x.abs(),
        "sign" => select(x > 0.0, 1.0, select(x < 0.0, -1.0f32, 0.0f32)),
        "exp" => exp(x),
        "expm1" => expm1(x),
        "log" => x.ln(),
        "log1p" => log1p(x),
        "sqrt" => x.sqrt(),
        "rsqrt" => 1.0 / x.sqrt(),
        "recip" => 1.0 / x,
        "square" => x * x,
        "sin" => x.sin(),
        "cos" => x.cos(),
        "tan" => x.tan(),
        "tanh" => x.tanh(),
        "sigmoid" => 1.0 / (1.0 + exp(-x)),
        "relu" => select(x <= 0.0, 0.0, x),
        "leaky_relu" => select(x > 0.0, x, x * p),
        "elu" => select(x > 0.0, x, p * expm1(x)),
        "gelu" => x * 0.5 * (1.0 + Erf::erf(x * 0.707_106_77)),
        "gelu_tanh" => {
            let inner = 0.797_884_6 * (x + 0.044_715 * (x * x * x));
            0.5 * x * (1.0 + inner.tanh())
        }
        "silu" => x / (1.0 + exp(-x)),
        "softplus" => select(x > 20.0, x, log1p(exp(x))),
        "hard_swish" => {
            let gate = x + 3.0;
            let gate = select(gate < 0.0, 0.0, gate);
            x * select(gate > 6.0, 6.0, gate) / 6.0
        }
        "erf" => Erf::erf(x),
        "floor" => x.floor(),
        "ceil" => x.ceil(),
        "round" => round_ties_even(x),
        "clamp" => {
            let raised = select(x < p, p, x);
            select(raised > q, q, raised)
        }
        "within" => select(x >= p && x <= q, 1.0f32, 0.0f32),
        "between" => select(x > p && x < q, 1.0f32, 0.0f32),
        "step" => select(x > 0.0, 1.0, 0.0),
        "scale" => x * p,
        "shift" => x + p,
        "fill" => p,
        "pow_scalar" => power(x, p),
        _ => further(x, p, q, name),
    }
}

/// The rows of `elementary` and `activation`.
#[cube]
fn further(x: f32, p: f32, q: f32, #[comptime] name: RowName) -> f32 {
    match comptime!(name.0) {
        "trunc" => x.trunc(),
        "frac" => x - x.trunc(),
        "exp2" => exp2(x),
        "log2" => x.ln() * std::f32::consts::LOG2_E,
        "log10" => x.ln() * std::f32::consts::LOG10_E,
        "sinh" => sinh(x),
        "cosh" => {
            let half = exp(x.abs() - std::f32::consts::LN_2);
            half + 0.25 / half
        }
        "asin" => asin(x),
        "acos" => acos(x),
        "atan" => nan_where(is_nan(x), x, atan(x)),
        "asinh" => {
            let far = x.abs();
            let y = log1p(far + far * far / (1.0 + (far * far + 1.0).sqrt()));
            let large = far.ln() + std::f32::consts::LN_2;
            copysign(select(far > 1e15, large, y), x)
        }
        "acosh" => {
            let near = x - 1.0;
            let y = log1p(near + (near * (x + 1.0)).sqrt());
            let large = x.ln() + std::f32::consts::LN_2;
            nan_where(x < 1.0 || is_nan(x), x, select(x > 1e15, large, y))
        }
        "atanh" => {
            let far = x.abs();
            let y = 0.5 * log1p((far + far) / (1.0 - far));
            nan_where(far > 1.0 || is_nan(x), x, copysign(y, x))
        }
        "hard_tanh" => {
            let raised = select(x < p, p, x);
            select(raised > q, q, raised)
        }
        "hard_sigmoid" => {
            let gate = x + 3.0;
            let gate = select(gate < 0.0, 0.0, gate);
            select(gate > 6.0, 6.0, gate) / 6.0
        }
        "softplus_beta" => select(x * p > q, x, log1p(exp(x * p)) / p),
        "mish" => x * log1p(exp(x)).tanh(),
        "selu" => select(x > 0.0, x * 1.050_701, 1.758_099_3 * expm1(x)),
        "celu" => select(x > 0.0, x, p * expm1(x / p)),
        "log_sigmoid" => select(x < 0.0, x, 0.0) - log1p(exp(-x.abs())),
        "soft_sign" => x / (1.0 + x.abs()),
        "tanh_shrink" => x - x.tanh(),
        "soft_shrink" => select(x > p, x - p, select(x < -p, x + p, select(is_nan(x), x, 0.0))),
        "hard_shrink" => select(x >= -p && x <= p, 0.0, x),
        "threshold" => select(x <= p, q, x),
        _ => comptime!(unreachable!("a row without a formula for accelerators")),
    }
}
