//! One stream of commands of one CubeCL device: memory, copies, launches, and what went wrong.
//!
//! Kept here because CubeCL 0.10 does not keep it for us:
//! 1. One stream for each device, fixed when it is opened, whichever thread calls.
//! 2. A read never reports a launch that failed; [`Queue::flush`] does, so every read flushes.
//! 3. A panic on CubeCL's own thread (an unknown type, a foreign handle, a failed allocation) is
//!    silent there; [`Queue::exclusive`] makes it an error. Kernels are tried through it.
//! 4. Sizes, offsets and counts are checked on our side, and errors that the driver reports to
//!    nobody land in a [`Mailbox`] instead of a panic.
#![expect(unsafe_code, reason = "CubeCL asks for one user of a stream and for lengths that fit")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cubecl::bytes::Bytes;
use cubecl::device::Device as _;
use cubecl::device_handle::DeviceHandle;
use cubecl::prelude::{ArrayArg, ComputeClient, CubeCount, Runtime};
use cubecl::server::{ComputeServer, CopyDescriptor, Handle};
use cubecl::stream_id::StreamId;

/// Offsets of views that the runtime asks for are multiples of this.
const VIEW_ALIGNMENT: usize = 256;

/// Zeros are written in blocks of at most this many bytes.
const BLOCK_BYTES: usize = 8 << 20;

/// Characters of an error's text that are kept: CubeCL appends a whole back trace.
const ERROR_LENGTH_MAX: usize = 1000;

/// Where errors go that the driver reports to nobody in particular: the first is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Mailbox(Arc<Mutex<Option<String>>>);

impl Mailbox {
    /// Only wgpu tells of errors by a call; CUDA's come back from its own calls.
    #[cfg(feature = "wgpu")]
    pub(super) fn post(&self, error: impl Into<String>) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| error.into());
    }

    fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Memory of one device: an allocation or a part of one.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    handle: Handle,
    bytes: usize,
}

impl Region {
    /// The first `bytes` of it.
    pub(super) fn first(&self, bytes: usize) -> Self {
        assert!(bytes <= self.bytes, "{bytes} bytes of a region of {}", self.bytes);
        self.part(0, bytes)
    }

    /// A part of it. Empty parts keep one word, since devices bind nothing smaller.
    fn part(&self, offset: usize, bytes: usize) -> Self {
        let end = (offset + bytes.max(1)).next_multiple_of(WORD) as u64;
        let unused = self.handle.size_in_used().saturating_sub(end);
        let handle = self.handle.clone().offset_start(offset as u64).offset_end(unused);
        Self { handle, bytes }
    }

    /// As an argument of a kernel, with `elements` elements.
    pub(super) fn array<R: Runtime>(&self, elements: usize) -> ArrayArg<R> {
        // SAFETY: kernels are launched with bounds checks against the memory behind the handle.
        unsafe { ArrayArg::from_raw_parts(self.handle.clone(), elements) }
    }
}

/// Devices copy whole words of this many bytes.
const WORD: usize = 4;

/// The commands of one device. One lane uses it at a time.
pub(crate) struct Queue<R: Runtime> {
    client: ComputeClient<R>,
    server: DeviceHandle<R::Server>,
    stream: StreamId,
    buffer_bytes_max: usize,
    cubes_max: usize,
    mailbox: Mailbox,
}

impl<R: Runtime> Queue<R> {
    /// A queue over an open device whose views start at multiples of `alignment` at least.
    ///
    /// # Errors
    /// When the backend gives no client, or wants views to start at coarser multiples.
    pub(super) fn new(
        device: &R::Device,
        alignment: usize,
        mailbox: Mailbox,
    ) -> Result<Self, String> {
        // Far from the numbers that CubeCL gives to threads.
        static STREAMS: AtomicU64 = AtomicU64::new(1 << 32);
        let stream = StreamId { value: STREAMS.fetch_add(1, Ordering::Relaxed) };
        let mut client = caught(|| R::client(device))?;
        // SAFETY: the stream is this queue's alone, and one lane at a time uses the queue.
        unsafe { client.set_stream(stream) };
        let server = caught(|| DeviceHandle::<R::Server>::new(device.to_id()))?;
        let properties = client.properties();
        let alignment = alignment.max(properties.memory.alignment as usize);
        if !VIEW_ALIGNMENT.is_multiple_of(alignment) {
            return Err(format!("buffers start at multiples of {alignment} bytes"));
        }
        let buffer_bytes_max = properties.memory.max_page_size as usize;
        let cubes_max = properties.hardware.max_cube_count.0 as usize;
        Ok(Self { client, server, stream, buffer_bytes_max, cubes_max, mailbox })
    }

    /// What kernels are launched with.
    pub(super) fn client(&self) -> &ComputeClient<R> {
        &self.client
    }

    /// Memory of undefined content.
    ///
    /// # Errors
    /// When the device has no buffer of that size.
    pub(super) fn allocate(&self, bytes: usize) -> Result<Region, String> {
        let most = self.buffer_bytes_max;
        if bytes > most {
            return Err(format!("a buffer of {bytes} bytes: the device's largest has {most}"));
        }
        let whole = bytes.max(1).next_multiple_of(VIEW_ALIGNMENT).min(most);
        let handle = caught(|| self.client.empty(whole))?;
        // A refused allocation is silent until somebody looks for it.
        caught(|| self.client.get_resource(handle.clone()).map(drop))?.map_err(brief)?;
        self.healthy()?;
        Ok(Region { handle, bytes })
    }

    /// Memory that holds these bytes.
    ///
    /// # Errors
    /// As [`Queue::allocate`] and [`Queue::write`].
    pub(super) fn upload(&self, bytes: &[u8]) -> Result<Region, String> {
        let region = self.allocate(bytes.len())?;
        self.write(bytes, &region)?;
        Ok(region)
    }

    /// The same, zeroed.
    ///
    /// # Errors
    /// As [`Queue::allocate`].
    pub(super) fn allocate_zeroed(&self, bytes: usize) -> Result<Region, String> {
        let region = self.allocate(bytes)?;
        let zeros = vec![0; bytes.min(BLOCK_BYTES)];
        for start in (0..bytes).step_by(BLOCK_BYTES) {
            let length = zeros.len().min(bytes - start);
            self.write(&zeros[..length], &region.part(start, length))?;
        }
        Ok(region)
    }

    /// A part of an allocation.
    ///
    /// # Panics
    /// When it is not inside, or does not start where views may: a broken plan.
    pub(super) fn view(&self, region: &Region, offset: usize, bytes: usize) -> Region {
        let end = offset.checked_add(bytes).expect("a view ends inside the address space");
        assert!(offset.is_multiple_of(VIEW_ALIGNMENT), "a view starts at byte {offset}");
        assert!(end <= region.bytes, "a view of {} bytes ends at byte {end}", region.bytes);
        region.part(offset, bytes)
    }

    /// Queues a copy of `from` to the start of a region.
    ///
    /// # Errors
    /// When the region is smaller or belongs to another device, or the device failed.
    pub(super) fn write(&self, from: &[u8], to: &Region) -> Result<(), String> {
        if from.is_empty() {
            return Ok(());
        }
        let to = self.own(to, from.len())?;
        let mut bytes = from.to_vec();
        bytes.resize(from.len().next_multiple_of(WORD), 0);
        let descriptor = descriptor(&to, bytes.len());
        let (bytes, stream) = (Bytes::from_bytes_vec(bytes), self.stream);
        caught(|| {
            self.server.submit(move |server| server.write(vec![(descriptor, bytes)], stream));
        })
    }

    /// Waits for all that was queued, then copies the start of a region to `to`.
    ///
    /// # Errors
    /// When the region is smaller or belongs to another device, or anything queued before failed.
    pub(super) fn read(&self, from: &Region, to: &mut [u8]) -> Result<(), String> {
        self.flush()?;
        if to.is_empty() {
            return Ok(());
        }
        let from = self.own(from, to.len())?;
        let descriptor = descriptor(&from, to.len().next_multiple_of(WORD));
        let stream = self.stream;
        let parts = caught(|| {
            let read = move |server: &mut R::Server| server.read(vec![descriptor], stream);
            let queued = self.server.submit_blocking(read).map_err(brief)?;
            cubecl::future::block_on(queued).map_err(brief)
        })??;
        let bytes = parts.first().filter(|bytes| bytes.len() >= to.len());
        let bytes = bytes.ok_or("a read of another length")?;
        to.copy_from_slice(&bytes[..to.len()]);
        self.healthy()
    }

    /// Hands over everything queued, without waiting for it to be done.
    ///
    /// # Errors
    /// Whatever failed since the last call.
    pub(super) fn flush(&self) -> Result<(), String> {
        caught(|| self.client.flush())?.map_err(brief)?;
        self.healthy()
    }

    /// Runs `launches` on the device's own thread, waits for them, and reports what they did wrong.
    ///
    /// # Errors
    /// What `launches` returned, or what CubeCL or the driver say.
    pub(super) fn exclusive(
        &self,
        launches: impl FnOnce() -> Result<(), String> + Send,
    ) -> Result<(), String> {
        self.flush()?;
        caught(|| self.client.exclusive(launches))?.map_err(brief)??;
        self.flush()?;
        caught(|| cubecl::future::block_on(self.client.sync()))?.map_err(brief)?;
        self.healthy()
    }

    /// That many cubes, folded into two dimensions where one is not enough.
    ///
    /// # Errors
    /// When two are not enough either.
    pub(super) fn cubes(&self, count: usize) -> Result<CubeCount, String> {
        let rows = count.div_ceil(self.cubes_max).max(1);
        if rows > self.cubes_max {
            return Err(format!("{count} cubes: the device has {0} x {0}", self.cubes_max));
        }
        Ok(CubeCount::Static(count.div_ceil(rows) as u32, rows as u32, 1))
    }

    /// The first error since the last call that nobody was told of.
    fn healthy(&self) -> Result<(), String> {
        self.mailbox.take().map_or(Ok(()), Err)
    }

    /// The first `bytes` of a region, if it is one of this queue's.
    fn own(&self, region: &Region, bytes: usize) -> Result<Region, String> {
        if !self.owns(region) {
            return Err("a buffer of another device".into());
        }
        if bytes > region.bytes {
            return Err(format!("{bytes} bytes for a buffer of {}", region.bytes));
        }
        Ok(region.first(bytes))
    }

    /// Whether a region was allocated here.
    pub(super) fn owns(&self, region: &Region) -> bool {
        region.handle.stream == self.stream
    }
}

fn descriptor(region: &Region, bytes: usize) -> CopyDescriptor {
    CopyDescriptor::new(region.handle.clone().binding(), [bytes].into(), [1].into(), 1)
}

/// A call into CubeCL that may panic, as a `Result`.
pub(super) fn caught<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        text.unwrap_or("a panic without a message").to_owned()
    })
}

/// The head of an error's text.
fn brief(error: impl std::fmt::Debug) -> String {
    format!("{error:?}").chars().take(ERROR_LENGTH_MAX).collect()
}
