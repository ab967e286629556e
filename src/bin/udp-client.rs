//! udp-client: sends a message to a server and prints the reply; retransmits when none comes.
//!
//! Below each statement of tests/python/udp_client.py, `//|`, stands its Rust; `step!` prints a line.
#![forbid(unsafe_code)]

use std::io::ErrorKind::{ConnectionRefused, ConnectionReset, TimedOut, WouldBlock};
//| import socket
use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use socket_lab::address::{is_same, is_this_machine, resolve_server};
//| import sys
use socket_lab::arguments::{Arguments, MAX_NUMBER};
use socket_lab::failure::{cannot, despite_signals, print, Failure};
use socket_lab::trace::{family, printable};
use socket_lab::{program, stdin, step};

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
    let tries = args.number("--tries", MAX_NUMBER)?;
    //| host = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
    //| port = int(sys.argv[2]) if len(sys.argv) > 2 else 8888
    // Of a name's addresses only the first is used: UDP does not tell whether somebody is there.
    let server = resolve_server(args.text("ADDRESS"))?[0];
    //| message = sys.argv[3] if len(sys.argv) > 3 else 'Hello, server!'
    let message = args.text("MESSAGE");

    // 65,535 bytes less the headers: 8 of UDP (RFC 768) and, in IPv4, 20 of IP (RFC 791).
    let longest = if server.is_ipv4() { 65_507 } else { 65_527 };
    let hint = format!("a datagram holds {longest} bytes; tcp-client has no such limit");
    if message == "-" {
        let ask = |line: &[u8]| exchange(server, timeout, tries, line, "");
        return stdin::for_each_line(longest, &hint, ask);
    }
    if message.len() > longest {
        return Err(Failure::usage(format!("MESSAGE has {} bytes", message.len()), hint));
    }
    exchange(server, timeout, tries, message.as_bytes(), "Received: ")
}

/// Sends the message, prints the reply and closes. Each message has a socket of its own, so nearly always
/// a new port: a late reply is not taken for the reply to the next message.
fn exchange(
    server: SocketAddr,
    timeout: Option<Duration>,
    tries: u64,
    message: &[u8],
    label: &str,
) -> Result<(), Failure> {
    //| 1 create     client_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    // In Python the system binds at the first sendto. Rust has no unbound socket: port 0 is any free one.
    step!("1 create", "UDP, {}", family(&server));
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let client_socket = UdpSocket::bind(any).map_err(cannot("open a socket for", server))?;
    let local = client_socket.local_addr().map_err(cannot("open a socket for", server))?;
    step!("2 bind", "{local}, chosen by the system");

    // What does not fit into the buffer is lost; Python's 1,024 bytes may be too few.
    let mut buffer = vec![0; 64 * 1024];
    let mut stranger = None;
    // In a closure: a `?` ends only the closure, and 7 close below still comes.
    let mut transfer = || -> Result<bool, Failure> {
        if server.port() == local.port() && is_this_machine(server) {
            // The system chose the very port that we ask, and we would hear ourselves.
            return Err(ConnectionRefused.into()).map_err(cannot("send to", server));
        }
        // A datagram may be lost, and nobody tells us: Python's sample would wait forever.
        for attempt in 1..=tries {
            step!("6 transfer", "{server}, sending {} bytes ({attempt} of {tries})", message.len());
            //| 6 transfer   client_socket.sendto(message.encode(), (host, port))
            client_socket.send_to(message, server).map_err(cannot("send to", server))?;
            // The deadline is for the try as a whole: a stranger's datagrams do not extend it.
            let deadline = timeout.map(|timeout| Instant::now() + timeout);
            loop {
                // The time left. When it is over there is one last, short look: the reply may have come
                // while Ctrl-Z had stopped us. (A timeout of 0 is not allowed.)
                let now = Instant::now();
                let shortest = Duration::from_micros(1);
                let left = deadline.map(|end| end.saturating_duration_since(now).max(shortest));
                let is_last_look = left == Some(shortest);
                let _ = client_socket.set_read_timeout(left);
                //| data, addr = client_socket.recvfrom(1024)
                match despite_signals(left, || client_socket.recv_from(&mut buffer)) {
                    Ok((length, addr)) if is_same(addr, server) => {
                        let data = &buffer[..length];
                        step!("6 transfer", "{addr}, {length} bytes received: {}", printable(data));
                        let end = if label.is_empty() { "" } else { "\n" };
                        //| print('Received:', data.decode())
                        print(&[label.as_bytes(), data, end.as_bytes()].concat())?;
                        return Ok(true);
                    }
                    Ok((length, addr)) => {
                        step!("6 transfer", "{addr}, {length} bytes ignored: not the server");
                        stranger = Some(addr);
                    }
                    Err(error) => match error.kind() {
                        // Nothing came; on Windows also: nobody listens there, but somebody may later.
                        WouldBlock | TimedOut | ConnectionReset => (),
                        _ => return Err(error).map_err(cannot("receive from", server)),
                    },
                }
                if is_last_look {
                    break; // This try is over.
                }
            }
        }
        Ok(false)
    };
    let answered = transfer();
    step!("7 close", "{local}");
    //| 7 close      client_socket.close()
    drop(client_socket); // This closes the socket.
    if answered? {
        return Ok(());
    }
    let each = timeout.unwrap_or_default();
    let what = format!("no reply from {server} (tries: {tries}, of {each:?} each)");
    let hint = match stranger {
        Some(addr) => format!("what came from {addr} was ignored; is the server there?"),
        None => "UDP does not tell what arrived: start the server, or raise --tries".to_owned(),
    };
    Err(Failure::new(what, hint))
}
