//! tcp-client: sends a message to a server and prints the reply.
//!
//! A line that begins with `//|` is Python, from tests/python/tcp_client.py; the Rust for it is below.
#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, Read, Write};
//| import socket
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{channel, Sender};
use std::thread::Builder;
use std::time::{Duration, Instant};

use socket_lab::address::resolve_server;
//| import sys
use socket_lab::arguments::Arguments;
use socket_lab::program::{self, cannot, print, wait, Failure};
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
/// Bytes sent so far; with MESSAGE '-' a thread counts them.
static SENT: AtomicU64 = AtomicU64::new(0);
/// When and how the sending ended.
type End = (Instant, Result<(), Failure>);

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
    let is_stream = message == "-";

    //| 1 create     client_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    //| 4 connect    client_socket.connect((host, port))
    let (mut client_socket, server) = connect(&servers, timeout)?;

    let (tell, told) = channel();
    //| 6 transfer   client_socket.sendall(message.encode())
    if is_stream {
        // In a thread, while the reply comes: a client that sends all before it reads waits for ever
        // once the buffers of both sides are full, here at about 8 MB.
        let sender = |half| move || send(&half, server, io::stdin(), &tell);
        let started = client_socket.try_clone().and_then(|half| Builder::new().spawn(sender(half)));
        started.map_err(|error| {
            step!("7 close", "0 bytes sent, 0 received");
            cannot("start", "a thread", &error)
        })?;
    } else {
        send(&client_socket, server, message.as_bytes(), &tell);
    }

    // One send is not one recv: the reply may come in pieces, and ends when the server closes.
    let mut reply = if is_stream { Vec::new() } else { b"Received: ".to_vec() };
    let (mut total, mut buffer) = (0, vec![0; BUFFER_SIZE]);
    let (mut sending, mut since, mut left) = (None, Instant::now(), timeout);
    let mut receiving = loop {
        //| data = client_socket.recv(1024)
        let data = match wait(left, || client_socket.read(&mut buffer)) {
            Ok(length) => &buffer[..length],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // The time counts from the last byte or the end of the input: who types may think.
                sending = sending.or_else(|| told.try_recv().ok());
                since = since.max(sending.as_ref().map_or_else(Instant::now, |(at, _)| *at));
                left = timeout.map(|timeout| timeout.saturating_sub(since.elapsed()));
                // When none is left, std refuses a time-out of 0.
                if client_socket.set_read_timeout(left).is_ok() {
                    continue;
                }
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
        (total, since) = (total + data.len(), Instant::now());
        reply.extend_from_slice(data);
        if is_stream || reply.len() > BUFFER_SIZE {
            //| print('Received:', data.decode())
            if let Err(failure) = print(&reply) {
                break Err(failure);
            }
            reply.clear();
        }
    };
    // An empty message may have an empty reply.
    if !is_stream && (total > 0 || (receiving.is_ok() && message.is_empty())) {
        reply.push(b'\n');
        receiving = receiving.and(print(&reply));
    }
    // The input may just have ended too; it takes a moment until that is seen.
    let sending = sending.or_else(|| told.recv_timeout(Duration::from_millis(200)).ok());
    let sent = SENT.load(Relaxed);
    step!("7 close", "{sent} bytes sent, {total} received");
    //| 7 close      client_socket.close()
    drop(client_socket);

    let (what, hint) = match (sending, receiving) {
        (Some((_, Err(failure))), _) | (_, Err(failure)) => return Err(failure),
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

/// Connects to the first address that answers; where none does, the first one's error is the reason.
fn connect(
    servers: &[SocketAddr],
    timeout: Option<Duration>,
) -> Result<(TcpStream, SocketAddr), Failure> {
    let mut failures = Vec::new();
    for &server in servers {
        step!("1 create", "TCP, {}", family(&server));
        step!("4 connect", "{server}");
        let connected = match timeout {
            Some(timeout) => TcpStream::connect_timeout(&server, timeout),
            None => TcpStream::connect(server),
        };
        let error = match connected.and_then(|socket| Ok((socket.local_addr()?, socket))) {
            // Linux can connect a client to its own port, where no server is.
            Ok((local, _)) if local == server => ErrorKind::ConnectionRefused.into(),
            Ok((local, client_socket)) => {
                step!("5 establish", "{local}, chosen by the system");
                // Where one of these fails, the connection has already ended, and recv tells why.
                let _ = client_socket.set_read_timeout(timeout);
                let _ = client_socket.set_write_timeout(timeout);
                return Ok((client_socket, server));
            }
            Err(error) => error,
        };
        step!("4 connect", "{server}: {error}");
        failures.push(cannot("connect to", server, &error));
    }
    Err(failures.swap_remove(0))
}

/// Sends all of `source`, then says that no more will come (the half-close); tells when and how it ended.
fn send(mut socket: &TcpStream, server: SocketAddr, mut source: impl Read, tell: &Sender<End>) {
    let mut buffer = vec![0; BUFFER_SIZE];
    let end = loop {
        let data = match wait(None, || source.read(&mut buffer)) {
            Ok(0) => break Ok(()),
            Ok(length) => &buffer[..length],
            Err(error) => break Err(cannot("read", "standard input", &error)),
        };
        step!("6 transfer", "sending {} bytes: {}", data.len(), printable(data));
        if let Err(error) = socket.write_all(data) {
            break Err(cannot("send to", server, &error));
        }
        SENT.fetch_add(data.len() as u64, Relaxed);
    };
    let (half, name) = match end {
        Ok(()) => (Shutdown::Write, "half-close"),
        // The thread that receives is not to wait any longer.
        Err(_) => (Shutdown::Both, "it failed"),
    };
    step!("6 transfer", "no more to send ({name})");
    let _ = tell.send((Instant::now(), end));
    let _ = socket.shutdown(half);
}
