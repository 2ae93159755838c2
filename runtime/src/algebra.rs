//! The time algebra: receptive field, stride, padding and prelude of operators and their chains.
//!
//! Source: Hedegaard and Iosifidis, "Continual inference: a library for efficient online inference
//! with deep neural networks in PyTorch", and the modules of that library.
//!
//! For one operator `prelude = receptive_field - 1 - padding`: the number of input tokens consumed
//! before the first output. Output `j` appears at input `prelude + j * stride`.

use serde::{Deserialize, Serialize};

/// How outputs relate to inputs along the time axis, in input steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Time {
    /// Input steps that one output depends on, at least 1.
    pub receptive_field: u64,
    /// Input steps from one output to the next, at least 1.
    pub stride: u64,
    /// Steps of padding before the first input.
    pub padding: u64,
    /// Input steps consumed before the first output.
    pub prelude: u64,
}

impl Time {
    /// Each output depends on its own step alone.
    pub const INSTANT: Self = Self { receptive_field: 1, stride: 1, padding: 0, prelude: 0 };

    /// A sliding window of `size` taps, `dilation` apart.
    ///
    /// # Panics
    /// When an argument that must be at least 1 is 0, or the padding exceeds the window.
    #[must_use]
    pub fn window(size: u64, dilation: u64, stride: u64, padding: u64) -> Self {
        assert!(size >= 1 && dilation >= 1 && stride >= 1, "windows, dilations, strides from 1");
        let receptive_field = size + (size - 1) * (dilation - 1);
        Self::new(receptive_field, stride, padding)
    }

    fn new(receptive_field: u64, stride: u64, padding: u64) -> Self {
        assert!(padding < receptive_field, "padding stays inside the receptive field");
        Self { receptive_field, stride, padding, prelude: receptive_field - 1 - padding }
    }

    /// A delay of `steps`.
    #[must_use]
    pub fn delay(steps: u64) -> Self {
        Self { prelude: steps, ..Self::INSTANT }
    }

    /// This operator followed by `next`.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        let receptive_field =
            self.stride * next.receptive_field + self.receptive_field - self.stride;
        let padding = self.padding + next.padding * self.stride;
        Self {
            receptive_field,
            stride: self.stride * next.stride,
            padding,
            prelude: self.prelude + next.prelude * self.stride,
        }
    }

    /// This operator beside `other` on one input, joined by index; none when strides differ.
    #[must_use]
    pub fn beside(self, other: Self) -> Option<Self> {
        (self.stride == other.stride).then(|| Self {
            receptive_field: self.receptive_field.max(other.receptive_field),
            stride: self.stride,
            padding: self.padding.max(other.padding),
            prelude: self.prelude.max(other.prelude),
        })
    }

    /// The input step at which output `index` appears.
    #[must_use]
    pub fn output_at(self, index: u64) -> u64 {
        self.prelude + index * self.stride
    }

    /// How many outputs `inputs` steps give, without padding at the end.
    #[must_use]
    pub fn outputs(self, inputs: u64) -> u64 {
        if inputs <= self.prelude { 0 } else { (inputs - 1 - self.prelude) / self.stride + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_residual_blocks_and_a_pool() {
        let block = Time::window(3, 1, 1, 1).beside(Time::delay(1)).expect("one stride");
        let chain = block.then(block).then(block).then(Time::window(5, 1, 1, 0));
        assert_eq!((chain.receptive_field, chain.padding, chain.prelude), (11, 3, 7));
    }

    #[test]
    fn a_strided_convolution_before_a_residual() {
        let residual = Time::window(5, 1, 1, 2).beside(Time::delay(2)).expect("one stride");
        let chain = Time::window(3, 1, 2, 1).then(residual);
        assert_eq!((chain.receptive_field, chain.padding, chain.prelude), (11, 5, 5));
        let outputs: Vec<u64> = (0..3).map(|index| chain.output_at(index)).collect();
        assert_eq!(outputs, [5, 7, 9]);
        assert_eq!(chain.outputs(10), 3);
        assert_eq!(chain.outputs(5), 0);
        assert_eq!(chain.outputs(6), 1);
    }

    #[test]
    fn prelude_is_receptive_field_less_one_and_padding() {
        for (size, dilation, padding) in [(1, 1, 0), (3, 1, 1), (3, 4, 2), (7, 2, 0)] {
            let window = Time::window(size, dilation, 1, padding);
            assert_eq!(window.prelude, window.receptive_field - 1 - padding);
        }
    }

    #[test]
    fn branches_of_different_strides_do_not_join() {
        assert_eq!(Time::window(3, 1, 2, 1).beside(Time::INSTANT), None);
    }
}
