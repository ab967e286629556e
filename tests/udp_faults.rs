//! What ends other UDP servers and misleads other clients: strange sources, lost and foreign datagrams.

mod common;

use common::{client, noise, stderr, stdout, udp_peer, Server, LARGEST, PATIENCE};
use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// The server answers the next client.
fn assert_serves(server: &Server) {
    let output = client("udp-client")
        .args(["--tries=3", "--timeout=5", &server.address.to_string()])
        .output();
    let output = output.unwrap();
    assert_eq!(stdout(&output), "Received: Hello, server!\n", "{}", stderr(&output));
}

/// Sends a datagram of 5 bytes from any source port, through a raw socket: only root may.
#[cfg(target_os = "linux")] // Others send no such datagram: macOS and Windows refuse it.
fn send_from(port: u16, server: SocketAddr) -> bool {
    let ports = [port.to_string(), server.port().to_string()];
    let mut python = std::process::Command::new("python3");
    common::output(python.arg("tests/python/send_from.py").args(ports)).status.success()
}

#[cfg(target_os = "linux")] // Others send no datagram from port 0: see send_from.
#[test]
fn what_no_client_sends_is_ignored_said_and_not_answered() {
    if !common::has(&["python3"]) {
        return;
    }
    let mut server = Server::start("udp-server", &[]);
    let well_known = match UdpSocket::bind("127.0.0.1:1023") {
        Ok(socket) => socket,
        Err(_) => return common::skip("only root may send from port 1023"),
    };
    well_known.send_to(b"bogus", server.address).unwrap();
    let line = server.trace_until("6 transfer");
    assert_eq!(line, "udp-server: 6 transfer   127.0.0.1:1023, 5 bytes ignored: port 0 to 1023");
    for port in [0, server.address.port()] {
        if !send_from(port, server.address) {
            return common::skip("only root may send from any port");
        }
        let line = server.trace_until("6 transfer");
        assert!(line.contains(&format!(" 127.0.0.1:{port}, 5 bytes ignored: ")), "{line}");
    }
    assert_serves(&server);
    server.trace_until("14 bytes received: Hello");
    assert_eq!(
        server.seen.iter().filter(|line| line.contains("6 transfer")).count(),
        4,
        "{:#?}",
        server.seen
    );
    well_known.set_nonblocking(true).unwrap();
    assert_eq!(well_known.recv(&mut [0; 9]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[cfg(target_os = "linux")] // A datagram from the server's own address: see send_from.
#[test]
fn a_server_for_all_addresses_knows_its_own_too() {
    if !common::has(&["python3"]) {
        return;
    }
    let mut server = Server::at("udp-server", &[], "0.0.0.0:0");
    server.address.set_ip([127, 0, 0, 1].into());
    if !send_from(server.address.port(), server.address) {
        return common::skip("only root may send from any port");
    }
    assert!(server.trace_until("6 transfer").ends_with("5 bytes ignored: own address"));
    assert_serves(&server);
}

/// To know its own address it opens a socket; where it cannot, it takes the address for its own.
#[cfg(target_os = "linux")]
#[test]
fn a_server_without_a_free_descriptor_does_not_answer_itself_either() {
    if !common::has(&["python3"]) {
        return;
    }
    // Standard streams, its socket, and none that it inherited.
    let setup = "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; ulimit -n 4";
    let mut server = Server::through_shell(setup, "udp-server", &[]);
    if !send_from(server.address.port(), server.address) {
        return common::skip("only root may send from any port");
    }
    assert!(server.trace_until("6 transfer").ends_with("5 bytes ignored: own address"));
    assert_serves(&server);
}

/// Ctrl-Z, and fg when the time is over: the reply has come, and waits in the socket.
#[cfg(unix)] // Windows has no signals.
#[test]
fn a_reply_that_came_while_the_client_was_stopped_is_taken() {
    use std::process::{Command, Stdio};
    use std::sync::mpsc::channel;
    let (asked, question) = channel();
    let (answer, go) = channel();
    let peer = udp_peer(move |socket| {
        let (_, from) = socket.recv_from(&mut [0; 100]).unwrap();
        asked.send(()).unwrap();
        go.recv().unwrap();
        socket.send_to(b"late", from).unwrap();
        asked.send(()).unwrap();
    });
    let mut command = Command::new(common::program_path("udp-client"));
    command.args(["-q", "--timeout=1.5", "--tries=1", &peer]);
    let child = common::Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    question.recv_timeout(PATIENCE).unwrap();
    // Within recvfrom, which alone makes it sleep: elsewhere the stop would not show whether it looks again.
    while cfg!(target_os = "linux") && common::state(child.0.id()) != 'S' {
        thread::yield_now();
    }
    common::set_stopped(child.0.id(), true);
    answer.send(()).unwrap();
    question.recv_timeout(PATIENCE).unwrap();
    thread::sleep(Duration::from_millis(1800)); // Longer than the time-out of the stopped client.
    common::set_stopped(child.0.id(), false);
    let output = child.finish();
    assert_eq!(stdout(&output), "Received: late\n", "{}", stderr(&output));
}

#[test]
fn an_empty_and_a_largest_datagram_come_back_and_a_client_that_has_gone_is_no_harm() {
    let server = Server::start("udp-server", &[]);
    let socket_here = socket();
    for size in [0, LARGEST] {
        let data = noise(size);
        socket_here.send_to(&data, server.address).unwrap();
        let mut reply = vec![0; 70_000];
        let (length, from) = socket_here.recv_from(&mut reply).unwrap();
        assert!(reply[..length] == data && from == server.address);
    }
    for _ in 0..100 {
        socket().send_to(b"not waiting for the answer", server.address).unwrap();
    }
    assert_serves(&server);
}

/// The lowest port that any program may have is a client's like all others; on an address that nobody uses.
#[cfg(target_os = "linux")] // Elsewhere 127.0.0.2 has to be set up first.
#[test]
fn a_client_at_port_1024_is_answered() {
    let server = Server::start("udp-server", &[]);
    let lowest = UdpSocket::bind("127.0.0.2:1024").unwrap();
    lowest.set_read_timeout(Some(PATIENCE)).unwrap();
    lowest.send_to(b"lowest", server.address).unwrap();
    assert_eq!(lowest.recv(&mut [0; 9]).unwrap(), 6);
}

#[test]
fn after_a_flood_of_100_000_datagrams_the_next_client_is_answered() {
    let mut server = Server::start("udp-server", &["-q"]);
    let flood = socket();
    for _ in 0..100_000 {
        let _ = flood.send_to(&[0; 64], server.address);
    }
    assert_serves(&server);
    assert!(server.is_alive());
}

#[test]
fn drop_every_loses_every_nth_and_the_client_asks_again() {
    let mut server = Server::start("udp-server", &["--drop-every=2", "--count=3"]);
    let address = server.address.to_string();
    let output = client("udp-client")
        .args(["--timeout=0.2", &address, "-"])
        .write_stdin("1\n2\n3\n")
        .output();
    let output = output.unwrap();
    assert_eq!(stdout(&output), "1\n2\n3\n");
    let (status, trace) = server.finish();
    assert_eq!(status.code(), Some(0));
    let lost: Vec<bool> = trace
        .iter()
        .filter(|line| line.contains("6 transfer"))
        .map(|line| line.contains("dropped"))
        .collect();
    assert_eq!(lost, [false, true, false, true, false], "{trace:#?}");
    assert!(trace.last().unwrap().ends_with(", datagrams answered: 3"), "{trace:#?}");
    assert_eq!(stderr(&output).matches("(2 of 3)").count(), 2);
    // All lost, as far as this client can see.
    let server = Server::start("udp-server", &["--drop-every=1"]);
    let output = client("udp-client")
        .args(["-q", "--timeout=0.05", "--tries=2", &server.address.to_string()])
        .output();
    assert_eq!(output.unwrap().status.code(), Some(1));
}

/// The client's reply and trace; `serve` gets its first datagram, and where it came from.
fn against(serve: fn(UdpSocket, SocketAddr), options: &[&str]) -> (Option<i32>, String, String) {
    let address = udp_peer(move |socket| {
        let (_, from) = socket.recv_from(&mut [0; 100]).unwrap();
        serve(socket, from);
    });
    let output = client("udp-client").args(options).arg(address).output().unwrap();
    (output.status.code(), stdout(&output), stderr(&output))
}

#[test]
fn a_strangers_reply_is_ignored_and_said() {
    fn serve(socket: UdpSocket, from: SocketAddr) {
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"stranger", from).unwrap();
        socket.send_to(b"real", from).unwrap();
    }
    let (code, reply, trace) = against(serve, &[]);
    assert_eq!((code, reply.as_str()), (Some(0), "Received: real\n"));
    assert!(trace.contains(", 8 bytes ignored: not the server\n"), "{trace}");
}

/// As a server with two addresses does: the failure names who answered, with --quiet too.
#[test]
fn where_only_a_stranger_answered_the_failure_names_it() {
    fn serve(_: UdpSocket, from: SocketAddr) {
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        other.send_to(other.local_addr().unwrap().to_string().as_bytes(), from).unwrap();
    }
    for options in [&["--timeout=0.3", "--tries=1"][..], &["-q", "--timeout=0.3", "--tries=1"]] {
        let (code, reply, error) = against(serve, options);
        assert_eq!((code, reply.as_str()), (Some(1), ""));
        let hint = error.lines().last().unwrap();
        let parts = hint.split_once("udp-client: hint: what came from 127.0.0.1:").expect(hint);
        assert!(parts.1.ends_with(" was ignored; is the server there?"), "{hint}");
    }
}

#[test]
fn two_addresses_are_one_if_they_differ_in_what_does_not_say_who_sent() {
    use socket_lab::address::is_same;
    use std::net::SocketAddrV6;
    let address = |ip: &str, port, flow, scope| {
        SocketAddr::from(SocketAddrV6::new(ip.parse().unwrap(), port, flow, scope))
    };
    assert!(is_same(address("::1", 9, 0, 0), address("::1", 9, 7, 1)));
    assert!(is_same(address("fe80::1", 9, 0, 2), address("fe80::1", 9, 7, 2)));
    for other in
        [address("fe80::1", 9, 0, 3), address("fe80::2", 9, 0, 2), address("fe80::1", 8, 0, 2)]
    {
        assert!(!is_same(address("fe80::1", 9, 0, 2), other), "on another cable: {other}");
    }
    assert!(is_same(address("fec0::1", 9, 0, 2), address("fec0::1", 9, 0, 3)), "not link-local");
}

#[test]
fn a_steady_stream_of_strangers_does_not_prolong_the_wait() {
    fn serve(_: UdpSocket, from: SocketAddr) {
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        // Every millisecond, until the client has gone and its port with it.
        stranger.connect(from).unwrap();
        while stranger.send(b"stranger").is_ok() {
            thread::sleep(Duration::from_millis(1));
        }
    }
    let (code, reply, trace) = against(serve, &["--timeout=0.1", "--tries=2"]);
    assert_eq!((code, reply.as_str()), (Some(1), ""), "{trace}");
    assert!(trace.contains("ignored: not the server"), "{trace}");
}

#[test]
fn a_late_reply_to_an_earlier_try_is_taken() {
    fn serve(socket: UdpSocket, from: SocketAddr) {
        // It answers the first try when the second one comes.
        let (_, again) = socket.recv_from(&mut [0; 100]).unwrap();
        assert_eq!(again, from);
        socket.send_to(b"late", from).unwrap();
    }
    let (code, reply, trace) = against(serve, &["--timeout=0.1", "--tries=1000"]);
    assert_eq!((code, reply.as_str()), (Some(0), "Received: late\n"), "{trace}");
}

/// Two replies to the first line: the second of them must not pass for that to the next line.
#[test]
fn a_reply_too_many_is_not_taken_for_the_reply_to_the_next_line() {
    let address = udp_peer(|socket| {
        let mut buffer = [0; 100];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            for _ in 0..2 {
                socket.send_to(&buffer[..length], from).unwrap();
            }
        }
    });
    let output =
        client("udp-client").args([&address, "-"]).write_stdin("1\n2\n3\n").output().unwrap();
    assert_eq!(stdout(&output), "1\n2\n3\n");
}

#[test]
fn a_reply_may_be_longer_than_the_message_and_empty() {
    let (code, reply, _) =
        against(|socket, from| drop(socket.send_to(&[b'y'; LARGEST], from)), &[]);
    assert!(code == Some(0) && reply == format!("Received: {}\n", "y".repeat(LARGEST)));
    let (code, reply, _) = against(|socket, from| drop(socket.send_to(b"", from)), &[]);
    assert_eq!((code, reply.as_str()), (Some(0), "Received: \n"));
}
