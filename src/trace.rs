//! The trace: a line on standard error for each of the document's seven steps.
//!
//! A line is printed *before* a call that the peer can notice (connect, send, shutdown, close), and
//! *after* a call that waits for the peer (accept, recv). So where a client and a server share a
//! terminal, no effect stands above its cause, and a connect that hangs shows what it hangs in. Two
//! exceptions: listen, which std does together with bind, so that what it chose is known only
//! afterwards; and a program that is killed, or a server that cannot print where it is ready, which prints no
//! `7 close`. What a server sends back has no line of its own: that of what it received stands before it.
//!
//! A trace never changes what it tells of. It can slow it down: where nobody reads standard error, a
//! full pipe or a terminal stopped with Ctrl-S, the program waits, as any Unix program does.

use std::fmt::{self, Display};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::str::from_utf8;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// The most characters of received bytes that a line shows.
const MAX_SHOWN: usize = 60;

static PROGRAM: Mutex<&str> = Mutex::new("");
static QUIET: AtomicBool = AtomicBool::new(true); // Until it has a name.

/// Names the program in each line; `quiet` means no lines. [`crate::program::main`] calls it.
pub fn start(program: &'static str, quiet: bool) {
    *PROGRAM.lock().unwrap_or_else(PoisonError::into_inner) = program;
    QUIET.store(quiet, Relaxed);
}

/// Whether no step lines are to be printed.
pub fn is_quiet() -> bool {
    QUIET.load(Relaxed)
}

/// Prints `PROGRAM: NUMBER NAME  detail`, the number and name of a step and what happens in it.
///
/// The details are evaluated only when they are shown, so that `--quiet` costs no system call.
#[macro_export]
macro_rules! step {
    ($step:literal, $($detail:tt)*) => {
        if !$crate::trace::is_quiet() {
            $crate::trace::write_step($step, format_args!($($detail)*));
        }
    };
}

/// What [`step!`] does when it does something.
pub fn write_step(step: &str, detail: fmt::Arguments) {
    let program = *PROGRAM.lock().unwrap_or_else(PoisonError::into_inner);
    write(format_args!("{program}: {step:<12} {detail}"));
}

/// Writes one line to standard error in one call, so that the lines of threads and programs do not mix.
///
/// A standard error that is closed or on a full disk is no reason to end.
pub fn write(line: fmt::Arguments) {
    let mut bytes = Vec::with_capacity(256); // A line that grows piece by piece is moved in memory each time.
    let _ = writeln!(bytes, "{line}").and_then(|()| io::stderr().write_all(&bytes));
}

/// The family of an address: IPv4 (AF_INET) or IPv6 (AF_INET6).
pub fn family(address: &SocketAddr) -> &'static str {
    if address.is_ipv4() {
        "IPv4"
    } else {
        "IPv6"
    }
}

/// A value that was read for the trace, or why it could not be.
pub fn shown(result: io::Result<impl Display>) -> String {
    result.map_or_else(|error| error.to_string(), |value| value.to_string())
}

/// Bytes, safe and unambiguous for a person: UTF-8 as it is; escaped (`\x1b`) are control characters, bytes
/// that are no UTF-8, the backslash itself, and what turns or breaks a line; at most 60 characters and then `…`.
pub fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(256);
    let mut room = MAX_SHOWN;
    let mut rest = bytes;
    while let Some(byte) = rest.first() {
        // A character has at most four bytes.
        let next = &rest[..rest.len().min(4)];
        let valid = from_utf8(next).or_else(|error| from_utf8(&next[..error.valid_up_to()]));
        let plain = valid.unwrap_or_default().chars().next().filter(|c| !must_be_escaped(*c));
        let piece = plain.map_or_else(|| byte.escape_ascii().to_string(), String::from);
        let width = piece.chars().count();
        if width > room {
            return text + "…";
        }
        text += &piece;
        room -= width;
        rest = &rest[plain.map_or(1, char::len_utf8)..];
    }
    text
}

/// Text that a user typed, as an error line shows it.
pub fn quoted(text: &str) -> String {
    format!("'{}'", printable(text.as_bytes()))
}

/// What a recv of TCP returned, where 0 bytes are the end of the stream.
pub fn describe(data: &[u8]) -> String {
    match data.len() {
        0 => "0 bytes: no more will come".to_owned(),
        length => format!("{length} bytes received: {}", printable(data)),
    }
}

/// Control characters, the backslash, line and paragraph separator, and what changes the direction of text.
fn must_be_escaped(c: char) -> bool {
    c.is_control()
        || matches!(c, '\\' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
