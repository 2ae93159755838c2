//! Floats of 16 bits in `f32`: any operator over `f32` as one over `f16` or `bf16`.
//!
//! Inputs are widened piece by piece into registers of the kernel's own, the kernel over `f32` does
//! the work, with its sums in `f32`, and what it gives is rounded once.

use bytemuck::{cast_slice, cast_slice_mut};
use half::{bf16, f16};
use synfire_runtime::crew::Crew;
use synfire_runtime::device::Target;
use synfire_runtime::firing::{Firing, Pair, View};
use synfire_runtime::operator::{
    FireError, Kernel, KernelError, Operator, PieceStage, Specs, Workspace,
};
use synfire_runtime::solo::Solo;
use synfire_runtime::spec::{Element, Extents, Spec};

use super::pieces::pieces;
use super::real::Half;

/// The most outputs of an operator that is widened.
const OUTPUTS_MAX: usize = 4;

/// Whether it is a float of 16 bits.
pub(crate) fn is_half(element: Element) -> bool {
    matches!(element, Element::F16 | Element::BF16)
}

/// `f32` for floats of 16 bits, others as they are.
pub(crate) fn wide(element: Element) -> Element {
    if is_half(element) { Element::F32 } else { element }
}

/// The kernel of an operator over floats of 16 bits, made of its kernel over `f32`; none where the
/// first input is of something else. The operator must give the same outputs for both, but for
/// their types.
pub(crate) fn widened(
    operator: &dyn Operator,
    target: Target<'_>,
    specs: &Specs<'_>,
) -> Option<Result<Box<dyn Kernel>, KernelError>> {
    if !is_half(specs.inputs[0].element) {
        return None;
    }
    Some(match target {
        Target::Accelerator(_) => Err(KernelError::Absent),
        Target::Host => Widened::new(operator, specs)
            .map(|kernel| Box::new(kernel) as Box<dyn Kernel>)
            .map_err(|error| KernelError::Refused(error.to_string())),
    })
}

struct Widened {
    solo: Solo,
    /// The inputs and outputs that may share a place.
    in_place: Vec<(usize, usize)>,
    inputs: Vec<Element>,
    outputs: Vec<Element>,
    constant: Vec<bool>,
}

impl Widened {
    fn new(operator: &dyn Operator, specs: &Specs<'_>) -> Result<Self, FireError> {
        assert!(specs.outputs.len() <= OUTPUTS_MAX, "few outputs");
        let widen = |spec: &Spec| Spec { element: wide(spec.element), ..spec.clone() };
        let inputs: Vec<Spec> = specs.inputs.iter().map(widen).collect();
        let constants: Vec<usize> =
            (0..inputs.len()).filter(|&input| specs.constant[input]).collect();
        let elements = |specs: &[Spec]| specs.iter().map(|spec| spec.element).collect();
        Ok(Self {
            solo: Solo::with_cores(specs.cores, operator, &inputs, &constants)?,
            in_place: operator.contract().in_place,
            inputs: elements(specs.inputs),
            outputs: elements(specs.outputs),
            constant: specs.constant.to_vec(),
        })
    }

    /// Widens one input.
    fn load(&mut self, crew: &Crew, input: usize, extents: &Extents, bytes: &[u8]) {
        let to = self.solo.input_mut(input, extents);
        match self.inputs[input] {
            Element::F16 => widen::<f16>(crew, cast_slice(bytes), cast_slice_mut(to)),
            Element::BF16 => widen::<bf16>(crew, cast_slice(bytes), cast_slice_mut(to)),
            _ => to.copy_from_slice(bytes),
        }
    }

    fn load_view(&mut self, crew: &Crew, input: usize, view: &View<'_>) {
        self.load(crew, input, &view.extents(), view.bytes());
    }
}

impl Kernel for Widened {
    fn workspace(&self) -> Workspace {
        Workspace { kept_bytes: self.solo.bytes(), scratch_bytes: 0 }
    }

    fn prepare(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        for input in 0..self.inputs.len() {
            if self.constant[input] {
                self.load_view(firing.crew(), input, &firing.input(input));
            }
        }
        self.solo.prepare(firing.crew())
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let crew = firing.crew();
        let mut views = [const { None }; OUTPUTS_MAX];
        let mut loaded = 0_u32;
        for (output, view) in views.iter_mut().enumerate().take(self.outputs.len()) {
            let pair = self.in_place.iter().find(|&&(_, own)| own == output).copied();
            *view = Some(match pair {
                None => firing.output(output),
                Some((input, _)) => {
                    loaded |= 1 << input;
                    match firing.pair(input, output) {
                        Pair::Distinct(from, to) => {
                            self.load_view(crew, input, &from);
                            to
                        }
                        Pair::Same(mut both) => {
                            let extents = both.extents();
                            self.load(crew, input, &extents, both.bytes());
                            both
                        }
                    }
                }
            });
        }
        for input in 0..self.inputs.len() {
            if loaded >> input & 1 == 0 && !self.constant[input] {
                self.load_view(crew, input, &firing.input(input));
            }
        }
        self.solo.fire_held(crew)?;
        for (output, view) in views.iter_mut().flatten().enumerate() {
            let (extents, from) = self.solo.output(output);
            view.set_extents(&extents);
            let to = view.bytes();
            match self.outputs[output] {
                Element::F16 => narrow::<f16>(crew, cast_slice(from), cast_slice_mut(to)),
                Element::BF16 => narrow::<bf16>(crew, cast_slice(from), cast_slice_mut(to)),
                _ => to.copy_from_slice(from),
            }
        }
        Ok(())
    }

    fn absorb(&mut self, stages: Vec<Box<dyn PieceStage>>) {
        assert!(stages.is_empty(), "stages work on f32");
    }
}

fn widen<H: Half>(crew: &Crew, from: &[H], to: &mut [f32]) {
    pieces(crew, to, 1, &|offset, piece| {
        let from = &from[offset..offset + piece.len()];
        piece.iter_mut().zip(from).for_each(|(to, from)| *to = from.widen());
    });
}

fn narrow<H: Half>(crew: &Crew, from: &[f32], to: &mut [H]) {
    pieces(crew, to, 1, &|offset, piece| {
        let from = &from[offset..offset + piece.len()];
        piece.iter_mut().zip(from).for_each(|(to, from)| *to = H::narrow(*from));
    });
}

#[cfg(test)]
mod tests {
    use synfire_runtime::solo::fire_once;
    use synfire_runtime::value::Value;

    use super::*;
    use crate::dense::conv_transpose2d::conv_transpose2d;
    use crate::dense::conv2d::conv2d;
    use crate::dense::conv2d_weight::conv2d_weight;
    use crate::dense::linear::linear;
    use crate::dense::matmul::matmul;
    use crate::normalize::row_norm::layer_norm;
    use crate::normalize::softmax::softmax;
    use crate::pool::max_pool2d::max_pool2d;
    use crate::pool::max_pool2d_indices::max_pool2d_indices;
    use crate::reduce::reduction::{Keep, sum};
    use crate::sample::noise;

    /// A value in another element type.
    fn rounded<H: Half>(value: &Value) -> Value {
        if value.element != Element::F32 {
            return value.clone();
        }
        let narrow: Vec<H> = value.elements::<f32>().into_iter().map(H::narrow).collect();
        Value::new(&value.extents, &narrow)
    }

    fn widened_back<H: Half>(value: &Value) -> Value {
        let wide: Vec<f32> = value.elements::<H>().into_iter().map(Half::widen).collect();
        Value::new(&value.extents, &wide)
    }

    /// Over floats of 16 bits an operator gives what it gives over the same numbers as `f32`,
    /// rounded once; with constants, more cores, and a second time too.
    fn check<H: Half>(operator: &dyn Operator, inputs: &[&[usize]]) {
        let noise = inputs.iter().enumerate().map(|(key, extents)| noise(key as u64, extents));
        let narrow: Vec<Value> = noise.map(|value| rounded::<H>(&value)).collect();
        let wide: Vec<Value> = narrow.iter().map(widened_back::<H>).collect();
        let expected = fire_once(operator, &wide).expect("it fires");
        let expected: Vec<Value> = expected.iter().map(rounded::<H>).collect();
        let specs: Vec<Spec> = narrow.iter().map(Value::spec).collect();
        let tokens: Vec<Option<Value>> = narrow.into_iter().map(Some).collect();
        let constants: Vec<usize> = (1..specs.len()).collect();
        for (constants, cores) in [(&[][..], 1), (&constants, 3)] {
            let mut solo = Solo::new(operator, &specs, constants).expect("specs fit");
            for _ in 0..2 {
                let found = solo.fire(&tokens, &Crew::new(&vec![0; cores], false));
                let found: Vec<Value> = found.expect("it fires").into_iter().flatten().collect();
                assert_eq!(found, expected, "{operator:?}");
            }
        }
    }

    #[test]
    fn results_are_those_of_f32_rounded_once() {
        let cases: [(&dyn Operator, &[&[usize]]); 10] = [
            (&matmul(), &[&[3, 17, 300], &[300, 9]]),
            (&linear().bias(), &[&[5, 33], &[7, 33], &[7]]),
            (&conv2d().padding(1).bias(), &[&[2, 3, 9, 7], &[4, 3, 3, 3], &[4]]),
            (&conv_transpose2d().stride(2), &[&[2, 3, 5, 7], &[3, 4, 3, 3]]),
            (&conv2d_weight([3, 3]), &[&[2, 3, 9, 7], &[2, 4, 7, 5]]),
            (&max_pool2d(2), &[&[2, 3, 8, 6]]),
            (&max_pool2d_indices(2), &[&[2, 3, 8, 6]]),
            (&softmax(1), &[&[5, 37]]),
            (&layer_norm(1, 1e-5).affine(), &[&[5, 37], &[37], &[37]]),
            (&sum(&[0], Keep::Nothing), &[&[400, 37]]),
        ];
        for (operator, inputs) in cases {
            check::<f16>(operator, inputs);
            check::<bf16>(operator, inputs);
        }
    }
}
