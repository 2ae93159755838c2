//! Outputs whose element type is known by its size only: bytes in, bytes out.
//!
//! A family of operators picks one function over bytes for its element type, once; inside, the
//! function casts to slices of that type, so the loop over elements has no dispatch.
#![expect(unsafe_code, reason = "takes the disjoint pieces of one slice")]

use bytemuck::{Pod, cast_slice_mut};
use synfire_runtime::crew::Crew;
use synfire_runtime::operator::PieceStage;
use synfire_runtime::spec::Element;

use super::{disjoint::DisjointMut, pieces::pieces, strided::by_size};

/// Elements of a part: few enough that all its stages find it in the first-level cache.
const PART: usize = 2048;

/// Calls `body(offset, part)` for parts that together are `output`, each starting at the flat
/// element `offset`, in whole elements.
pub(crate) fn parts(
    crew: &Crew,
    output: &mut [u8],
    element: Element,
    body: &(dyn Fn(usize, &mut [u8]) + Sync),
) {
    by_size!(element, parts_of(crew, output, body));
}

fn parts_of<T: Pod + Send>(
    crew: &Crew,
    output: &mut [u8],
    body: &(dyn Fn(usize, &mut [u8]) + Sync),
) {
    pieces(crew, cast_slice_mut::<u8, T>(output), 1, &|offset, piece| {
        for (index, part) in piece.chunks_mut(PART).enumerate() {
            body(offset + index * PART, cast_slice_mut(part));
        }
    });
}

/// Calls `body(first, piece)` for pieces of `length` bytes, starting at byte `first`, that together
/// are `output`; for outputs of which each element costs much.
pub(crate) fn shares(
    crew: &Crew,
    output: &mut [u8],
    length: usize,
    body: &(dyn Fn(usize, &mut [u8]) + Sync),
) {
    assert!(length > 0, "a share holds something");
    let shared = DisjointMut::new(output);
    crew.run(shared.len().div_ceil(length), &|task| {
        let start = task * length;
        let end = (start + length).min(shared.len());
        // SAFETY: the ranges of two tasks do not overlap.
        body(start, unsafe { shared.piece(start..end) });
    });
}

/// The stages that a kernel took over from its successors, in order.
#[derive(Default)]
pub(crate) struct Stages(Vec<Box<dyn PieceStage>>);

impl Stages {
    /// Adds stages behind those taken over before.
    pub(crate) fn absorb(&mut self, stages: Vec<Box<dyn PieceStage>>) {
        self.0.extend(stages);
    }

    /// Runs all of them over a finished part of an `f32` output.
    pub(crate) fn apply(&self, part: &mut [u8], offset: usize) {
        if !self.0.is_empty() {
            self.finish(cast_slice_mut(part), offset);
        }
    }

    /// Runs all of them over a finished piece, the epilogue of dense kernels.
    pub(crate) fn finish(&self, piece: &mut [f32], offset: usize) {
        self.0.iter().for_each(|stage| stage.apply(piece, offset));
    }
}

#[cfg(test)]
mod tests {
    use synfire_runtime::device::Target;
    use synfire_runtime::firing::Firing;
    use synfire_runtime::operator::{
        Contract, FireError, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    };
    use synfire_runtime::solo::{Solo, fire_once};
    use synfire_runtime::spec::Spec;
    use synfire_runtime::value::Value;

    use super::*;
    use crate::broadcast::binary::{Binary, multiply};
    use crate::pointwise::unary::{Unary, gelu};
    use crate::sample::noise;

    /// A unary operator that absorbed a binary one, as the runtime fuses them.
    #[derive(Debug)]
    struct Fused(Unary, Binary);

    struct Fusing(Box<dyn Kernel>, Option<Box<dyn PieceStage>>);

    impl Operator for Fused {
        fn contract(&self) -> Contract {
            Contract::new("fused").input("x").input("b").output("y")
        }

        fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
            self.1.shape(inputs)
        }

        fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
            self.1.metadata(inputs, outputs)
        }

        fn kernel(
            &self,
            target: Target<'_>,
            specs: &Specs<'_>,
        ) -> Result<Box<dyn Kernel>, KernelError> {
            let first = self.0.kernel(target, specs)?;
            let stage = self.1.kernel(target, specs)?.stage();
            Ok(Box::new(Fusing(first, stage)))
        }
    }

    impl Kernel for Fusing {
        fn prepare(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
            let mut stage = self.1.take().expect("a constant factor makes a stage");
            stage.prepare(firing, 1);
            self.0.absorb(vec![stage]);
            Ok(())
        }

        fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
            self.0.fire(firing)
        }
    }

    #[test]
    fn fused_and_unfused_give_the_same_bits() {
        let x = noise(1, &[2, 3, 8209]);
        for factor in [noise(2, &[3, 1]), noise(3, &[8209]), noise(4, &[]), noise(5, &[2, 3, 8209])]
        {
            let specs = [x.spec(), factor.spec()];
            let mut solo = Solo::new(&Fused(gelu(), multiply()), &specs, &[1]).expect("specs fit");
            let inputs = [x.clone(), factor.clone()].map(Some);
            let fused = solo.fire(&inputs, &Crew::new(&[0, 0], false)).expect("it fires");
            let middle = fire_once(&gelu(), std::slice::from_ref(&x)).expect("it fires").remove(0);
            let unfused: Vec<Value> = fire_once(&multiply(), &[middle, factor]).expect("it fires");
            assert_eq!(fused[0].as_ref(), unfused.first());
        }
    }
}
