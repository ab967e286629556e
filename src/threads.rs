//! How many threads wait in accept, and how many connections are open at a time.
//!
//! The pre-threaded server of UNIX Network Programming, chapter 30, with a few threads to spare:
//! each connection has a thread of its own, and in the common case that thread is already there.

use std::fs::read_to_string;
use std::io::{self, ErrorKind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder, Scope};

/// With fewer than this waiting, one more is started; a burst of clients then finds some ready.
const FEWEST_WAITING: u64 = 4;
/// With this many waiting, one that is done ends; the memory of a burst is given back.
const MOST_WAITING: u64 = 64;
/// Bytes: std's own 2 MiB are address space alone, but 10,000 of them are too much of it for some systems.
const STACK_SIZE: usize = 64 * 1024;
/// Bytes of address space to be left where `ulimit -v` bounds it: std ends the program when a
/// thread that starts, or any small piece of work, finds no memory.
const RESERVE: u64 = 16 * 1024 * 1024;

/// The most connections at a time. Each thread takes four memory maps, Linux gives a process
/// 65,530 (vm.max_map_count), and a thread that starts without one ends the program.
pub const MOST: u64 = 15_000;

/// Who waits and who serves. `to_accept` connections are still to come, beside one for each thread that waits.
#[derive(Debug)]
struct Places {
    limit: u64,
    to_accept: u64,
    waiting: u64,
    serving: u64,
}

impl Places {
    /// The thread that begins waits, for the first of `count` connections.
    fn new(limit: u64, count: u64) -> Places {
        Places { limit, to_accept: count - 1, waiting: 1, serving: 0 }
    }

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
    address_space: Option<u64>,
}

/// Runs `work` in as many threads as are due, this one among them, until all have ended.
///
/// `work` is a loop: accept, [`Threads::begin`], serve, and again while [`Threads::end`] says so.
/// At most `limit` connections are open at a time, and exactly `count` are accepted.
pub fn run(limit: u64, count: u64, work: impl Fn(&Threads<'_, '_>) + Sync) {
    let places = Mutex::new(Places::new(limit, count));
    thread::scope(|scope| {
        let address_space = in_proc("limits", "Max address space");
        let threads = Threads { places: &places, work: &work, scope, address_space };
        // One that cannot start now is tried again, and spoken of, at the first connection.
        loop {
            // A statement of its own: before Rust 1.67 `&&` would hold the lock that `start` takes too.
            let due = threads.places().grow();
            if !due || threads.start().is_err() {
                break;
            }
        }
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
        let work = move || (threads.work)(&threads);
        let builder = Builder::new().stack_size(STACK_SIZE);
        let started = if self.has_room() {
            builder.spawn_scoped(self.scope, work)
        } else {
            Err(ErrorKind::OutOfMemory.into())
        };
        started.map(drop).map_err(|error| {
            self.places().shrink();
            error
        })
    }

    fn has_room(&self) -> bool {
        self.address_space.map_or(true, |limit| {
            in_proc("status", "VmSize:").unwrap_or(0) * 1024 + RESERVE < limit
        })
    }

    /// The lock is never held where anything could panic; if it were, the numbers would still be whole.
    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number behind `label` in a file of /proc/self; none elsewhere than on Linux, or if unlimited.
fn in_proc(file: &str, label: &str) -> Option<u64> {
    let text = read_to_string(format!("/proc/self/{file}")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(label))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{run, Places, FEWEST_WAITING, MOST_WAITING};
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use std::sync::{Condvar, Mutex};

    /// A crowd of `clients` comes and goes at once, as far as there is a thread for each.
    fn burst(places: &mut Places, clients: u64) -> u64 {
        while places.grow() {}
        let served = (0..clients).take_while(|_| {
            let waits = places.waiting > 0;
            if waits {
                places.begin();
                places.grow();
            }
            waits
        });
        let served = served.count();
        for _ in 0..served {
            places.end();
        }
        served as u64
    }

    #[test]
    fn four_wait_at_first_and_at_most_64_after_a_burst() {
        let mut places = Places::new(1000, u64::MAX);
        assert_eq!(burst(&mut places, 0), 0);
        assert_eq!(places.waiting, FEWEST_WAITING);
        assert_eq!(burst(&mut places, 10), 10);
        assert_eq!(places.waiting, 10 + FEWEST_WAITING);
        assert_eq!(burst(&mut places, 500), 500);
        assert_eq!(places.waiting, MOST_WAITING);
    }

    #[test]
    fn no_more_than_the_limit_are_served_at_a_time() {
        for limit in [1, 2, 4, 100] {
            let mut places = Places::new(limit, u64::MAX);
            assert_eq!(burst(&mut places, 1000), limit);
        }
    }

    #[test]
    fn exactly_so_many_as_counted_are_accepted() {
        for count in [1, 3, 4, 5, 77] {
            let mut places = Places::new(1000, count);
            assert_eq!(burst(&mut places, 1000), count);
            assert_eq!((places.waiting, places.serving, places.to_accept), (0, 0, 0));
        }
    }

    #[test]
    fn a_thread_that_did_not_start_leaves_its_place_to_another() {
        let mut places = Places::new(1000, 5);
        assert!(places.grow());
        places.shrink();
        assert_eq!((places.waiting, places.to_accept), (1, 4));
        assert_eq!(burst(&mut places, 1000), 5);
    }

    /// Each of 20 pretended connections stays open until ten are: with fewer threads it would hang.
    #[test]
    fn run_serves_several_at_a_time_and_returns_when_all_have_ended() {
        let (accepted, open, changed) = (AtomicU64::new(0), Mutex::new(0), Condvar::new());
        run(10, 20, |threads| loop {
            accepted.fetch_add(1, SeqCst);
            threads.begin().unwrap();
            let mut number = open.lock().unwrap();
            *number += 1;
            changed.notify_all();
            let together = if *number <= 10 { 10 } else { 20 };
            drop(changed.wait_while(number, |number| *number < together).unwrap());
            if !threads.end() {
                return;
            }
        });
        assert_eq!(accepted.into_inner(), 20);
    }
}
