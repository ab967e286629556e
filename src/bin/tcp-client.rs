//! tcp-client: sends a message to a server and prints the reply.
//!
//! `//|` is a statement of tests/python/tcp_client.py; the Rust that does the same stands below it.
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
        match connect(server, timeout) {
            Ok(client_socket) if message == "-" => {
                return stdin::exchange(client_socket, server, timeout);
            }
            Ok(client_socket) => return exchange(client_socket, server, timeout, message),
            Err(error) => failures.push(cannot("connect to", server)(error)),
        }
    }
    // A name may have several addresses. Where none answers, the reason is the first one's.
    Err(failures.remove(0))
}

fn connect(server: SocketAddr, timeout: Option<Duration>) -> io::Result<TcpStream> {
    //| 1 create     client_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    //| 4 connect    client_socket.connect((host, port))
    // One call of std's does both.
    step!("1 create", "TCP, {}", family(&server));
    step!("4 connect", "{server}");
    let client_socket = match timeout {
        Some(timeout) => TcpStream::connect_timeout(&server, timeout)?,
        None => TcpStream::connect(server)?,
    };
    let local = client_socket.local_addr()?;
    if local == server {
        // TCP can connect a client to its own port (RFC 9293, 3.5): so there is no server.
        return Err(ErrorKind::ConnectionRefused.into());
    }
    step!("5 establish", "{local}, chosen by the system");
    // If one of these fails, the connection has already ended, and recv tells why.
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
    // Python leaves it to close to say that no more will come. Here the server must know before: it
    // closes then, and that ends the reply.
    step!("6 transfer", "no more to send (half-close)");
    let _ = client_socket.shutdown(Shutdown::Write);

    // One send is not one recv: the reply may come in pieces. It is printed in one, so that it does not
    // run into the trace, but beyond 64 KiB in pieces again, so that none is too long for the memory.
    let mut buffer = vec![0; 64 * 1024];
    let mut reply = b"Received: ".to_vec();
    let mut total = 0;
    // In a closure: a `?` ends only the closure, and 7 close below still comes.
    let receive = || -> Result<(), Failure> {
        send_result.map_err(cannot("send to", server))?;
        let result = loop {
            //| data = client_socket.recv(1024)
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
    drop(client_socket);
    match result {
        Ok(()) if sent > 0 && total == 0 => Err(closed_without_reply(server)),
        result => result,
    }
}
