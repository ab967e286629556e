//! What brings other TCP servers down: used-up limits, and clients that do not behave.

mod common;

#[cfg(target_os = "linux")]
use common::Running;
use common::{client, noise, Server, PATIENCE};
use std::io::ErrorKind::{TimedOut, WouldBlock};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::process::Command;
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

/// CPU time in hundredths of a second: fields 14 and 15 of /proc/PID/stat.
#[cfg(target_os = "linux")]
fn cpu_time(id: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[cfg(target_os = "linux")] // `ulimit -n`, and /proc for the CPU time.
#[test]
fn without_descriptors_it_waits_idly_says_so_and_serves_all_in_the_end() {
    let mut server = Server::through_shell("ulimit -n 20", "tcp-server", &["--count=50"]);
    let clients = clients_that_say_x(&server, 50);
    let line = server.trace_until("cannot accept: ");
    assert!(line.contains("(os error 24)"), "EMFILE; its text is the C library's: {line}");
    let before = cpu_time(server.id());
    thread::sleep(Duration::from_secs(2)); // Not for luck: it is the time over which is measured.
    let used = cpu_time(server.id()) - before;
    assert!(used <= 10, "{used} of 200 hundredths of a second");
    assert_eq!(count(server.said(), "cannot accept: "), 1, "once for each shortage");
    served_one_after_another(clients);
    let (status, trace) = server.finish();
    assert_eq!(status.code(), Some(0));
    assert_eq!(count(&trace, " sent back"), 50);
}

/// `program` as a user who has no process but those of this test, and may have as many as `limit`,
/// threads included: only root can become one.
#[cfg(target_os = "linux")]
fn as_user(user: u32, limit: u32, program: &str) -> Option<Command> {
    if !common::has(&["setpriv", "prlimit"]) {
        return None;
    }
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={user}"), format!("--regid={user}")]);
    command.args(["--clear-groups", "prlimit", &format!("--nproc={limit}"), program]);
    if Command::new("setpriv").arg("--reuid=1").arg("true").output().unwrap().status.success() {
        return Some(command);
    }
    common::skip("only root may be a user who has no processes");
    None
}

/// A copy of tcp-server that any user may run, wherever the project is; removed when it goes out of scope.
#[cfg(target_os = "linux")]
struct Copy(std::path::PathBuf);

#[cfg(target_os = "linux")]
impl Copy {
    fn new(name: &str) -> Copy {
        let name = format!("socket-lab-{name}-{}", std::process::id());
        let copy = Copy(std::env::temp_dir().join(name));
        std::fs::copy(common::program_path("tcp-server"), &copy.0).unwrap();
        copy
    }
}

#[cfg(target_os = "linux")]
impl Drop for Copy {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(target_os = "linux")] // prlimit(1), and what counts against its limit, are of Linux.
#[test]
fn without_threads_no_connection_is_lost_and_the_trace_says_it_once() {
    let program = Copy::new("few-threads");
    for limit in [1, 2, 5] {
        let user = 1_000_000 + 10 * (std::process::id() % 100_000) + limit;
        let mut command = match as_user(user, limit, program.0.to_str().unwrap()) {
            Some(command) => command,
            None => return,
        };
        command.args(["--count=30", "127.0.0.1:0"]);
        let mut server = Server::run(command);
        let clients = clients_that_say_x(&server, 30);
        let told = server.trace_until("5 establish  cannot start a thread: ");
        assert!(told.ends_with("(os error 11); others wait"), "EAGAIN: {told}");
        served_one_after_another(clients);
        let (status, trace) = server.finish();
        assert_eq!(status.code(), Some(0));
        assert_eq!(count(&trace, "cannot start a thread"), 1, "{limit}: {trace:#?}");
        assert_eq!(count(&trace, "2 bytes sent back"), 30);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn each_shortage_of_threads_is_told() {
    let program = Copy::new("two-shortages");
    let user = 1_000_000 + 10 * (std::process::id() % 100_000);
    let (sleep, server) =
        (as_user(user, 4, "sleep"), as_user(user, 4, program.0.to_str().unwrap()));
    let (mut sleep, mut server) = match (sleep, server) {
        (Some(sleep), Some(server)) => (sleep, server),
        _ => return,
    };
    // It takes one of four; tcp-server has one and two threads.
    let other = Running(sleep.arg("600").spawn().unwrap());
    server.arg("127.0.0.1:0");
    let mut server = Server::run(server);
    let mut clients = clients_that_say_x(&server, 3);
    server.trace_until("cannot start a thread: ");
    drop(other);
    // A third one starts, for the third client; for the fourth there is none again.
    clients[2].read_exact(&mut [0]).unwrap();
    clients[2].write_all(b"x").unwrap();
    clients.extend(clients_that_say_x(&server, 1));
    server.trace_until("cannot start a thread: ");
    served_one_after_another(clients);
}

#[test]
fn beyond_max_connections_clients_wait_and_are_served_later() {
    let mut server = Server::start("tcp-server", &["--max-connections=2", "--count=5"]);
    let mut clients = clients_that_say_x(&server, 5);
    server.trace_until("5 establish  2 open, which is the limit; others wait");
    for client in &mut clients[..2] {
        client.read_exact(&mut [0]).unwrap();
    }
    for client in &mut clients[2..] {
        client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert!(matches!(client.read(&mut [0]).unwrap_err().kind(), WouldBlock | TimedOut));
        client.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    drop(clients.remove(0));
    drop(clients.remove(0));
    served_one_after_another(clients);
    let (status, trace) = server.finish();
    assert_eq!(status.code(), Some(0));
    assert_eq!(count(&trace, "7 close      127.0.0.1"), 5 + 1, "{trace:#?}");
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
    assert!(close.contains("bytes sent back, then "), "{close}");
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
    assert!(close.contains(", idle too long after "), "{close}");
    round_trip(&mut server.connect());
}

#[test]
fn a_client_that_says_nothing_is_closed_after_the_idle_time() {
    let mut server = Server::start("tcp-server", &["--idle-timeout=0.1", "--max-connections=1"]);
    let mut silent = server.connect();
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
    assert!(server.trace_until("7 close").ends_with(", idle too long after 0 bytes"));
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
        common::stop_and_continue(server.id());
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
        let unit = format!(", {} bytes received: ", sent.len());
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
