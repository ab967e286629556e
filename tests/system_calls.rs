//! Line by line down to the system: strace shows the document's calls in the document's order.
#![cfg(target_os = "linux")] // strace(1) is of Linux.

mod common;

use common::{has, output, program_path, seen, Server};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// A program under strace. With -D it stays our own child, so that the guard ends it and not strace.
struct Traced {
    command: Command,
    file: PathBuf,
}

fn traced(program: &str, args: &[&str]) -> Traced {
    traced_as(&["-e", "trace=network,close,write,poll"], program, args)
}

fn traced_as(options: &[&str], program: &str, args: &[&str]) -> Traced {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("socket-lab-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
    let file = std::env::temp_dir().join(name);
    let mut command = Command::new("strace");
    command.args(["-D", "-f"]).args(options).arg("-o").arg(&file);
    command.arg(program_path(program)).args(args);
    Traced { command, file }
}

/// The network calls in their order, each with its arguments and result; close only of sockets.
fn calls(file: &Path) -> Vec<String> {
    let ended = |text: &str| text.lines().any(|line| line.contains("+++ exited with"));
    let mut text = String::new();
    while !ended(&text) {
        std::thread::sleep(Duration::from_millis(5));
        text = std::fs::read_to_string(file).unwrap();
    }
    std::fs::remove_file(file).unwrap();
    let mut sockets = Vec::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let call = line.split_once(' ').unwrap().1.trim();
        let name = call.split('(').next().unwrap();
        let result = call.rsplit(" = ").next().unwrap();
        if name == "socket" || name == "accept4" || call.starts_with("<... accept4") {
            sockets.push(format!("close({result})"));
        }
        let other_close =
            name == "close" && !sockets.iter().any(|close| call.starts_with(&close[..]));
        if !other_close && !call.starts_with("<...") && !call.starts_with("+++") {
            calls.push(call.to_owned());
        }
    }
    calls
}

/// Those of the document's calls among `calls`, and what makes a difference in them, as the README has them.
fn of_the_document(calls: &[String]) -> Vec<String> {
    // What Rust polls before the first socket are its own three files.
    calls
        .iter()
        .skip_while(|call| !call.starts_with("socket("))
        .filter_map(|call| {
            let name = match call.split('(').next().unwrap() {
                // 32-bit systems have calls of their own for these.
                "send" => "sendto",
                "recv" => "recvfrom",
                name => name,
            };
            let detail = match name {
                "setsockopt" => ["SO_REUSEADDR", "SO_KEEPALIVE", "TCP_NODELAY"]
                    .into_iter()
                    .find(|option| call.contains(&format!("{option}, [1]")))?,
                "listen" => call.split_once(", ")?.1.split(')').next()?,
                "socket" | "bind" | "connect" | "poll" | "accept4" | "sendto" | "recvfrom"
                | "shutdown" | "close" => return Some(name.to_owned()),
                _ => return None,
            };
            Some(format!("{name}({detail})"))
        })
        .collect()
}

fn first_socket(calls: &[String]) -> &str {
    calls.iter().find(|call| call.starts_with("socket(")).unwrap()
}

/// Those of one side in the README's table.
fn of_the_readme(protocol: &str, side: &str) -> Vec<String> {
    seen(protocol, side, "system calls").into_iter().flat_map(|(_, calls)| calls).collect()
}

/// The calls of a server and of a client in one conversation.
fn conversation(protocol: &str, options: &[&str]) -> [Vec<String>; 2] {
    let mut args = options.to_vec();
    args.push("--count=1");
    if protocol == "tcp" {
        args.push("--max-connections=1");
    }
    args.push("127.0.0.1:0");
    let server = traced(&format!("{protocol}-server"), &args);
    let mut running = Server::run(server.command);
    let mut args = options.to_vec();
    let address = running.address.to_string();
    args.push(&address);
    let mut client = traced(&format!("{protocol}-client"), &args);
    assert!(output(&mut client.command).status.success());
    assert!(running.finish().0.success());
    [calls(&server.file), calls(&client.file)]
}

#[test]
fn tcp_makes_the_calls_that_the_readme_shows_in_the_documents_order() {
    if !has(&["strace"]) {
        return;
    }
    let [server, client] = conversation("tcp", &["-q"]);
    // With --count it closes its listening socket too.
    let expected = [of_the_readme("tcp", "server"), vec!["close".to_owned()]].concat();
    assert_eq!(of_the_document(&server), expected, "{server:#?}");
    assert_eq!(of_the_document(&client), of_the_readme("tcp", "client"), "{client:#?}");
    assert!(first_socket(&server).contains("AF_INET, SOCK_STREAM"), "{server:#?}");
    assert!(client.iter().any(|call| call.starts_with("shutdown(") && call.contains("SHUT_WR")));
}

#[test]
fn udp_makes_the_calls_that_the_readme_shows_in_the_documents_order() {
    if !has(&["strace"]) {
        return;
    }
    let [server, client] = conversation("udp", &["-q"]);
    let expected = [of_the_readme("udp", "server"), vec!["close".to_owned()]].concat();
    assert_eq!(of_the_document(&server), expected, "{server:#?}");
    assert_eq!(of_the_document(&client), of_the_readme("udp", "client"), "{client:#?}");
    assert!(first_socket(&server).contains("AF_INET, SOCK_DGRAM"), "{server:#?}");
}

/// The sizes that the server's recv is asked for, while one client does `work`.
fn asked_for(work: impl Fn(&mut TcpStream)) -> Vec<String> {
    let server = traced("tcp-server", &["-q", "--count=1", "127.0.0.1:0"]);
    let mut running = Server::run(server.command);
    work(&mut running.connect());
    running.finish();
    let calls = calls(&server.file);
    let recv = calls.iter().filter(|call| call.starts_with("recv"));
    recv.map(|call| call.rsplit(", ").nth(3).unwrap().to_owned()).collect()
}

/// The document's own size at first, and twice that whenever a recv has filled it.
#[test]
fn the_servers_buffer_grows_from_1_kib_to_64_for_a_stream_alone() {
    if !has(&["strace"]) {
        return;
    }
    let asked = asked_for(|client| {
        for length in [1, 1023, 1024, 2047, 2048, 1, 4096] {
            client.write_all(&vec![0; length]).unwrap();
            client.read_exact(&mut vec![0; length]).unwrap();
        }
    });
    assert_eq!(asked, ["1024", "1024", "1024", "2048", "2048", "4096", "4096", "8192"]);
    // More than the system keeps for both directions, so that the server is blocked in send while
    // data comes; its recv then finds more than 64 KiB.
    let mut asked = asked_for(|client| {
        let mut sender = client.try_clone().unwrap();
        let sending = std::thread::spawn(move || sender.write_all(&vec![0; 32 << 20]).unwrap());
        client.read_exact(&mut vec![0; 32 << 20]).unwrap();
        sending.join().unwrap();
    });
    asked.dedup();
    assert_eq!(asked, ["1024", "2048", "4096", "8192", "16384", "32768", "65536"]);
}

/// So that it stands on a terminal in one piece.
#[test]
fn a_reply_of_up_to_64_kib_is_one_write() {
    if !has(&["strace"]) {
        return;
    }
    let server = Server::start("tcp-server", &["-q"]);
    for length in [0, 14, 64 * 1024 - "Received: ".len()] {
        let mut client =
            traced("tcp-client", &["-q", &server.address.to_string(), &"x".repeat(length)]);
        let output = output(&mut client.command);
        assert_eq!(output.stdout.len(), "Received: ".len() + length + "\n".len());
        let calls = calls(&client.file);
        let writes = calls.iter().filter(|call| call.starts_with("write(1,")).count();
        assert_eq!(writes, 1, "{calls:#?}");
    }
}

#[test]
fn quiet_makes_no_call_whose_only_use_is_the_trace() {
    if !has(&["strace"]) {
        return;
    }
    let getsockopt = |calls: [Vec<String>; 2]| {
        calls.map(|calls| calls.iter().filter(|call| call.starts_with("getsockopt")).count())
    };
    assert_eq!(getsockopt(conversation("tcp", &["-q"])), [0, 0]);
    // The client reads none in any case: to read SO_ERROR would take an error away from recv.
    assert_eq!(getsockopt(conversation("tcp", &[])), [4, 0]);
}

/// The pause leaves the CPU to others while, for example, memory is short. After ECONNRESET, which on Windows
/// tells that an earlier client has closed, there is nothing to wait for.
#[test]
fn udp_server_goes_on_after_an_error_of_recvfrom_with_a_pause_where_that_helps() {
    if !has(&["strace"]) {
        return;
    }
    for (error, expected) in
        [("ENOMEM", &["recv", "sleep", "recv", "sleep", "recv"][..]), ("ECONNRESET", &["recv"; 3])]
    {
        let inject = format!("inject=recvfrom:error={error}:when=1..2");
        let options = ["-e", "trace=recvfrom,nanosleep,clock_nanosleep", "-e", &inject];
        let server = traced_as(&options, "udp-server", &["--count=1", "127.0.0.1:0"]);
        let mut running = Server::run(server.command);
        let output = common::client("udp-client").arg(running.address.to_string()).output();
        assert!(output.unwrap().status.success());
        let (_, trace) = running.finish();
        let told = trace.iter().filter(|line| line.contains("cannot receive: ")).count();
        assert_eq!(told, 2, "{trace:#?}");
        let calls = calls(&server.file);
        let names = calls.iter().map(|call| if call.contains("sleep(") { "sleep" } else { "recv" });
        assert_eq!(names.collect::<Vec<_>>(), expected, "{calls:#?}");
    }
}
