//! tcp-server: echoes whatever each client sends (RFC 862), with a thread for each connection.
//!
//! Below each statement of tests/python/tcp_server.py, `//|`, stands its Rust; `step!` prints a line.
#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, Read, Write};
//| import socket
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use socket_lab::address::resolve;
//| import sys
use socket_lab::arguments::{Arguments, MAX_NUMBER};
use socket_lab::failure::{cannot, despite_signals, print, Failure};
use socket_lab::sockopt::{getsockopt, listen, setsockopt};
use socket_lab::sockopt::{SO_ACCEPTCONN, SO_ERROR, SO_KEEPALIVE, SO_REUSEADDR};
use socket_lab::threads::{Threads, MAX_CONNECTIONS};
use socket_lab::trace::{describe, family, shown};
use socket_lab::{program, step};

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
    // Python's 5, or the 128 of Rust's library, are few for many clients at once: Linux drops a SYN that
    // arrives when the queue is full, and the client resends it after a second.
    let backlog = args.number("--backlog", MAX_NUMBER)?;
    let threads = Threads::new(args.number("--max-connections", MAX_CONNECTIONS)?);
    let idle_timeout = args.seconds("--idle-timeout")?;
    let count = args.optional_number("--count", MAX_NUMBER)?;
    //| host = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
    //| port = int(sys.argv[2]) if len(sys.argv) > 2 else 8888
    // Of a name's addresses only the first is used, as Python's bind does.
    let address = resolve(args.text("ADDRESS"))?[0];

    //| 1 create     server_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    //|              server_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    //| 2 bind       server_socket.bind((host, port))
    // One call of Rust's library does all this (on Windows without SO_REUSEADDR), and listens too.
    step!("1 create", "TCP, {}", family(&address));
    let server_socket = TcpListener::bind(address).map_err(cannot("listen on", address))?;
    let local = server_socket.local_addr().map_err(cannot("listen on", address))?;
    step!("2 bind", "{local}, SO_REUSEADDR={}", shown(getsockopt(&server_socket, SO_REUSEADDR)));
    //| 3 listen     server_socket.listen(5)
    // It has listened already, with a queue of 128; this call changes its length.
    listen(&server_socket, backlog).map_err(cannot("listen on", address))?;
    //| print('SO_ACCEPTCONN', server_socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    //| print('SO_ERROR', server_socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    step!(
        "3 listen",
        "backlog {backlog}, SO_ACCEPTCONN={}, SO_ERROR={}",
        shown(getsockopt(&server_socket, SO_ACCEPTCONN)),
        shown(getsockopt(&server_socket, SO_ERROR))
    );
    //| print('ready on %s:%d' % server_socket.getsockname())
    print(format!("tcp-server ready on {local}\n").as_bytes())?;
    let mut accepted = 0;
    let mut is_failing = false;
    //| while True:
    // Python's loop never ends, nor does this one without --count.
    while count != Some(accepted) {
        threads.wait_for_place();
        //| 5 establish  conn, addr = server_socket.accept()
        let (conn, addr) = match server_socket.accept() {
            Ok(connection) => connection,
            Err(error) => {
                // Too many open sockets, perhaps: wait until a connection has ended, and try again.
                if !is_failing {
                    step!("5 establish", "cannot accept: {error}; trying again");
                }
                is_failing = true;
                std::thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        is_failing = false;
        accepted += 1;
        // Python serves one client after another; here each connection has a thread.
        threads.spawn(move || echo(conn, addr, idle_timeout));
    }
    threads.wait();
    step!("7 close", "{local}, connections served: {accepted}");
    drop(server_socket); // This closes the socket.
    Ok(())
}

/// Sends back what comes until the client has finished, and closes the connection.
fn echo(mut conn: TcpStream, addr: SocketAddr, idle_timeout: Option<Duration>) {
    let mut buffer = vec![0; 1024];
    let mut echoed = 0;
    // In a closure: a `?` ends only the closure, and 7 close below still comes.
    let mut transfer = || -> io::Result<()> {
        //| conn.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        setsockopt(&conn, SO_KEEPALIVE, 1)?;
        step!("5 establish", "{addr}, SO_KEEPALIVE={}", shown(getsockopt(&conn, SO_KEEPALIVE)));
        // Without TCP_NODELAY a small reply may wait until the one before is acknowledged (RFC 896).
        conn.set_nodelay(true)?;
        conn.set_read_timeout(idle_timeout)?;
        conn.set_write_timeout(idle_timeout)?;
        //| while True:
        loop {
            //| 6 transfer   data = conn.recv(1024)
            // A signal, such as Ctrl-Z's, may interrupt a call: it is then made again.
            let length = despite_signals(idle_timeout, || conn.read(&mut buffer))?;
            let data = &buffer[..length];
            step!("6 transfer", "{addr}, {}", describe(data));
            //| if not data:
            //|     break
            if data.is_empty() {
                break Ok(());
            }
            //| conn.sendall(data)
            despite_signals(idle_timeout, || conn.write_all(data))?;
            echoed += length;
            // The buffer was full, so more is probably waiting: a larger one takes fewer calls.
            if length == buffer.len() && length < 64 * 1024 {
                buffer.resize(2 * length, 0);
            }
        }
    };
    match transfer() {
        Ok(()) => step!("7 close", "{addr}, {echoed} bytes sent back"),
        // The recv or send has waited as long as `idle_timeout`.
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            step!("7 close", "{addr}, idle too long after {echoed} bytes");
        }
        Err(error) => step!("7 close", "{addr}, {echoed} bytes sent back, then {error}"),
    }
    //| 7 close      conn.close()
    drop(conn);
}
