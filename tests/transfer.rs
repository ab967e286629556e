//! Data over TCP and UDP, both ways: whole, of any size, for several clients, by name and by number.

mod common;

use common::{client, lines, noise, program_path, stderr, stdout};
use common::{Running, Server, LARGEST, LONGEST_ARGUMENT, PATIENCE};
use std::io::{Read, Write};
use std::process::{Command, Stdio};

const PAIRS: [(&str, &str); 2] = [("tcp-server", "tcp-client"), ("udp-server", "udp-client")];

#[test]
fn a_message_comes_back() {
    for (server, program) in PAIRS {
        let server = Server::start(server, &[]);
        let address = server.address.to_string();
        for message in [
            "Hello, server!",
            "你好",
            "مرحبا",
            "🦀👩‍🔬",
            "e\u{301}",
            "",
            "two\nlines",
            "——quiet",
            "－",
            "-",
        ] {
            let mut command = client(program);
            command.args(["--", &address, message]);
            if message == "-" {
                command.write_stdin("from stdin\n");
            }
            let output = command.output().unwrap();
            let expected = if message == "-" {
                "from stdin\n".into()
            } else {
                format!("Received: {message}\n")
            };
            assert_eq!(stdout(&output), expected, "{program} {message:?}: {}", stderr(&output));
            assert_eq!(output.status.code(), Some(0));
        }
    }
}

/// Python asks the locale how to read its arguments; the programs take UTF-8 in any.
#[test]
fn messages_in_any_script_are_sent_shown_and_traced_whatever_the_locale() {
    for locale in ["C", "POSIX", "zh_CN.GB18030", "no such locale"] {
        for (server, program) in PAIRS {
            let mut command = Command::new(program_path(server));
            command.args(["--count=1", "127.0.0.1:0"]).env("LC_ALL", locale);
            let mut server = Server::run(command);
            let message = "你好 مرحبا 🦀👩‍🔬 e\u{301}";
            let mut command = client(program);
            command.args([&server.address.to_string(), message]).env("LC_ALL", locale);
            let output = command.output().unwrap();
            assert_eq!(stdout(&output), format!("Received: {message}\n"), "{locale}");
            assert!(stderr(&output).contains(&format!(" received: {message}\n")), "{locale}");
            assert!(
                server.trace_until("6 transfer").ends_with(&format!(": {message}")),
                "{locale}"
            );
        }
    }
}

#[test]
fn both_sides_name_the_same_end_of_a_connection() {
    let mut server = Server::start("tcp-server", &[]);
    let output = client("tcp-client").arg(server.address.to_string()).output().unwrap();
    let end = |trace: &str| {
        let line = trace.split_once("5 establish  ").expect(trace).1;
        line.split(',').next().unwrap().to_owned()
    };
    assert_eq!(end(&stderr(&output)), end(&server.trace_until("5 establish")));
}

#[test]
fn a_file_comes_back_byte_for_byte() {
    let server = Server::start("tcp-server", &["-q"]);
    for size in [0, 1, 1 << 20] {
        let file = noise(size);
        let output = client("tcp-client")
            .args(["-q", &server.address.to_string(), "-"])
            .write_stdin(file.clone())
            .output();
        let output = output.unwrap();
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""), "{size} bytes");
        assert!(output.stdout == file, "{size} bytes");
    }
}

/// What does not fit into the buffers of both sides: a client that sent all before it read would hang.
#[test]
fn a_file_of_256_mib_comes_back_byte_for_byte_without_growing_in_memory() {
    let server = Server::start("tcp-server", &["-q"]);
    let mut command = Command::new(program_path("tcp-client"));
    command
        .args(["-q", &server.address.to_string(), "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = Running::start(&mut command);
    let mut input = child.0.stdin.take().unwrap();
    let piece = noise(1 << 20);
    let sent = piece.clone();
    let writer = std::thread::spawn(move || (0..256).for_each(|_| input.write_all(&sent).unwrap()));
    let mut output = child.0.stdout.take().unwrap();
    let mut copy = vec![0; 1 << 20];
    for _ in 0..255 {
        output.read_exact(&mut copy).unwrap();
        assert!(copy == piece);
    }
    // While there is still something to send, both are alive to be measured.
    if cfg!(target_os = "linux") {
        for id in [child.0.id(), server.id()] {
            let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
            let peak = status.split_once("VmHWM:").unwrap().1.split_whitespace().next().unwrap();
            assert!(peak.parse::<u32>().unwrap() < 16 * 1024, "{peak} KiB");
        }
    }
    output.read_exact(&mut copy).unwrap();
    assert!(copy == piece);
    writer.join().unwrap();
    assert_eq!(output.read(&mut copy).unwrap(), 0);
    assert_eq!(child.finish().status.code(), Some(0));
}

#[test]
fn each_typed_line_comes_back_at_once() {
    for (server, program) in PAIRS {
        let server = Server::start(server, &[]);
        let mut command = Command::new(program_path(program));
        command
            .args(["-q", &server.address.to_string(), "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = Running::start(&mut command);
        let mut keyboard = child.0.stdin.take().unwrap();
        let screen = lines(child.0.stdout.take().unwrap());
        for line in ["one", "two\r", "", "四"] {
            keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
            assert_eq!(screen.recv_timeout(PATIENCE).unwrap(), line, "{program}");
        }
        drop(keyboard);
        assert_eq!(child.finish().status.code(), Some(0), "{program}");
    }
}

#[test]
fn a_datagram_of_any_size_comes_back_whole_and_a_larger_one_is_refused_before_sending() {
    let mut server = Server::start("udp-server", &[]);
    let address = server.address.to_string();
    for size in [0, 1, 1472, 1473, LARGEST.min(LONGEST_ARGUMENT)] {
        let message = "x".repeat(size);
        let output = client("udp-client").args([&address, &message]).output().unwrap();
        assert!(stdout(&output) == format!("Received: {message}\n"), "{size}: {}", stderr(&output));
        assert!(server.trace_until("6 transfer").contains(&format!(", {size} bytes received: ")));
    }
    let line = "x".repeat(LARGEST);
    let output =
        client("udp-client").args(["-q", &address, "-"]).write_stdin(&*line).output().unwrap();
    assert!(stdout(&output) == line, "{}", stderr(&output));
    let line = "x".repeat(65_508);
    if line.len() <= LONGEST_ARGUMENT {
        let output = client("udp-client").args([&address, &line]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(stderr(&output).lines().next().unwrap(), "udp-client: MESSAGE has 65508 bytes");
    }
    let output =
        client("udp-client").args(["-q", &address, "-"]).write_stdin(line).output().unwrap();
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
    assert!(stderr(&output).contains("65507"), "{}", stderr(&output));
}

#[test]
fn each_line_is_a_datagram_of_its_own() {
    let mut server = Server::start("udp-server", &["--count", "3"]);
    let output = client("udp-client")
        .args(["-q", &server.address.to_string(), "-"])
        .write_stdin("first\n\nlast, without an end")
        .output()
        .unwrap();
    assert_eq!(stdout(&output), "first\n\nlast, without an end");
    let (status, trace) = server.finish();
    assert_eq!(status.code(), Some(0));
    let transfers: Vec<&str> = trace
        .iter()
        .filter_map(|line| Some(line.split_once("6 transfer")?.1.split_once(", ")?.1))
        .collect();
    assert_eq!(
        transfers,
        [
            r"6 bytes received: first\n",
            r"1 bytes received: \n",
            "20 bytes received: last, without an end"
        ]
    );
}

#[test]
fn a_silent_client_does_not_keep_the_next_ones_from_being_served() {
    let server = Server::start("tcp-server", &[]);
    let _silent: Vec<_> = (0..20).map(|_| server.connect()).collect();
    let output = client("tcp-client").arg(server.address.to_string()).output().unwrap();
    assert_eq!(stdout(&output), "Received: Hello, server!\n");
}

#[test]
fn count_serves_so_many_to_their_end_and_never_one_more() {
    let mut server = Server::start("tcp-server", &["--count", "2"]);
    let mut early = server.connect();
    server.trace_until("5 establish");
    let output = client("tcp-client").arg(server.address.to_string()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    server.trace_until("7 close");
    // All are accepted; the first is still being served.
    let mut surplus = std::net::TcpStream::connect(server.address).unwrap();
    let _ = surplus.write_all(b"not served");
    early.write_all(b"still here").unwrap();
    early.shutdown(std::net::Shutdown::Write).unwrap();
    let mut reply = String::new();
    early.read_to_string(&mut reply).unwrap();
    assert_eq!(reply, "still here");
    let (status, trace) = server.finish();
    assert_eq!(status.code(), Some(0));
    assert_eq!(trace.iter().filter(|line| line.contains("5 establish")).count(), 2, "{trace:#?}");
    assert_eq!(surplus.read(&mut [0; 16]).unwrap_or(0), 0);
}

#[test]
fn ipv6_works_in_brackets() {
    if !common::has_ipv6() {
        return;
    }
    for (server, program) in PAIRS {
        let server = Server::at(server, &["--count=1"], "[::1]:0");
        assert!(server.address.is_ipv6());
        let output = client(program).arg(server.address.to_string()).output().unwrap();
        assert_eq!(stdout(&output), "Received: Hello, server!\n", "{}", stderr(&output));
        assert!(stderr(&output).contains(", IPv6\n"));
    }
}

/// In a network of its own, where the machine has such an address.
#[cfg(target_os = "linux")] // Other systems have no network namespaces.
#[test]
fn a_link_local_address_is_reached_by_the_name_of_its_zone() {
    // The address has its route only a moment later.
    let script = r#"ip link set lo up && ip address add fe80::1/64 dev lo nodad &&
        until ip -6 route show table local | grep -q fe80::1; do sleep 0.01; done &&
        timeout 8 "$0" --count 1 '[fe80::1%lo]:0' | { read -r ready && "$1" "[fe80::1%lo]:${ready##*:}"; }"#;
    if !common::has_ipv6() || !common::may_unshare("-rn") {
        return;
    }
    for (server, program) in PAIRS {
        let mut command = Command::new("unshare");
        command.args(["-rn", "sh", "-c", script]);
        command.args([program_path(server), program_path(program)]);
        let output = common::output(&mut command);
        assert_eq!(stdout(&output), "Received: Hello, server!\n", "{}", stderr(&output));
    }
}

/// What `ready on` prints is what gets typed; the trace shows the address that is used.
#[test]
fn a_server_on_all_addresses_is_reached_by_the_address_that_it_prints() {
    for (server, program) in PAIRS {
        for (any, local) in [("0.0.0.0", "127.0.0.1"), ("[::]", "[::1]")] {
            if any == "[::]" && !common::has_ipv6() {
                continue;
            }
            let server = Server::at(server, &[], &format!("{any}:0"));
            let output = client(program).arg(server.address.to_string()).output().unwrap();
            assert_eq!(stdout(&output), "Received: Hello, server!\n", "{}", stderr(&output));
            let used = format!("   {local}:{}", server.address.port());
            assert!(stderr(&output).contains(&used), "{}", stderr(&output));
        }
    }
}

#[cfg(target_os = "linux")] // Elsewhere a scope of 1 may be another interface's.
#[test]
fn an_address_with_a_scope_that_does_not_count_is_the_servers() {
    if !common::has_ipv6() {
        return;
    }
    for (server, program) in PAIRS {
        let server = Server::at(server, &[], "[::1]:0");
        let address = format!("[::1%1]:{}", server.address.port());
        let output = client(program).arg(address).output().unwrap();
        assert_eq!(stdout(&output), "Received: Hello, server!\n", "{}", stderr(&output));
    }
}

#[test]
fn localhost_is_reached() {
    for (server, program) in PAIRS {
        let server = Server::start(server, &["--count=1"]);
        let output =
            client(program).arg(format!("localhost:{}", server.address.port())).output().unwrap();
        assert_eq!(stdout(&output), "Received: Hello, server!\n", "{}", stderr(&output));
    }
}

/// In a mount namespace of its own, whose /etc/hosts names ::1 first, and a server on either address.
#[cfg(target_os = "linux")] // Other systems have no mount namespaces.
#[test]
fn of_a_name_with_two_addresses_tcp_client_tries_each_ipv4_first_and_udp_client_takes_the_first() {
    if !common::has_ipv6() || !common::may_unshare("-rm") {
        return;
    }
    let script = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
    let hosts = std::env::temp_dir().join(format!("socket-lab-hosts-{}", std::process::id()));
    std::fs::write(&hosts, "::1 both.test\n127.0.0.1 both.test\n").unwrap();
    for (server, program) in PAIRS {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let server = Server::at(server, &[], address);
            let port = server.address.port();
            let mut command = Command::new("unshare");
            command.args(["-rm", "sh", "-c", script]).arg(&hosts).arg(program_path(program));
            command.args(["--timeout=0.5", &format!("both.test:{port}")]);
            let output = common::output(&mut command);
            let error = stderr(&output);
            let step = if program == "tcp-client" { "4 connect    " } else { "6 transfer   " };
            let asked = error
                .lines()
                .filter_map(|line| line.split_once(step)?.1.split(&[',', ' '][..]).next());
            let mut asked: Vec<&str> = asked.filter(|address| !address.ends_with(':')).collect();
            asked.dedup();
            let (v4, v6) = (format!("127.0.0.1:{port}"), format!("[::1]:{port}"));
            match (program, server.address.is_ipv6()) {
                ("udp-client", true) => {
                    assert_eq!(asked, [&v4]);
                    assert_eq!(output.status.code(), Some(1));
                    assert!(error.contains(&format!("no reply from {v4} ")), "{error}");
                    continue;
                }
                (_, false) => assert_eq!(asked, [v4]),
                (_, true) => assert_eq!(asked, [v4, v6]),
            }
            assert_eq!(stdout(&output), "Received: Hello, server!\n", "{error}");
        }
    }
    std::fs::remove_file(hosts).unwrap();
}

#[cfg(unix)] // Windows has no make.
#[test]
fn the_demo_works_twice_at_the_same_time_while_port_8888_is_taken() {
    if !common::has(&["make"]) {
        return;
    }
    let _taken = (
        std::net::TcpListener::bind("127.0.0.1:8888"),
        std::net::UdpSocket::bind("127.0.0.1:8888"),
    );
    let demo = || {
        let mut make = Command::new("make");
        make.arg("demo").current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
        Running::start(make.stdout(Stdio::piped()).stderr(Stdio::piped()))
    };
    for output in [demo(), demo()].map(Running::finish) {
        let (out, trace) = (stdout(&output), stderr(&output));
        assert_eq!(output.status.code(), Some(0), "{out}{trace}");
        assert_eq!(out.matches("Received: Hello, server!\n").count(), 2, "{out}");
        for step in common::STEPS {
            assert!(trace.contains(step), "{step} is missing:\n{trace}");
        }
    }
}
