//! Every client against every server: Rust and Python both ways, and what else a class has.
#![cfg(target_os = "linux")] // nc and its kin differ from system to system.

mod common;

use common::{client, has, lines, noise, output, stderr, stdout, Running, Server, PATIENCE};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;

/// `command` with HOST, PORT and LENGTH filled in, as words without a shell.
fn spawn(command: &str, server: SocketAddr, length: usize) -> Running {
    let filled: Vec<String> = command
        .split(' ')
        .map(|word| {
            word.replace("HOST", &server.ip().to_string())
                .replace("PORT", &server.port().to_string())
                .replace("LENGTH", &length.to_string())
        })
        .collect();
    let mut child = Command::new(&filled[0]);
    child.args(&filled[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(&mut child)
}

/// Types `data` into `command`, connected to `server`, and waits until it has printed the same.
fn assert_comes_back(command: &str, server: SocketAddr, data: &[u8]) {
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

#[test]
fn the_tcp_clients_of_a_class_get_back_from_tcp_server_what_they_send() {
    let server = Server::start("tcp-server", &["-q"]);
    let file = noise(1 << 20);
    for (command, binary) in [
        ("nc HOST PORT", true),
        ("ncat HOST PORT", true),
        ("socat - TCP:HOST:PORT", true),
        ("busybox nc HOST PORT", true),
        ("telnet HOST PORT", false),
        ("bash tests/foreign/client.sh tcp HOST PORT LENGTH", true),
        ("gawk -v peer=/inet/tcp/0/HOST/PORT -f tests/foreign/client.awk", false),
        ("perl tests/foreign/client.pl tcp HOST PORT LENGTH", true),
        ("node tests/foreign/tcp_client.js HOST PORT", true),
    ] {
        if !has(&[command.split(' ').next().unwrap()]) {
            continue;
        }
        for text in ["Hello, server!\n", "你好\n"] {
            assert_comes_back(command, server.address, text.as_bytes());
        }
        if binary {
            assert_comes_back(command, server.address, &file);
        }
    }
}

#[test]
fn the_udp_clients_of_a_class_get_back_from_udp_server_what_they_send() {
    let server = Server::start("udp-server", &["-q"]);
    for command in [
        "nc -u HOST PORT",
        "ncat -u HOST PORT",
        "socat - UDP:HOST:PORT",
        "bash tests/foreign/client.sh udp HOST PORT LENGTH",
        "gawk -v peer=/inet/udp/0/HOST/PORT -f tests/foreign/client.awk",
        "perl tests/foreign/client.pl udp HOST PORT LENGTH",
        "node tests/foreign/udp_client.js HOST PORT",
    ] {
        if !has(&[command.split(' ').next().unwrap()]) {
            continue;
        }
        for text in ["Hello, server!\n", "你好\n"] {
            assert_comes_back(command, server.address, text.as_bytes());
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
            let output = output(&mut python);
            assert_eq!(stdout(&output), format!("Received: {message}\n"));
            assert_eq!(stderr(&output), "");
        }
    }
}

/// Its PING is a valid reply to itself, so that it takes an echo for a Redis; any other reply ends it.
#[test]
fn redis_benchmark_takes_tcp_server_for_its_own() {
    if !has(&["redis-benchmark"]) {
        return;
    }
    let server = Server::start("tcp-server", &["-q"]);
    let mut benchmark = Command::new("redis-benchmark");
    benchmark.args(["-t", "ping_mbulk", "-c", "50", "-n", "20000", "-q", "-p"]);
    let output = output(benchmark.arg(server.address.port().to_string()));
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
    assert!(stdout(&output).contains("PING_MBULK: "), "{}", stdout(&output));
}

/// HTTP 0.9 has no header, so that curl takes its own request for the page; and neither closes first.
#[test]
fn curl_gets_its_request_back_and_waits_for_more() {
    if !has(&["curl"]) {
        return;
    }
    let server = Server::start("tcp-server", &["-q"]);
    let mut curl = Command::new("curl");
    let url = format!("http://{}/page", server.address);
    let output = output(curl.args(["--silent", "--http0.9", "-m", "1", "--noproxy", "*", &url]));
    assert_eq!(output.status.code(), Some(28), "its time-out");
    assert!(stdout(&output).starts_with("GET /page HTTP/1.1\r\nHost: 127.0.0.1:"));
}

/// Starts another server, if it is installed, and reads its port from the first line that names one of 127.0.0.1.
fn foreign_server(command: &str) -> Option<(Running, SocketAddr)> {
    if !has(&[command.split(' ').next().unwrap()]) {
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
        assert_eq!(stdout(&output), format!("Received: {message}\n"), "{}", stderr(&output));
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
        if let Some((_server, address)) = foreign_server(&command) {
            assert_rust_client(protocol, address);
        }
    }
}

/// It answers when it has read the request, and closes.
#[test]
fn tcp_client_reads_a_page_of_pythons_web_server() {
    let command = "python3 -u -m http.server --bind 127.0.0.1 0";
    if let Some((_server, address)) = foreign_server(command) {
        for _ in 0..20 {
            let mut tcp_client = client("tcp-client");
            tcp_client.args(["-q", &address.to_string(), "-"]);
            let output = tcp_client.write_stdin("GET / HTTP/1.0\r\n\r\n").output().unwrap();
            assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
            let page = stdout(&output);
            assert!(page.starts_with("HTTP/1.0 200 OK\r\n") && page.contains("</html>"), "{page}");
        }
    }
}

#[test]
fn the_rust_clients_get_back_from_the_servers_of_a_class_what_they_send() {
    for (protocol, command) in [
        ("tcp", "socat -d -d TCP-LISTEN:0,bind=127.0.0.1,fork PIPE"),
        ("tcp", "node tests/foreign/tcp_server.js"),
        ("tcp", "perl tests/foreign/tcp_server.pl"),
        ("udp", "node tests/foreign/udp_server.js"),
        ("udp", "perl tests/foreign/udp_server.pl"),
    ] {
        if let Some((_server, address)) = foreign_server(command) {
            assert_rust_client(protocol, address);
        }
    }
}

/// nc -l is no echo: what is typed there is the reply. Another nc than OpenBSD's has other options.
#[test]
fn tcp_client_talks_with_a_listening_nc() {
    let nc = foreign_server("nc.openbsd -N -v -l 127.0.0.1 0");
    if let Some((mut nc, address)) = nc {
        let mut keyboard = nc.0.stdin.take().unwrap();
        keyboard.write_all("typed 你好".as_bytes()).unwrap();
        drop(keyboard);
        let output = client("tcp-client").args(["-q", &address.to_string()]).output().unwrap();
        assert_eq!(stdout(&output), "Received: typed 你好\n", "{}", stderr(&output));
    }
}

#[test]
fn make_python_shows_the_samples_own_conversations() {
    if !has(&["make", "python3"]) {
        return;
    }
    let mut make = Command::new("make");
    make.arg("python").current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    let output = output(&mut make);
    let shown = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{shown}{}", stderr(&output));
    assert_eq!(shown.matches("Received: Hello, server!\n").count(), 2, "{shown}");
    for line in ["server_socket.listen(5)", "conn.close()", "server_socket.sendto(data, addr)"] {
        assert!(shown.contains(line), "{shown}");
    }
}
