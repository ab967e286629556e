//! Every client against every server: Rust and Python both ways, and what else a class has.
#![cfg(target_os = "linux")] // nc and its kin differ from system to system.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::pedantic)]

mod common;

use common::{client, has, lines, noise, stderr, Running, Server, PATIENCE};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;

/// `command` with HOST, PORT and LENGTH filled in, as words without a shell.
fn spawn(command: &[String], server: SocketAddr, length: usize) -> Running {
    let filled: Vec<String> = command
        .iter()
        .map(|word| {
            word.replace("HOST", &server.ip().to_string())
                .replace("PORT", &server.port().to_string())
                .replace("LENGTH", &length.to_string())
        })
        .collect();
    let mut child = Command::new(&filled[0]);
    child.args(&filled[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running(child.spawn().unwrap())
}

/// Words of a command; a script is one word.
fn words(command: &str, script: &str) -> Vec<String> {
    let script = Some(script).filter(|script| !script.is_empty());
    command.split(' ').chain(script).map(str::to_owned).collect()
}

/// Types `data` into `command`, connected to `server`, and waits until it has printed the same.
fn assert_comes_back(command: &[String], server: SocketAddr, data: &[u8]) {
    let mut running = spawn(command, server, data.len());
    let mut input = running.0.stdin.take().unwrap();
    let typed = data.to_vec();
    let writer = std::thread::spawn(move || {
        let _ = input.write_all(&typed);
        input // Still open: that the tool stays is no part of the test.
    });
    let mut output = running.0.stdout.take().unwrap();
    let (sender, printed) = channel();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = output.read(&mut buffer) {
            let _ = sender.send(buffer[..length].to_vec());
        }
    });
    let mut seen = Vec::new();
    // telnet says more than the data, before it.
    while !seen.ends_with(data) {
        match printed.recv_timeout(PATIENCE) {
            Ok(piece) => seen.extend(piece),
            Err(_) => {
                let _ = running.0.kill();
                let mut error = String::new();
                running.0.stderr.take().unwrap().read_to_string(&mut error).unwrap();
                panic!("{command:?} printed {} of {} bytes, and {error}", seen.len(), data.len());
            }
        }
    }
    drop(writer.join().unwrap());
}

const NODE_TCP: &str = "
const s = require('net').connect(PORT, 'HOST');
process.stdin.pipe(s).pipe(process.stdout);
";
const NODE_UDP: &str = "
const s = require('dgram').createSocket('udp4');
s.on('message', (data) => process.stdout.write(data));
process.stdin.on('data', (data) => s.send(data, PORT, 'HOST'));
";
const PERL_TCP: &str = "
use IO::Socket::INET;
my $s = IO::Socket::INET->new(PeerAddr => 'HOST', PeerPort => PORT) or die;
read(STDIN, my $message, LENGTH);
print $s $message; $s->flush;
read($s, my $reply, LENGTH);
print $reply;
";
const PERL_UDP: &str = "
use IO::Socket::INET;
my $s = IO::Socket::INET->new(PeerAddr => 'HOST', PeerPort => PORT, Proto => 'udp') or die;
read(STDIN, my $message, LENGTH);
$s->send($message);
$s->recv(my $reply, LENGTH);
print $reply;
";
const BASH_TCP: &str = "exec 3<>/dev/tcp/HOST/PORT; head -c LENGTH >&3; head -c LENGTH <&3";
const BASH_UDP: &str = "exec 3<>/dev/udp/HOST/PORT; head -c LENGTH >&3; head -c LENGTH <&3";
const GAWK_TCP: &str =
    r#"{ s = "/inet/tcp/0/HOST/PORT"; print |& s; s |& getline reply; print reply; fflush() }"#;
const GAWK_UDP: &str =
    r#"{ s = "/inet/udp/0/HOST/PORT"; print |& s; s |& getline reply; print reply; fflush() }"#;

#[test]
fn the_tcp_clients_of_a_class_get_back_from_tcp_server_what_they_send() {
    let server = Server::start("tcp-server", &["-q"]);
    let file = noise(1 << 20);
    for (command, binary) in [
        (words("nc HOST PORT", ""), true),
        (words("ncat HOST PORT", ""), true),
        (words("socat - TCP:HOST:PORT", ""), true),
        (words("busybox nc HOST PORT", ""), true),
        (words("telnet HOST PORT", ""), false),
        (words("bash -c", BASH_TCP), true),
        (words("gawk", GAWK_TCP), false),
        (words("perl -e", PERL_TCP), true),
        (words("node -e", NODE_TCP), true),
    ] {
        if !has(&[&command[0]]) {
            continue;
        }
        for text in ["Hello, server!\n", "你好\n"] {
            assert_comes_back(&command, server.address, text.as_bytes());
        }
        if binary {
            assert_comes_back(&command, server.address, &file);
        }
    }
}

#[test]
fn the_udp_clients_of_a_class_get_back_from_udp_server_what_they_send() {
    let server = Server::start("udp-server", &["-q"]);
    for command in [
        words("nc -u HOST PORT", ""),
        words("ncat -u HOST PORT", ""),
        words("socat - UDP:HOST:PORT", ""),
        words("bash -c", BASH_UDP),
        words("gawk", GAWK_UDP),
        words("perl -e", PERL_UDP),
        words("node -e", NODE_UDP),
    ] {
        if !has(&[&command[0]]) {
            continue;
        }
        for text in ["Hello, server!\n", "你好\n"] {
            assert_comes_back(&command, server.address, text.as_bytes());
        }
    }
}

#[test]
fn the_python_clients_get_back_from_the_rust_servers_what_they_send() {
    if !has(&["python3"]) {
        return;
    }
    for protocol in ["tcp", "udp"] {
        let server = Server::start(&format!("{protocol}-server"), &["-q"]);
        for message in ["Hello, server!", "你好"] {
            let mut python = Command::new("python3");
            python.arg(format!("tests/python/{protocol}_client.py")).arg("127.0.0.1");
            python
                .arg(server.address.port().to_string())
                .arg(message)
                .env("PYTHONIOENCODING", "utf-8");
            let output = python.output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), format!("Received: {message}\n"));
            assert_eq!(stderr(&output), "");
        }
    }
}

/// Starts another server, if it is installed, and reads its port from the first line that names one of 127.0.0.1.
fn foreign_server(command: &[String]) -> Option<(Running, SocketAddr)> {
    if !has(&[&command[0]]) {
        return None;
    }
    let mut running = spawn(command, SocketAddr::from(([127, 0, 0, 1], 0)), 0);
    let (sender, said) = channel();
    for source in [lines(running.0.stdout.take().unwrap()), lines(running.0.stderr.take().unwrap())]
    {
        let sender = sender.clone();
        std::thread::spawn(move || source.iter().for_each(|line| drop(sender.send(line))));
    }
    drop(sender);
    loop {
        let line =
            said.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{command:?} names no port"));
        if line.contains("127.0.0.1") || line.contains("localhost") {
            let port = line.rsplit(|c: char| !c.is_ascii_digit()).find(|number| !number.is_empty());
            return Some((
                running,
                SocketAddr::from(([127, 0, 0, 1], port.unwrap().parse().unwrap())),
            ));
        }
    }
}

/// A Rust client sends text and, over TCP, 1 MiB of any bytes, and gets them back.
fn assert_rust_client(protocol: &str, server: SocketAddr) {
    let program = format!("{protocol}-client");
    let address = server.to_string();
    for message in ["Hello, server!", "你好"] {
        let output = client(&program).args(["-q", &address, message]).output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            format!("Received: {message}\n"),
            "{}",
            stderr(&output)
        );
    }
    if protocol == "tcp" {
        let file = noise(1 << 20);
        let output = client(&program)
            .args(["-q", &address, "-"])
            .write_stdin(file.clone())
            .output()
            .unwrap();
        assert!(output.stdout == file, "{} bytes: {}", output.stdout.len(), stderr(&output));
    }
}

#[test]
fn the_rust_clients_get_back_from_the_python_servers_what_they_send() {
    for protocol in ["tcp", "udp"] {
        let command = format!("python3 -u tests/python/{protocol}_server.py 127.0.0.1 0");
        let command = words(&command, "");
        if let Some((_server, address)) = foreign_server(&command) {
            assert_rust_client(protocol, address);
        }
    }
}

/// It answers when it has read the request, and closes.
#[test]
fn tcp_client_reads_a_page_of_pythons_web_server() {
    let command = words("python3 -u -m http.server --bind 127.0.0.1 0", "");
    if let Some((_server, address)) = foreign_server(&command) {
        for _ in 0..20 {
            let mut tcp_client = client("tcp-client");
            tcp_client.args(["-q", &address.to_string(), "-"]);
            let output = tcp_client.write_stdin("GET / HTTP/1.0\r\n\r\n").output().unwrap();
            assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
            let page = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(page.starts_with("HTTP/1.0 200 OK\r\n") && page.contains("</html>"), "{page}");
        }
    }
}

const NODE_TCP_SERVER: &str = "
const server = require('net').createServer({ allowHalfOpen: true }, (s) => s.pipe(s));
server.listen(0, '127.0.0.1', () => console.log('127.0.0.1', server.address().port));
";
const NODE_UDP_SERVER: &str = "
const s = require('dgram').createSocket('udp4');
s.on('message', (data, from) => s.send(data, from.port, from.address));
s.bind(0, '127.0.0.1', () => console.log('127.0.0.1', s.address().port));
";
const PERL_TCP_SERVER: &str = "
use IO::Socket::INET;
my $l = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 5) or die;
$| = 1; print '127.0.0.1 ', $l->sockport, qq(\\n);
while (my $s = $l->accept) { while (sysread($s, my $data, 65536)) { $s->print($data); $s->flush } }
";
const PERL_UDP_SERVER: &str = "
use IO::Socket::INET;
my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Proto => 'udp') or die;
$| = 1; print '127.0.0.1 ', $s->sockport, qq(\\n);
while (my $from = $s->recv(my $data, 65536)) { $s->send($data, 0, $from) }
";

#[test]
fn the_rust_clients_get_back_from_the_servers_of_a_class_what_they_send() {
    for (protocol, command) in [
        ("tcp", words("socat -d -d TCP-LISTEN:0,bind=127.0.0.1,fork PIPE", "")),
        ("tcp", words("node -e", NODE_TCP_SERVER)),
        ("tcp", words("perl -e", PERL_TCP_SERVER)),
        ("udp", words("node -e", NODE_UDP_SERVER)),
        ("udp", words("perl -e", PERL_UDP_SERVER)),
    ] {
        if let Some((_server, address)) = foreign_server(&command) {
            assert_rust_client(protocol, address);
        }
    }
}

/// nc -l is no echo: what is typed there is the reply. Another nc than OpenBSD's has other options.
#[test]
fn tcp_client_talks_with_a_listening_nc() {
    let nc = foreign_server(&words("nc.openbsd -N -v -l 127.0.0.1 0", ""));
    if let Some((mut nc, address)) = nc {
        let mut keyboard = nc.0.stdin.take().unwrap();
        keyboard.write_all("typed 你好".as_bytes()).unwrap();
        drop(keyboard);
        let output = client("tcp-client").args(["-q", &address.to_string()]).output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "Received: typed 你好\n",
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn make_python_shows_the_samples_own_conversations() {
    if !has(&["make", "python3"]) {
        return;
    }
    let mut make = Command::new("make");
    make.arg("python").current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    let output = make.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}{}", stderr(&output));
    assert_eq!(shown.matches("Received: Hello, server!\n").count(), 2, "{shown}");
    for line in ["server_socket.listen(5)", "conn.close()", "server_socket.sendto(data, addr)"] {
        assert!(shown.contains(line), "{shown}");
    }
}
