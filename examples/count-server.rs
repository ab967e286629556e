//! count-server: tells each client how many bytes it has sent, when it has finished.
#![forbid(unsafe_code)]
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use socket_lab::address::resolve;
use socket_lab::arguments::Arguments;
use socket_lab::failure::{cannot, print, Failure};
use socket_lab::{program, step, threads::Threads, trace::describe};

const USAGE: &str = "\
Usage: count-server [OPTIONS] [ADDRESS]

Tells each client how many bytes it has sent.

  ADDRESS  HOST:PORT; with port 0 the system chooses one [default: 127.0.0.1:8888]

Options:
  -q, --quiet    no step lines
  -h, --help     print this and end
  -V, --version  print the version and end
";

fn main() -> ExitCode {
    program::main("count-server", USAGE, run)
}

fn run(args: &Arguments) -> Result<(), Failure> {
    let address = resolve(args.text("ADDRESS"))?[0];
    let server_socket = TcpListener::bind(address).map_err(cannot("listen on", address))?;
    let local = server_socket.local_addr().map_err(cannot("listen on", address))?;
    print(format!("count-server ready on {local}\n").as_bytes())?;
    let threads = Threads::new(1000);
    loop {
        match server_socket.accept() {
            Ok((conn, addr)) => threads.spawn(move || {
                let _ = count(conn, addr); // An error ends its connection and nothing else.
            }),
            // No file descriptor may be left: the pause leaves the CPU to those who have one.
            Err(_) => sleep(Duration::from_millis(100)),
        }
    }
}

/// Counts what comes until the client has finished, and only then answers.
fn count(mut conn: TcpStream, addr: SocketAddr) -> io::Result<()> {
    let mut buffer = [0; 1024];
    let mut count = 0;
    loop {
        let length = conn.read(&mut buffer)?;
        step!("6 transfer", "{addr}, {}", describe(&buffer[..length]));
        if length == 0 {
            return conn.write_all(format!("{count} bytes\n").as_bytes());
        }
        count += length;
    }
}
