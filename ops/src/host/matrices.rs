//! Small matrices, one of a batch at a time: what the operators of linear algebra share.
//!
//! The factorisations are those of `nalgebra`, which allocates: these kernels are the exception to
//! the rule that a firing does not. They run on the host only.

use std::sync::atomic::{AtomicUsize, Ordering};

use nalgebra::{DMatrix, DMatrixView, Dyn, RealField};
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{Axes, FireError, Kernel, Metadata, SpecError, Specs, Workspace};
use synfire_runtime::spec::{Dimension, Element as Kind, Extents, RANK_MAX, Scalar, Spec};

use super::blocks::{Blocks, blocks};
use super::simd::Element;
use super::tile::workspace_bytes;
use crate::require;

/// The number types of factorisations.
pub(crate) trait Field: Element + Scalar + RealField {}
impl<T: Element + Scalar + RealField> Field for T {}

/// The extents of an output behind the batch: a matrix, a vector, or one number.
pub(crate) type Tail = [Option<usize>; 2];

/// A matrix with these extents.
pub(crate) fn matrix(rows: usize, columns: usize) -> Tail {
    [Some(rows), Some(columns)]
}

/// One matrix of an input, row-major.
#[derive(Clone, Copy)]
pub(crate) struct Plane<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl<T: Field> Plane<'_, T> {
    /// As a matrix of its own.
    pub(crate) fn to_matrix(self) -> DMatrix<T> {
        DMatrix::from_row_slice(self.rows, self.columns, self.data)
    }

    /// As a matrix, with rows and columns exchanged.
    pub(crate) fn transposed(&self) -> DMatrixView<'_, T> {
        DMatrixView::from_slice_generic(self.data, Dyn(self.columns), Dyn(self.rows))
    }
}

/// Writes a matrix row by row.
pub(crate) fn store<T: Field>(matrix: &DMatrix<T>, to: &mut [T]) {
    let columns = matrix.ncols();
    for (row, to) in to.chunks_exact_mut(columns.max(1)).enumerate() {
        for (column, to) in to.iter_mut().enumerate() {
            *to = matrix[(row, column)];
        }
    }
}

/// What is done with each matrix of a batch; `N` outputs.
pub(crate) trait EachMatrix<const N: usize>: Clone + Send + Sync + 'static {
    /// What a matrix is of which there is no result.
    const FAILURE: &'static str;

    /// The outputs of one matrix, from the extents of the inputs.
    fn tails(&self, inputs: &[[usize; 2]]) -> [Tail; N];

    /// Computes them; false when there is no result.
    fn compute<T: Field>(&self, inputs: &[Plane<'_, T>], outputs: [&mut [T]; N]) -> bool;
}

/// The extents of the matrices, all of which are fixed.
///
/// # Errors
/// Names the first port that is no batch of matrices of floats, or of another batch than the first.
fn planes(names: &[&str], inputs: &[Spec]) -> Result<Vec<[usize; 2]>, SpecError> {
    let mut planes = Vec::new();
    for (name, spec) in names.iter().zip(inputs) {
        require::element(name, spec, &[Kind::F32, Kind::F64])?;
        require::element(name, spec, &[inputs[0].element])?;
        let Some(before) = spec.rank().checked_sub(2) else {
            return Err(SpecError::new(name, spec, "at least 2 dimensions"));
        };
        require::rank(name, spec, inputs[0].rank())?;
        for (axis, (found, wanted)) in
            spec.dimensions[..before].iter().zip(&inputs[0].dimensions).enumerate()
        {
            if found != wanted {
                let wanted = format!("{wanted}, as port {}", names[0]);
                return Err(SpecError::new(name, found, wanted).at(axis));
            }
        }
        let extents =
            [require::fixed(name, spec, before)?, require::fixed(name, spec, before + 1)?];
        planes.push(extents);
    }
    Ok(planes)
}

/// The first input is square.
///
/// # Errors
/// Names it.
pub(crate) fn square(name: &str, spec: &Spec) -> Result<(), SpecError> {
    let Some(row) = spec.rank().checked_sub(2) else { return Ok(()) };
    let [rows, columns] = [spec.dimensions[row], spec.dimensions[row + 1]];
    if rows == columns {
        return Ok(());
    }
    Err(SpecError::new(name, columns, format!("{rows}, as many columns as rows")).at(row + 1))
}

/// The output specs.
///
/// # Errors
/// As [`planes`].
pub(crate) fn outcome<const N: usize, F: EachMatrix<N>>(
    each: &F,
    names: &[&str],
    inputs: &[Spec],
) -> Result<Vec<Spec>, SpecError> {
    let planes = planes(names, inputs)?;
    let batch = &inputs[0].dimensions[..inputs[0].rank() - 2];
    let output = |tail: Tail| {
        let tail = tail.into_iter().flatten().map(Dimension::Fixed);
        Spec::new(inputs[0].element, batch.iter().copied().chain(tail))
    };
    Ok(each.tails(&planes).map(output).to_vec())
}

/// Costs of about `n^3` for each matrix; the batch is kept, all else consumed and produced.
pub(crate) fn metadata(inputs: &[Spec], outputs: &[Spec]) -> Metadata {
    let batch = inputs[0].rank() - 2;
    let mut fresh = batch as u8;
    let mut labels = |spec: &Spec| -> Vec<u8> {
        let own = spec.rank() - batch;
        fresh += own as u8;
        (0..batch as u8).chain(fresh - own as u8..fresh).collect()
    };
    let axes = Axes {
        inputs: inputs.iter().map(&mut labels).collect(),
        outputs: outputs.iter().map(&mut labels).collect(),
    };
    let side = inputs[0].bound(batch).min(inputs[0].bound(batch + 1)) as u64;
    let macs = inputs[0].elements() as u64 * side;
    Metadata::streaming(inputs, outputs, axes).with_macs(macs)
}

/// The kernel.
pub(crate) struct OnHost<T, F, const N: usize> {
    each: F,
    cores: usize,
    number: std::marker::PhantomData<T>,
}

impl<T: Field, F: EachMatrix<N>, const N: usize> OnHost<T, F, N> {
    pub(crate) fn new(each: &F, specs: &Specs<'_>) -> Self {
        Self { each: each.clone(), cores: specs.cores, number: std::marker::PhantomData }
    }
}

impl<T: Field, F: EachMatrix<N>, const N: usize> Kernel for OnHost<T, F, N> {
    fn workspace(&self) -> Workspace {
        Workspace { kept_bytes: 0, scratch_bytes: workspace_bytes::<T>(0, self.cores) }
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let views: Vec<_> = (0..firing.inputs()).map(|input| firing.input(input)).collect();
        let extents: Vec<Extents> = views.iter().map(|view| view.extents()).collect();
        let before = extents[0].len() - 2;
        let batch = &extents[0][..before];
        if let Some(other) = extents.iter().find(|own| own[..before] != *batch) {
            let text = format!("batches of {batch:?} and {:?} matrices", &other[..before]);
            return Err(FireError::failed(text));
        }
        let count: usize = batch.iter().product();
        let planes: Vec<[usize; 2]> =
            extents.iter().map(|own| [own[before], own[before + 1]]).collect();
        let tails = self.each.tails(&planes);
        let units = tails.map(|tail| tail.into_iter().flatten().product::<usize>());
        let mut outputs = std::array::from_fn::<_, N, _>(|output| firing.output(output));
        for (output, tail) in outputs.iter_mut().zip(tails) {
            let (mut own, mut rank) = ([0; RANK_MAX], before);
            own[..before].copy_from_slice(batch);
            for extent in tail.into_iter().flatten() {
                own[rank] = extent;
                rank += 1;
            }
            output.set_extents(&own[..rank]);
        }
        let failed = AtomicUsize::new(usize::MAX);
        let cut = Blocks {
            count,
            ranges: &|number| units.map(|unit| number * unit..(number + 1) * unit),
        };
        let all: Vec<&[T]> = views.iter().map(|view| view.elements()).collect();
        let slices = outputs.each_mut().map(|output| output.elements::<T>());
        blocks(firing.crew(), slices, &cut, (firing.scratch(), 0), &|number, outputs, _| {
            let pairs = all.iter().zip(&planes);
            let planes = pairs.map(|(&data, &[rows, columns])| {
                let unit = rows * columns;
                Plane { data: &data[number * unit..(number + 1) * unit], rows, columns }
            });
            let inputs: Vec<Plane<'_, T>> = planes.collect();
            if !self.each.compute(&inputs, outputs) {
                failed.fetch_min(number, Ordering::Relaxed);
            }
        });
        match failed.into_inner() {
            usize::MAX => Ok(()),
            number => Err(FireError::failed(format!("matrix {number} {}", F::FAILURE))),
        }
    }
}

/// The kernel for the type of the first input, as `Result<Box<dyn Kernel>, KernelError>`; none for
/// accelerators.
macro_rules! each_matrix {
    ($target:expr, $specs:expr, $each:expr) => {
        match $specs.inputs[0].element {
            ::synfire_runtime::spec::Element::F64 => $crate::device::on_device!(
                $target,
                $specs,
                host: $crate::host::matrices::OnHost::<f64, _, _>::new($each, $specs)
            ),
            _ => $crate::device::on_device!(
                $target,
                $specs,
                host: $crate::host::matrices::OnHost::<f32, _, _>::new($each, $specs)
            ),
        }
    };
}
pub(crate) use each_matrix;
