//! What fails, and how the programs say so: program, action, address and reason, then a hint; exit code 1.
//! And replies that are strange, and no failure.

mod common;

use common::{client, closed_port, is_wine, noise, program_path, stderr, stdout};
use common::{tcp_peer, udp_peer, Running, Server, PATIENCE};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Output, Stdio};

/// Ends with exit code 1 and two lines: `PROGRAM: why` and a hint that contains `hint`.
fn assert_failure(output: &Output, program: &str, why: &str, hint: &str) {
    let error = stderr(output);
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert_eq!(lines.len(), 2, "{error}");
    assert!(lines[0].starts_with(&format!("{program}: {why}")), "{error}\nshould say: {why}");
    assert!(
        lines[1].starts_with(&format!("{program}: hint: ")) && lines[1].contains(hint),
        "{error}"
    );
}

/// A `tcp-client` against `serve`: what is printed, and the failure.
fn assert_tcp_failure(serve: fn(TcpStream), printed: &str, why: &str, hint: &str) {
    let address = tcp_peer(serve);
    let output = client("tcp-client").args(["-q", "--timeout=0.3", &address]).output().unwrap();
    assert_failure(&output, "tcp-client", &why.replace("ADDRESS", &address), hint);
    assert_eq!(stdout(&output), printed);
}

/// Waits for the message and leaves it unread: a socket closed so sends a reset (RFC 2525, 2.17).
fn reset(stream: TcpStream) {
    stream.peek(&mut [0; 1]).unwrap();
}

fn wait_for_end(mut stream: TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn nobody_listens() {
    let address = closed_port();
    let output = client("tcp-client").args(["-q", &address]).output().unwrap();
    let reason = if cfg!(target_os = "linux") { "Connection refused (os error 111)" } else { "" };
    let why = format!("cannot connect to {address}: {reason}");
    assert_failure(&output, "tcp-client", &why, "nothing listens there: start the server");

    let output =
        client("udp-client").args(["-q", "--timeout=0.1", "--tries=2", &address]).output().unwrap();
    let why = format!("no reply from {address} (tries: 2, of 100ms each)");
    assert_failure(&output, "udp-client", &why, "UDP does not tell what arrived");
    assert_eq!(stdout(&output), "");
}

#[test]
fn the_port_is_taken() {
    for (program, action) in [("tcp-server", "listen on"), ("udp-server", "bind")] {
        let first = Server::start(program, &[]);
        let address = first.address.to_string();
        let output = client(program).args(["-q", &address]).output().unwrap();
        assert_failure(
            &output,
            program,
            &format!("cannot {action} {address}: "),
            "end the program that has this port, or choose another",
        );
    }
}

#[test]
fn the_address_is_not_of_this_machine() {
    for (program, action) in [("tcp-server", "listen on"), ("udp-server", "bind")] {
        if is_wine() && program == "udp-server" {
            continue; // wine binds UDP to any address; Windows refuses it, WSAEADDRNOTAVAIL.
        }
        if std::fs::read("/proc/sys/net/ipv4/ip_nonlocal_bind").map_or(false, |set| set == b"1\n") {
            return common::skip("net.ipv4.ip_nonlocal_bind lets a socket have any address");
        }
        let output = client(program).args(["-q", "192.0.2.1:0"]).output().unwrap();
        assert_failure(
            &output,
            program,
            &format!("cannot {action} 192.0.2.1:0: "),
            "lacks that address",
        );
    }
}

/// What a test cannot bring about everywhere: a port that only root may have, no thread for `-`, a console
/// of Windows.
#[test]
fn rare_failures_have_their_hints_too() {
    use std::io::ErrorKind::{InvalidData, PermissionDenied, WouldBlock};
    for (action, kind, hint) in [
        ("bind", PermissionDenied, "choose another port, from 1024 on"),
        ("listen on", PermissionDenied, "choose another port, from 1024 on"),
        ("start", WouldBlock, "no descriptor or thread is left"),
        ("write to", InvalidData, "a Windows console shows only UTF-8"),
    ] {
        let failure = socket_lab::failure::cannot(action, "it")(kind.into());
        assert!(format!("{failure:?}").contains(hint), "{failure:?}");
    }
}

/// A label of 64 letters: one more than DNS allows, so that no query leaves the machine.
#[test]
fn the_name_does_not_exist() {
    let name = format!("{}.invalid", "x".repeat(64));
    for program in common::PROGRAMS {
        let output = client(program).args(["-q", &format!("{name}:1")]).output().unwrap();
        assert_failure(
            &output,
            program,
            &format!("cannot find '{}…': ", &name[..60]),
            "check the name",
        );
    }
}

#[test]
fn no_reply_in_time() {
    fn serve(stream: TcpStream) {
        std::thread::park();
        drop(stream);
    }
    assert_tcp_failure(serve, "", "no reply from ADDRESS in 300ms", "--timeout");
    let address = udp_peer(|_socket| std::thread::park());
    let output =
        client("udp-client").args(["-q", "--timeout=0.1", "--tries=1", &address]).output().unwrap();
    assert_failure(
        &output,
        "udp-client",
        &format!("no reply from {address} (tries: 1, of 100ms each)"),
        "--tries",
    );
}

#[test]
fn a_reply_and_then_silence() {
    fn serve(mut stream: TcpStream) {
        stream.write_all(b"half").unwrap();
        std::thread::park();
    }
    assert_tcp_failure(
        serve,
        "Received: half\n",
        "no end of the reply from ADDRESS in 300ms",
        "--timeout",
    );
}

#[test]
fn a_reset() {
    let reason = if cfg!(target_os = "linux") {
        "cannot receive from ADDRESS: Connection reset by peer (os error 104)"
    } else if is_wine() {
        "" // Its own look at the error often takes it away; Windows tells it, WSAECONNRESET.
    } else {
        "cannot receive from ADDRESS: "
    };
    assert_tcp_failure(reset, "", reason, "look at ");
}

#[cfg(target_os = "linux")] // Elsewhere a reset may overtake what came before it.
#[test]
fn a_part_of_the_reply_and_then_a_reset() {
    fn serve(mut stream: TcpStream) {
        stream.write_all(b"part").unwrap();
        reset(stream);
    }
    assert_tcp_failure(
        serve,
        "Received: part\n",
        "cannot receive from ADDRESS: ",
        "look at the server's terminal",
    );
}

#[test]
fn closed_without_a_reply() {
    assert_tcp_failure(
        wait_for_end,
        "",
        "ADDRESS closed the connection without a reply",
        "half-close",
    );
}

#[cfg(unix)] // Windows opens no directory.
#[test]
fn standard_input_that_cannot_be_read() {
    let server = Server::start("tcp-server", &[]);
    let udp_server = Server::start("udp-server", &[]);
    let why = "cannot read standard input: Is a directory";
    for (program, address) in [("tcp-client", server.address), ("udp-client", udp_server.address)] {
        let mut command = Command::new(program_path(program));
        let output = command.args(["-q", &address.to_string(), "-"]);
        let output = common::output(output.stdin(std::fs::File::open("/").unwrap()));
        assert_failure(&output, program, why, "standard input must be");
    }
}

/// Each redirection through the shell; the exit code, stdout and stderr of `program`.
#[cfg(target_os = "linux")]
fn redirected(program: &str, args: &[&str], redirection: &str) -> Output {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("exec \"$0\" \"$@\" {redirection}"));
    common::output(command.arg(program_path(program)).args(args).stdin(Stdio::null()))
}

#[cfg(target_os = "linux")] // /dev/full is not elsewhere.
#[test]
fn a_stdout_that_takes_nothing_is_a_failure_and_a_closed_one_no_panic() {
    use std::os::unix::{io::OwnedFd, net::UnixStream};
    let server = Server::start("tcp-server", &["-q"]);
    let udp_server = Server::start("udp-server", &["-q"]);
    let (tcp, udp) = (server.address.to_string(), udp_server.address.to_string());
    for (program, args) in [
        ("tcp-client", vec!["-q", &tcp]),
        ("udp-client", vec!["-q", &udp]),
        ("tcp-server", vec!["-q", "127.0.0.1:0"]),
        ("udp-server", vec!["-q", "127.0.0.1:0"]),
        ("tcp-client", vec!["--help"]),
        ("udp-server", vec!["--version"]),
    ] {
        let output = redirected(program, &args, ">/dev/full");
        let why = "cannot write to standard output: No space left on device (os error 28)";
        assert_failure(&output, program, why, "the disk may be full");
        // A pipe whose reader has gone, and has been seen to go. std has `io::pipe` only from 1.87
        // on; a socket pair behaves the same way here.
        let (reader, writer) = UnixStream::pair().unwrap();
        drop(reader);
        let writer = OwnedFd::from(writer);
        let mut command = Command::new(program_path(program));
        command.args(&args).stdout(writer).stderr(Stdio::piped());
        let output = Running::start(&mut command).finish();
        let why = "cannot write to standard output: Broken pipe (os error 32)";
        assert_failure(&output, program, why, "has ended");
        if args.len() < 3 && program.ends_with("client") {
            let output = redirected(program, &args, ">&-");
            assert!(matches!(output.status.code(), Some(0 | 1)), "{:?}", output.status);
            assert!(!stderr(&output).contains("panicked"));
        }
    }
}

/// As some terminals and pipes are that other programs have changed.
#[cfg(unix)]
#[test]
fn a_stdout_that_does_not_block_and_is_full_is_not_called_a_full_disk() {
    use std::os::unix::{io::OwnedFd, net::UnixStream};
    let (_reader, mut writer) = UnixStream::pair().unwrap();
    writer.set_nonblocking(true).unwrap();
    while writer.write(&[0; 1 << 16]).is_ok() {}
    let mut command = Command::new(program_path("tcp-client"));
    command.arg("--help").stdout(OwnedFd::from(writer)).stderr(Stdio::piped());
    let output = Running::start(&mut command).finish();
    assert_failure(&output, "tcp-client", "cannot write to standard output: ", "non-blocking");
}

/// What was printed before a failure is a beginning of the reply, and nothing of it twice.
#[cfg(unix)]
#[test]
fn a_reply_that_could_not_be_printed_whole_is_printed_in_part_and_once() {
    use std::os::unix::{io::OwnedFd, net::UnixStream};
    let reply = noise(400_000);
    let expected = [b"Received: ", &reply[..]].concat();
    for _ in 0..20 {
        let reply = reply.clone();
        let address = tcp_peer(move |mut stream| {
            stream.read_to_end(&mut Vec::new()).unwrap();
            let _ = stream.write_all(&reply);
        });
        let (mut reader, writer) = UnixStream::pair().unwrap();
        writer.set_nonblocking(true).unwrap();
        let mut command = Command::new(program_path("tcp-client"));
        command.args(["-q", &address]).stdout(OwnedFd::from(writer)).stderr(Stdio::piped());
        let child = Running::start(&mut command);
        drop(command); // It holds an end of the pair.
        let mut printed = Vec::new();
        let mut buffer = [0; 1000];
        while let Ok(length @ 1..) = reader.read(&mut buffer) {
            printed.extend_from_slice(&buffer[..length]);
        }
        match child.finish().status.code() {
            Some(0) => assert!(printed == [&expected[..], b"\n"].concat()),
            _ => assert!(expected.starts_with(&printed), "{} bytes", printed.len()),
        }
    }
}

#[cfg(target_os = "linux")] // /dev/full is not elsewhere.
#[test]
fn a_stderr_that_takes_nothing_changes_nothing() {
    for (server, program) in [("tcp-server", "tcp-client"), ("udp-server", "udp-client")] {
        let server = Server::start(server, &[]);
        let address = server.address.to_string();
        for redirection in ["2>&-", "2>/dev/full"] {
            let output = redirected(program, &[&address], redirection);
            assert_eq!(stdout(&output), "Received: Hello, server!\n", "{program} {redirection}");
            assert_eq!(output.status.code(), Some(0), "{program} {redirection}");
            let output = redirected(program, &["--bogus"], redirection);
            assert_eq!(output.status.code(), Some(2), "{program} {redirection}");
        }
    }
}

#[cfg(unix)] // Windows has no signals.
#[test]
fn a_client_that_was_stopped_and_continued_waits_on() {
    use std::sync::mpsc::channel;
    let (asked, question) = channel();
    let (answer, go) = channel();
    let peer = tcp_peer(move |mut stream| {
        stream.read_to_end(&mut Vec::new()).unwrap();
        asked.send(()).unwrap();
        go.recv().unwrap();
        stream.write_all(b"late").unwrap();
    });
    let mut command = Command::new(program_path("tcp-client"));
    command.args(["-q", &peer]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = Running::start(&mut command);
    question.recv_timeout(PATIENCE).unwrap();
    for _ in 0..5 {
        common::stop_and_continue(child.0.id());
    }
    answer.send(()).unwrap();
    let output = child.finish();
    assert_eq!(stdout(&output), "Received: late\n", "{}", stderr(&output));
}

#[test]
fn a_reply_that_is_not_the_message_is_shown_with_both_counts() {
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
        let counts = format!("14 bytes sent, {} received\n", reply.len());
        assert!(stderr(&output).ends_with(&counts), "{}", stderr(&output));
    }
}

#[cfg(unix)] // `ulimit -v` shows that nothing of it is kept.
#[test]
fn one_gib_unasked_is_passed_on_and_not_kept() {
    let address = tcp_peer(|mut stream| {
        let data = vec![b'z'; 1 << 20];
        (0..1024).for_each(|_| stream.write_all(&data).unwrap());
        stream.shutdown(Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 100000; exec \"$0\" -q \"$1\" hello"]);
    command.arg(program_path("tcp-client")).arg(&address).stdout(Stdio::piped());
    let mut child = Running::start(&mut command);
    let mut output = child.0.stdout.take().unwrap();
    let mut buffer = vec![0; 1 << 20];
    let mut total = 0;
    while let Ok(length @ 1..) = output.read(&mut buffer) {
        total += length;
    }
    assert_eq!(child.finish().status.code(), Some(0));
    assert_eq!(total, "Received: ".len() + (1 << 30) + "\n".len());
}

#[test]
fn an_empty_message_may_have_an_empty_reply() {
    let address = tcp_peer(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    let output = client("tcp-client").args([&address, ""]).output().unwrap();
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "Received: \n"));
}
