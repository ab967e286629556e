//! How many threads wait in accept, and how many connections are open at a time.
//!
//! The pre-threaded server of UNIX Network Programming, chapter 30, with a few threads to spare:
//! each connection has a thread of its own, and in the common case that thread is already there.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder, Scope};

/// With fewer than this waiting, one more is started; a burst of clients then finds some ready.
const FEWEST_WAITING: u64 = 4;
/// With this many waiting, one that is done ends; the memory of a burst is given back.
const MOST_WAITING: u64 = 64;
/// Bytes: std's own 2 MiB are address space alone, but 10,000 of them are too much of it for some systems.
const STACK_SIZE: usize = 64 * 1024;

/// Who waits and who serves. `to_accept` connections are still to come, beside one for each thread that waits.
#[derive(Debug)]
struct Places {
    limit: u64,
    to_accept: u64,
    waiting: u64,
    serving: u64,
}

impl Places {
    /// Takes a place for one more thread that waits, if one is due.
    fn grow(&mut self) -> bool {
        let due = self.waiting < FEWEST_WAITING
            && self.waiting + self.serving < self.limit
            && self.to_accept > 0;
        self.waiting += u64::from(due);
        self.to_accept -= u64::from(due);
        due
    }

    /// Gives a place back: the thread did not start.
    fn shrink(&mut self) {
        self.waiting -= 1;
        self.to_accept += 1;
    }

    /// One thread that waited has a connection.
    fn begin(&mut self) {
        self.waiting -= 1;
        self.serving += 1;
    }

    /// Its connection is closed: whether the thread waits again.
    fn end(&mut self) -> bool {
        self.serving -= 1;
        let again = self.waiting < MOST_WAITING && self.to_accept > 0;
        self.waiting += u64::from(again);
        self.to_accept -= u64::from(again);
        again
    }
}

/// The threads of a server, as each of them sees the others.
#[derive(Clone, Copy)]
pub struct Threads<'scope, 'env> {
    places: &'env Mutex<Places>,
    work: &'env (dyn Fn(&Threads<'_, '_>) + Sync),
    scope: &'scope Scope<'scope, 'env>,
}

/// Runs `work` in as many threads as are due, this one among them, until all have ended.
///
/// `work` is a loop: accept, [`Threads::begin`], serve, and again while [`Threads::end`] says so.
/// At most `limit` connections are open at a time, and exactly `count` are accepted.
pub fn run(limit: u64, count: u64, work: impl Fn(&Threads<'_, '_>) + Sync) {
    let places = Mutex::new(Places { limit, to_accept: count - 1, waiting: 1, serving: 0 });
    thread::scope(|scope| {
        let threads = Threads { places: &places, work: &work, scope };
        // One that cannot start now is tried again, and spoken of, at the first connection.
        while threads.places().grow() && threads.start().is_ok() {}
        work(&threads);
    });
}

impl Threads<'_, '_> {
    /// This thread has a connection. Starts another one first if fewer than four are left waiting,
    /// and says whether the limit is reached.
    ///
    /// # Errors
    /// The system's, when it has no thread or memory left for another: this one can serve all the same.
    pub fn begin(&self) -> io::Result<bool> {
        let (due, full) = {
            let mut places = self.places();
            places.begin();
            (places.grow(), places.serving == places.limit)
        };
        if due {
            self.start()?;
        }
        Ok(full)
    }

    /// This thread's connection is closed. `false`: enough others wait, or nothing is left to accept; it is to end.
    pub fn end(&self) -> bool {
        self.places().end()
    }

    fn start(&self) -> io::Result<()> {
        let threads = *self;
        let started = Builder::new()
            .stack_size(STACK_SIZE)
            .spawn_scoped(self.scope, move || (threads.work)(&threads));
        started.map(drop).map_err(|error| {
            self.places().shrink();
            error
        })
    }

    /// The lock is never held where anything could panic; if it were, the numbers would still be whole.
    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
