//! The cores of one CPU device, working together on one kernel.
//!
//! A lane drives its device's first core; a crew lends it the others for the length of a call of
//! [`Crew::run`]. Tasks are claimed one at a time, so a core that is busy with somebody else's
//! work costs only its share, and nothing spins at a barrier.
//!
//! # Protocol
//! 1. `run` publishes the body, the number of tasks and a new epoch under the lock, then opens.
//! 2. A worker enters under the lock while the job is open, and counts itself inside.
//! 3. Everyone, the caller too, claims tasks from `next` until none is left.
//! 4. The caller closes under the lock and waits until nobody is inside. Only then does the body's
//!    borrow end, so no worker can see it later.
//!
//! Results must not depend on who runs a task: bodies write disjoint places in a fixed order.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

/// How often a worker looks for the next job before it sleeps: about 20 us.
const LOOKS_BEFORE_SLEEP: u32 = 2_000;

/// The body of a job with its borrow erased; rule 4 keeps it from outliving the borrow.
#[derive(Clone, Copy)]
struct Body(*const (dyn Fn(usize) + Sync));

// SAFETY: the pointee is `Sync`, and rule 4 bounds its use.
#[expect(unsafe_code, reason = "the pointee is Sync and outlives the job by rule 4")]
unsafe impl Send for Body {}

struct Job {
    body: Option<Body>,
    open: bool,
    inside: usize,
    stop: bool,
}

struct Shared {
    job: Mutex<Job>,
    changed: Condvar,
    emptied: Condvar,
    epoch: AtomicU64,
    next: AtomicUsize,
    tasks: AtomicUsize,
    panicked: AtomicBool,
}

impl Shared {
    fn claim_all(&self, body: &(dyn Fn(usize) + Sync)) {
        let tasks = self.tasks.load(Ordering::Relaxed);
        loop {
            let task = self.next.fetch_add(1, Ordering::Relaxed);
            if task >= tasks {
                return;
            }
            if catch_unwind(AssertUnwindSafe(|| body(task))).is_err() {
                self.panicked.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// The cores of one device.
pub struct Crew {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

impl Crew {
    /// A crew of the calling thread and one thread for each further core of `cores`, pinned if
    /// `pinned`. An empty `cores` counts as one.
    #[must_use]
    pub fn new(cores: &[usize], pinned: bool) -> Self {
        let shared = Arc::new(Shared {
            job: Mutex::new(Job { body: None, open: false, inside: 0, stop: false }),
            changed: Condvar::new(),
            emptied: Condvar::new(),
            epoch: AtomicU64::new(0),
            next: AtomicUsize::new(0),
            tasks: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
        });
        let workers = cores.iter().skip(1).filter_map(|&core| {
            let shared = shared.clone();
            let builder = std::thread::Builder::new().name(format!("synfire-core-{core}"));
            // A worker that cannot be had only makes the crew smaller.
            let work = move || {
                if pinned {
                    core_affinity::set_for_current(core_affinity::CoreId { id: core });
                }
                work(&shared);
            };
            builder.spawn(work).ok()
        });
        let workers = workers.collect();
        Self { shared, workers }
    }

    /// A crew of the calling thread alone.
    #[must_use]
    pub fn solo() -> Self {
        Self::new(&[], false)
    }

    /// How many threads work on a job.
    #[must_use]
    pub fn size(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `body(0)` to `body(tasks - 1)`, each once, on any core, and returns when all are done.
    ///
    /// # Panics
    /// When a task panics, after all others have been run.
    #[expect(unsafe_code, reason = "erases the borrow of the body for the length of this call")]
    pub fn run(&self, tasks: usize, body: &(dyn Fn(usize) + Sync)) {
        if self.workers.is_empty() || tasks <= 1 {
            return (0..tasks).for_each(body);
        }
        let shared = &self.shared;
        {
            let mut job = shared.job.lock();
            assert!(!job.open, "a crew runs one job at a time");
            // SAFETY: only the lifetime changes; rule 4 ends every use before this call returns.
            let body: *const (dyn Fn(usize) + Sync) = unsafe {
                std::mem::transmute::<
                    *const (dyn Fn(usize) + Sync + '_),
                    *const (dyn Fn(usize) + Sync + 'static),
                >(body)
            };
            job.body = Some(Body(body));
            job.open = true;
            shared.next.store(0, Ordering::Relaxed);
            shared.tasks.store(tasks, Ordering::Relaxed);
            shared.epoch.fetch_add(1, Ordering::Release);
        }
        shared.changed.notify_all();
        shared.claim_all(body);
        let mut job = shared.job.lock();
        job.open = false;
        while job.inside > 0 {
            shared.emptied.wait(&mut job);
        }
        job.body = None;
        drop(job);
        assert!(!shared.panicked.swap(false, Ordering::Relaxed), "a task of a kernel panicked");
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.shared.job.lock().stop = true;
        self.shared.changed.notify_all();
        for worker in self.workers.drain(..) {
            // A worker catches the panics of its tasks, so joining cannot fail.
            let _ = worker.join();
        }
    }
}

#[expect(unsafe_code, reason = "follows the erased borrow while counted inside")]
fn work(shared: &Shared) {
    let mut seen = 0;
    loop {
        let mut looks = 0;
        while shared.epoch.load(Ordering::Acquire) == seen && looks < LOOKS_BEFORE_SLEEP {
            std::hint::spin_loop();
            looks += 1;
        }
        let mut job = shared.job.lock();
        while !job.stop && (!job.open || shared.epoch.load(Ordering::Acquire) == seen) {
            shared.changed.wait(&mut job);
        }
        if job.stop {
            return;
        }
        seen = shared.epoch.load(Ordering::Acquire);
        let Body(body) = job.body.expect("an open job has a body");
        job.inside += 1;
        drop(job);
        // SAFETY: this worker is inside, so `run` has not returned and the borrow is alive.
        shared.claim_all(unsafe { &*body });
        let mut job = shared.job.lock();
        job.inside -= 1;
        if job.inside == 0 {
            shared.emptied.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once_for_any_size() {
        for size in 1..=4 {
            let crew = Crew::new(&vec![0; size], false);
            assert_eq!(crew.size(), size);
            for tasks in [0, 1, 2, 7, 100] {
                let ran: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                crew.run(tasks, &|task| {
                    ran[task].fetch_add(1, Ordering::Relaxed);
                });
                assert!(ran.iter().all(|count| count.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn a_panicking_task_is_reported_after_the_others_ran() {
        let crew = Crew::new(&[0, 0], false);
        let ran = AtomicUsize::new(0);
        let result = catch_unwind(AssertUnwindSafe(|| {
            crew.run(8, &|task| {
                ran.fetch_add(1, Ordering::Relaxed);
                assert!(task != 3, "task three");
            });
        }));
        assert!(result.is_err());
        assert_eq!(ran.load(Ordering::Relaxed), 8);
        crew.run(2, &|_| {});
    }
}
