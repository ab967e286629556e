//! A thread pool: `thread::spawn` for connections, but a thread whose connection has ended waits for the
//! next one (UNIX Network Programming, chapter 30), and there is a limit.
//!
//! To start a thread takes about as long as to serve a short connection; one that waits is there at once.

use std::mem::replace;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::mpsc::{sync_channel, SyncSender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use crate::step;

/// The largest limit. Each thread takes four memory maps, and Linux gives a process 65,530
/// by default (vm.max_map_count); std ends a program in which a thread starts without one.
pub const MAX_CONNECTIONS: u64 = 15_000;
/// Spare threads beyond this number end: the memory of a burst is given back.
const MAX_SPARE_THREADS: usize = 64;
/// Bytes. std's 2 MiB are address space alone, but some systems lack it for 15,000 threads.
const STACK_SIZE: usize = 64 * 1024;

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

    /// Runs `job` in a thread, and returns when there is a place for another job.
    ///
    /// A panic ends its job and nothing else. Where the system starts no more threads (EAGAIN,
    /// pthread_create(3)), the job waits for one; where it has started none at all, the job runs here.
    pub fn spawn(self: &Arc<Threads>, job: impl FnOnce() + Send + 'static) {
        self.state().open += 1;
        match self.find() {
            // It has no job, and its channel holds one: send does not block.
            Some(thread) => drop(thread.send(Box::new(job))),
            None => drop(self.run(Box::new(job))),
        }
        if self.state().open >= self.limit {
            step!("5 establish", "{} open, which is the limit; others wait", self.limit);
            self.wait_below(self.limit);
        }
    }

    /// Waits until fewer than `number` jobs run.
    pub fn wait_below(&self, number: u64) {
        drop(self.changed.wait_while(self.state(), |state| state.open >= number));
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
            drop(self.changed.wait_timeout_while(state, pause, |state| state.spare.is_empty()));
        }
    }

    fn start(self: &Arc<Threads>) -> Option<SyncSender<Job>> {
        let (thread, jobs) = sync_channel(1);
        let (threads, own) = (Arc::clone(self), thread.clone());
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
#[allow(clippy::unwrap_used)]
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
        threads.wait_below(1);
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
                threads.wait_below(1);
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
                threads.spawn(move || {
                    most.fetch_max(open.fetch_add(1, SeqCst) + 1, SeqCst);
                    std::thread::yield_now();
                    open.fetch_sub(1, SeqCst);
                });
            }
            threads.wait_below(1);
            assert_eq!((open.load(SeqCst), most.load(SeqCst)), (0, 3));
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
                threads.wait_below(1);
            }
        });
    }
}
