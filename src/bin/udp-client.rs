//! udp-client: sends a message to a server and prints the reply; asks again when none comes.
//!
//! A line that begins with `//|` is Python, from tests/python/udp_client.py; the Rust for it is below.
#![forbid(unsafe_code)]

use std::io::ErrorKind::{ConnectionRefused, ConnectionReset, Interrupted, TimedOut, WouldBlock};
use std::io::{self, BufRead, Read};
//| import socket
use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use socket_lab::address::{is_own, is_same, resolve_server};
//| import sys
use socket_lab::arguments::{Arguments, MAX_INT};
use socket_lab::program::{self, cannot, print, Failure};
use socket_lab::step;
use socket_lab::trace::{family, printable};

const USAGE: &str = "\
Usage: udp-client [OPTIONS] [ADDRESS] [MESSAGE]

Sends a message to a server and prints the reply.

  ADDRESS  HOST:PORT of the server [default: 127.0.0.1:8888]
  MESSAGE  '-' is standard input, each line a datagram [default: Hello, server!]

Options:
      --timeout SECONDS  wait for the reply to one try; 0: no limit [default: 1]
      --tries N          send at most N times [default: 3]
  -q, --quiet            no step lines
  -h, --help             print this and end
  -V, --version          print the version and end
";

fn main() -> ExitCode {
    program::main(env!("CARGO_BIN_NAME"), USAGE, run)
}

fn run(args: &Arguments) -> Result<(), Failure> {
    let timeout = args.seconds("--timeout")?;
    let tries = args.number("--tries", MAX_INT)?;
    //| host = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
    //| port = int(sys.argv[2]) if len(sys.argv) > 2 else 8888
    let server = resolve_server(args.text("ADDRESS"))?[0];
    //| message = sys.argv[3] if len(sys.argv) > 3 else 'Hello, server!'
    let message = args.text("MESSAGE");

    // 65,535 bytes less the headers of UDP and, in IPv4, of IP (RFC 768, RFC 791).
    let largest = if server.is_ipv4() { 65_507 } else { 65_527 };
    let hint = format!("a datagram holds {largest} bytes; tcp-client has no such limit");
    if message != "-" {
        if message.len() > largest {
            return Err(Failure::usage(format!("MESSAGE has {} bytes", message.len()), hint));
        }
        return ask(server, message.as_bytes(), "Received: ", timeout, tries);
    }
    let (mut input, mut line) = (io::stdin().lock(), Vec::new());
    loop {
        // One byte beyond the limit shows that a line is too long, without reading all of it.
        let length = input.by_ref().take(largest as u64 + 1).read_until(b'\n', &mut line);
        match length.map_err(|error| cannot("read", "standard input", &error))? {
            0 => return Ok(()),
            length if length > largest => return Err(Failure::new("a line is too long", hint)),
            _ => ask(server, &line, "", timeout, tries)?,
        }
        line.clear();
    }
}

/// Sends one message from a port of its own: a late reply to it cannot be taken for that to the next.
fn ask(
    server: SocketAddr,
    message: &[u8],
    label: &str,
    timeout: Option<Duration>,
    tries: u64,
) -> Result<(), Failure> {
    step!("1 create", "UDP, {}", family(&server));
    //| 1 create     client_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    // Python leaves 2 bind to the first sendto; std binds here, to port 0: the system chooses.
    let any_address = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let client_socket = UdpSocket::bind(any_address);
    let client_socket =
        client_socket.map_err(|error| cannot("open a socket for", server, &error))?;
    step!("2 bind", "{}, chosen by the system", client_socket.local_addr()?);

    //| 6 transfer   client_socket.sendto(message.encode(), (host, port))
    //| data, addr = client_socket.recvfrom(1024)
    let data = exchange(&client_socket, server, message, timeout, tries);
    //| print('Received:', data.decode())
    let end = if label.is_empty() { "" } else { "\n" };
    let printed = data.and_then(|data| print(&[label.as_bytes(), &data, end.as_bytes()].concat()));
    step!("7 close", "{}", client_socket.local_addr()?);
    //| 7 close      client_socket.close()
    drop(client_socket);
    printed
}

/// Sends `message` again and again, at most `tries` times, until a reply comes.
fn exchange(
    client_socket: &UdpSocket,
    server: SocketAddr,
    message: &[u8],
    timeout: Option<Duration>,
    tries: u64,
) -> Result<Vec<u8>, Failure> {
    let (mut buffer, mut stranger) = (vec![0; 65_536], None);
    // The system can choose the very port that is asked: a client that hears itself has found nobody.
    if client_socket.local_addr().map_or(false, |local| is_own(server, local.port())) {
        return Err(cannot("send to", server, &ConnectionRefused.into()));
    }
    for attempt in 1..=tries {
        step!("6 transfer", "{server}, sending {} bytes ({attempt} of {tries})", message.len());
        let sent = client_socket.send_to(message, server);
        sent.map_err(|error| cannot("send to", server, &error))?;
        // For the try as a whole: a stranger's datagrams do not prolong it.
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            // std refuses a time-out of 0: the time is up.
            if client_socket.set_read_timeout(left).is_err() {
                break;
            }
            match client_socket.recv_from(&mut buffer) {
                Ok((length, addr)) if is_same(addr, server) => {
                    buffer.truncate(length);
                    step!("6 transfer", "{addr}, {length} bytes received: {}", printable(&buffer));
                    return Ok(buffer);
                }
                Ok((length, addr)) => {
                    step!("6 transfer", "{addr}, {length} bytes ignored: not the server");
                    stranger = Some(addr);
                }
                Err(error) => match error.kind() {
                    // The time is up; or Ctrl-Z and fg cut the wait short (signal(7)); or, on Windows,
                    // nobody listens there (10054), but may yet.
                    WouldBlock | TimedOut | Interrupted | ConnectionReset => (),
                    _ => return Err(cannot("receive from", server, &error)),
                },
            }
        }
    }
    let each = timeout.unwrap_or_default();
    let hint = match stranger {
        Some(addr) => {
            format!("what came from {addr} was ignored; if the server is there, ask there")
        }
        None => "UDP does not tell what arrived: start the server, or raise --tries".into(),
    };
    Err(Failure::new(format!("no reply from {server} (tries: {tries}, of {each:?} each)"), hint))
}
