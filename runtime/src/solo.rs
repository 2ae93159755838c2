//! One operator alone: its kernel fired on owned values, without graph, plan or lanes.
//!
//! The laws of the catalogue and the reference interpreter use it; so can anyone who wants to try
//! an operator.
#![expect(unsafe_code, reason = "holds all ports of its one kernel, which is what Firing asks for")]

use std::sync::Arc;

use crate::actor::register::{ALIGNMENT, Block, Headers, Payload, Port};
use crate::actor::ring::Slot;
use crate::crew::Crew;
use crate::device::{Accelerator, Device, Target};
use crate::firing::{Firing, InPlace};
use crate::operator::{FireError, Kernel, Operator, Routing, Specs};
use crate::spec::{Extents, Spec};
use crate::token::{State, Token};
use crate::value::Value;

/// The largest crew that may fire an operator alone.
pub const CREW_MAX: usize = 4;

/// An operator with its kernel and private registers.
pub struct Solo {
    kernel: Box<dyn Kernel>,
    /// Where the registers lie, if not in host memory.
    accelerator: Option<Arc<dyn Accelerator>>,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    scratch: Vec<u8>,
    /// The largest crew.
    cores: usize,
    merges: bool,
    firings: u64,
    prepared: bool,
}

impl Solo {
    /// Builds the host kernel for these input specs. Inputs whose index is in `constants` never
    /// change after the first firing, as parameters do.
    ///
    /// # Errors
    /// When the operator rejects the specs or has no host kernel.
    pub fn new(
        operator: &dyn Operator,
        specs: &[Spec],
        constants: &[usize],
    ) -> Result<Self, FireError> {
        Self::build((None, CREW_MAX), operator, specs, constants)
    }

    /// The same for crews of up to `cores`; for a kernel that is made of another operator's.
    ///
    /// # Errors
    /// As [`Solo::new`].
    pub fn with_cores(
        cores: usize,
        operator: &dyn Operator,
        specs: &[Spec],
        constants: &[usize],
    ) -> Result<Self, FireError> {
        Self::build((None, cores), operator, specs, constants)
    }

    /// The same on a device; values are copied there and back in each firing.
    ///
    /// # Errors
    /// As [`Solo::new`], and when the device has no memory for the ports.
    pub fn on(
        device: &Device,
        operator: &dyn Operator,
        specs: &[Spec],
        constants: &[usize],
    ) -> Result<Self, FireError> {
        let accelerator = match device {
            Device::Cpu(_) => None,
            Device::Accelerator(accelerator) => Some(accelerator.clone()),
        };
        Self::build((accelerator, CREW_MAX), operator, specs, constants)
    }

    fn build(
        (accelerator, cores): (Option<Arc<dyn Accelerator>>, usize),
        operator: &dyn Operator,
        specs: &[Spec],
        constants: &[usize],
    ) -> Result<Self, FireError> {
        let contract = operator.contract();
        if specs.len() != contract.inputs.len() {
            let wanted = contract.inputs.len();
            return Err(FireError::failed(format!("{} inputs, wanted {wanted}", specs.len())));
        }
        let outputs = operator.shape(specs).map_err(FireError::failed)?;
        let constant: Vec<bool> = (0..specs.len()).map(|i| constants.contains(&i)).collect();
        let target = accelerator.as_deref().map_or(Target::Host, Target::Accelerator);
        let (inputs, constant) = (specs, &constant[..]);
        let ports = Specs { inputs, outputs: &outputs, constant, cores };
        let kernel = operator
            .kernel(target, &ports)
            .map_err(|error| FireError::failed(format!("{}: {error}", contract.name)))?;
        let register = |spec: &Spec, rate: u32| match &accelerator {
            None => on_host(spec, rate),
            Some(accelerator) => on_accelerator(&**accelerator, spec, rate),
        };
        let inputs = specs.iter().zip(&contract.inputs).enumerate().map(|(index, (spec, port))| {
            register(spec, if constant[index] { 0 } else { port.rate })
        });
        let inputs = inputs.collect::<Result<_, _>>()?;
        let outputs = outputs.iter().zip(&contract.outputs).map(|(s, p)| register(s, p.rate));
        let outputs = outputs.collect::<Result<_, _>>()?;
        let scratch = vec![0; kernel.workspace().scratch_bytes + ALIGNMENT];
        Ok(Self {
            inputs,
            outputs,
            kernel,
            accelerator,
            scratch,
            cores,
            merges: matches!(contract.routing, Routing::Merge { .. }),
            firings: 0,
            prepared: false,
        })
    }

    /// Fires once; `None` stands for null, and an operator of fixed rates passes it on.
    ///
    /// # Errors
    /// When a value does not fit its port or the kernel fails.
    ///
    /// # Panics
    /// When the crew is larger than it was made for: [`CREW_MAX`].
    pub fn fire(
        &mut self,
        inputs: &[Option<Value>],
        crew: &Crew,
    ) -> Result<Vec<Option<Value>>, FireError> {
        let mut values = inputs.iter();
        let mut null = false;
        for (index, port) in self.inputs.iter().enumerate() {
            for token in 0..port.rate.max(1) {
                let value = values.next().ok_or_else(|| FireError::failed("too few inputs"))?;
                // A merge must have its selector only.
                null |= value.is_none() && (index == 0 || !self.merges);
                store(self.accelerator.as_deref(), port, token, value.as_ref())?;
            }
        }
        for port in &self.outputs {
            for token in 0..port.rate {
                let mut fresh = Token::default();
                fresh.fill_extents(&port.spec);
                fresh.state = if null { State::NULL } else { State::VALUE };
                port.set_token(token, fresh);
            }
        }
        if !null {
            self.prepare(crew)?;
            self.call(crew)?;
        }
        self.firings += 1;
        let tokens = self.outputs.iter().flat_map(|p| (0..p.rate).map(move |token| (p, token)));
        tokens.map(|(port, token)| load(self.accelerator.as_deref(), port, token)).collect()
    }
}

/// Firing without values: a kernel that is made of another operator's writes its inputs, fires it
/// and reads its outputs, all in the registers, and nothing is allocated after [`Solo::prepare`].
impl Solo {
    /// Prepares the kernel, with the constants in their registers; only once.
    ///
    /// # Errors
    /// When the constants are unusable.
    pub fn prepare(&mut self, crew: &Crew) -> Result<(), FireError> {
        if !self.prepared {
            self.with_firing(crew, 0, |kernel, firing| kernel.prepare(firing))?;
            self.prepared = true;
        }
        Ok(())
    }

    /// The payload of an input token to come, of these extents.
    ///
    /// # Panics
    /// When the extents do not fit the port, or the port has a rate above one.
    pub fn input_mut(&mut self, input: usize, extents: &[usize]) -> &mut [u8] {
        let port = &self.inputs[input];
        assert!(port.rate <= 1, "one token in a firing");
        let mut token = Token::default();
        token.set_extents(&port.spec, extents);
        port.set_token(0, token);
        let bytes = port.payload_bytes(0);
        // SAFETY: no firing is alive, and `self` is borrowed alone.
        let payload = unsafe { port.payload_mut(0) };
        &mut payload[..bytes]
    }

    /// Fires once on what the registers of the inputs hold.
    ///
    /// # Errors
    /// When the kernel fails.
    pub fn fire_held(&mut self, crew: &Crew) -> Result<(), FireError> {
        for port in &self.outputs {
            let mut fresh = Token::default();
            fresh.fill_extents(&port.spec);
            port.set_token(0, fresh);
        }
        self.prepare(crew)?;
        self.call(crew)?;
        self.firings += 1;
        Ok(())
    }

    /// Extents and payload of an output token of the last firing.
    #[must_use]
    pub fn output(&self, output: usize) -> (Extents, &[u8]) {
        let port = &self.outputs[output];
        // SAFETY: no firing is alive, and a borrow of `self` keeps the next away.
        let payload = unsafe { port.payload(0) };
        (port.extents(0), &payload[..port.payload_bytes(0)])
    }

    /// Bytes of registers, scratch and what the kernel keeps.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let registers = self.inputs.iter().chain(&self.outputs);
        let registers: usize =
            registers.map(|port| stride(&port.spec) * port.rate.max(1) as usize).sum();
        registers + self.scratch.len() + self.kernel.workspace().kept_bytes
    }

    fn call(&mut self, crew: &Crew) -> Result<(), FireError> {
        self.with_firing(crew, self.firings, |kernel, firing| kernel.fire(firing))
    }

    fn with_firing<R>(
        &mut self,
        crew: &Crew,
        index: u64,
        call: impl FnOnce(&mut dyn Kernel, &mut Firing<'_>) -> R,
    ) -> R {
        let cores = self.cores;
        assert!(crew.size() <= cores, "scratch memory is planned for {cores} cores");
        let start = self.scratch.as_ptr().align_offset(ALIGNMENT);
        let bytes = self.scratch.len() - ALIGNMENT;
        let scratch = &mut self.scratch[start..start + bytes];
        let ports = (&self.inputs[..], &self.outputs[..], InPlace::default());
        // SAFETY: `self` owns all ports, and nothing else holds a slot of them.
        let mut firing = unsafe { Firing::new(ports, crew, scratch, index) };
        call(&mut *self.kernel, &mut firing)
    }
}

/// Fires `operator` once on `inputs`, none of them constant, on the calling thread.
///
/// # Errors
/// As [`Solo::new`] and [`Solo::fire`].
pub fn fire_once(operator: &dyn Operator, inputs: &[Value]) -> Result<Vec<Value>, FireError> {
    let specs: Vec<Spec> = inputs.iter().map(Value::spec).collect();
    let inputs: Vec<Option<Value>> = inputs.iter().cloned().map(Some).collect();
    let outputs = Solo::new(operator, &specs, &[])?.fire(&inputs, &Crew::solo())?;
    outputs
        .into_iter()
        .map(|value| value.ok_or_else(|| FireError::failed("an output is null")))
        .collect()
}

/// Bytes from one slot to the next.
fn stride(spec: &Spec) -> usize {
    spec.bytes().next_multiple_of(ALIGNMENT).max(ALIGNMENT)
}

/// A private register of as many slots as one firing needs.
fn on_host(spec: &Spec, rate: u32) -> Result<Port, FireError> {
    let stride = stride(spec);
    let block = Block::new(stride * rate.max(1) as usize).map_err(FireError::Failed)?;
    Ok(port(spec, Payload::Host { block: Arc::new(block), offset: 0, stride }, rate))
}

/// The same in an accelerator's memory.
fn on_accelerator(
    accelerator: &dyn Accelerator,
    spec: &Spec,
    rate: u32,
) -> Result<Port, FireError> {
    let buffers = (0..rate.max(1)).map(|_| accelerator.allocate(spec.bytes()));
    let buffers = buffers.collect::<Result<_, _>>().map_err(FireError::Failed)?;
    Ok(port(spec, Payload::Accelerator { buffers }, rate))
}

fn port(spec: &Spec, payload: Payload, rate: u32) -> Port {
    let headers: Arc<[Slot]> = (0..rate.max(1)).map(|_| Slot::new()).collect();
    Port::new(Arc::new(spec.clone()), payload, Headers::Private(headers), rate)
}

fn store(
    accelerator: Option<&dyn Accelerator>,
    port: &Port,
    index: u32,
    value: Option<&Value>,
) -> Result<(), FireError> {
    let mut token = Token::default();
    let Some(value) = value else {
        token.state = State::NULL;
        port.set_token(index, token);
        return Ok(());
    };
    if !value.fits(&port.spec) {
        return Err(FireError::failed(format!("{} is no token of {}", value.spec(), port.spec)));
    }
    token.set_extents(&port.spec, &value.extents);
    port.set_token(index, token);
    if let (Some(accelerator), Some(buffer)) = (accelerator, port.buffer(index)) {
        return accelerator.upload(value.bytes(), buffer).map_err(FireError::Failed);
    }
    // SAFETY: no firing is alive, so the caller holds every slot alone.
    let payload = unsafe { port.payload_mut(index) };
    payload[..value.bytes().len()].copy_from_slice(value.bytes());
    Ok(())
}

fn load(
    accelerator: Option<&dyn Accelerator>,
    port: &Port,
    index: u32,
) -> Result<Option<Value>, FireError> {
    if !port.token(index).state.is_value() {
        return Ok(None);
    }
    let mut bytes = vec![0; port.payload_bytes(index)];
    if let (Some(accelerator), Some(buffer)) = (accelerator, port.buffer(index)) {
        accelerator.download(buffer, &mut bytes).map_err(FireError::Failed)?;
    } else {
        // SAFETY: no firing is alive, so the caller holds every slot alone.
        let payload = unsafe { port.payload(index) };
        bytes.copy_from_slice(&payload[..port.payload_bytes(index)]);
    }
    Ok(Some(Value::from_bytes(port.spec.element, &port.extents(index), bytes)))
}
