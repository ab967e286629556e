//! udp-server: echoes every datagram to where it came from (RFC 862).
//!
//! Below each statement of tests/python/udp_server.py, `//|`, stands its Rust; `step!` prints a line.
#![forbid(unsafe_code)]

use std::io::ErrorKind;
//| import socket
use std::net::UdpSocket;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use socket_lab::address::{is_this_machine, resolve};
//| import sys
use socket_lab::arguments::{Arguments, MAX_NUMBER};
use socket_lab::failure::{cannot, print, Failure};
use socket_lab::trace::{family, printable};
use socket_lab::{program, step};

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
    let count = args.optional_number("--count", MAX_NUMBER)?;
    let drop_every = args.optional_number("--drop-every", MAX_NUMBER)?;
    //| host = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
    //| port = int(sys.argv[2]) if len(sys.argv) > 2 else 8888
    // Of a name's addresses only the first is used, as Python's bind does.
    let address = resolve(args.text("ADDRESS"))?[0];

    //| 1 create     server_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    //| 2 bind       server_socket.bind((host, port))
    // One call of Rust's library does both.
    step!("1 create", "UDP, {}", family(&address));
    let server_socket = UdpSocket::bind(address).map_err(cannot("bind", address))?;
    let local = server_socket.local_addr().map_err(cannot("bind", address))?;
    step!("2 bind", "{local}");
    //| print('ready on %s:%d' % server_socket.getsockname())
    print(format!("udp-server ready on {local}\n").as_bytes())?;

    // What does not fit into the buffer is lost. The longest datagram has 65,507 bytes over IPv4.
    let mut buffer = vec![0; 64 * 1024];
    let mut arrived = 0;
    let mut answered = 0;
    //| while True:
    // Python's loop never ends, nor does this one without --count.
    while count != Some(answered) {
        //| 6 transfer   data, addr = server_socket.recvfrom(1024)
        let (data, addr) = match server_socket.recv_from(&mut buffer) {
            Ok((length, addr)) => (&buffer[..length], addr),
            Err(error) => {
                // On Windows recvfrom fails after a client has closed (10054); that needs no pause.
                step!("6 transfer", "cannot receive: {error}; trying again");
                if error.kind() != ErrorKind::ConnectionReset {
                    sleep(Duration::from_millis(100));
                }
                continue;
            }
        };
        let length = data.len();
        // Port 0 cannot be answered. At a port below 1024 there may be another echo server, and at our own
        // address there is this one: echo servers that answer each other never stop.
        let from_self = addr.port() == local.port() && is_this_machine(addr);
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
    step!("7 close", "{local}, datagrams answered: {answered}");
    drop(server_socket); // This closes the socket.
    Ok(())
}
