//! tcp-client: sends a message to a server and prints the reply.
//!
//! A line `//|` is a statement of tests/python/tcp_client.py, some with the number and name of the
//! document's step (README.md says who takes which); the Rust that does the same stands below it.
#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, Read, Write};
//| import socket
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{channel, Sender};
use std::thread::Builder;
use std::time::Duration;

use socket_lab::address::resolve_server;
//| import sys
use socket_lab::arguments::Arguments;
use socket_lab::program::{self, cannot, print, retry, Failure};
use socket_lab::step;
use socket_lab::trace::{family, printable, received};

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

const BUFFER_SIZE: usize = 64 * 1024;
/// Bytes sent so far; a piece that failed midway is not counted.
static SENT: AtomicU64 = AtomicU64::new(0);

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
    let from_stdin = message == "-";

    //| 1 create     client_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    //| 4 connect    client_socket.connect((host, port))
    // In `connect`, below, one call of std's does both. Each address of a name is tried in turn; if
    // none answers, the first one's error is the reason.
    let mut connected = connect(servers[0], timeout);
    for server in &servers[1..] {
        connected = connected.or_else(|first| connect(*server, timeout).map_err(|_| first));
    }
    let (mut client_socket, server) =
        connected.map_err(|error| cannot("connect to", servers[0], &error))?;

    let (tell, told) = channel();
    // The result of the sending is None until that has ended.
    let (mut total, mut send_result) = (0, None);
    // In a closure: a `?` ends only the closure, and 7 close below still comes.
    let exchange = || -> Result<(), Failure> {
        //| 6 transfer   client_socket.sendall(message.encode())
        if from_stdin {
            // In a thread, while the reply comes: standard input may be more than the buffers of both
            // sides hold, and a client that sends all of it before it reads waits forever.
            let socket = client_socket.try_clone();
            let sender = socket.and_then(|socket| {
                Builder::new().spawn(move || send(&socket, server, timeout, io::stdin(), &tell))
            });
            sender.map_err(|error| cannot("start", "a thread", &error))?;
        } else {
            send(&client_socket, server, timeout, message.as_bytes(), &tell);
        }
        send_result = told.try_recv().ok();
        // One send is not one recv: the reply may come in pieces, and ends when the server closes. That to
        // a MESSAGE is printed in one piece, so that it does not run into the trace; beyond 64 KiB in more.
        let mut reply = if from_stdin { Vec::new() } else { b"Received: ".to_vec() };
        let mut buffer = vec![0; BUFFER_SIZE];
        let end = loop {
            //| data = client_socket.recv(1024)
            let data = match retry(timeout, || client_socket.read(&mut buffer)) {
                Ok(length) => &buffer[..length],
                Err(error) if error.kind() == ErrorKind::WouldBlock && send_result.is_none() => {
                    // The timeout (see `retry`) counts once the input has ended: a user may think.
                    send_result = told.try_recv().ok();
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let what = if total == 0 { "no reply" } else { "no end of the reply" };
                    let what = format!("{what} from {server} in {:?}", timeout.unwrap_or_default());
                    break Err(Failure::new(what, "look at its terminal, or raise --timeout"));
                }
                Err(error) => break Err(cannot("receive from", server, &error)),
            };
            step!("6 transfer", "{}", received(data));
            if data.is_empty() {
                break Ok(());
            }
            total += data.len();
            reply.extend_from_slice(data);
            if from_stdin || reply.len() > BUFFER_SIZE {
                print(&reply)?;
                reply.clear();
            }
        };
        // An empty message may have an empty reply.
        if !from_stdin && (total > 0 || (end.is_ok() && message.is_empty())) {
            reply.push(b'\n');
            //| print('Received:', data.decode())
            print(&reply)?;
        }
        end
    };
    let result = exchange();
    // The input may just have ended too; it takes a moment until that is seen.
    let moment = Duration::from_millis(200);
    send_result = send_result.or_else(|| told.recv_timeout(moment).ok());
    if send_result.is_none() {
        step!("6 transfer", "no more to send (receiving has ended)");
        let _ = client_socket.shutdown(Shutdown::Both);
        let _ = told.recv_timeout(moment);
    }
    let sent = SENT.load(Relaxed);
    step!("7 close", "{sent} bytes sent, {total} received");
    //| 7 close      client_socket.close()
    drop(client_socket);

    let (what, hint) = match (send_result, result) {
        (Some(Err(failure)), _) | (_, Err(failure)) => return Err(failure),
        (None, _) => {
            let what = format!("before standard input ended: {sent} bytes sent, {total} received");
            (what, "what was still to come is lost: look at the server's terminal")
        }
        (Some(_), _) if sent > 0 && total == 0 => {
            let hint = "it may drop its reply when it sees the half-close: look at its terminal";
            ("the connection without a reply".to_owned(), hint)
        }
        (Some(_), _) => return Ok(()),
    };
    Err(Failure::new(format!("{server} closed {what}"), hint))
}

fn connect(server: SocketAddr, timeout: Option<Duration>) -> io::Result<(TcpStream, SocketAddr)> {
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
    Ok((client_socket, server))
}

/// Sends all of `source`, then says that no more will come (the half-close), and tells how it ended.
fn send(
    mut socket: &TcpStream,
    server: SocketAddr,
    timeout: Option<Duration>,
    mut source: impl Read,
    tell: &Sender<Result<(), Failure>>,
) {
    let mut buffer = vec![0; BUFFER_SIZE];
    let mut transfer = || loop {
        let length = retry(None, || source.read(&mut buffer))
            .map_err(|error| cannot("read", "standard input", &error))?;
        if length == 0 {
            return Ok(());
        }
        let data = &buffer[..length];
        step!("6 transfer", "sending {length} bytes: {}", printable(data));
        retry(timeout, || socket.write_all(data))
            .map_err(|error| cannot("send to", server, &error))?;
        SENT.fetch_add(length as u64, Relaxed);
    };
    let result = transfer();
    // Python leaves it to close to say that no more will come. Here the server must know before: it closes
    // then, and that ends the reply. After a failure, nothing is to be waited for any more.
    let (direction, reason) = match result {
        Ok(()) => (Shutdown::Write, "half-close"),
        Err(_) => (Shutdown::Both, "it failed"),
    };
    step!("6 transfer", "no more to send ({reason})");
    let _ = tell.send(result);
    let _ = socket.shutdown(direction);
}
