//! The trace: a line on standard error for each of the document's seven steps.
//!
//! A line is printed *before* a call that the peer can notice (connect, send, shutdown, close), and
//! *after* a call that waits for the peer (accept, recv). So where a client and a server share a
//! terminal, no effect stands above its cause, and a connect that hangs shows what it hangs in. Two
//! exceptions: listen, which std does together with bind, so that what it chose is known only
//! afterwards; and a program that is killed, which prints no `7 close`. What a server sends back has no
//! line of its own: that of what it received stands before it.
//!
//! A trace never changes what it tells of. It can slow it down: where nobody reads standard error, a
//! full pipe or a terminal stopped with Ctrl-S, the program waits, as any Unix program does.

use std::fmt;
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
/// The details are evaluated only when they are shown, so that `--quiet` costs no system call. A `?`
/// among them ends the line, which then has the error, and not the program.
#[macro_export]
macro_rules! step {
    ($step:literal, $($detail:tt)*) => {
        if !$crate::trace::is_quiet() {
            $crate::trace::write_step($step, || Ok(format!($($detail)*)));
        }
    };
}

/// What [`step!`] does when it does something.
pub fn write_step(step: &str, detail: impl FnOnce() -> io::Result<String>) {
    let program = *PROGRAM.lock().unwrap_or_else(PoisonError::into_inner);
    let detail = detail().unwrap_or_else(|error| error.to_string());
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

/// Received bytes, safe and unambiguous for a person: UTF-8 as it is; escaped (`\x1b`) are control
/// characters, bytes that are no UTF-8, the backslash itself, and what turns or breaks a line; at
/// most 60 characters and then `…`.
pub fn printable(bytes: &[u8]) -> String {
    // A character has at most four bytes, so this is enough to see that there is more than is shown.
    let mut rest = &bytes[..bytes.len().min(4 * (MAX_SHOWN + 1))];
    let (mut shown, mut room) = (String::with_capacity(rest.len()), MAX_SHOWN);
    while !rest.is_empty() {
        // What is shown as it is, up to the next byte that must be escaped.
        let valid = from_utf8(rest).or_else(|error| from_utf8(&rest[..error.valid_up_to()]));
        let plain = valid.unwrap_or_default().split(must_be_escaped).next().unwrap_or_default();
        let fitting = plain.char_indices().nth(room).map_or(plain, |(end, _)| &plain[..end]);
        shown.push_str(fitting);
        room -= fitting.chars().count();
        rest = &rest[fitting.len()..];
        if let Some(byte) = rest.first() {
            let escaped = byte.escape_ascii().to_string();
            // Always so where `fitting` is not all of `plain`.
            if escaped.len() > room {
                return shown + "…";
            }
            shown.push_str(&escaped);
            room -= escaped.len();
            rest = &rest[1..];
        }
    }
    shown
}

/// What a recv of TCP returned, where 0 bytes are the end of the stream.
pub fn received(data: &[u8]) -> String {
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
