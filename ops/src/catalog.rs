//! The list of operators: declares the modules and [`crate::CATALOG`], nothing more.

use crate::onnx::Onnx;
use crate::sample::Sample;
use crate::torch::Torch;

/// One line of the catalogue: an operator file.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The folder, which is the kind of operator.
    pub kind: &'static str,
    /// The file; for a family, every operator in it is a row.
    pub name: &'static str,
    /// Its samples.
    pub samples: fn() -> Vec<Sample>,
    /// What PyTorch calls it, with its builders.
    pub torch: &'static [Torch],
    /// What ONNX calls it, both ways.
    pub onnx: Onnx,
}

/// `folder: file, file; folder: file;` in reading order.
macro_rules! operators {
    ($($kind:ident: $($name:ident),+;)+) => {
        $(
            #[doc = concat!("Operators of kind ", stringify!($kind), ".")]
            pub mod $kind {
                $(pub mod $name;)+
            }
        )+

        /// Every operator file, in reading order.
        pub const CATALOG: &[Entry] = &[
            $($({
                // A file without a table of its own leaves that of the root in sight.
                use $kind::$name::*;
                $crate::Entry {
                    kind: stringify!($kind),
                    name: stringify!($name),
                    samples,
                    torch: TORCH,
                    onnx: ONNX,
                }
            },)+)+
        ];
    };
}
pub(crate) use operators;
