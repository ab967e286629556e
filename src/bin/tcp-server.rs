//! tcp-server: echoes whatever each client sends (RFC 862), with a thread for each connection.
//!
//! A line that begins with `//|` is Python, from tests/python/tcp_server.py; the Rust for it is below.
#![forbid(unsafe_code)]

use std::io::{ErrorKind, Read, Write};
//| import socket
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use socket_lab::address::resolve;
//| import sys
use socket_lab::arguments::{Arguments, MAX_INT};
use socket_lab::program::{self, cannot, print, wait, Failure};
use socket_lab::sockopt::{getsockopt, listen, setsockopt};
use socket_lab::sockopt::{SO_ACCEPTCONN, SO_ERROR, SO_KEEPALIVE, SO_REUSEADDR};
use socket_lab::step;
use socket_lab::threads::{Threads, MAX_CONNECTIONS};
use socket_lab::trace::{family, received};

const USAGE: &str = "\
Usage: tcp-server [OPTIONS] [ADDRESS]

Echoes whatever each client sends.

  ADDRESS  HOST:PORT; with port 0 the system chooses one [default: 127.0.0.1:8888]

Options:
      --backlog N             length of the listen queue [default: 4096]
      --max-connections N     open at a time; others wait in the queue [default: 1000]
      --idle-timeout SECONDS  close a connection idle this long; 0: never [default: 300]
      --count N               end after serving N connections
  -q, --quiet                 no step lines
  -h, --help                  print this and end
  -V, --version               print the version and end
";

fn main() -> ExitCode {
    program::main(env!("CARGO_BIN_NAME"), USAGE, run)
}

fn run(args: &Arguments) -> Result<(), Failure> {
    // When many clients come at once, a queue as short as the document's 5 or std's 128 is soon full:
    // Linux then drops the SYN, and the client resends it after a second.
    let backlog = args.number("--backlog", MAX_INT)?;
    let threads = Threads::new(args.number("--max-connections", MAX_CONNECTIONS)?);
    let idle_timeout = args.seconds("--idle-timeout")?;
    let count = args.optional_number("--count", MAX_INT)?;
    //| host = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
    //| port = int(sys.argv[2]) if len(sys.argv) > 2 else 8888
    let address = resolve(args.text("ADDRESS"))?[0];

    //| 1 create     server_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    //|              server_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    //| 2 bind       server_socket.bind((host, port))
    // One call of std's does all three (SO_REUSEADDR not on Windows), and listens already.
    step!("1 create", "TCP, {}", family(&address));
    let bound = TcpListener::bind(address).and_then(|socket| Ok((socket.local_addr()?, socket)));
    let (local, server_socket) = bound.map_err(|error| cannot("bind", address, &error))?;
    step!("2 bind", "{local}, SO_REUSEADDR={}", getsockopt(&server_socket, SO_REUSEADDR)?);
    //| 3 listen     server_socket.listen(5)
    // Once more, for a queue of another length.
    listen(&server_socket, backlog).map_err(|error| cannot("listen on", local, &error))?;
    //| print('SO_ACCEPTCONN', server_socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    //| print('SO_ERROR', server_socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    step!(
        "3 listen",
        "backlog {backlog}, SO_ACCEPTCONN={}, SO_ERROR={}",
        getsockopt(&server_socket, SO_ACCEPTCONN)?,
        getsockopt(&server_socket, SO_ERROR)?
    );
    //| print('ready on %s:%d' % server_socket.getsockname())
    let ready = print(format!("tcp-server ready on {local}\n").as_bytes());

    let mut accepted = 0;
    //| while True:
    while ready.is_ok() && count != Some(accepted) {
        //| 5 establish  conn, addr = server_socket.accept()
        let (conn, addr) = accept(&server_socket);
        accepted += 1;
        // The one thing that the Rust adds: a thread for each connection, so that none waits for another.
        threads.spawn(move || echo(conn, addr, idle_timeout));
    }
    threads.wait_below(1);
    step!("7 close", "{local}, connections served: {accepted}");
    drop(server_socket);
    ready
}

/// Takes the next connection out of the queue. No error ends the server: where no file descriptor is
/// left, say, the client waits in the queue, and the pause leaves the CPU to those who will free one.
fn accept(server_socket: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut is_told = false;
    loop {
        match server_socket.accept() {
            Ok(accepted) => return accepted,
            Err(error) if !is_told => step!("5 establish", "cannot accept: {error}; trying again"),
            Err(_) => (),
        }
        is_told = true;
        sleep(Duration::from_millis(100));
    }
}

/// Sends back what comes until the client has finished, and closes the connection.
fn echo(mut conn: TcpStream, addr: SocketAddr, idle_timeout: Option<Duration>) {
    // Where one of these four fails, the connection has already ended, and recv tells why.
    //| conn.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    let _ = setsockopt(&conn, SO_KEEPALIVE, 1);
    // Else a small answer may wait 40 ms for the acknowledgement of the last one (Nagle, RFC 896).
    let _ = conn.set_nodelay(true);
    let _ = conn.set_read_timeout(idle_timeout);
    let _ = conn.set_write_timeout(idle_timeout);
    step!("5 establish", "{addr}, SO_KEEPALIVE={}", getsockopt(&conn, SO_KEEPALIVE)?);
    let (mut buffer, mut echoed) = (vec![0; 1024], 0);
    //| while True:
    let end = loop {
        //| 6 transfer   data = conn.recv(1024)
        let length = match wait(idle_timeout, || conn.read(&mut buffer)) {
            Ok(length) => length,
            Err(error) => break Err(error),
        };
        let data = &buffer[..length];
        step!("6 transfer", "{addr}, {}", received(data));
        //| if not data:
        //|     break
        if data.is_empty() {
            break Ok(());
        }
        //| conn.sendall(data)
        if let Err(error) = wait(idle_timeout, || conn.write_all(data)) {
            break Err(error);
        }
        echoed += length;
        // The buffer grows for a stream alone: an idle connection is to cost little memory.
        if length == buffer.len() && length < 64 * 1024 {
            buffer.resize(2 * length, 0);
        }
    };
    match end {
        Ok(()) => step!("7 close", "{addr}, {echoed} bytes sent back"),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            step!("7 close", "{addr}, idle too long after {echoed} bytes");
        }
        Err(error) => step!("7 close", "{addr}, {echoed} bytes sent back, then {error}"),
    }
    //| 7 close      conn.close()
    drop(conn);
}
