//! word-client: sends the words of MESSAGE, and prints each reply on a line of its own.
#![forbid(unsafe_code)]

use std::io::{self, BufReader};
use std::net::{Shutdown, TcpStream};
use std::process::ExitCode;

mod word;
use socket_lab::failure::{cannot, print, Failure};
use socket_lab::{address::resolve_server, arguments::Arguments};
use socket_lab::{program, step, trace::printable};
use word::{read_word, write_word};

const USAGE: &str = "\
Usage: word-client [OPTIONS] [ADDRESS] [MESSAGE]

Sends the words of MESSAGE, and prints each reply on a line of its own.

  ADDRESS  HOST:PORT of the server [default: 127.0.0.1:8888]
  MESSAGE  words with spaces between [default: hello 你好]

Options:
  -q, --quiet    no step lines
  -h, --help     print this and end
  -V, --version  print the version and end
";

fn main() -> ExitCode {
    program::main("word-client", USAGE, run)
}

fn run(args: &Arguments) -> Result<(), Failure> {
    let server = resolve_server(args.text("ADDRESS"))?[0];
    let words: Vec<&str> = args.text("MESSAGE").split_whitespace().collect();
    if words.iter().any(|word| word.len() > u16::MAX.into()) {
        return Err(Failure::usage("a word is too long", "it may have 65535 bytes"));
    }
    let client_socket = TcpStream::connect(server).map_err(cannot("connect to", server))?;
    // The server may close early: then a send fails, but what it has answered is still there to be read.
    let _ = send(&client_socket, &words);
    let mut source = BufReader::new(&client_socket);
    for word in &words {
        match read_word(&mut source).map_err(cannot("receive from", server))? {
            Some(reply) => print(format!("{reply}\n").as_bytes())?,
            None => {
                let what = format!("no reply to {word}");
                return Err(Failure::new(what, "look at the server's terminal"));
            }
        }
    }
    Ok(())
}

/// Sends all words, and says that no more will come.
fn send(client_socket: &TcpStream, words: &[&str]) -> io::Result<()> {
    for word in words {
        step!("6 transfer", "sending {} bytes: {}", word.len(), printable(word.as_bytes()));
        write_word(client_socket, word)?;
    }
    client_socket.shutdown(Shutdown::Write)
}
