//! tcp-client: sends a message to a server and prints the reply.
//!
//! Below each statement of tests/python/tcp_client.py, `//|`, stands its Rust; `step!` prints a line.
#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, Read, Write};
//| import socket
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use socket_lab::address::resolve_server;
//| import sys
use socket_lab::arguments::Arguments;
use socket_lab::failure::{cannot, cannot_receive, closed_without_reply};
use socket_lab::failure::{despite_signals, print, Failure};
use socket_lab::trace::{describe, family, printable};
use socket_lab::{program, stdin, step};

const USAGE: &str = "\
Usage: tcp-client [OPTIONS] [ADDRESS] [MESSAGE]

Sends a message to a server and prints the reply.

  ADDRESS  HOST:PORT of the server [default: 127.0.0.1:8888]
  MESSAGE  '-' is standard input, all of it [default: Hello, server!]

Options:
      --timeout SECONDS  for connecting, and each wait for the server; 0: no limit [default: 10]
  -q, --quiet            no step lines
  -h, --help             print this and end
  -V, --version          print the version and end
";

fn main() -> ExitCode {
    program::main(env!("CARGO_BIN_NAME"), USAGE, run)
}

fn run(args: &Arguments) -> Result<(), Failure> {
    let timeout = args.seconds("--timeout")?;
    //| host = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
    //| port = int(sys.argv[2]) if len(sys.argv) > 2 else 8888
    let servers = resolve_server(args.text("ADDRESS"))?;
    //| message = sys.argv[3] if len(sys.argv) > 3 else 'Hello, server!'
    let message = args.text("MESSAGE");
    let mut failures = Vec::new();
    for server in servers {
        match connect(server, timeout).map_err(cannot("connect to", server)) {
            Ok(client_socket) if message == "-" => {
                return stdin::copy_both_ways(client_socket, server, timeout);
            }
            Ok(client_socket) => return exchange(client_socket, server, timeout, message),
            Err(failure) => failures.push(failure),
        }
    }
    // A name may have several addresses. When none answers, the failure of the first is reported.
    Err(failures.remove(0))
}

fn connect(server: SocketAddr, timeout: Option<Duration>) -> io::Result<TcpStream> {
    //| 1 create     client_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    //| 4 connect    client_socket.connect((host, port))
    // One call of Rust's library does both.
    step!("1 create", "TCP, {}", family(&server));
    step!("4 connect", "{server}");
    let client_socket = match timeout {
        Some(timeout) => TcpStream::connect_timeout(&server, timeout)?,
        None => TcpStream::connect(server)?,
    };
    let local = client_socket.local_addr()?;
    if local == server {
        // The system chose the very port that we ask, and connected us to ourselves (RFC 9293, 3.5).
        return Err(ErrorKind::ConnectionRefused.into());
    }
    step!("5 establish", "{local}, chosen by the system");
    // These fail only where the connection has ended already; then recv tells why.
    let _ = client_socket.set_read_timeout(timeout);
    let _ = client_socket.set_write_timeout(timeout);
    Ok(client_socket)
}

/// Sends the message, prints the reply and closes.
fn exchange(
    mut client_socket: TcpStream,
    server: SocketAddr,
    timeout: Option<Duration>,
    message: &str,
) -> Result<(), Failure> {
    //| 6 transfer   client_socket.sendall(message.encode())
    step!("6 transfer", "sending {} bytes: {}", message.len(), printable(message.as_bytes()));
    let send_result = despite_signals(timeout, || client_socket.write_all(message.as_bytes()));
    let sent = if send_result.is_ok() { message.len() } else { 0 };
    // Half-close: we send no more but still receive. It tells the server that all has come; the server
    // closes then, and that ends its reply. The Python does without, and receives once.
    step!("6 transfer", "no more to send (half-close)");
    let _ = client_socket.shutdown(Shutdown::Write);
    // One send is not one recv: the reply may come in pieces, fewer with 64 KiB than with Python's 1,024
    // bytes. Up to 64 KiB are printed at once, so that they do not run into the lines of the steps.
    let mut buffer = vec![0; 64 * 1024];
    let mut reply = b"Received: ".to_vec();
    let mut total = 0;
    // In a closure: a `?` ends only the closure, and 7 close below still comes.
    let receive = || -> Result<(), Failure> {
        send_result.map_err(cannot("send to", server))?;
        let result = loop {
            //| data = client_socket.recv(1024)
            // A signal, such as Ctrl-Z's, may interrupt a call: it is then made again.
            let received = despite_signals(timeout, || client_socket.read(&mut buffer));
            let data = match received.map_err(cannot_receive(server, timeout, total)) {
                Ok(length) => &buffer[..length],
                Err(failure) => break Err(failure),
            };
            step!("6 transfer", "{}", describe(data));
            if data.is_empty() {
                break Ok(());
            }
            total += data.len();
            reply.extend_from_slice(data);
            if reply.len() > buffer.len() {
                print(&reply)?;
                reply.clear();
            }
        };
        // An empty message may have an empty reply.
        if total > 0 || (result.is_ok() && message.is_empty()) {
            reply.push(b'\n');
            //| print('Received:', data.decode())
            print(&reply)?;
        }
        result
    };
    let result = receive();
    step!("7 close", "{sent} bytes sent, {total} received");
    //| 7 close      client_socket.close()
    drop(client_socket); // This closes the socket.
    match result {
        Ok(()) if sent > 0 && total == 0 => Err(closed_without_reply(server)),
        result => result,
    }
}
