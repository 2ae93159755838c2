//! One cache-sized tile of a product, and how tiles are shared out to a crew.
//!
//! A tile packs its right panels for one inner block into the second cache, then lets each left
//! panel, in the first cache, pass over all of them. After the last block each row of the tile is
//! finished and goes to the epilogue. Tiles are taken from a counter by as many tasks as the crew
//! can run at the same time, each with its own part of the workspace: whoever is late finds less.
#![expect(unsafe_code, reason = "tiles of one output are written by different tasks")]

use std::{
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
};

use synfire_runtime::crew::Crew;

use super::{
    Epilogue,
    disjoint::DisjointMut,
    kernel::{Base, MicroTile, RightPanel, Target},
    pack::{
        INNER_BLOCK, LINE_BYTES, LeftSource, RightSource, inner_block_len, inner_blocks,
        left_row_stride,
    },
    simd::{Element, LANES_MAX, Path},
};

/// Columns of a tile with full inner blocks: their panels fill half of a 1 MiB second cache.
const COLUMN_CHUNK: usize = 240;

/// Columns of a tile with short sums, where longer rows help the memory more than the cache.
const COLUMN_CHUNK_MAX: usize = 960;

/// The fewest rows of a tile that make packing its columns cheap.
const ROW_CHUNK_MIN: usize = 64;

/// Tiles that each thread of a crew should find at least, so that the last ones end together.
const TILES_PER_THREAD: usize = 4;

/// A product of `rows` x `inner` by `inner` x `columns`.
pub(super) struct Product<'a, A, R> {
    pub(super) path: Path,
    pub(super) left: A,
    pub(super) right: &'a R,
    pub(super) inner: usize,
}

/// A part of the output of a product.
pub(super) struct Tile {
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
}

/// Where a tile goes.
pub(super) struct Sink<'a, T> {
    /// The whole output.
    pub(super) output: DisjointMut<'a, T>,
    /// The place of the tile's first element.
    pub(super) first: usize,
    /// Distance between rows.
    pub(super) row_stride: usize,
    /// What is added; its slices cover the rows and columns of the whole product.
    pub(super) base: Base<'a, T>,
    /// Gets each finished row of the tile.
    pub(super) epilogue: Option<&'a Epilogue<'a, T>>,
}

/// Elements of workspace for one tile of at most `columns` columns.
pub(super) fn scratch_len<T: Element>(path: Path, inner: usize, columns: usize) -> usize {
    let tile = path.tile::<T>();
    let block = inner_block_len(inner);
    let right = block * columns.next_multiple_of(tile.columns);
    right + LANES_MAX + tile.rows * left_row_stride(block)
}

/// The most that [`scratch_len`] is for the tiles of products of at most these extents.
pub(super) fn scratch_len_max<T: Element>(path: Path, inner: usize, columns: usize) -> usize {
    let tile = path.tile::<T>();
    let block = inner.min(INNER_BLOCK).next_multiple_of(4);
    // A tile holds at most `COLUMN_CHUNK` full blocks, rounded up to whole panels.
    let right = block * columns.next_multiple_of(tile.columns);
    let right = right.min(COLUMN_CHUNK * INNER_BLOCK + block * tile.columns);
    right + LANES_MAX + tile.rows * left_row_stride(block)
}

/// Computes one tile.
///
/// # Safety
/// No other task touches the sink's elements of this tile.
pub(super) unsafe fn compute<T: Element, A: LeftSource<T>, R: RightSource<T>>(
    product: &Product<'_, A, R>,
    tile: &Tile,
    sink: &Sink<'_, T>,
    scratch: &mut [T],
) {
    let size = product.path.tile::<T>();
    let blocks = inner_blocks(product.inner);
    let block_count = blocks.clone().count();
    let right_len =
        inner_block_len(product.inner) * tile.columns.len().next_multiple_of(size.columns);
    let (right_room, left_room) = scratch.split_at_mut(right_len + LANES_MAX);
    for (number, block) in blocks.enumerate() {
        for columns in chunks(&tile.columns, size.columns) {
            if product.right.in_place(&columns, &block).is_none() {
                let at = (columns.start - tile.columns.start) * block.len();
                product.right.pack(product.path, &columns, &block, &mut right_room[at..]);
            }
        }
        for rows in chunks(&tile.rows, size.rows) {
            let left = product.left.left_panel(product.path, &rows, &block, left_room);
            for columns in chunks(&tile.columns, size.columns) {
                let at = (columns.start - tile.columns.start) * block.len();
                let packed = RightPanel { data: &right_room[at..], inner_stride: size.columns };
                let right = product.right.in_place(&columns, &block).unwrap_or(packed);
                let part = Tile { rows: rows.clone(), columns };
                // SAFETY: the part belongs to this tile, which is the caller's alone.
                let (base, target) = unsafe { sink.part(tile, &part, number == 0) };
                let micro = MicroTile {
                    inner: block.len(),
                    left,
                    right,
                    rows: part.rows.len(),
                    columns: part.columns.len(),
                    base,
                    target,
                };
                T::dispatch(product.path, micro);
            }
            if number + 1 == block_count {
                // SAFETY: the rows belong to this tile, which is the caller's alone.
                unsafe { sink.finish(tile, &rows) };
            }
        }
    }
}

impl<'a, T: Element> Sink<'a, T> {
    /// What is added to, and where lies, the part of a tile.
    ///
    /// # Safety
    /// No other task touches the tile while the target is used.
    unsafe fn part(&self, tile: &Tile, part: &Tile, is_first: bool) -> (Base<'a, T>, Target<T>) {
        let row = part.rows.start - tile.rows.start;
        let first = self.first + row * self.row_stride + part.columns.start - tile.columns.start;
        let last = first + (part.rows.len() - 1) * self.row_stride + part.columns.len();
        assert!(last <= self.output.len(), "the tile lies inside the output");
        // SAFETY: `first` to `last` are inside the output by the assert, and the caller's alone.
        let target =
            unsafe { Target::new(self.output.first().wrapping_add(first), self.row_stride) };
        let base = match self.base {
            _ if !is_first => Base::Output,
            Base::Row(bias) => Base::Row(&bias[part.rows.clone()]),
            Base::Column(bias) => Base::Column(&bias[part.columns.clone()]),
            base => base,
        };
        (base, target)
    }

    /// Shows finished rows of a tile to the epilogue.
    ///
    /// # Safety
    /// No other task touches these rows of the tile.
    unsafe fn finish(&self, tile: &Tile, rows: &Range<usize>) {
        let Some(epilogue) = self.epilogue else { return };
        for row in rows.clone() {
            let first = self.first + (row - tile.rows.start) * self.row_stride;
            // SAFETY: one row of the tile, which is the caller's alone.
            epilogue(unsafe { self.output.piece(first..first + tile.columns.len()) }, first);
        }
    }
}

/// The parts of a range with at most `length` elements.
pub(super) fn chunks(range: &Range<usize>, length: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.clone().step_by(length).map(move |start| start..(start + length).min(end))
}

/// How an output of `rows` x `columns` is cut into tiles. Any cut gives the same bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    rows: usize,
    columns: usize,
    /// Rows of a tile, except at the end.
    pub(super) row_chunk: usize,
    /// Columns of a tile, except at the end.
    pub(super) column_chunk: usize,
}

impl Grid {
    /// Cuts each of `copies` outputs so that a crew of `size` has enough tiles. The columns of a
    /// tile are the most for a crew of one, whatever `rows` and `copies` are.
    pub(super) fn new<T: Element>(
        path: Path,
        [rows, inner, columns]: [usize; 3],
        copies: usize,
        size: usize,
    ) -> Grid {
        let tile = path.tile::<T>();
        let room = COLUMN_CHUNK * INNER_BLOCK / inner_block_len(inner).max(1);
        let column_count = columns.div_ceil(room.min(COLUMN_CHUNK_MAX)).max(1);
        let column_chunk = columns.div_ceil(column_count).max(1).next_multiple_of(tile.columns);
        let mut grid = Grid { rows, columns, row_chunk: rows.max(1), column_chunk };
        let wanted = if size == 1 { 1 } else { size * TILES_PER_THREAD };
        while grid.len() * copies < wanted && grid.row_chunk >= 2 * ROW_CHUNK_MIN {
            grid.row_chunk = grid.row_chunk.div_ceil(2).next_multiple_of(tile.rows);
        }
        while grid.len() * copies < wanted && grid.column_chunk > tile.columns {
            grid.column_chunk = (grid.column_chunk / 2).next_multiple_of(tile.columns);
        }
        grid
    }

    /// How many tiles there are.
    pub(super) fn len(&self) -> usize {
        self.rows.div_ceil(self.row_chunk) * self.columns.div_ceil(self.column_chunk)
    }

    /// The tile with this number; those of the same columns follow each other.
    pub(super) fn tile(&self, number: usize) -> Tile {
        let down = self.rows.div_ceil(self.row_chunk);
        let row = number % down * self.row_chunk;
        let column = number / down * self.column_chunk;
        Tile {
            rows: row..(row + self.row_chunk).min(self.rows),
            columns: column..(column + self.column_chunk).min(self.columns),
        }
    }
}

/// Bytes of workspace with which `size` tasks have `scratch` elements each, on own cache lines.
pub(crate) const fn workspace_bytes<T>(scratch: usize, size: usize) -> usize {
    (scratch * size_of::<T>()).next_multiple_of(LINE_BYTES) * size + LINE_BYTES
}

/// Runs `body(tile, scratch)` for every tile, on as many tasks as the crew can run at once.
pub(super) fn share_out<T: Element>(
    crew: &Crew,
    tiles: usize,
    (workspace, scratch): (&mut [u8], usize),
    body: &(dyn Fn(usize, &mut [T]) + Sync),
) {
    let tasks = crew.size().min(tiles);
    let stride = (scratch * size_of::<T>()).next_multiple_of(LINE_BYTES);
    let start = workspace.as_ptr().align_offset(LINE_BYTES);
    let wanted = start + stride * tasks;
    assert!(wanted <= workspace.len(), "the workspace has the bytes that were asked for");
    let room: &mut [T] = bytemuck::cast_slice_mut(&mut workspace[start..wanted]);
    let stride = stride / size_of::<T>();
    let (shared, next) = (DisjointMut::new(room), AtomicUsize::new(0));
    crew.run(tasks, &|task| {
        // SAFETY: each task runs once and has its own part of the workspace.
        let scratch = unsafe { shared.piece(task * stride..(task + 1) * stride) };
        loop {
            let tile = next.fetch_add(1, Ordering::Relaxed);
            if tile >= tiles {
                return;
            }
            body(tile, scratch);
        }
    });
}
