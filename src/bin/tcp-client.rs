//! tcp-client: sends a message to a server, prints the reply, and says whether it is the same.
//!
//! Above the Rust stands, statement by statement, the Python of tests/python/tcp_client.py.
#![forbid(unsafe_code)]

//              import socket
//              import sys
use std::io::{self, ErrorKind, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc::{channel, Sender};
use std::thread::Builder;
use std::time::Duration;

use socket_lab::cli::{self, cannot, is_timeout, print, resolve, Arguments, Failure};
use socket_lab::sockopt::{getsockopt, SO_ACCEPTCONN, SO_ERROR};
use socket_lab::step;
use socket_lab::trace::{family, text};

const USAGE: &str = "\
Usage: tcp-client [OPTIONS] [ADDRESS] [MESSAGE]

Sends a message to a server and prints the reply.

  ADDRESS  HOST:PORT of the server [default: 127.0.0.1:8888]
  MESSAGE  '-' is standard input, all of it [default: Hello, server!]

Options:
      --timeout SECONDS  connecting, and each wait for a reply; 0: no limit [default: 10]
  -q, --quiet            no step lines
  -h, --help             print this and end
  -V, --version          print the version and end
";

fn main() -> ExitCode {
    cli::main(env!("CARGO_BIN_NAME"), USAGE, run)
}

fn run(args: &Arguments) -> Result<(), Failure> {
    let timeout = args.seconds("--timeout")?;
    //              host = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
    //              port = int(sys.argv[2]) if len(sys.argv) > 2 else 8888
    let address = args.text("ADDRESS");
    //              message = sys.argv[3] if len(sys.argv) > 3 else 'Hello, server!'
    let message = args.text("MESSAGE").to_owned();
    let is_stream = message == "-";
    let failed = |error: io::Error| cannot("connect to", address, &error);

    // 1 create     client_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    // 4 connect    client_socket.connect((host, port))
    let mut client_socket = connect(&resolve(address)?, timeout).map_err(failed)?;
    step!(
        "5 establish",
        "{}, bound by the system, to {}, SO_ACCEPTCONN={}, SO_ERROR={}",
        client_socket.local_addr()?,
        client_socket.peer_addr()?,
        getsockopt(&client_socket, SO_ACCEPTCONN)?,
        getsockopt(&client_socket, SO_ERROR)?
    );

    // A server that falls silent must not hold up a MESSAGE; a person at a keyboard may think.
    let patience = if is_stream { None } else { timeout };
    client_socket.set_read_timeout(patience).map_err(failed)?;
    client_socket.set_write_timeout(patience).map_err(failed)?;
    let (outcome, sent) = channel();
    // 6 transfer   client_socket.sendall(message.encode())
    if is_stream {
        // While the reply comes: a client that sends all before it reads waits for ever once the
        // buffers of both sides are full, here at about 8 MB.
        let client_socket = client_socket.try_clone().map_err(failed)?;
        let sender = move || send(&client_socket, io::stdin(), &outcome);
        Builder::new().spawn(sender).map_err(failed)?;
    } else {
        send(&client_socket, message.as_bytes(), &outcome);
    }

    // One send is not one recv: the reply may come in pieces, and ends when the server closes.
    let mut received = 0;
    let mut expected = Some(message.as_bytes());
    let mut buffer = vec![0; 64 * 1024];
    let end = loop {
        //              data = client_socket.recv(1024)
        let data = match client_socket.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(length) => buffer.get(..length).unwrap_or_default(),
            // Ctrl-Z and fg cut short every wait that has a time-out: signal(7).
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => break Err(error),
        };
        step!("6 transfer", "{} bytes received: {}", data.len(), text(data));
        //              print('Received:', data.decode())
        let label = if is_stream || received > 0 { "" } else { "Received: " };
        print(&[label.as_bytes(), data])?;
        received += data.len() as u64;
        expected = expected.and_then(|expected| expected.strip_prefix(data));
    };
    if !is_stream && received > 0 {
        print(&[b"\n"])?;
    }
    // 7 close      client_socket.close()
    drop(client_socket);
    let verdict = match expected {
        _ if is_stream => "",
        Some(b"") => ", identical to what was sent",
        _ => ", not what was sent",
    };
    step!("7 close", "{received} bytes received{verdict}");

    let why = match (end, sent.try_recv()) {
        (Ok(()), Ok(Ok(_))) if received > 0 => return Ok(()),
        (Ok(()), Ok(Ok(0))) if is_stream => return Ok(()),
        (Ok(()), Ok(Ok(0))) => return print(&[b"Received: \n"]),
        (Ok(()), Ok(Ok(_))) => format!("{address} closed the connection without a reply"),
        (_, Ok(Err(error))) => format!("cannot send all to {address}: {error}"),
        (Ok(()), Err(_)) => format!("{address} closed the connection before all was sent"),
        (Err(error), _) if is_timeout(&error) && received == 0 => {
            format!("no reply from {address} in {:?}", timeout.unwrap_or_default())
        }
        (Err(error), _) if is_timeout(&error) => {
            format!("no end of the reply from {address} in {:?}", timeout.unwrap_or_default())
        }
        (Err(error), _) => format!("cannot receive from {address}: {error}"),
    };
    Err(Failure::new(why, format!("{received} bytes came back; the server may say more")))
}

/// Tries each address of a name in turn.
fn connect(addresses: &[SocketAddr], timeout: Option<Duration>) -> io::Result<TcpStream> {
    let mut result = Err(ErrorKind::NotFound.into());
    for address in addresses {
        // Without a time-out the system has one of its own, of some two minutes.
        result = TcpStream::connect_timeout(address, timeout.unwrap_or(Duration::MAX));
        match &result {
            Ok(_) => {
                step!("1 create", "TCP, {}", family(address));
                step!("4 connect", "{address}");
                break;
            }
            Err(error) => step!("4 connect", "{address}: {error}"),
        }
    }
    result
}

/// Sends all of `source`, says how many bytes, and then that no more will come (the half-close).
fn send(mut client_socket: &TcpStream, mut source: impl Read, outcome: &Sender<io::Result<u64>>) {
    let result = io::copy(&mut source, &mut client_socket);
    if let Ok(sent) = result {
        step!("6 transfer", "{sent} bytes sent");
    }
    let end = if result.is_ok() { Shutdown::Write } else { Shutdown::Both };
    // First, because the reply may end as soon as the server knows.
    let _ = outcome.send(result);
    let _ = client_socket.shutdown(end);
}
