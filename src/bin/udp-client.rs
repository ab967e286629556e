//! udp-client: sends a message to a server and prints the reply; retransmits when none comes.
//!
//! A line `//|` is a statement of tests/python/udp_client.py, some with the number and name of the
//! document's step (README.md says who takes which); the Rust that does the same stands below it.
#![forbid(unsafe_code)]

use std::io::{self, BufRead, ErrorKind, Read};
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
    // A name's first address alone, because UDP does not tell whether somebody is there.
    let server = resolve_server(args.text("ADDRESS"))?[0];
    //| message = sys.argv[3] if len(sys.argv) > 3 else 'Hello, server!'
    let message = args.text("MESSAGE");
    let from_stdin = message == "-";

    // 65,535 bytes less the headers of UDP and, in IPv4, of IP (RFC 768, RFC 791).
    let largest = if server.is_ipv4() { 65_507 } else { 65_527 };
    let hint = format!("a datagram holds {largest} bytes; tcp-client has no such limit");
    if !from_stdin {
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

/// Sends one message and prints the reply. Each has a socket of its own, so nearly always a new port: a
/// late reply is not taken for the reply to the next message.
fn ask(
    server: SocketAddr,
    message: &[u8],
    label: &str,
    timeout: Option<Duration>,
    tries: u64,
) -> Result<(), Failure> {
    //| 1 create     client_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    // In Python the system binds at the first sendto; std binds here, port 0 being any free one.
    step!("1 create", "UDP, {}", family(&server));
    let cannot_open = |error| cannot("open a socket for", server, &error);
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let client_socket = UdpSocket::bind(any).map_err(cannot_open)?;
    let local = client_socket.local_addr().map_err(cannot_open)?;
    step!("2 bind", "{local}, chosen by the system");

    let (mut buffer, mut stranger) = (vec![0; 64 * 1024], None);
    // In a closure: a `?` ends only the closure, and 7 close below still comes.
    let mut exchange = || -> Result<(), Failure> {
        if is_own(server, local.port()) {
            // The system gave us the very port that we ask: so there is no server.
            return Err(cannot("send to", server, &ErrorKind::ConnectionRefused.into()));
        }
        // A datagram may be lost, and nobody tells us: Python's sample would wait forever.
        for attempt in 1..=tries {
            step!("6 transfer", "{server}, sending {} bytes ({attempt} of {tries})", message.len());
            //| 6 transfer   client_socket.sendto(message.encode(), (host, port))
            let sent = client_socket.send_to(message, server);
            sent.map_err(|error| cannot("send to", server, &error))?;
            // For the try as a whole: a stranger's datagrams do not extend it.
            let deadline = timeout.map(|timeout| Instant::now() + timeout);
            loop {
                let left =
                    deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
                // Never 0, which std refuses: when the time is over, one last look, because the reply may
                // have come while Ctrl-Z had stopped us.
                let shortest = Duration::from_micros(1);
                let left = left.map(|left| left.max(shortest));
                let _ = client_socket.set_read_timeout(left);
                //| data, addr = client_socket.recvfrom(1024)
                match client_socket.recv_from(&mut buffer) {
                    Ok((length, addr)) if is_same(addr, server) => {
                        let data = &buffer[..length];
                        step!("6 transfer", "{addr}, {length} bytes received: {}", printable(data));
                        let end = if label.is_empty() { "" } else { "\n" };
                        //| print('Received:', data.decode())
                        return print(&[label.as_bytes(), data, end.as_bytes()].concat());
                    }
                    Ok((length, addr)) => {
                        step!("6 transfer", "{addr}, {length} bytes ignored: not the server");
                        stranger = Some(addr);
                    }
                    Err(error) => match error.kind() {
                        // The time is up; or Ctrl-Z and fg cut the wait short (signal(7)); or, on
                        // Windows, nobody listens there (10054), but may yet.
                        ErrorKind::WouldBlock
                        | ErrorKind::TimedOut
                        | ErrorKind::Interrupted
                        | ErrorKind::ConnectionReset => (),
                        _ => return Err(cannot("receive from", server, &error)),
                    },
                }
                if left == Some(shortest) {
                    break;
                }
            }
        }
        let each = timeout.unwrap_or_default();
        let hint = match stranger {
            Some(addr) => format!("what came from {addr} was ignored; is the server there?"),
            None => "UDP does not tell what arrived: start the server, or raise --tries".into(),
        };
        Err(Failure::new(
            format!("no reply from {server} (tries: {tries}, of {each:?} each)"),
            hint,
        ))
    };
    let result = exchange();
    step!("7 close", "{local}");
    //| 7 close      client_socket.close()
    drop(client_socket);
    result
}
