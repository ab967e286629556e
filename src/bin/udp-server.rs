//! udp-server: sends every datagram back to where it came from (an echo, RFC 862).
//!
//! Above the Rust stands, statement by statement, the Python of tests/python/udp_server.py.
#![forbid(unsafe_code)]

//              import socket
//              import sys
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use socket_lab::cli::{self, cannot, print, resolve, Arguments, Failure};
use socket_lab::step;
use socket_lab::trace::{family, text};

const USAGE: &str = "\
Usage: udp-server [OPTIONS] [ADDRESS]

Sends every datagram back to where it came from.

  ADDRESS  HOST:PORT; port 0: the system chooses one [default: 127.0.0.1:8888]

Options:
      --count N       end after answering N datagrams
      --drop-every N  lose every Nth datagram, as a bad network would
  -q, --quiet         no step lines
  -h, --help          print this and end
  -V, --version       print the version and end
";

fn main() -> ExitCode {
    cli::main(env!("CARGO_BIN_NAME"), USAGE, run)
}

fn run(args: &Arguments) -> Result<(), Failure> {
    let count = args.number("--count")?;
    let drop_every = args.number("--drop-every")?;
    //              host = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
    //              port = int(sys.argv[2]) if len(sys.argv) > 2 else 8888
    let address = args.text("ADDRESS");
    let failed = |error: io::Error| cannot("bind", address, &error);

    // 1 create     server_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    // 2 bind       server_socket.bind((host, port))
    let server_socket = UdpSocket::bind(&*resolve(address)?).map_err(failed)?;
    let local = server_socket.local_addr().map_err(failed)?;
    step!("1 create", "UDP, {}", family(&local));
    step!("2 bind", "{local}");

    //              print('ready on %s:%d' % server_socket.getsockname())
    print(&[format!("udp-server ready on {local}\n").as_bytes()])?;

    // Of the largest datagram: what does not fit is cut off, and on Windows an error.
    let mut buffer = vec![0; 65_536];
    let (mut received, mut answered) = (0, 0);
    //              while True:
    while answered < count {
        // 6 transfer   data, addr = server_socket.recvfrom(1024)
        let (data, addr) = match server_socket.recv_from(&mut buffer) {
            Ok((length, addr)) => (buffer.get(..length).unwrap_or_default(), addr),
            Err(error) => {
                // On Windows a client that did not wait for its answer is an error here (10054).
                step!("6 transfer", "cannot receive: {error}");
                if error.kind() != ErrorKind::ConnectionReset {
                    sleep(Duration::from_millis(100));
                }
                continue;
            }
        };
        let bytes = data.len();
        if !is_honest(addr, local) {
            step!("6 transfer", "{addr}, {bytes} bytes ignored: no client sends from there");
            continue;
        }
        received += 1;
        if received % drop_every == 0 {
            step!("6 transfer", "{addr}, {bytes} bytes lost: --drop-every {drop_every}");
            continue;
        }
        //              server_socket.sendto(data, addr)
        match server_socket.send_to(data, addr) {
            Ok(_) => {
                answered += 1;
                step!("6 transfer", "{addr}, {bytes} bytes: {}", text(data));
            }
            Err(error) => step!("6 transfer", "{addr}, {bytes} bytes not sent back: {error}"),
        }
    }
    drop(server_socket);
    step!("7 close", "{local}, {answered} datagrams answered");
    Ok(())
}

/// Whether a client may be there. Port 0 cannot be answered; below 1024 live other services, an
/// echo perhaps, and behind our own address we: two echoes that answer each other never stop.
fn is_honest(addr: SocketAddr, local: SocketAddr) -> bool {
    let is_own_ip = addr.ip() == local.ip() || local.ip().is_unspecified();
    addr.port() >= 1024 && !(is_own_ip && addr.port() == local.port())
}
