//! The trace: a line on standard error for each of the document's seven steps.

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

static QUIET: AtomicBool = AtomicBool::new(false);

/// Says whether step lines are to be written; [`crate::cli::main`] calls it for `--quiet`.
pub fn set_quiet(quiet: bool) {
    QUIET.store(quiet, Relaxed);
}

/// Whether step lines are not to be written.
pub fn is_quiet() -> bool {
    QUIET.load(Relaxed)
}

/// Writes `PROGRAM: NUMBER NAME  detail`, the number and name of a step and what happened in it.
///
/// The details are evaluated only when they are shown, so that `--quiet` costs no system call.
/// A `?` among them ends the line and not the program: a trace never changes what it tells of.
#[macro_export]
macro_rules! step {
    ($step:literal, $($detail:tt)*) => {
        if !$crate::trace::is_quiet() {
            let write = |detail: std::fmt::Arguments| {
                $crate::trace::write(format_args!(concat!(env!("CARGO_BIN_NAME"), ": {:<12} {}"), $step, detail));
            };
            let detail = || -> std::io::Result<()> { Ok(write(format_args!($($detail)*))) };
            if let Err(error) = detail() {
                write(format_args!("{error}"));
            }
        }
    };
}

/// Writes one line to standard error, whole, so that the lines of threads and programs do not mix.
///
/// A standard error that takes nothing (closed, full, its reader gone) is no reason to end.
pub fn write(line: fmt::Arguments) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// The family of an address: AF_INET or AF_INET6.
pub fn family(address: &SocketAddr) -> &'static str {
    if address.is_ipv4() {
        "IPv4"
    } else {
        "IPv6"
    }
}

/// Received bytes made safe for a terminal: UTF-8 as it is, control characters and bytes
/// that are no UTF-8 escaped (`\x1b`), at most 60 characters and then `…`.
pub fn text(bytes: &[u8]) -> String {
    let mut shown = String::new();
    let mut width = 0;
    let mut rest = bytes;
    while let Some(&byte) = rest.first() {
        // A character of UTF-8 is the shortest start, of one to four bytes, that is valid.
        let character = (1..=4).find_map(|length| std::str::from_utf8(rest.get(..length)?).ok());
        let (next, length) = match character {
            Some(next) if !next.contains(char::is_control) => (next.to_owned(), next.len()),
            _ => (byte.escape_ascii().to_string(), 1),
        };
        width += next.chars().count();
        if width > 60 {
            shown.push('…');
            break;
        }
        shown.push_str(&next);
        rest = rest.get(length..).unwrap_or_default();
    }
    shown
}
