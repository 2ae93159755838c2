//! What an operator's `mod cube` implements, and the runtime's kernel over it.
//!
//! This is all that an operator needs of CubeCL besides its language, in this catalogue and
//! elsewhere. A crate of its own takes the language from [`super::cubecl`], which is the version
//! that the devices here run; it gives itself a feature `cube`, and features that turn on it and
//! `synfire-ops/wgpu` or `synfire-ops/cuda`, and says `on_device!` in `Operator::kernel`.
//!
//! ```
//! use synfire_ops::device::cubecl::{self, prelude::*};
//! use synfire_ops::device::kernel::{Call, CubeKernel, size};
//! use synfire_runtime::operator::FireError;
//!
//! struct OnCube;
//!
//! impl CubeKernel for OnCube {
//!     fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
//!         let x = call.input(0);
//!         let y = call.set_extents(0, &x.extents());
//!         let count = size(y.elements());
//!         call.each(y.elements(), |client, cubes, units| {
//!             twice::launch::<R>(client, cubes, units, x.array(), y.array(), count);
//!         })
//!     }
//! }
//!
//! #[cube(launch)]
//! fn twice(x: &Array<f32>, y: &mut Array<f32>, count: u32) {
//!     if ABSOLUTE_POS < count as usize {
//!         y[ABSOLUTE_POS] = 2.0 * x[ABSOLUTE_POS];
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! A kernel must compare its position with a count that it is given: the last cube is rarely full,
//! and an array may be longer than its token. It is launched checked, so it holds no `unsafe`.

use std::sync::OnceLock;

use bytemuck::{NoUninit, cast_slice};
use cubecl::prelude::{ArrayArg, ComputeClient, CubeCount, CubeDim, Runtime, SequenceArg};
use synfire_runtime::device::{Accelerator, Buffer};
use synfire_runtime::firing::{Firing, Pair, View, ViewMut};
use synfire_runtime::operator::{FireError, Kernel, KernelError, Specs};
use synfire_runtime::spec::{Element, Extents, Spec};

use super::accelerator::{Opened, on_queue, region};
use super::queue::{Queue, Region};

/// Units of a cube in [`Call::each`].
const UNITS: u32 = 64;

/// An operator on an accelerator.
pub trait CubeKernel: Send + Sync + 'static {
    /// The inputs whose places outputs may have, as the contract says: the kernel meets one buffer
    /// as both.
    const IN_PLACE: &'static [(usize, usize)] = &[];

    /// Sets the extents of outputs that vary, and launches what computes them.
    ///
    /// # Errors
    /// When the inputs of this firing do not fit together or the device failed.
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError>;
}

/// The name of a row of a family, known when its kernel is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RowName(pub(crate) &'static str);

/// A token on a device.
#[derive(Clone)]
pub struct Tensor {
    region: Region,
    element: Element,
    extents: Extents,
}

impl Tensor {
    /// The actual extents.
    pub fn extents(&self) -> Extents {
        self.extents
    }

    /// The number of elements.
    pub fn elements(&self) -> usize {
        self.extents.elements()
    }

    /// The element type.
    pub fn element(&self) -> Element {
        self.element
    }

    /// As an argument that is an array of its elements, or of words that take as much.
    pub fn array<R: Runtime>(&self) -> ArrayArg<R> {
        self.region.array(self.elements().max(1))
    }
}

/// Words that a kernel needs at every firing, such as a table: written to the device once.
pub(crate) struct Constant {
    bytes: Vec<u8>,
    region: OnceLock<Region>,
}

impl Constant {
    /// These numbers.
    pub(crate) fn new<T: NoUninit>(numbers: &[T]) -> Self {
        Self { bytes: cast_slice(numbers).to_vec(), region: OnceLock::new() }
    }

    /// As an array of words of four bytes on the device of `call`, which is always the same.
    ///
    /// # Errors
    /// When the device has no memory for it.
    pub(crate) fn array<R: Runtime>(&self, call: &Call<'_, R>) -> Result<ArrayArg<R>, FireError> {
        let words = (self.bytes.len() / 4).max(1);
        if let Some(region) = self.region.get() {
            return Ok(region.array(words));
        }
        let region = call.queue.upload(&self.bytes).map_err(FireError::Failed)?;
        Ok(self.region.get_or_init(|| region).array(words))
    }
}

/// One launch of an operator: its tokens and its device.
pub struct Call<'a, R: Runtime> {
    queue: &'a Queue<R>,
    inputs: &'a [Tensor],
    outputs: &'a mut [Tensor],
    /// The pairs that are one token.
    in_place: &'a [(usize, usize)],
    /// The number of the firing.
    index: u64,
    /// To see whether the device takes the kernel, one cube is enough.
    is_trial: bool,
}

impl<R: Runtime> Call<'_, R> {
    /// The number of this firing, from 0: the key of counter-based random numbers.
    pub(crate) fn index(&self) -> u64 {
        self.index
    }

    /// The number of input tokens: those of a port with a rate follow each other.
    pub fn inputs(&self) -> usize {
        self.inputs.len()
    }

    /// The number of output tokens.
    pub fn outputs(&self) -> usize {
        self.outputs.len()
    }

    /// Whether an output token is one with its input of [`CubeKernel::IN_PLACE`]; it came with the
    /// extents of the input as far as they vary, and those of the output elsewhere.
    pub fn is_in_place(&self, output: usize) -> bool {
        self.in_place.iter().any(|&(_, own)| own == output)
    }

    /// An input token.
    pub fn input(&self, index: usize) -> Tensor {
        self.inputs[index].clone()
    }

    /// An output token; its extents are the bounds, until [`Call::set_extents`].
    pub fn output(&self, index: usize) -> Tensor {
        self.outputs[index].clone()
    }

    /// Sets the actual extents of an output and returns it.
    pub fn set_extents(&mut self, output: usize, extents: &[usize]) -> Tensor {
        self.outputs[output].extents = Extents::new(extents);
        self.output(output)
    }

    /// Launches one unit for each of `count` elements, in `ABSOLUTE_POS`; nothing for none.
    ///
    /// # Errors
    /// When the device has not that many.
    pub fn each(
        &self,
        count: usize,
        launch: impl FnOnce(&ComputeClient<R>, CubeCount, CubeDim),
    ) -> Result<(), FireError> {
        self.cubes(count.div_ceil(UNITS as usize), UNITS, launch)
    }

    /// Launches `count` cubes of `units` units, in `CUBE_POS` and `UNIT_POS`; nothing for none.
    ///
    /// # Errors
    /// When the device has not that many.
    pub fn cubes(
        &self,
        count: usize,
        units: u32,
        launch: impl FnOnce(&ComputeClient<R>, CubeCount, CubeDim),
    ) -> Result<(), FireError> {
        if count > 0 {
            let count = if self.is_trial { 1 } else { count };
            let cubes = self.queue.cubes(count).map_err(FireError::Failed)?;
            launch(self.queue.client(), cubes, CubeDim::new_1d(units));
        }
        Ok(())
    }
}

/// An extent, count or stride as kernels take it.
///
/// # Panics
/// When it does not fit 32 bits: a device has no such buffer.
#[must_use]
pub fn size(count: usize) -> u32 {
    u32::try_from(count).expect("a buffer of a device has fewer elements than u32::MAX")
}

/// Extents or strides as kernels take them.
pub fn sizes<R: Runtime>(counts: &[usize]) -> SequenceArg<R, u32> {
    counts.iter().map(|&count| size(count)).collect()
}

/// The runtime's kernel over an operator's, tried on the device.
///
/// # Errors
/// [`KernelError::Refused`] with the reason of the device, or that it is none of ours.
pub fn build<K: CubeKernel>(
    accelerator: &dyn Accelerator,
    specs: &Specs<'_>,
    kernel: K,
) -> Result<Box<dyn Kernel>, KernelError> {
    let opened = accelerator.as_any().downcast_ref::<Opened>();
    let foreign = || KernelError::Refused("it is no device of this catalogue's".into());
    let device = opened.ok_or_else(foreign)?;
    on_queue!(device.queue(), queue => attempt(queue, specs, &kernel))
        .map_err(KernelError::Refused)?;
    let (device, outputs_count) = (device.clone(), specs.outputs.len());
    let (inputs, outputs, in_place) = (vec![], vec![], vec![]);
    Ok(Box::new(OnDevice { device, kernel, inputs, outputs, in_place, outputs_count }))
}

/// Launches one cube over memory as large as the largest port; its values do not matter.
fn attempt<R: Runtime, K: CubeKernel>(
    queue: &Queue<R>,
    specs: &Specs<'_>,
    kernel: &K,
) -> Result<(), String> {
    let bytes = specs.inputs.iter().chain(specs.outputs).map(Spec::bytes).max().unwrap_or(0);
    let memory = queue.allocate(bytes)?;
    let tensor = |spec: &Spec| Tensor {
        region: memory.first(spec.bytes()),
        element: spec.element,
        extents: Extents::new(&spec.bounds()),
    };
    let inputs: Vec<Tensor> = specs.inputs.iter().map(tensor).collect();
    let mut outputs: Vec<Tensor> = specs.outputs.iter().map(tensor).collect();
    queue.exclusive(|| {
        let (inputs, outputs) = (&inputs[..], &mut outputs[..]);
        let mut call = Call { queue, inputs, outputs, in_place: &[], index: 0, is_trial: true };
        kernel.launch(&mut call).map_err(|error| error.to_string())
    })
}

/// Fires an operator's kernel on the buffers of a firing.
struct OnDevice<K> {
    device: Opened,
    kernel: K,
    /// The tokens of the present firing.
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
    /// The pairs of the present firing that are one token: an input, and a token of `outputs`.
    in_place: Vec<(usize, usize)>,
    outputs_count: usize,
}

impl<K: CubeKernel> Kernel for OnDevice<K> {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        self.inputs.clear();
        self.outputs.clear();
        let mut views = Vec::with_capacity(self.outputs_count);
        self.in_place.clear();
        for output in 0..self.outputs_count {
            let view = match K::IN_PLACE.iter().find(|&&(_, own)| own == output) {
                Some(&(input, _)) => match firing.pair(input, output) {
                    Pair::Distinct(_, view) => view,
                    Pair::Same(view) => {
                        self.in_place.push((input, self.outputs.len()));
                        view
                    }
                },
                None => firing.output(output),
            };
            self.outputs.push(written(&view)?);
            views.push(view);
            for token in 1..firing.output_rate(output) {
                let view = firing.output_token(output, token);
                self.outputs.push(written(&view)?);
                views.push(view);
            }
        }
        for input in 0..firing.inputs() {
            if let Some(&(_, token)) = self.in_place.iter().find(|&&(own, _)| own == input) {
                self.inputs.push(self.outputs[token].clone());
                continue;
            }
            for token in 0..firing.input_rate(input) {
                self.inputs.push(read(&firing.input_token(input, token))?);
            }
        }
        let index = firing.index();
        let (inputs, outputs) = (&self.inputs[..], &mut self.outputs[..]);
        let in_place = &self.in_place[..];
        on_queue!(self.device.queue(), queue => {
            assert!(inputs.iter().chain(&*outputs).all(|token| queue.owns(&token.region)));
            let mut call = Call { queue, inputs, outputs, in_place, index, is_trial: false };
            self.kernel.launch(&mut call)
        })?;
        for (view, token) in views.iter_mut().zip(&self.outputs) {
            view.set_extents(&token.extents);
        }
        Ok(())
    }
}

fn read(view: &View<'_>) -> Result<Tensor, FireError> {
    tensor(view.buffer(), view.spec().element, view.extents())
}

fn written(view: &ViewMut<'_>) -> Result<Tensor, FireError> {
    tensor(view.buffer(), view.spec().element, view.extents())
}

fn tensor(
    buffer: Option<&Buffer>,
    element: Element,
    extents: Extents,
) -> Result<Tensor, FireError> {
    let buffer = buffer.expect("the ports of a device kernel lie on its device");
    let region = region(buffer).map_err(FireError::Failed)?.clone();
    Ok(Tensor { region, element, extents })
}
