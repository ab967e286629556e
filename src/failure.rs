//! What failed and what to do about it; and the two calls that need it: printing, and a call that a
//! signal interrupts.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Why a program ends: what failed, what to do about it, and the exit code.
#[derive(Debug)]
pub struct Failure {
    pub(crate) what: String,
    pub(crate) hint: String,
    pub(crate) code: u8,
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

/// Makes a system's error a [`Failure`], for `map_err`: it names the action, the address or file, and the
/// reason. `action` also selects the hint: after another action the same error needs other advice.
pub fn cannot(action: &'static str, target: impl Display) -> impl FnOnce(io::Error) -> Failure {
    move |error| {
        let what = format!("cannot {action} {target}: {error}");
        Failure::new(what, hint(action, error.kind()))
    }
}

fn hint(action: &str, reason: ErrorKind) -> &'static str {
    use ErrorKind::{AddrInUse, AddrNotAvailable, BrokenPipe, ConnectionAborted};
    use ErrorKind::{ConnectionRefused, ConnectionReset, InvalidData, PermissionDenied};
    use ErrorKind::{TimedOut, WouldBlock};
    match (action, reason) {
        ("find", _) => "check the name; 127.0.0.1 needs no name server",
        ("bind", AddrInUse) => "end the program that has this port, or choose another",
        ("listen on", AddrInUse) => {
            "end the program that has this port, or choose another; if none has, it is in TIME_WAIT"
        }
        ("bind" | "listen on", AddrNotAvailable) => {
            "this machine lacks that address; it has 127.0.0.1"
        }
        ("bind" | "listen on", PermissionDenied) => "choose another port, from 1024 on",
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
        ("duplicate" | "start", _) => "no descriptor or thread is left: end some programs",
        _ => "check the address and the network",
    }
}

/// [`cannot`] `receive from` a TCP server. A wait that outlasted `timeout` says what has not come after
/// `received` bytes.
pub fn cannot_receive(
    server: SocketAddr,
    timeout: Option<Duration>,
    received: usize,
) -> impl FnOnce(io::Error) -> Failure {
    move |error| {
        if error.kind() != ErrorKind::WouldBlock {
            return cannot("receive from", server)(error);
        }
        let what = if received == 0 { "no reply" } else { "no end of the reply" };
        let what = format!("{what} from {server} in {:?}", timeout.unwrap_or_default());
        Failure::new(what, "look at its terminal, or raise --timeout")
    }
}

/// The [`Failure`] of a TCP client that has sent something to a server which closed and sent nothing back.
pub fn closed_without_reply(server: SocketAddr) -> Failure {
    let what = format!("{server} closed the connection without a reply");
    Failure::new(what, "it may drop its reply when it sees the half-close: look at its terminal")
}

/// Writes `bytes` to standard output and flushes it: write(2). Unlike `println!` it does not panic.
/// Fails when standard output is full, or its reader has gone.
pub fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    written.map_err(cannot("write to", "standard output"))
}

/// Makes `call` again while a signal interrupts it (EINTR), as Python does (PEP 475). `timeout` is the one
/// that the socket has; its error is `WouldBlock` on every system, so `TimedOut` always means a dead peer.
pub fn despite_signals<T>(
    timeout: Option<Duration>,
    mut call: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    loop {
        let began = Instant::now();
        let is_over = || timeout.map_or(false, |timeout| began.elapsed() >= timeout);
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => (),
            // Unix says EAGAIN, and ETIMEDOUT of a dead peer; Windows WSAETIMEDOUT of both.
            Err(error) if cfg!(windows) && error.kind() == ErrorKind::TimedOut && is_over() => {
                return Err(ErrorKind::WouldBlock.into());
            }
            result => return result,
        }
    }
}
