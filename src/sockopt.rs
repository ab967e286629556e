//! `setsockopt`, `getsockopt` and `listen`: what Python's `socket` has and stable `std::net` lacks.
//!
//! Declared by hand against the C library that std links anyway: the only unsafe code.
//! See socket(7), getsockopt(2), listen(2), and UNIX Network Programming, chapter 7.
#![allow(unsafe_code)]

use std::io;
use std::mem::size_of;
use std::net::TcpListener;
use std::os::raw::{c_int, c_void};
#[cfg(unix)]
use std::os::unix::io::{AsFd as AsSocket, AsRawFd, RawFd as Socket};
#[cfg(windows)]
use std::os::windows::io::{AsRawSocket, AsSocket, RawSocket as Socket};

/// C's `socklen_t`; Windows has an `int` in its place.
#[cfg(unix)]
type Length = u32;
#[cfg(windows)]
type Length = c_int;
#[allow(clippy::cast_possible_truncation)] // It is 4.
const LENGTH: Length = size_of::<c_int>() as Length;

/// The numbers of a system's own sys/socket.h.
struct Numbers {
    sol_socket: c_int,
    so_reuseaddr: c_int,
    so_error: c_int,
    so_keepalive: c_int,
    so_acceptconn: c_int,
}

/// Linux has its own, and on some processors those of another Unix. Windows took over those of BSD.
#[rustfmt::skip] // A table.
const NUMBERS: Numbers = if cfg!(all(
    any(target_os = "linux", target_os = "android"),
    not(any(target_arch = "mips", target_arch = "mips32r6", target_arch = "sparc")),
    not(any(target_arch = "mips64", target_arch = "mips64r6", target_arch = "sparc64")),
)) {
    Numbers { sol_socket: 1, so_reuseaddr: 2, so_error: 4, so_keepalive: 9, so_acceptconn: 30 }
} else if cfg!(any(
    any(target_os = "macos", target_os = "ios", target_os = "freebsd", target_os = "dragonfly"),
    any(target_os = "netbsd", target_os = "openbsd", windows),
)) {
    Numbers { sol_socket: 0xffff, so_reuseaddr: 4, so_error: 0x1007, so_keepalive: 8, so_acceptconn: 2 }
} else {
    panic!("nobody has checked this system: add the five numbers of its sys/socket.h to src/sockopt.rs")
};

/// An option of the level `SOL_SOCKET`: a type of its own, so that no other number passes for one.
#[derive(Debug, Clone, Copy)]
pub struct SocketOption(c_int);

/// Lets a server bind its port again while old connections are in TIME_WAIT (RFC 9293, 3.6.1).
///
/// std sets it for every `TcpListener`, but not on Windows, where it would let two servers share a port.
pub const SO_REUSEADDR: SocketOption = SocketOption(NUMBERS.so_reuseaddr);
/// Why the last operation in the background failed, as an errno; reading it sets it to 0.
pub const SO_ERROR: SocketOption = SocketOption(NUMBERS.so_error);
/// Whether a silent peer is probed, by default after two hours (RFC 9293, 3.8.4), and given up when it
/// does not answer (Linux: after 9 probes, 75 s apart): far too slow for a heartbeat.
pub const SO_KEEPALIVE: SocketOption = SocketOption(NUMBERS.so_keepalive);
/// Whether the socket listens: 1 after `listen`, 0 for a connection. It can only be read.
pub const SO_ACCEPTCONN: SocketOption = SocketOption(NUMBERS.so_acceptconn);

/// setsockopt(2): sets an option; 0 is off and 1 is on.
///
/// # Errors
/// ENOPROTOOPT for an option that can only be read; ENOTSOCK for a descriptor that is no socket.
pub fn setsockopt(socket: &impl AsSocket, option: SocketOption, value: c_int) -> io::Result<()> {
    let pointer: *const c_int = &value;
    // SAFETY: the borrowed socket is open, and the system reads one c_int from `value`, which outlives the call.
    check(unsafe {
        c::setsockopt(raw(socket), NUMBERS.sol_socket, option.0, pointer.cast(), LENGTH)
    })
}

/// getsockopt(2): an option's value. Of an on-off option 0 is off and any other value on:
/// the BSDs return the option's bit.
///
/// # Errors
/// ENOTSOCK for a descriptor that is no socket.
pub fn getsockopt(socket: &impl AsSocket, option: SocketOption) -> io::Result<c_int> {
    // From 0, because Windows fills one byte only of an on-off option.
    let mut value: c_int = 0;
    let pointer: *mut c_int = &mut value;
    let mut length = LENGTH;
    // SAFETY: the borrowed socket is open, and the system writes at most `length` bytes, those of `value`.
    check(unsafe {
        c::getsockopt(raw(socket), NUMBERS.sol_socket, option.0, pointer.cast(), &mut length)
    })?;
    Ok(value)
}

/// listen(2) once more, with a queue of `backlog` connections not yet accepted; std's bind asked for 128.
///
/// Linux cuts it to `/proc/sys/net/core/somaxconn`; Windows keeps the first call's.
///
/// # Errors
/// EADDRINUSE when another socket already listens on the port.
pub fn listen(listener: &TcpListener, backlog: u64) -> io::Result<()> {
    let backlog = c_int::try_from(backlog).unwrap_or(c_int::MAX);
    // SAFETY: the borrowed socket is open, and no memory is passed.
    check(unsafe { c::listen(raw(listener), backlog) })
}

/// Turns the C convention, -1 and `errno`, into Rust's.
fn check(result: c_int) -> io::Result<()> {
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(unix)]
fn raw(socket: &impl AsSocket) -> Socket {
    socket.as_fd().as_raw_fd()
}

#[cfg(windows)]
fn raw(socket: &impl AsSocket) -> Socket {
    socket.as_socket().as_raw_socket()
}

mod c {
    use super::{c_int, c_void, Length, Socket};

    // "system" is "C" everywhere but on 32-bit Windows.
    #[cfg_attr(windows, link(name = "ws2_32"))]
    extern "system" {
        pub fn setsockopt(
            socket: Socket,
            level: c_int,
            name: c_int,
            value: *const c_void,
            length: Length,
        ) -> c_int;
        pub fn getsockopt(
            socket: Socket,
            level: c_int,
            name: c_int,
            value: *mut c_void,
            length: *mut Length,
        ) -> c_int;
        pub fn listen(socket: Socket, backlog: c_int) -> c_int;
    }
}
