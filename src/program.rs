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
/// A hint is true of one action alone, and is found by its name.
pub fn cannot(action: &str, target: impl Display, error: &io::Error) -> Failure {
    use ErrorKind::{
        AddrInUse, AddrNotAvailable, BrokenPipe, ConnectionAborted, ConnectionRefused,
    };
    use ErrorKind::{ConnectionReset, InvalidData, PermissionDenied, TimedOut, WouldBlock};
    let hint = match (action, error.kind()) {
        ("find", _) => "check the name; 127.0.0.1 needs no name server",
        ("bind", AddrInUse) => {
            "end the program that has this port, wait a minute if none has (TIME_WAIT), or choose another"
        }
        ("bind", AddrNotAvailable) => "this machine lacks that address; 127.0.0.1 is its own",
        ("bind", PermissionDenied) => "choose a port from 1024 on that Windows does not keep",
        ("connect to" | "send to", ConnectionRefused) => "nothing listens there: start the server",
        ("connect to", TimedOut) => "check the address, or wait longer with --timeout",
        ("connect to" | "send to" | "open a socket for", AddrInUse | AddrNotAvailable) => {
            "this machine has no free port left, or no address of that family (IPv4, IPv6)"
        }
        ("connect to" | "send to", PermissionDenied) => "a firewall, or broadcast, forbids it",
        ("send to", BrokenPipe | ConnectionReset | ConnectionAborted) => {
            "the server closed before it had read everything: look at its terminal"
        }
        ("send to", WouldBlock) => "the server reads nothing: look at its terminal",
        ("send to" | "receive from", TimedOut) => "the server or the way to it is dead",
        ("receive from", _) => "look at the server's terminal",
        ("read", _) => "standard input must be a file, a pipe or a terminal",
        ("write to", InvalidData) => "a Windows console shows only UTF-8: write to a file",
        ("write to", WouldBlock) => "it is non-blocking and full: write to a file, or to '| cat'",
        ("write to", BrokenPipe) => "the program that reads it has ended",
        ("write to", _) => "the disk may be full",
        ("start", _) => "this user has too many processes and threads: end some",
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

/// Makes a call that may wait for the peer, as Python does: again when a signal interrupted it (EINTR,
/// PEP 475), and with a time-out that differs from a dead peer.
///
/// The socket's own `timeout` is `WouldBlock` then, Unix's EAGAIN; a peer that keep-alive or
/// retransmission gave up is `TimedOut`. For Windows, which says WSAETIMEDOUT to both, the clock decides.
pub fn wait<T>(
    timeout: Option<Duration>,
    mut call: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    loop {
        let began = Instant::now();
        let error = match call() {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let is_over = timeout.map_or(false, |timeout| began.elapsed() >= timeout);
        match error.kind() {
            ErrorKind::Interrupted => (),
            ErrorKind::TimedOut if cfg!(windows) && is_over => {
                return Err(ErrorKind::WouldBlock.into());
            }
            _ => return Err(error),
        }
    }
}
