//! The weights of a transposed convolution, sorted by the phases of its output.
//!
//! Output pixels that are equal modulo the stride are a *phase*: they see the same kernel
//! positions. The column phases of one row phase that read the same input pixels (all of them,
//! where the kernel is no larger than the stride) form one class: one product serves them all.

use super::{
    conv::TapWeights,
    pack::INNER_BLOCK,
    simd::{Element, Path},
    tile::{self, Grid},
    window::{ConvTransposeShape, Tap},
};

/// The most channels of a tile: with all phases of a row they fill a quarter of a 1 MiB cache.
const ROW_CHUNK_MAX: usize = 128;

/// The weights of a transposed convolution, packed once.
#[derive(Debug)]
pub struct ConvTransposeWeights<T> {
    pub(super) shape: ConvTransposeShape,
    pub(super) path: Path,
    /// For each row phase, its column phases by what they see.
    pub(super) rows: Vec<Vec<Class<T>>>,
}

/// Column phases that see the same input pixels.
#[derive(Debug)]
pub(super) struct Class<T> {
    /// Row `channel * members + member` of the product is that channel of that phase.
    pub(super) weights: TapWeights<T>,
    /// The phases.
    pub(super) members: Vec<Member>,
}

#[derive(Debug)]
pub(super) struct Member {
    /// The column phase.
    pub(super) phase: usize,
    /// Index of each tap in the kernel.
    positions: Vec<usize>,
}

impl<T: Element> ConvTransposeWeights<T> {
    /// Packs `[channels_in, channels_out / groups, kernel rows, kernel columns]`.
    ///
    /// Batch and extent of `shape` are free to change later.
    #[must_use]
    pub fn pack(path: Path, shape: &ConvTransposeShape, weights: &[T]) -> Self {
        let mut packed = Self::empty(path, shape);
        packed.refill(weights);
        packed
    }

    /// Room for the weights; all are zero.
    #[must_use]
    pub fn empty(path: Path, shape: &ConvTransposeShape) -> Self {
        shape.check();
        let rows = (0..shape.window.stride[0]).map(|phase| classes(path, shape, phase)).collect();
        ConvTransposeWeights { shape: *shape, path, rows }
    }

    /// Bytes of the packed weights of a shape.
    #[must_use]
    pub fn bytes(path: Path, shape: &ConvTransposeShape) -> usize {
        let rows = 0..shape.window.stride[0];
        let of_class = |(taps, members): (Vec<Tap>, Vec<Member>)| {
            let [channels_in, channels_out] = shape.group_channels();
            let channels = [channels_in, channels_out * members.len()];
            TapWeights::<T>::bytes(path, shape.groups, channels, taps.len())
        };
        rows.flat_map(|phase| sorted(shape, phase)).map(of_class).sum()
    }

    /// Takes new weights of the same shape. Does not allocate.
    pub fn refill(&mut self, weights: &[T]) {
        assert_eq!(weights.len(), self.shape.weights_len(), "as many weights as the shape says");
        let [channels_in, channels_out] = self.shape.group_channels();
        let tap_count = self.shape.window.tap_count();
        for Class { weights: packed, members } in self.rows.iter_mut().flatten() {
            packed.fill(|group, [row, input, tap]| {
                let (output, member) = (row / members.len(), row % members.len());
                let input = group * channels_in + input;
                let position = members[member].positions[tap];
                weights[(input * channels_out + output) * tap_count + position]
            });
        }
    }

    /// The path the weights were packed for.
    #[must_use]
    pub fn path(&self) -> Path {
        self.path
    }
}

/// The classes of one row phase, without weights.
fn classes<T: Element>(path: Path, shape: &ConvTransposeShape, row_phase: usize) -> Vec<Class<T>> {
    let [channels_in, channels_out] = shape.group_channels();
    let class = |(taps, members): (Vec<Tap>, Vec<Member>)| {
        let channels = [channels_in, channels_out * members.len()];
        Class { weights: TapWeights::empty(path, shape.groups, channels, taps), members }
    };
    sorted(shape, row_phase).into_iter().map(class).collect()
}

/// The column phases of one row phase, those with the same taps together.
fn sorted(shape: &ConvTransposeShape, row_phase: usize) -> Vec<(Vec<Tap>, Vec<Member>)> {
    let mut found: Vec<(Vec<Tap>, Vec<Member>)> = Vec::new();
    for phase in 0..shape.window.stride[1] {
        let (mut taps, mut positions) = (Vec::new(), Vec::new());
        for (row, y) in shape.phase_taps(0, row_phase) {
            for (column, x) in shape.phase_taps(1, phase) {
                taps.push(Tap { y, x });
                positions.push(row * shape.window.kernel[1] + column);
            }
        }
        let member = Member { phase, positions };
        match found.iter_mut().find(|(known, _)| *known == taps) {
            Some((_, members)) => members.push(member),
            None => found.push((taps, vec![member])),
        }
    }
    found
}

/// How the phases of the output are cut into tiles. All phases have the extent of the largest; what
/// the others have too much is computed and dropped.
pub(super) struct Phases {
    /// Height and width of a phase.
    pub(super) extent: [usize; 2],
    pub(super) grid: Grid,
    /// Phases of a row.
    count: usize,
}

impl Phases {
    pub(super) fn of<T: Element>(shape: &ConvTransposeShape, path: Path, size: usize) -> Phases {
        let (output, stride) = (shape.output_extent(), shape.window.stride);
        let extent = [0, 1].map(|axis| output[axis].div_ceil(stride[axis]));
        let copies = shape.batch * shape.groups * stride[0];
        let product = [shape.group_channels()[1], INNER_BLOCK, extent[0] * extent[1]];
        let mut grid = Grid::new::<T>(path, product, copies, size);
        let tile = path.tile::<T>();
        grid.row_chunk = grid.row_chunk.min(ROW_CHUNK_MAX / tile.rows * tile.rows);
        Phases { extent, grid, count: stride[1] }
    }

    /// Elements of all phases of a tile.
    pub(super) fn mixed_len(&self) -> usize {
        self.grid.row_chunk * self.count * self.grid.column_chunk
    }

    /// Elements of workspace for the product of any class.
    pub(super) fn scratch_len<T: Element>(&self, shape: &ConvTransposeShape, path: Path) -> usize {
        let taps = |axis: usize| {
            let phases = 0..shape.window.stride[axis];
            phases.map(move |phase| shape.phase_taps(axis, phase).count())
        };
        let len = |taps: usize| {
            let inner = taps * shape.group_channels()[0];
            tile::scratch_len::<T>(path, inner, self.grid.column_chunk)
        };
        taps(0).flat_map(|rows| taps(1).map(move |columns| len(rows * columns))).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::window::{Padding, Window};

    /// For each row phase, the members and the taps of each class.
    fn classes_of(kernel: usize, stride: usize) -> Vec<Vec<(usize, usize)>> {
        let window = Window {
            kernel: [kernel; 2],
            stride: [stride; 2],
            dilation: [1; 2],
            padding: Padding::symmetric([0; 2]),
        };
        let shape = ConvTransposeShape {
            batch: 1,
            channels_in: 1,
            channels_out: 1,
            extent: [4; 2],
            groups: 1,
            window,
            output_padding: [0; 2],
        };
        let weights = vec![0.0f32; shape.weights_len()];
        let packed = ConvTransposeWeights::pack(Path::best(), &shape, &weights);
        let count = |class: &Class<f32>| (class.members.len(), class.weights.taps.len());
        packed.rows.iter().map(|row| row.iter().map(count).collect()).collect()
    }

    #[test]
    fn phases_that_see_the_same_pixels_share_a_class() {
        assert_eq!(classes_of(2, 2), [[(2, 1)], [(2, 1)]]);
        assert_eq!(classes_of(3, 1), [[(1, 9)]]);
    }

    #[test]
    fn every_kernel_position_is_multiplied_once() {
        for (kernel, stride) in [(3, 2), (2, 2), (5, 3), (1, 2), (4, 2)] {
            let classes = classes_of(kernel, stride);
            let taps = classes.iter().flatten().map(|(members, taps)| members * taps);
            assert_eq!(taps.sum::<usize>(), kernel * kernel);
        }
    }
}
