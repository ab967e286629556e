//! udp-ping: sends ten numbered pings to a udp-server, one after another, and tells how long each took.
#![forbid(unsafe_code)]
use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use socket_lab::address::{is_same, resolve_server};
use socket_lab::arguments::Arguments;
use socket_lab::failure::{cannot, print, Failure};
use socket_lab::{program, step};

const USAGE: &str = "\
Usage: udp-ping [OPTIONS] [ADDRESS]

Sends ten pings to an echo server, and prints how long each reply took.

  ADDRESS  HOST:PORT of the server [default: 127.0.0.1:8888]

Options:
  -q, --quiet    no step lines
  -h, --help     print this and end
  -V, --version  print the version and end
";

fn main() -> ExitCode {
    program::main("udp-ping", USAGE, run)
}

fn run(args: &Arguments) -> Result<(), Failure> {
    let server = resolve_server(args.text("ADDRESS"))?[0];
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let client_socket = UdpSocket::bind(any).map_err(cannot("bind", any))?;
    let mut received = 0;
    for number in 1..=10 {
        if let Some(time) = ask(&client_socket, server, &format!("ping {number}"))? {
            received += 1;
            print(format!("{number}: {time:?}\n").as_bytes())?;
        } else {
            print(format!("{number}: no reply\n").as_bytes())?;
        }
    }
    print(format!("10 sent, {received} received\n").as_bytes())?;
    if received == 0 {
        return Err(Failure::new(format!("no reply from {server}"), "start the server"));
    }
    Ok(())
}

/// How long it took until the server sent `ping` back; `None` if it has not after a second, whatever else
/// has come: a stranger's datagram, a late reply, a second copy.
fn ask(socket: &UdpSocket, server: SocketAddr, ping: &str) -> Result<Option<Duration>, Failure> {
    let mut buffer = [0; 1024];
    let began = Instant::now();
    step!("6 transfer", "{server}, sending {ping}");
    socket.send_to(ping.as_bytes(), server).map_err(cannot("send to", server))?;
    while let Some(left) = Duration::from_secs(1).checked_sub(began.elapsed()) {
        let _ = socket.set_read_timeout(Some(left)); // std refuses 0: then the one before stays.
        let received = socket.recv_from(&mut buffer);
        let is_it = |(length, addr)| &buffer[..length] == ping.as_bytes() && is_same(addr, server);
        if received.map_or(false, is_it) {
            return Ok(Some(began.elapsed()));
        }
    }
    Ok(None)
}
