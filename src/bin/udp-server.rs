//! udp-server: echoes every datagram to where it came from (RFC 862).
//!
//! A line `//|` is a statement of tests/python/udp_server.py, some with the number and name of the
//! document's step (README.md says who takes which); the Rust that does the same stands below it.
#![forbid(unsafe_code)]

use std::io::ErrorKind;
//| import socket
use std::net::UdpSocket;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use socket_lab::address::{is_own, resolve};
//| import sys
use socket_lab::arguments::{Arguments, MAX_INT};
use socket_lab::program::{self, cannot, print, Failure};
use socket_lab::step;
use socket_lab::trace::{family, printable};

const USAGE: &str = "\
Usage: udp-server [OPTIONS] [ADDRESS]

Echoes every datagram to where it came from.

  ADDRESS  HOST:PORT; with port 0 the system chooses one [default: 127.0.0.1:8888]

Options:
      --count N       end after answering N datagrams
      --drop-every N  lose every Nth datagram, as a bad network would
  -q, --quiet         no step lines
  -h, --help          print this and end
  -V, --version       print the version and end
";

fn main() -> ExitCode {
    program::main(env!("CARGO_BIN_NAME"), USAGE, run)
}

fn run(args: &Arguments) -> Result<(), Failure> {
    let count = args.optional_number("--count", MAX_INT)?;
    let drop_every = args.optional_number("--drop-every", MAX_INT)?;
    //| host = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
    //| port = int(sys.argv[2]) if len(sys.argv) > 2 else 8888
    let address = resolve(args.text("ADDRESS"))?[0];

    //| 1 create     server_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    //| 2 bind       server_socket.bind((host, port))
    // One call of std's does both.
    step!("1 create", "UDP, {}", family(&address));
    let cannot_bind = |error| cannot("bind", address, &error);
    let server_socket = UdpSocket::bind(address).map_err(cannot_bind)?;
    let local = server_socket.local_addr().map_err(cannot_bind)?;
    step!("2 bind", "{local}");
    //| print('ready on %s:%d' % server_socket.getsockname())
    let ready = print(format!("udp-server ready on {local}\n").as_bytes());

    // It holds any datagram; of one longer than the buffer, in Python 1,024 bytes, the rest is lost.
    let mut buffer = vec![0; 64 * 1024];
    let (mut arrived, mut answered) = (0, 0);
    //| while True:
    while ready.is_ok() && count != Some(answered) {
        //| 6 transfer   data, addr = server_socket.recvfrom(1024)
        let (data, addr) = match server_socket.recv_from(&mut buffer) {
            Ok((length, addr)) => (&buffer[..length], addr),
            Err(error) => {
                // On Windows it fails after a client has closed (10054); the pause is for other errors.
                step!("6 transfer", "cannot receive: {error}; trying again");
                if error.kind() != ErrorKind::ConnectionReset {
                    sleep(Duration::from_millis(100));
                }
                continue;
            }
        };
        let length = data.len();
        // Port 0 cannot be answered. At a port below 1024 there may be another echo server, and our own
        // address is this one: two echo servers that answer each other never stop.
        let from_self = is_own(addr, local.port());
        if from_self || addr.port() < 1024 {
            let reason = if from_self { "own address" } else { "port 0 to 1023" };
            step!("6 transfer", "{addr}, {length} bytes ignored: {reason}");
            continue;
        }
        arrived += 1;
        if drop_every.map_or(false, |every| arrived % every == 0) {
            step!("6 transfer", "{addr}, {length} bytes dropped: --drop-every");
            continue;
        }
        step!("6 transfer", "{addr}, {length} bytes received: {}", printable(data));
        //| server_socket.sendto(data, addr)
        match server_socket.send_to(data, addr) {
            Ok(_) => answered += 1,
            Err(error) => step!("6 transfer", "{addr}, not sent back: {error}"),
        }
    }
    // Python's loop never ends; --count ends this one.
    step!("7 close", "{local}, datagrams answered: {answered}");
    drop(server_socket);
    ready
}
