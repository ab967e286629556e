//! udp-client: sends a message to a server and prints the reply; asks again when none comes.
//!
//! Above the Rust stands, statement by statement, the Python of tests/python/udp_client.py.
#![forbid(unsafe_code)]

//              import socket
//              import sys
use std::io::{self, BufRead, ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use socket_lab::cli::{self, cannot, print, resolve, Arguments, Failure};
use socket_lab::step;
use socket_lab::trace::{family, text};

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
    cli::main(env!("CARGO_BIN_NAME"), USAGE, run)
}

fn run(args: &Arguments) -> Result<(), Failure> {
    let timeout = args.seconds("--timeout")?;
    let tries = args.number("--tries")?;
    //              host = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
    //              port = int(sys.argv[2]) if len(sys.argv) > 2 else 8888
    let address = args.text("ADDRESS");
    //              message = sys.argv[3] if len(sys.argv) > 3 else 'Hello, server!'
    let message = args.text("MESSAGE");
    let addresses = resolve(address)?;
    // At most 65,535 bytes with the header of UDP and, in IPv4, that of IP (RFC 768, RFC 791).
    let largest = if addresses.iter().any(SocketAddr::is_ipv4) { 65_507 } else { 65_527 };
    let too_long = format!("more than the {largest} bytes that one datagram holds");
    let mut left = &*addresses;
    let mut ask_any = |message: &[u8], is_line: bool| {
        while let [server, others @ ..] = left {
            match ask(*server, message, is_line, timeout, tries) {
                // An address of a name that does not answer is not asked again.
                Err(_) if !others.is_empty() => left = others,
                result => return result,
            }
        }
        Err(cannot("find", address, &ErrorKind::NotFound.into()))
    };

    if message != "-" {
        if message.len() > largest {
            return Err(Failure::usage(format!("MESSAGE has {} bytes, {too_long}", message.len())));
        }
        return ask_any(message.as_bytes(), false);
    }
    let failed = |error: io::Error| cannot("read", "standard input", &error);
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    // One byte beyond the limit shows that a line is too long, without reading all of it.
    while (&mut input).take(largest as u64 + 1).read_until(b'\n', &mut line).map_err(failed)? > 0 {
        if line.len() > largest {
            return Err(Failure::new(
                format!("a line has {too_long}"),
                "tcp-client has no such limit",
            ));
        }
        ask_any(&line, true)?;
        line.clear();
    }
    Ok(())
}

/// Sends a message and waits for the reply, up to `tries` times, from a port of its own: so a late
/// reply to one message cannot be taken for the reply to the next.
fn ask(
    server: SocketAddr,
    message: &[u8],
    is_line: bool,
    timeout: Option<Duration>,
    tries: u64,
) -> Result<(), Failure> {
    let failed = |error: io::Error| cannot("talk to", server, &error);
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // 1 create     client_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    // Python leaves 2 bind to the first sendto; std binds here, to port 0: the system chooses.
    let client_socket = UdpSocket::bind((any, 0)).map_err(failed)?;
    let local = client_socket.local_addr().map_err(failed)?;
    step!("1 create", "UDP, {}", family(&local));
    step!("2 bind", "{local}, chosen by the system");

    let mut buffer = vec![0; 65_536];
    for attempt in 1..=tries {
        // 6 transfer   client_socket.sendto(message.encode(), (host, port))
        client_socket.send_to(message, server).map_err(failed)?;
        step!("6 transfer", "{server}, {} bytes sent, try {attempt} of {tries}", message.len());
        // For the try as a whole: a stranger's datagrams do not prolong it.
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            client_socket.set_read_timeout(left).map_err(failed)?;
            //              data, addr = client_socket.recvfrom(1024)
            match client_socket.recv_from(&mut buffer) {
                Ok((length, addr)) if addr == server => {
                    let data = buffer.get(..length).unwrap_or_default();
                    step!("6 transfer", "{addr}, {length} bytes received: {}", text(data));
                    //              print('Received:', data.decode())
                    let (label, end) = if is_line { ("", "") } else { ("Received: ", "\n") };
                    print(&[label.as_bytes(), data, end.as_bytes()])?;
                    // 7 close      client_socket.close()
                    drop(client_socket);
                    step!("7 close", "{local}");
                    return Ok(());
                }
                Ok((length, addr)) => {
                    step!("6 transfer", "{addr}, {length} bytes ignored: not the server");
                }
                Err(error) => match error.kind() {
                    // The time is up; Ctrl-Z and fg cut the wait short (signal(7)); on Windows, a
                    // closed port is an error here (10054), and the server may yet start.
                    ErrorKind::WouldBlock
                    | ErrorKind::TimedOut
                    | ErrorKind::Interrupted
                    | ErrorKind::ConnectionReset => (),
                    _ => return Err(failed(error)),
                },
            }
        }
    }
    Err(Failure::new(
        format!("no reply from {server} to {tries} tries of {:?}", timeout.unwrap_or_default()),
        "UDP does not tell whether anything arrived; start udp-server first, or raise --tries",
    ))
}
