//! How a program begins, fails and ends: `main`, standard output, two error lines and the exit code.

use std::env;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::trace;

/// Why a program ends: what failed, what to do about it, and the exit code.
#[derive(Debug)]
pub struct Failure {
    what: String,
    hint: String,
    code: u8,
}

impl Failure {
    /// The network, the peer or a file failed: exit code 1.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure { what: what.into(), hint: hint.into(), code: 1 }
    }

    /// The command line is wrong: exit code 2.
    pub fn usage(what: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure { code: 2, ..Failure::new(what, hint) }
    }
}

/// The [`Failure`] of a system call: names the action, the address or file, and the system's reason.
///
/// `action` also selects the hint: after another action the same error needs other advice.
pub fn cannot(action: &str, target: impl Display, error: &io::Error) -> Failure {
    use ErrorKind::{AddrInUse, AddrNotAvailable, BrokenPipe, ConnectionAborted};
    use ErrorKind::{ConnectionRefused, ConnectionReset, InvalidData, PermissionDenied};
    use ErrorKind::{TimedOut, WouldBlock};
    let hint = match (action, error.kind()) {
        ("find", _) => "check the name; 127.0.0.1 needs no name server",
        ("bind", AddrInUse) => "end the program that has this port, or choose another",
        ("listen on", AddrInUse) => {
            "end the program that has this port, or choose another; if none has, it is in TIME_WAIT"
        }
        ("bind" | "listen on", AddrNotAvailable) => {
            "this machine lacks that address; 127.0.0.1 is its own"
        }
        ("bind" | "listen on", PermissionDenied) => {
            "choose a port from 1024 on; Windows reserves some of those too"
        }
        ("connect to" | "send to", ConnectionRefused) => "nothing listens there: start the server",
        ("connect to", TimedOut) => "nobody answers there: check the address, or raise --timeout",
        ("connect to" | "send to" | "open a socket for", AddrInUse | AddrNotAvailable) => {
            "this machine has no free port left, or no address of that family (IPv4, IPv6)"
        }
        ("connect to" | "send to", PermissionDenied) => {
            "a firewall, a route or broadcast forbids it"
        }
        ("send to", BrokenPipe | ConnectionReset | ConnectionAborted) => {
            "the server closed before it had read everything: look at its terminal"
        }
        ("send to", WouldBlock) => "the server reads nothing, or too slowly for --timeout",
        ("send to" | "receive from", TimedOut) => "the server or the way to it is dead",
        ("receive from", _) => "look at the server's terminal",
        ("read" | "write to", WouldBlock) => "it is non-blocking: use a file, or put 'cat' between",
        ("read", _) => "standard input must be a file, a pipe or a terminal",
        ("write to", InvalidData) => "a Windows console shows only UTF-8: write to a file",
        ("write to", BrokenPipe | ConnectionReset) => "the program that reads it has ended",
        ("write to", _) => "the disk may be full",
        ("start", _) => "no thread or file descriptor is left: end some programs",
        _ => "check the address and the network",
    };
    Failure::new(format!("cannot {action} {target}: {error}"), hint)
}

/// Runs a program: reads its arguments, calls `run`, and turns a failure into two lines and an exit code.
pub fn main(
    program: &'static str,
    usage: &'static str,
    run: fn(&Arguments) -> Result<(), Failure>,
) -> ExitCode {
    let result = Arguments::parse(usage, env::args_os().skip(1)).and_then(|args| {
        if args.is_set("--help") {
            print(usage.as_bytes())
        } else if args.is_set("--version") {
            print(format!("{program} {}\n", env!("CARGO_PKG_VERSION")).as_bytes())
        } else {
            trace::start(program, args.is_set("--quiet"));
            run(&args)
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { what, hint, code }) => {
            trace::write(format_args!("{program}: {what}\n{program}: hint: {hint}"));
            ExitCode::from(code)
        }
    }
}

/// Writes `bytes` to standard output and flushes it: write(2). Unlike `println!` it does not panic.
/// Fails when standard output is full, or its reader has gone.
pub fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    written.map_err(|error| cannot("write to", "standard output", &error))
}

/// Repeats `call` while a signal interrupts it (EINTR), as Python does (PEP 475). The socket's own
/// `timeout` is `WouldBlock` on every system, so that `TimedOut` always means a dead peer.
pub fn retry<T>(
    timeout: Option<Duration>,
    mut call: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    loop {
        let began = Instant::now();
        let result = call();
        // Unix says EAGAIN, and ETIMEDOUT of a dead peer; Windows WSAETIMEDOUT of both.
        let is_over = || timeout.map_or(false, |timeout| began.elapsed() >= timeout);
        match result.as_ref().map_err(io::Error::kind) {
            Err(ErrorKind::Interrupted) => (),
            Err(ErrorKind::TimedOut) if cfg!(windows) && is_over() => {
                return Err(ErrorKind::WouldBlock.into());
            }
            _ => return result,
        }
    }
}
