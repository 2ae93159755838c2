//! The choice on accelerators, for elements of any size.

use cubecl::prelude::*;
use synfire_runtime::operator::FireError;
use synfire_runtime::spec::Spec;

use crate::device::kernel::{Call, CubeKernel, size, sizes};
use crate::device::words::{load, offset_of, per_word, words_of};
use crate::host::broadcast::{Walk, actual};

pub(super) struct OnCube {
    pub(super) inputs: Vec<Spec>,
    pub(super) output: Spec,
}

impl CubeKernel for OnCube {
    const IN_PLACE: &'static [(usize, usize)] = &[(1, 0)];

    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let [condition, a, b] = [call.input(0), call.input(1), call.input(2)];
        let names = ["condition", "a", "b"];
        let port = |k: usize| (names[k], &self.inputs[k], call.input(k).extents());
        let extents = actual(&self.output.dimensions, &[0, 1, 2].map(port))?;
        let y = call.set_extents(0, &extents);
        let walk = Walk::new(&[&condition.extents(), &a.extents(), &b.extents()], &extents);
        let (per_word, words) = (per_word(y.element()), words_of(y.element()));
        // The words of one element are an innermost axis, along which the condition stays.
        let extents = [walk.extents(), &[words]].concat();
        let strides = |k: usize, words: usize, last: usize| {
            let strides = walk.strides().iter().map(|strides| strides[k] * words);
            sizes(&strides.chain([last]).collect::<Vec<_>>())
        };
        let count = y.elements() * words;
        call.each(count.div_ceil(per_word as usize), |client, cubes, units| {
            where_::launch::<R>(
                client,
                cubes,
                units,
                condition.array(),
                a.array(),
                b.array(),
                y.array(),
                size(count),
                sizes(&extents),
                strides(0, 1, 0),
                strides(1, words, 1),
                strides(2, words, 1),
                per_word,
            );
        })
    }
}

#[cube(launch)]
fn where_(
    condition: &Array<u32>,
    a: &Array<u32>,
    b: &Array<u32>,
    y: &mut Array<u32>,
    count: u32,
    extents: Sequence<u32>,
    to_condition: Sequence<u32>,
    to_a: Sequence<u32>,
    to_b: Sequence<u32>,
    #[comptime] per_word: u32,
) {
    let word = ABSOLUTE_POS as u32;
    if word * per_word < count {
        let mut bits = 0u32;
        #[unroll]
        for k in 0..per_word {
            let element = word * per_word + k;
            if element < count {
                let left = load(a, offset_of(element, 0u32, &extents, &to_a), per_word);
                let right = load(b, offset_of(element, 0u32, &extents, &to_b), per_word);
                let holds =
                    load(condition, offset_of(element, 0u32, &extents, &to_condition), 4u32);
                bits |= select(holds != 0u32, left, right) << comptime!(k * (32 / per_word));
            }
        }
        y[word as usize] = bits;
    }
}
