//! Outputs filled from strided views, and inputs laid side by side: the copying behind `slice`,
//! `transpose`, `concat`, ... for elements of any size.

use cubecl::prelude::*;
use synfire_runtime::operator::FireError;

use super::kernel::{Call, CubeKernel, Tensor, size, sizes};
use super::words::{load, offset_of, per_word, strides, words_of, wrapped};
use crate::host::strided::{Strided, Viewed};

impl<F: Fn(&[usize]) -> Strided + Send + Sync + 'static> CubeKernel for Viewed<F> {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let x = call.input(0);
        let view = (self.0)(&x.extents());
        let y = call.set_extents(0, &view.extents());
        copy(call, &view, &x, &y)
    }
}

/// Fills `to` with what `view` shows of `from`.
pub(crate) fn copy<R: Runtime>(
    call: &Call<'_, R>,
    view: &Strided,
    from: &Tensor,
    to: &Tensor,
) -> Result<(), FireError> {
    let (per_word, words) = (per_word(from.element()), words_of(from.element()));
    let view = view.merged();
    let mut extents = view.extents().to_vec();
    let mut steps: Vec<isize> = view.strides().iter().map(|step| step * words as isize).collect();
    if words > 1 {
        extents.push(words);
        steps.push(1);
    }
    let count = extents.iter().product::<usize>();
    let start = wrapped(view.start() * words as isize);
    call.each(count.div_ceil(per_word as usize), |client, cubes, units| {
        let (x, y) = (from.array(), to.array());
        let (extents, steps) = (sizes(&extents), strides(steps));
        view_of::launch::<R>(
            client,
            cubes,
            units,
            x,
            y,
            size(count),
            start,
            extents,
            steps,
            per_word,
        );
    })
}

#[cube(launch)]
fn view_of(
    x: &Array<u32>,
    y: &mut Array<u32>,
    count: u32,
    start: u32,
    extents: Sequence<u32>,
    strides: Sequence<u32>,
    #[comptime] per_word: u32,
) {
    let word = ABSOLUTE_POS as u32;
    if word * per_word < count {
        let mut bits = 0u32;
        #[unroll]
        for k in 0..per_word {
            let element = word * per_word + k;
            if element < count {
                let source = offset_of(element, start, &extents, &strides);
                bits |= load(x, source, per_word) << comptime!(k * (32 / per_word));
            }
        }
        y[word as usize] = bits;
    }
}

/// Fills output 0 with one run of each input in turn, `rows` times: concatenation along an axis.
pub(crate) fn interleave<R: Runtime>(call: &Call<'_, R>, rows: usize) -> Result<(), FireError> {
    let y = call.output(0);
    let (per_word, words) = (per_word(y.element()), words_of(y.element()));
    let row = y.elements() * words / rows.max(1);
    let mut first = 0;
    for index in 0..call.inputs() {
        let x = call.input(index);
        let run = x.elements() * words / rows.max(1);
        // Elements that share words with their neighbours: every word of the output is looked at.
        let units =
            if per_word == 1 { rows * run } else { (rows * row).div_ceil(per_word as usize) };
        let units = if run == 0 { 0 } else { units };
        call.each(units, |client, cubes, dimension| {
            let (x, y) = (x.array(), y.array());
            let [rows, row, first, run] = [rows, row, first, run].map(size);
            part::launch::<R>(client, cubes, dimension, x, y, rows, row, first, run, per_word);
        })?;
        first += run;
    }
    Ok(())
}

/// Writes `x`, rows of length `run`, to columns `first` to `first + run` of `y`.
#[cube(launch)]
fn part(
    x: &Array<u32>,
    y: &mut Array<u32>,
    rows: u32,
    row: u32,
    first: u32,
    run: u32,
    #[comptime] per_word: u32,
) {
    let unit = ABSOLUTE_POS as u32;
    if comptime!(per_word == 1) {
        if unit < rows * run {
            y[(unit / run * row + first + unit % run) as usize] = x[unit as usize];
        }
    } else if unit * per_word < rows * row {
        let mut bits = y[unit as usize];
        #[unroll]
        for k in 0..per_word {
            let element = unit * per_word + k;
            let column = element % row;
            if element < rows * row && column >= first && column < first + run {
                let shift = comptime!(k * (32 / per_word));
                let mask = comptime!(((1u32 << (32 / per_word)) - 1) << shift);
                let source = element / row * run + column - first;
                bits = (bits & !mask) | (load(x, source, per_word) << shift);
            }
        }
        y[unit as usize] = bits;
    }
}
