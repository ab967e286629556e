//! TCP servers that do not behave, seen from tcp-client; tests/errors.rs has those that end in an error.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::pedantic, clippy::indexing_slicing)]

mod common;

use common::{client, stderr, stdout, tcp_peer};
use std::io::{Read, Write};

#[test]
fn a_reply_byte_by_byte_is_one_reply() {
    let address = tcp_peer(|mut stream| {
        stream.set_nodelay(true).unwrap();
        let mut byte = [0];
        while stream.read(&mut byte).unwrap() == 1 {
            stream.write_all(&byte).unwrap();
        }
    });
    let output = client("tcp-client").args([&address, "你好, byte by byte"]).output().unwrap();
    assert_eq!(stdout(&output), "Received: 你好, byte by byte\n");
    assert!(
        stderr(&output).ends_with("20 bytes received, identical to what was sent\n"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_reply_that_is_not_the_message_is_shown_and_said() {
    for reply in ["something else", "Hello, server? ", "Hello, server!!", "Hello,"] {
        let address = tcp_peer(move |mut stream| {
            stream.read_to_end(&mut Vec::new()).unwrap();
            stream.write_all(reply.as_bytes()).unwrap();
        });
        let output = client("tcp-client").arg(&address).output().unwrap();
        assert_eq!(
            (output.status.code(), stdout(&output)),
            (Some(0), format!("Received: {reply}\n"))
        );
        assert!(stderr(&output).ends_with(", not what was sent\n"), "{}", stderr(&output));
    }
}

#[cfg(unix)] // `ulimit -v` shows that nothing of it is kept.
#[test]
fn one_gib_unasked_is_passed_on_and_not_kept() {
    use std::process::{Command, Stdio};
    let address = tcp_peer(|mut stream| {
        let data = vec![b'z'; 1 << 20];
        (0..1024).for_each(|_| stream.write_all(&data).unwrap());
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 100000; exec \"$0\" -q \"$1\" hello"]);
    command.arg(common::program_path("tcp-client")).arg(&address).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut buffer = vec![0; 1 << 20];
    let mut total = 0;
    while let Ok(length @ 1..) = output.read(&mut buffer) {
        total += length;
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(total, "Received: ".len() + (1 << 30) + "\n".len());
}

#[test]
fn an_empty_message_may_have_an_empty_reply() {
    let address = tcp_peer(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    let output = client("tcp-client").args([&address, ""]).output().unwrap();
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "Received: \n"));
}
