//! A thread pool: `thread::spawn` for connections, but a thread whose connection has ended waits for the
//! next one (UNIX Network Programming, chapter 30), and there is a limit.
//!
//! Starting a thread takes about as long as serving a short connection; one that waits is there at once.
//! In the pool at the end of the Rust book a fixed number of threads wait at one queue, a panic costs one of
//! them for good, and their number is the limit. Here threads start when they are needed, a panic costs
//! nothing but its connection, and the limit counts connections.

use std::mem::replace;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::mpsc::{sync_channel, SyncSender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use crate::step;

/// The largest limit. Each thread takes four memory maps, of which Linux gives a process 65,530 by default
/// (vm.max_map_count); where there is none left for a thread that starts, std ends the program.
pub const MAX_CONNECTIONS: u64 = 15_000;
/// Spare threads beyond this number end: the memory of a burst is given back.
const MAX_SPARE_THREADS: usize = 64;
/// Bytes: room for a large array of a student's, and 15,000 of them are 4 GB of addresses, which are no
/// memory. std's 2 MiB would be 30 GB, which some systems refuse.
const STACK_SIZE: usize = 256 * 1024;

type Job = Box<dyn FnOnce() + Send>;

/// The threads of a server: each serves one connection at a time.
pub struct Threads {
    limit: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Where each spare thread takes its next job. The last of them is used first: it is still in cache.
    spare: Vec<SyncSender<Job>>,
    open: u64,
    is_short: bool,
}

impl Threads {
    /// At most `limit` jobs are to run at a time.
    pub fn new(limit: u64) -> Arc<Threads> {
        Arc::new(Threads { limit, state: Mutex::default(), changed: Condvar::new() })
    }

    /// Waits until fewer jobs run than the limit.
    pub fn wait_for_place(&self) {
        if self.state().open >= self.limit {
            step!("5 establish", "{} open, which is the limit; others wait", self.limit);
            let _state = self.changed.wait_while(self.state(), |state| state.open >= self.limit);
        }
    }

    /// Waits until no job runs.
    pub fn wait(&self) {
        let _state = self.changed.wait_while(self.state(), |state| state.open > 0);
    }

    /// Runs `job` in a thread.
    ///
    /// A panic ends its job and nothing else. Where the system starts no more threads (EAGAIN,
    /// pthread_create(3)), the job waits for one; where it has started none at all, the job runs here.
    pub fn spawn(self: &Arc<Threads>, job: impl FnOnce() + Send + 'static) {
        self.state().open += 1;
        let job = Box::new(job);
        if let Some(thread) = self.find() {
            // It neither fails nor blocks: the thread waits for a job, and its channel holds one.
            let _ = thread.send(job);
        } else {
            let _state = self.run(job);
        }
    }

    /// A spare thread, else a new one; none where there is none to wait for.
    fn find(self: &Arc<Threads>) -> Option<SyncSender<Job>> {
        loop {
            let spare = self.state().spare.pop();
            let thread = spare.or_else(|| self.start());
            let state = self.state();
            if thread.is_some() || (state.open == 1 && state.spare.is_empty()) {
                return thread;
            }
            // For a thread to become spare, or until it is time to try again to start one.
            let pause = Duration::from_millis(100);
            let _state =
                self.changed.wait_timeout_while(state, pause, |state| state.spare.is_empty());
        }
    }

    fn start(self: &Arc<Threads>) -> Option<SyncSender<Job>> {
        let (thread, jobs) = sync_channel(1);
        let threads = Arc::clone(self);
        let own = thread.clone();
        // `thread::spawn` would panic where no thread can be started, and has std's stack.
        let started = Builder::new().stack_size(STACK_SIZE).spawn(move || {
            while let Ok(job) = jobs.recv() {
                let mut state = threads.run(job);
                if state.spare.len() == MAX_SPARE_THREADS {
                    return;
                }
                state.spare.push(own.clone());
            }
        });
        let was_short = replace(&mut self.state().is_short, started.is_err());
        if let (Err(error), false) = (&started, was_short) {
            step!("5 establish", "cannot start a thread: {error}; others wait");
        }
        started.ok().map(|_| thread)
    }

    /// Returns with the lock held, so that nobody sees the job ended and its thread not yet spare: `spawn`
    /// would start another thread, or find none to wait for.
    fn run(&self, job: Job) -> MutexGuard<'_, State> {
        let _ = catch_unwind(AssertUnwindSafe(job));
        let mut state = self.state();
        state.open -= 1;
        self.changed.notify_one();
        state
    }

    /// Nothing panics while it holds the lock; if it did, the numbers would still be whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Threads, MAX_SPARE_THREADS};
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use std::sync::mpsc::channel;
    use std::sync::{Arc, Barrier};
    use std::time::Duration;

    /// Threads that are never free would make a test hang: after ten seconds it has failed.
    fn in_time(test: impl FnOnce() + Send + 'static) {
        let (tell, ended) = channel();
        std::thread::spawn(move || {
            test();
            tell.send(()).unwrap();
        });
        ended.recv_timeout(Duration::from_secs(10)).unwrap();
    }

    /// Jobs of which each waits for all the others.
    fn spawn_together(threads: &Arc<Threads>, number: usize) {
        let together = Arc::new(Barrier::new(number));
        for _ in 0..number {
            let together = Arc::clone(&together);
            threads.spawn(move || {
                together.wait();
            });
        }
        threads.wait();
    }

    #[test]
    fn ten_jobs_run_at_the_same_time() {
        in_time(|| {
            let threads = Threads::new(10);
            spawn_together(&threads, 10);
            assert_eq!(threads.state().open, 0);
        });
    }

    #[test]
    fn at_most_64_threads_wait_and_the_last_to_become_idle_is_used_first() {
        in_time(|| {
            let threads = Threads::new(1000);
            spawn_together(&threads, 100);
            assert_eq!(threads.state().spare.len(), MAX_SPARE_THREADS);
            let (tell, who) = channel();
            for _ in 0..3 {
                let tell = tell.clone();
                threads.spawn(move || tell.send(std::thread::current().id()).unwrap());
                threads.wait();
            }
            let who: Vec<_> = who.try_iter().collect();
            assert!(who[0] == who[1] && who[1] == who[2], "{who:?}");
        });
    }

    #[test]
    fn no_more_than_the_limit_are_open_at_a_time() {
        in_time(|| {
            let threads = Threads::new(3);
            let (open, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
            for _ in 0..1000 {
                let (open, most) = (Arc::clone(&open), Arc::clone(&most));
                threads.wait_for_place();
                threads.spawn(move || {
                    most.fetch_max(open.fetch_add(1, SeqCst) + 1, SeqCst);
                    std::thread::yield_now();
                    open.fetch_sub(1, SeqCst);
                });
            }
            threads.wait();
            assert_eq!(open.load(SeqCst), 0);
            assert!(most.load(SeqCst) <= 3, "{most:?}"); // Fewer where the machine is busy.
        });
    }

    /// As a student may write it. Less room, and the whole program is aborted.
    #[test]
    fn a_job_has_room_for_an_array_of_64_kib() {
        in_time(|| {
            let threads = Threads::new(1);
            let (tell, sum) = channel();
            threads.spawn(move || {
                let mut buffer = [0_u8; 64 * 1024];
                buffer.iter_mut().for_each(|byte| *byte += 1);
                tell.send(buffer.iter().map(|byte| usize::from(*byte)).sum::<usize>()).unwrap();
            });
            assert_eq!(sum.recv(), Ok(64 * 1024));
        });
    }

    #[test]
    fn a_panic_ends_its_job_and_nothing_else_whatever_the_limit() {
        in_time(|| {
            for limit in [1, 2] {
                let threads = Threads::new(limit);
                for _ in 0..10 {
                    threads.spawn(|| panic!("in one connection"));
                }
                let (tell, served) = channel();
                threads.spawn(move || tell.send("served").unwrap());
                assert_eq!(served.recv(), Ok("served"));
                threads.wait();
            }
        });
    }
}
