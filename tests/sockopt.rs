//! Options and states (the document's section 3.3), each held against the running system.

mod common;

use socket_lab::sockopt::*;
use std::net::{TcpListener, TcpStream, UdpSocket};

/// The fields of the line of /proc/net/tcp with these two ends.
#[cfg(target_os = "linux")]
fn proc_net_tcp(local: std::net::SocketAddr, remote: std::net::SocketAddr) -> Vec<String> {
    use std::net::SocketAddr;
    let end = |address: SocketAddr| match address {
        SocketAddr::V4(v4) => {
            format!("{:08X}:{:04X}", u32::from_ne_bytes(v4.ip().octets()), v4.port())
        }
        SocketAddr::V6(_) => unreachable!(),
    };
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let ends = format!(" {} {} ", end(local), end(remote));
    let line = table.lines().find(|line| line.contains(&ends)).expect(&ends);
    line.split_whitespace().map(str::to_owned).collect()
}

#[cfg(target_os = "linux")] // /proc/net/tcp shows the timer.
#[test]
fn an_accepted_connection_has_the_keep_alive_timer() {
    let mut server = common::Server::start("tcp-server", &[]);
    let client = server.connect();
    let trace = server.trace_until("5 establish");
    assert!(trace.ends_with("SO_KEEPALIVE=1"), "{trace}");
    let timer =
        |local, remote| proc_net_tcp(local, remote)[5].split_once(':').unwrap().0.to_owned();
    // proc(5), /proc/net/tcp: 02 is the keep-alive timer, 00 none.
    assert_eq!(timer(server.address, client.local_addr().unwrap()), "02");
    assert_eq!(timer(client.local_addr().unwrap(), server.address), "00");
}

#[test]
fn only_a_listener_accepts_connections() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert_ne!(getsockopt(&listener, SO_ACCEPTCONN).unwrap(), 0);
    assert_eq!(getsockopt(&stream, SO_ACCEPTCONN).unwrap(), 0);
    assert_eq!(getsockopt(&UdpSocket::bind("127.0.0.1:0").unwrap(), SO_ACCEPTCONN).unwrap(), 0);
}

#[cfg(unix)] // Windows says it by recvfrom instead, error 10054: tests/udp_faults.rs.
#[test]
fn so_error_says_once_that_a_datagram_was_refused() {
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(closed).unwrap();
    socket.send(b"anybody?").unwrap();
    // The answer (ICMP: port unreachable) comes when it comes. To wait in recv would take the error.
    let error = (0..1000).find_map(|_| match getsockopt(&socket, SO_ERROR).unwrap() {
        0 => {
            std::thread::sleep(std::time::Duration::from_millis(1));
            None
        }
        error => Some(error),
    });
    let error = std::io::Error::from_raw_os_error(error.unwrap());
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(getsockopt(&socket, SO_ERROR).unwrap(), 0);
}

#[test]
fn an_option_that_is_set_reads_as_set_and_one_that_is_cleared_as_cleared() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert_eq!(getsockopt(&stream, SO_KEEPALIVE).unwrap(), 0);
    setsockopt(&stream, SO_KEEPALIVE, 1).unwrap();
    assert_ne!(getsockopt(&stream, SO_KEEPALIVE).unwrap(), 0);
    setsockopt(&stream, SO_KEEPALIVE, 0).unwrap();
    assert_eq!(getsockopt(&stream, SO_KEEPALIVE).unwrap(), 0);
    let error = setsockopt(&stream, SO_ACCEPTCONN, 1).expect_err("it can only be read");
    assert!(
        !cfg!(target_os = "linux") || error.raw_os_error() == Some(92),
        "no ENOPROTOOPT: {error}"
    );
}

#[cfg(unix)] // On Windows it means something else, and std leaves it alone.
#[test]
fn a_server_starts_again_on_its_port_while_old_connections_are_in_time_wait() {
    let mut server = common::Server::start("tcp-server", &["--idle-timeout=0.05"]);
    assert!(!server.trace_until("2 bind").ends_with("SO_REUSEADDR=0"));
    let mut client = server.connect();
    // The side that closes first has to wait: let it be the server.
    assert_eq!(std::io::Read::read(&mut client, &mut [0; 1]).unwrap(), 0);
    let (address, port_of_client) = (server.address, client.local_addr().unwrap());
    drop(client);
    drop(server);
    #[cfg(target_os = "linux")]
    assert_eq!(proc_net_tcp(address, port_of_client)[3], "06", "06 is TIME_WAIT");
    let _ = port_of_client;
    let again = common::Server::at("tcp-server", &[], &address.to_string());
    assert_eq!(again.address, address);
}

/// How many of five clients are connected while the first one keeps the only thread busy.
#[cfg(target_os = "linux")]
fn connected_of_five(options: &[&str]) -> usize {
    let mut server = common::Server::start("tcp-server", options);
    let first = server.connect();
    server.trace_until("5 establish");
    let wait = std::time::Duration::from_millis(300);
    let others: Vec<_> =
        (1..5).filter_map(|_| TcpStream::connect_timeout(&server.address, wait).ok()).collect();
    drop(first);
    1 + others.len()
}

/// Linux completes a handshake while no more than `backlog` connections wait, so that it keeps one
/// more than that; listen(2), and tcp(7) on `tcp_abort_on_overflow`.
#[cfg(target_os = "linux")] // Other systems let in more, or drop differently.
#[test]
fn the_queue_of_listen_is_as_long_as_asked_for() {
    let one_served = "--max-connections=1";
    assert_eq!(connected_of_five(&[one_served, "--backlog=1"]), 1 + 2);
    assert_eq!(connected_of_five(&[one_served, "--backlog=2"]), 1 + 3);
    assert_eq!(connected_of_five(&[one_served]), 5);
}

#[cfg(unix)] // A Python for Windows is called otherwise, and there is none for wine here.
#[test]
fn python_has_the_same_numbers_and_reads_the_same_values() {
    if !common::has(&["python3"]) {
        return;
    }
    let mut python = std::process::Command::new("python3");
    let python = python.arg("tests/python/socket_options.py").output().unwrap();
    let options = [SO_REUSEADDR, SO_ERROR, SO_KEEPALIVE, SO_ACCEPTCONN];
    let numbers = options.map(|option| format!("{option:?}")).join(" ");
    let mut ours = numbers.replace("SocketOption(", "").replace(')', "") + "\n";
    macro_rules! show {
        ($socket:expr) => {{
            let values = options.map(|option| getsockopt(&$socket, option).unwrap().to_string());
            ours.push_str(&format!("{}\n", values.join(" ")));
        }};
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listen(&listener, 5).unwrap();
    show!(listener);
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    show!(client);
    let (conn, _) = listener.accept().unwrap();
    setsockopt(&conn, SO_KEEPALIVE, 1).unwrap();
    show!(conn);
    show!(UdpSocket::bind("127.0.0.1:0").unwrap());
    assert_eq!(ours, String::from_utf8(python.stdout).unwrap());
}
