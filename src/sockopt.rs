//! `setsockopt`, `getsockopt` and `listen`: what Python's `socket` has and stable `std::net` lacks.
//!
//! Declared by hand against the C library that std links anyway: the only unsafe code.
//! See socket(7), getsockopt(2), listen(2), and UNIX Network Programming, chapter 7.
#![allow(unsafe_code)]

use std::io;
use std::net::TcpListener;
use std::os::raw::c_int;
#[cfg(unix)]
use std::os::unix::io::{AsFd as AsSocket, AsRawFd, RawFd as Socket};
#[cfg(windows)]
use std::os::windows::io::{AsRawSocket, AsSocket, RawSocket as Socket};

/// Bytes of a C `int`, which each of these options is.
const INT_SIZE: u32 = 4;

/// The number of an option in sys/socket.h: Linux's own, or that of BSD, which Windows took over.
const fn number(linux: c_int, bsd: c_int) -> c_int {
    if cfg!(all(
        any(target_os = "linux", target_os = "android"),
        // On these processors Linux has other numbers.
        not(any(target_arch = "mips", target_arch = "mips32r6", target_arch = "sparc")),
        not(any(target_arch = "mips64", target_arch = "mips64r6", target_arch = "sparc64")),
    )) {
        linux
    } else if cfg!(any(
        any(target_os = "macos", target_os = "ios", target_os = "freebsd", target_os = "dragonfly"),
        any(target_os = "netbsd", target_os = "openbsd", windows),
    )) {
        bsd
    } else {
        panic!("nobody has checked this system: compare src/sockopt.rs with its sys/socket.h")
    }
}
const SOL_SOCKET: c_int = number(1, 0xffff);

/// An option of the level `SOL_SOCKET`: a type of its own, so that no other number passes for one.
#[derive(Debug, Clone, Copy)]
pub struct SocketOption(c_int);

/// Lets a server bind its port again while old connections are in TIME_WAIT (RFC 9293, 3.6.1).
///
/// std sets it for every `TcpListener`, but not on Windows, where it would let two servers share a port.
pub const SO_REUSEADDR: SocketOption = SocketOption(number(2, 4));
/// The pending error, of what failed in the background, as an errno; reading it sets it to 0.
pub const SO_ERROR: SocketOption = SocketOption(number(4, 0x1007));
/// Whether a silent peer is probed, by default after two hours (RFC 9293, 3.8.4), and given up when it
/// does not answer (Linux: after 9 probes, 75 s apart): far too slow for a heartbeat.
pub const SO_KEEPALIVE: SocketOption = SocketOption(number(9, 8));
/// Whether the socket listens: 1 after `listen`, 0 for a connection. It can only be read.
pub const SO_ACCEPTCONN: SocketOption = SocketOption(number(30, 2));

/// setsockopt(2): sets an option; 0 is off and 1 is on. Fails with ENOPROTOOPT for one that can only be read.
pub fn setsockopt(socket: &impl AsSocket, option: SocketOption, value: c_int) -> io::Result<()> {
    // SAFETY: the borrowed socket is open; the system reads one int from `value`, which outlives the call.
    check(unsafe { c::setsockopt(raw(socket), SOL_SOCKET, option.0, &value, INT_SIZE) })
}

/// getsockopt(2): an option's value. Of an on-off option 0 is off and any other value on: the BSDs
/// return the option's bit.
pub fn getsockopt(socket: &impl AsSocket, option: SocketOption) -> io::Result<c_int> {
    // From 0, because Windows fills only one byte of an on-off option.
    let mut value = 0;
    let mut size = INT_SIZE;
    // SAFETY: the borrowed socket is open; the system writes at most `size` bytes, those of `value`.
    check(unsafe { c::getsockopt(raw(socket), SOL_SOCKET, option.0, &mut value, &mut size) })?;
    Ok(value)
}

/// listen(2) once more, with a queue of `backlog` connections not yet accepted; std's bind asked for 128.
///
/// Linux cuts it to `/proc/sys/net/core/somaxconn`; Windows keeps the first call's.
pub fn listen(listener: &TcpListener, backlog: u64) -> io::Result<()> {
    let backlog = c_int::try_from(backlog).unwrap_or(c_int::MAX);
    // SAFETY: the borrowed socket is open, and no memory is passed.
    check(unsafe { c::listen(raw(listener), backlog) })
}

/// Turns C's convention, -1 and `errno`, into Rust's.
fn check(result: c_int) -> io::Result<()> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn raw(socket: &impl AsSocket) -> Socket {
    socket.as_fd().as_raw_fd()
}

#[cfg(windows)]
fn raw(socket: &impl AsSocket) -> Socket {
    socket.as_socket().as_raw_socket()
}

/// As sys/socket.h declares them; `socklen_t` is a `u32`, on Windows an `int` of the same size.
mod c {
    use super::{c_int, Socket};

    // "system" is "C" everywhere but on 32-bit Windows.
    #[cfg_attr(windows, link(name = "ws2_32"))]
    extern "system" {
        pub fn setsockopt(_: Socket, _: c_int, _: c_int, _: *const c_int, _: u32) -> c_int;
        pub fn getsockopt(_: Socket, _: c_int, _: c_int, _: *mut c_int, _: *mut u32) -> c_int;
        pub fn listen(_: Socket, _: c_int) -> c_int;
    }
}
