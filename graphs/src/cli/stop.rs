//! Ctrl-C: the first drains, the second aborts.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use synfire_runtime::run::Stopper;

/// What Ctrl-C reaches: the number of times it was pressed, and the run to tell.
#[derive(Default)]
pub(super) struct Interrupt {
    pressed: AtomicU32,
    run: Mutex<Option<Stopper>>,
}

/// The one handler of the process.
static INTERRUPT: OnceLock<Arc<Interrupt>> = OnceLock::new();

impl Interrupt {
    /// Listens to Ctrl-C from now on; every call gives the same listener.
    pub(super) fn listen() -> Arc<Self> {
        let interrupt = INTERRUPT.get_or_init(|| {
            let own = Arc::new(Self::default());
            let heard = own.clone();
            // Without a handler Ctrl-C ends the process as it always did.
            let _ = ctrlc::set_handler(move || heard.press());
            own
        });
        interrupt.clone()
    }

    /// The run to tell from now on.
    pub(super) fn watch(&self, run: Stopper) {
        if self.is_pressed() {
            run.stop();
        }
        *self.run.lock() = Some(run);
    }

    pub(super) fn is_pressed(&self) -> bool {
        self.pressed.load(Ordering::Relaxed) > 0
    }

    fn press(&self) {
        let before = self.pressed.fetch_add(1, Ordering::Relaxed);
        if let Some(run) = &*self.run.lock() {
            if before == 0 { run.stop() } else { run.abort() }
        }
    }
}
