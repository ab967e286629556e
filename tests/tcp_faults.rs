//! What brings other TCP servers down: used-up limits, and clients that do not behave.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::pedantic, clippy::indexing_slicing)]

mod common;

use common::{client, noise, Server, PATIENCE};
use socket_lab::cli::is_timeout;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

/// One byte there and back.
fn round_trip(stream: &mut TcpStream) {
    stream.write_all(b"x").unwrap();
    let mut reply = [0];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"x");
}

fn count(trace: &[String], text: &str) -> usize {
    trace.iter().filter(|line| line.contains(text)).count()
}

/// Each of `clients` has said "x": the next one is served when the one before has gone.
fn served_one_after_another(clients: Vec<TcpStream>) {
    for mut client in clients {
        let mut reply = [0];
        client.read_exact(&mut reply).unwrap();
        assert_eq!(&reply, b"x");
        round_trip(&mut client);
    }
}

fn clients_that_say_x(server: &Server, number: usize) -> Vec<TcpStream> {
    let clients = (0..number).map(|_| server.connect());
    clients
        .map(|mut client| {
            client.write_all(b"x").unwrap();
            client
        })
        .collect()
}

/// Processor time in hundredths of a second: fields 14 and 15 of /proc/PID/stat.
#[cfg(target_os = "linux")]
fn processor_time(id: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[cfg(target_os = "linux")] // `ulimit -n`, and /proc for the processor time.
#[test]
fn without_descriptors_it_waits_idly_says_so_once_and_serves_all_in_the_end() {
    let mut server = Server::through_shell("ulimit -n 20", "tcp-server", &["--count=50"]);
    let clients = clients_that_say_x(&server, 50);
    let line = server.trace_until("cannot accept: ");
    assert!(line.contains("(os error 24)"), "EMFILE; its text is the C library's: {line}");
    let before = processor_time(server.id());
    thread::sleep(Duration::from_secs(2)); // Not for luck: it is the time over which is measured.
    let used = processor_time(server.id()) - before;
    assert!(used <= 10, "{used} of 200 hundredths of a second");
    served_one_after_another(clients);
    let (status, trace) = server.finish();
    assert_eq!(status.code(), Some(0));
    assert_eq!(count(&trace, "cannot accept"), 1, "{trace:#?}");
    assert_eq!(count(&trace, "7 close"), 50);
}

#[cfg(target_os = "linux")] // `ulimit -v`, which other systems lack or ignore.
#[test]
fn without_memory_for_a_thread_those_that_run_go_on_and_the_others_are_served_later() {
    for limit in [10_000, 25_000, 32_345, 40_000] {
        let setup = format!("ulimit -v {limit}");
        let mut server = Server::through_shell(&setup, "tcp-server", &["--count=400"]);
        let mut clients = clients_that_say_x(&server, 400);
        server.trace_until("5 establish  no more threads: ");
        let mut first = clients.remove(0);
        first.read_exact(&mut [0]).unwrap();
        round_trip(&mut first);
        drop(first);
        served_one_after_another(clients);
        let (status, trace) = server.finish();
        assert_eq!(status.code(), Some(0), "{:?}", trace.last());
        assert_eq!(count(&trace, "no more threads"), 1);
        assert_eq!(count(&trace, "7 close"), 400);
    }
}

#[test]
fn beyond_max_connections_clients_wait_and_are_served_later() {
    let mut server = Server::start("tcp-server", &["--max-connections=2", "--count=5"]);
    let mut clients = clients_that_say_x(&server, 5);
    server.trace_until("5 establish  2 are open, others wait");
    for client in &mut clients[..2] {
        client.read_exact(&mut [0]).unwrap();
    }
    for client in &mut clients[2..] {
        client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert!(is_timeout(&client.read(&mut [0]).unwrap_err()));
        client.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    drop(clients.remove(0));
    drop(clients.remove(0));
    served_one_after_another(clients);
    let (status, trace) = server.finish();
    assert_eq!(status.code(), Some(0));
    assert_eq!(count(&trace, "others wait"), 1, "{trace:#?}");
}

#[test]
fn more_connections_than_a_process_has_memory_maps_for_are_refused() {
    let output = client("tcp-server").args(["--max-connections=15001", "127.0.0.1:0"]).output();
    assert_eq!(output.unwrap().status.code(), Some(2));
}

/// Sends and leaves the echo unread until both sides' buffers are full.
fn fill(mut stream: &TcpStream) {
    stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    let data = noise(1 << 16);
    while stream.write_all(&data).is_ok() {}
}

#[test]
fn a_reset_in_the_middle_of_a_transfer_is_a_close_line_and_nothing_else() {
    let mut server = Server::start("tcp-server", &[]);
    let client = server.connect();
    fill(&client);
    drop(client); // What is unread makes it a reset.
    let close = server.trace_until("7 close");
    assert!(close.contains("bytes echoed, then "), "{close}");
    let reset = if cfg!(windows) {
        ["os error 10053", "os error 10054"]
    } else {
        ["reset by peer", "Broken pipe"]
    };
    assert!(reset.iter().any(|reason| close.contains(reason)), "{close}");
    round_trip(&mut server.connect());
}

#[test]
fn a_client_that_sends_and_never_reads_leaves_its_thread_free_in_the_end() {
    let mut server = Server::start("tcp-server", &["--idle-timeout=1", "--max-connections=1"]);
    let stubborn = server.connect();
    fill(&stubborn);
    let close = server.trace_until("7 close");
    assert!(close.ends_with("then idle too long"), "{close}");
    round_trip(&mut server.connect());
}

#[test]
fn a_client_that_says_nothing_is_closed_after_the_idle_time() {
    let mut server = Server::start("tcp-server", &["--idle-timeout=0.1", "--max-connections=1"]);
    let mut silent = server.connect();
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
    assert!(server.trace_until("7 close").ends_with(", 0 bytes echoed, then idle too long"));
    round_trip(&mut server.connect());
}

#[test]
fn one_byte_at_a_time_comes_back_in_order() {
    let server = Server::start("tcp-server", &[]);
    let mut stream = server.connect();
    let data = noise(500);
    let mut reply = vec![0; data.len()];
    for (byte, place) in data.iter().zip(reply.chunks_mut(1)) {
        stream.write_all(&[*byte]).unwrap();
        stream.read_exact(place).unwrap();
    }
    assert_eq!(reply, data);
}

#[test]
fn a_client_that_half_closes_first_and_reads_later_gets_everything() {
    let server = Server::start("tcp-server", &[]);
    let mut stream = server.connect();
    let data = noise(1 << 20);
    stream.write_all(&data).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    assert!(reply == data);
}

#[test]
fn two_hundred_misbehaving_clients_do_not_harm_a_transfer_of_64_mib() {
    let server = Server::start("tcp-server", &["-q"]);
    let address = server.address;
    let bad = thread::spawn(move || {
        let mut kept = Vec::new();
        for number in 0..200 {
            let mut stream = TcpStream::connect(address).unwrap();
            match number % 4 {
                0 => (), // says nothing
                1 => {
                    let _ = stream.write_all(&noise(100_000)); // and never reads
                }
                2 => {
                    let _ = stream.write_all(b"x");
                    let _ = stream.peek(&mut [0]);
                    continue; // a reset: the echo is unread
                }
                _ => {
                    let _ = stream.write_all(b"y");
                    let _ = stream.shutdown(Shutdown::Write);
                }
            }
            kept.push(stream);
        }
        kept
    });
    let file = noise(64 << 20);
    let output = client("tcp-client")
        .args(["-q", &address.to_string(), "-"])
        .write_stdin(file.clone())
        .output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout == file);
    drop(bad.join().unwrap());
}

/// Ctrl-Z and fg; on Linux it waits until the program has really been stopped, and runs again.
#[cfg(unix)] // Windows has no signals.
fn stop_and_continue(id: u32) {
    let is_stopped = || {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        stat.rsplit_once(") ").unwrap().1.starts_with('T')
    };
    for (signal, stopped) in [("-STOP", true), ("-CONT", false)] {
        let kill = format!("kill {signal} {id}"); // The shell's own: kill(1) is not everywhere.
        std::process::Command::new("sh").args(["-c", &kill]).status().unwrap();
        while cfg!(target_os = "linux") && is_stopped() != stopped {
            thread::yield_now();
        }
    }
}

/// A signal that stops a program and one that continues it cut short its waits with a time-out: signal(7).
#[cfg(unix)] // Windows has no signals.
#[test]
fn a_server_that_was_stopped_and_continued_goes_on() {
    let mut server = Server::start("tcp-server", &[]);
    let mut streams: Vec<_> = (0..3).map(|_| server.connect()).collect();
    for stream in &mut streams {
        round_trip(stream);
    }
    for _ in 0..5 {
        stop_and_continue(server.id());
        for stream in &mut streams {
            round_trip(stream);
        }
    }
    assert!(server.is_alive());
}

#[cfg(unix)] // `2>&-` and /dev/full are the shell's and the system's.
#[test]
fn a_stderr_that_takes_nothing_does_not_keep_it_from_serving() {
    for setup in ["exec 2>&-", "exec 2>/dev/full"] {
        if setup.ends_with("full") && !cfg!(target_os = "linux") {
            continue;
        }
        for (server, program) in [("tcp-server", "tcp-client"), ("udp-server", "udp-client")] {
            let server = Server::through_shell(setup, server, &[]);
            let output = client(program).arg(server.address.to_string()).output().unwrap();
            assert_eq!(common::stdout(&output), "Received: Hello, server!\n", "{setup}");
        }
    }
}

#[test]
fn a_trace_whose_reader_has_gone_does_not_keep_it_from_serving() {
    let mut server = Server::start("tcp-server", &[]);
    server.forget_trace();
    for _ in 0..3 {
        round_trip(&mut server.connect());
    }
    assert!(server.is_alive());
}

#[test]
fn received_bytes_are_escaped_in_the_trace_and_echoed_untouched() {
    let mut server = Server::start("tcp-server", &[]);
    let mut stream = server.connect();
    let mut check = |sent: &[u8], shown: &str| {
        stream.write_all(sent).unwrap();
        let mut reply = vec![0; sent.len()];
        stream.read_exact(&mut reply).unwrap();
        assert_eq!(reply, sent);
        let line = server.trace_until("6 transfer");
        let unit = format!(", {} bytes: ", sent.len());
        assert_eq!(line.split_once(&unit).expect(&line).1, shown);
    };
    check(b"\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07");
    check(b"\xff\xfe and \0 and \x7f", r"\xff\xfe and \x00 and \x7f");
    check("C1: \u{9b}31m".as_bytes(), r"C1: \xc2\x9b31m");
    check("你好\r\n".as_bytes(), r"你好\r\n");
    check(&"你".as_bytes()[..2], r"\xe4\xbd");
    check(&"你".as_bytes()[2..], r"\xa0");
    check(&[b'x'; 60], &"x".repeat(60));
    check(&[b'x'; 61], &format!("{}…", "x".repeat(60)));
    check("好".repeat(61).as_bytes(), &format!("{}…", "好".repeat(60)));
    check(&[b"x".repeat(58), b"\x1b\x1b".to_vec()].concat(), &format!("{}…", "x".repeat(58)));
}

#[cfg(unix)] // Windows has no signals.
#[test]
fn a_client_that_was_stopped_and_continued_waits_on() {
    use std::process::{Command, Stdio};
    use std::sync::mpsc::channel;
    let (asked, question) = channel();
    let (answer, go) = channel();
    let peer = common::tcp_peer(move |mut stream| {
        stream.read_to_end(&mut Vec::new()).unwrap();
        asked.send(()).unwrap();
        go.recv().unwrap();
        stream.write_all(b"late").unwrap();
    });
    let mut command = Command::new(common::program_path("tcp-client"));
    command.args(["-q", &peer]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    question.recv_timeout(PATIENCE).unwrap();
    for _ in 0..5 {
        stop_and_continue(child.id());
    }
    answer.send(()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(common::stdout(&output), "Received: late\n", "{}", common::stderr(&output));
}
