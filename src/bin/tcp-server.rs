//! tcp-server: sends back to every client what it sends (an echo, RFC 862), to all of them at a time.
//!
//! Above the Rust stands, statement by statement, the Python of tests/python/tcp_server.py.
#![forbid(unsafe_code)]

//              import socket
//              import sys
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Once;
use std::thread::sleep;
use std::time::Duration;

use socket_lab::cli::{self, cannot, is_timeout, print, resolve, Arguments, Failure};
use socket_lab::sockopt::{
    getsockopt, listen, setsockopt, SO_ACCEPTCONN, SO_ERROR, SO_KEEPALIVE, SO_REUSEADDR,
};
use socket_lab::trace::{family, text};
use socket_lab::{step, threads};

const USAGE: &str = "\
Usage: tcp-server [OPTIONS] [ADDRESS]

Sends back to every client what it sends.

  ADDRESS  HOST:PORT; port 0: the system chooses one [default: 127.0.0.1:8888]

Options:
      --backlog N             length of the queue of listen [default: 4096]
      --max-connections N     open at a time; others wait [default: 1000]
      --idle-timeout SECONDS  close one that is idle; 0: never [default: 300]
      --count N               end after serving N connections
  -q, --quiet                 no step lines
  -h, --help                  print this and end
  -V, --version               print the version and end
";

static NO_ACCEPT: Once = Once::new();
static NO_THREAD: Once = Once::new();
static FULL: Once = Once::new();

fn main() -> ExitCode {
    cli::main(env!("CARGO_BIN_NAME"), USAGE, run)
}

fn run(args: &Arguments) -> Result<(), Failure> {
    // The document's 5, or std's 128, are soon full when many clients come at once: the system then
    // drops what does not fit, and those clients try again only after 1 s, 3 s, 7 s.
    let backlog = args.number("--backlog")?;
    let limit = args.number("--max-connections")?;
    if limit > threads::MOST {
        return Err(Failure::usage(format!("--max-connections is at most {}", threads::MOST)));
    }
    let idle_timeout = args.seconds("--idle-timeout")?;
    let count = args.number("--count")?;
    //              host = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
    //              port = int(sys.argv[2]) if len(sys.argv) > 2 else 8888
    let address = args.text("ADDRESS");
    let addresses = resolve(address)?;
    let failed = |error: io::Error| cannot("listen on", address, &error);

    // 1 create     server_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    //              server_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    // 2 bind       server_socket.bind((host, port))
    // All three are one call of std's, which on Unix sets SO_REUSEADDR too, and it listens already.
    let server_socket = TcpListener::bind(&*addresses).map_err(failed)?;
    let local = server_socket.local_addr().map_err(failed)?;
    step!("1 create", "TCP, {}", family(&local));
    step!("2 bind", "{local}, SO_REUSEADDR={}", getsockopt(&server_socket, SO_REUSEADDR)?);

    // 3 listen     server_socket.listen(5)
    listen(&server_socket, backlog).map_err(failed)?;
    //              print('SO_ACCEPTCONN', server_socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    //              print('SO_ERROR', server_socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    step!(
        "3 listen",
        "queue of {backlog}, SO_ACCEPTCONN={}, SO_ERROR={}",
        getsockopt(&server_socket, SO_ACCEPTCONN)?,
        getsockopt(&server_socket, SO_ERROR)?
    );
    //              print('ready on %s:%d' % server_socket.getsockname())
    print(&[format!("tcp-server ready on {local}\n").as_bytes()])?;

    // The one thing that the Rust adds: several threads run this loop, so that no client waits for
    // another.
    //              while True:
    threads::run(limit, count, |threads| loop {
        // 5 establish  conn, addr = server_socket.accept()
        let (conn, addr) = match server_socket.accept() {
            Ok(accepted) => accepted,
            Err(error) => {
                // No descriptor is left, say: the client stays in the queue, and the pause leaves
                // the processor to the connections whose end will make room.
                NO_ACCEPT.call_once(|| step!("5 establish", "cannot accept: {error}; trying on"));
                sleep(Duration::from_millis(100));
                continue;
            }
        };
        match threads.begin() {
            Ok(false) => (),
            Ok(true) => FULL.call_once(|| step!("5 establish", "{limit} are open, others wait")),
            Err(error) => NO_THREAD.call_once(|| step!("5 establish", "no more threads: {error}")),
        }
        let mut echoed = 0;
        match echo(conn, addr, idle_timeout, &mut echoed) {
            Ok(()) => step!("7 close", "{addr}, {echoed} bytes echoed"),
            Err(error) if is_timeout(&error) => {
                step!("7 close", "{addr}, {echoed} bytes echoed, then idle too long");
            }
            Err(error) => step!("7 close", "{addr}, {echoed} bytes echoed, then {error}"),
        }
        if !threads.end() {
            return;
        }
    });
    Ok(())
}

/// Sends back what comes until the client has finished, and counts it.
fn echo(
    mut conn: TcpStream,
    addr: SocketAddr,
    idle_timeout: Option<Duration>,
    echoed: &mut u64,
) -> io::Result<()> {
    //              conn.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    setsockopt(&conn, SO_KEEPALIVE, 1)?;
    step!("5 establish", "{addr}, SO_KEEPALIVE={}", getsockopt(&conn, SO_KEEPALIVE)?);
    // Else a small answer may wait 40 ms for the last one's acknowledgement (Nagle, RFC 896).
    conn.set_nodelay(true)?;
    conn.set_read_timeout(idle_timeout)?;
    conn.set_write_timeout(idle_timeout)?;
    // It grows only for a stream that fills it: an idle connection costs 4 KiB and not 64.
    let mut buffer = vec![0; 4096];
    //              while True:
    loop {
        // 6 transfer   data = conn.recv(1024)
        let data = match conn.read(&mut buffer) {
            //              if not data:
            //                  break
            Ok(0) => break,
            Ok(length) => buffer.get(..length).unwrap_or_default(),
            // Ctrl-Z and fg cut short every wait that has a time-out: signal(7).
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        step!("6 transfer", "{addr}, {} bytes: {}", data.len(), text(data));
        //              conn.sendall(data)
        conn.write_all(data)?;
        let length = data.len();
        *echoed += length as u64;
        // Without memory for more it goes on as it is.
        let is_stream = length == buffer.len() && length < 64 * 1024;
        if is_stream && buffer.try_reserve_exact(length).is_ok() {
            buffer.resize(2 * length, 0);
        }
    }
    // 7 close      conn.close()
    // After an error too: std closes what goes out of scope.
    drop(conn);
    Ok(())
}
