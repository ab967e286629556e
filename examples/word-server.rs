//! word-server: sends each word back with its characters in reverse order.
#![forbid(unsafe_code)]
use std::io::{self, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

mod word;
use socket_lab::failure::{cannot, print, Failure};
use socket_lab::{address::resolve, arguments::Arguments};
use socket_lab::{program, step, threads::Threads, trace::printable};
use word::{read_word, write_word};

const USAGE: &str = "\
Usage: word-server [OPTIONS] [ADDRESS]

Sends each word back with its characters in reverse order.

  ADDRESS  HOST:PORT; with port 0 the system chooses one [default: 127.0.0.1:8888]

Options:
  -q, --quiet    no step lines
  -h, --help     print this and end
  -V, --version  print the version and end
";

fn main() -> ExitCode {
    program::main("word-server", USAGE, run)
}

fn run(args: &Arguments) -> Result<(), Failure> {
    let address = resolve(args.text("ADDRESS"))?[0];
    let server_socket = TcpListener::bind(address).map_err(cannot("listen on", address))?;
    let local = server_socket.local_addr().map_err(cannot("listen on", address))?;
    print(format!("word-server ready on {local}\n").as_bytes())?;
    let threads = Threads::new(1000);
    loop {
        match server_socket.accept() {
            Ok((conn, addr)) => threads.spawn(move || {
                let _ = serve(&conn, addr); // An error ends its connection and nothing else.
            }),
            // No file descriptor may be left: the pause leaves the CPU to those who have one.
            Err(_) => sleep(Duration::from_millis(100)),
        }
    }
}

/// Answers each word until the client has finished.
fn serve(conn: &TcpStream, addr: SocketAddr) -> io::Result<()> {
    let mut source = BufReader::new(conn);
    while let Some(word) = read_word(&mut source)? {
        step!("6 transfer", "{addr}, {}", printable(word.as_bytes()));
        write_word(conn, &word.chars().rev().collect::<String>())?;
    }
    Ok(())
}
