//! The family on accelerators: the formulas of the table once more, for `f32`.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError, Specs};
use synfire_runtime::spec::Element;

use super::family::Parameters;
use crate::device::kernel::{Call, CubeKernel, RowName, size};
use crate::device::real::{exp, expm1, log1p, power, round_ties_even};

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
    const IN_PLACE: Option<(usize, usize)> = Some((0, 0));

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
        "step" => select(x > 0.0, 1.0, 0.0),
        "scale" => x * p,
        "shift" => x + p,
        "fill" => p,
        "pow_scalar" => power(x, p),
        _ => comptime!(unreachable!("a row without a formula for accelerators")),
    }
}
