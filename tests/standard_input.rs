//! tcp-client with MESSAGE '-': when it ends, with which exit code, and what it says.

mod common;

use common::{lines, noise, program_path, stderr, stdout, tcp_peer, Running, PATIENCE};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

const MIB_100: usize = 100 << 20;

fn start(address: &str, options: &[&str], stdin: impl Into<Stdio>) -> Running {
    let mut command = Command::new(program_path("tcp-client"));
    command.args(options).args([address, "-"]).stdin(stdin);
    Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
}

/// Types `input`, and ends it after a while.
fn type_into(address: &str, options: &[&str], input: &[u8], then_wait: Duration) -> Output {
    let mut child = start(address, options, Stdio::piped());
    let mut keyboard = child.0.stdin.take().unwrap();
    let input = input.to_vec();
    let typing = thread::spawn(move || {
        let _ = keyboard.write_all(&input);
        thread::sleep(then_wait);
    });
    let output = child.finish();
    typing.join().unwrap();
    output
}

fn assert_failure(output: &Output, why: &str) {
    let error = stderr(output);
    let last = error.lines().rev().find(|line| !line.contains(": hint: ")).unwrap_or_default();
    assert!(last.starts_with("tcp-client: ") && last.contains(why), "no {why:?} in {error}");
    assert_eq!(output.status.code(), Some(1), "{error}");
}

fn answer_once(mut stream: TcpStream) {
    let mut buffer = [0; 1024];
    let length = stream.read(&mut buffer).unwrap();
    stream.write_all(&buffer[..length].to_ascii_uppercase()).unwrap();
}

fn say_the_time(mut stream: TcpStream) {
    stream.write_all(b"now\n").unwrap();
}

fn read_all_and_say_nothing(mut stream: TcpStream) {
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

fn read_some_and_close(mut stream: TcpStream) {
    stream.read_exact(&mut [0; 1000]).unwrap();
}

fn never_read(stream: TcpStream) {
    thread::park();
    drop(stream);
}

/// Servers that close first, as daytime and web servers do; the input has ended or is about to.
fn servers_that_close_first(times: usize) {
    for _ in 0..times {
        for (serve, input, late, printed) in [
            (answer_once as fn(TcpStream), "hello\n", 0, "HELLO\n"),
            (answer_once, "hello\n", 50, "HELLO\n"),
            (say_the_time, "", 0, "now\n"),
        ] {
            let late = Duration::from_millis(late);
            let output = type_into(&tcp_peer(serve), &["-q"], input.as_bytes(), late);
            let shown = (output.status.code(), stdout(&output), stderr(&output));
            assert_eq!(shown, (Some(0), printed.to_owned(), String::new()));
        }
    }
}

#[test]
fn what_was_sent_whole_and_answered_is_done_although_the_server_closed_first() {
    // Now and then wine's server dies of it, "sock_poll_event: Assertion".
    servers_that_close_first(if common::is_wine() { 2 } else { 20 });
}

#[ignore = "500 times beside busy loops on every core: make soak"]
#[test]
fn the_same_500_times_while_every_core_is_busy() {
    let busy = (0..thread::available_parallelism().unwrap().get()).map(|_| {
        let mut command = Command::new("sh");
        Running::start(command.args(["-c", "while :; do :; done"]))
    });
    let _busy: Vec<Running> = busy.collect();
    servers_that_close_first(500);
}

fn servers_that_close_in_the_middle(times: usize) {
    let file = std::env::temp_dir().join(format!("socket-lab-100-mib-{}", std::process::id()));
    File::create(&file).unwrap().set_len(MIB_100 as u64).unwrap();
    for _ in 0..times {
        let from_file = start(&tcp_peer(read_some_and_close), &["-q"], File::open(&file).unwrap());
        assert_failure(&from_file.finish(), "cannot send to 127.0.0.1:");
        let zeros = vec![0; MIB_100];
        let from_pipe = type_into(&tcp_peer(read_some_and_close), &["-q"], &zeros, Duration::ZERO);
        assert_failure(&from_pipe, "cannot send to 127.0.0.1:");
    }
    std::fs::remove_file(file).unwrap();
}

#[test]
fn what_could_not_be_sent_is_a_failure() {
    servers_that_close_in_the_middle(5);
}

#[ignore = "100 times 100 MiB: make soak"]
#[test]
fn what_could_not_be_sent_is_a_failure_100_times_of_100() {
    servers_that_close_in_the_middle(50);
}

#[test]
fn what_was_sent_and_not_answered_is_a_failure() {
    for input in [&b"hello\n"[..], &noise(1 << 20)] {
        let output = type_into(&tcp_peer(read_all_and_say_nothing), &["-q"], input, Duration::ZERO);
        assert_failure(&output, " closed the connection without a reply");
    }
}

#[test]
fn nothing_sent_and_nothing_answered_is_done() {
    let output = type_into(&tcp_peer(read_all_and_say_nothing), &["-q"], b"", Duration::ZERO);
    assert_eq!(
        (output.status.code(), stdout(&output), stderr(&output)),
        (Some(0), "".into(), "".into())
    );
}

/// At once, and not when the input ends.
#[test]
fn an_input_that_is_still_open_when_the_server_has_closed_is_a_failure_with_both_counts() {
    let mut child = start(&tcp_peer(answer_once), &["-q"], Stdio::piped());
    let mut keyboard = child.0.stdin.take().unwrap();
    keyboard.write_all(b"hello\n").unwrap();
    let error = lines(child.0.stderr.take().unwrap()).recv_timeout(PATIENCE).unwrap();
    let why = " closed before standard input ended: 6 bytes sent, 6 received";
    assert!(error.ends_with(why), "{error}");
    assert_eq!(child.finish().status.code(), Some(1));
    keyboard.write_all(b"too late\n").unwrap_err();
}

/// The server neither answers nor closes, and there is no time-out: nothing is waited for all the same, and
/// the end that recv sees is not called the server's.
#[cfg(unix)] // Windows opens no directory.
#[test]
fn an_input_that_cannot_be_read_ends_the_wait_for_a_reply() {
    for _ in 0..100 {
        let output = start(&tcp_peer(never_read), &["--timeout=0"], File::open("/").unwrap());
        let output = output.finish();
        assert_failure(&output, "cannot read standard input: Is a directory");
        assert!(stderr(&output).contains("no more to send (it failed)\ntcp-client: 7 close  "));
    }
}

/// The server has said all, and reads no more. What hangs in send fails by our own shutdown.
#[cfg(unix)] // In wine it goes on to hang, and ends with the program.
#[test]
fn a_sending_that_hangs_when_the_reply_has_ended_fails_before_the_last_line() {
    for _ in 0..10 {
        let address = tcp_peer(|mut stream| {
            stream.read_exact(&mut [0; 1000]).unwrap();
            stream.write_all(b"enough").unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            never_read(stream);
        });
        let output = type_into(&address, &[], &vec![0; MIB_100 / 4], Duration::ZERO);
        assert_failure(&output, " closed before standard input ended: ");
        let trace = stderr(&output);
        let end = "(receiving has ended)\ntcp-client: 6 transfer   no more to send (it failed)\n\
            tcp-client: 7 close ";
        assert!(trace.contains(end), "{trace}");
        assert_eq!(stdout(&output), "enough");
    }
}

/// Bytes that were not sent do not count: the server, which begins to read too late, has got no less.
#[test]
fn no_more_is_counted_than_was_sent() {
    let (tell, received) = channel();
    let address = tcp_peer(move |mut stream| {
        thread::sleep(Duration::from_secs(1)); // Not for luck: longer than the client waits.
        tell.send(std::io::copy(&mut stream, &mut std::io::sink()).unwrap()).unwrap();
    });
    let output = type_into(&address, &["--timeout=0.1"], &vec![0; MIB_100 / 4], Duration::ZERO);
    assert_failure(&output, "cannot send to 127.0.0.1:");
    let trace = stderr(&output);
    let sent = trace.split("7 close      ").nth(1).unwrap().split(' ').next().unwrap();
    let (sent, received) = (sent.parse::<u64>().unwrap(), received.recv().unwrap());
    assert!(0 < sent && sent <= received, "sent {sent}, received {received}");
}

/// A terminal, or a socket with a time-out, that another program has left: its read(2) may be interrupted.
#[cfg(unix)] // Windows has no signals.
#[test]
fn a_signal_does_not_end_the_reading_of_standard_input() {
    use std::os::unix::{io::OwnedFd, net::UnixStream};
    let server = common::Server::start("tcp-server", &["-q"]);
    let (mut keyboard, stdin) = UnixStream::pair().unwrap();
    stdin.set_read_timeout(Some(6 * PATIENCE)).unwrap();
    let mut child = start(&server.address.to_string(), &["-q"], OwnedFd::from(stdin));
    let screen = lines(child.0.stdout.take().unwrap());
    for line in ["one", "two", "three"] {
        keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
        assert_eq!(screen.recv_timeout(PATIENCE), Ok(line.to_owned()));
        common::stop_and_continue(child.0.id());
    }
    keyboard.shutdown(Shutdown::Both).unwrap();
    assert_eq!(child.finish().status.code(), Some(0));
}

#[test]
fn a_prompt_without_an_end_of_line_is_shown_at_once() {
    let address = tcp_peer(|mut stream| {
        stream.write_all(b"name> ").unwrap();
        read_all_and_say_nothing(stream);
    });
    let mut child = start(&address, &["-q"], Stdio::piped());
    let mut screen = child.0.stdout.take().unwrap();
    let (tell, prompt) = channel();
    thread::spawn(move || {
        let mut shown = [0; 6];
        tell.send(screen.read_exact(&mut shown).map(|()| shown).ok()).unwrap();
    });
    assert_eq!(prompt.recv_timeout(PATIENCE), Ok(Some(*b"name> ")));
}

/// The server has said all, and goes on to read; so much is never wanted from one who asks for a reply.
#[test]
fn a_sending_that_goes_on_when_the_reply_has_ended_is_stopped() {
    let address = tcp_peer(|mut stream| {
        stream.read_exact(&mut [0; 1000]).unwrap();
        stream.write_all(b"enough").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        read_all_and_say_nothing(stream);
    });
    let mut child = start(&address, &[], Stdio::piped());
    let mut pipe = child.0.stdin.take().unwrap();
    let typing = thread::spawn(move || while pipe.write_all(&[b'y'; 1000]).is_ok() {});
    let output = child.finish();
    typing.join().unwrap();
    assert_failure(&output, " closed before standard input ended: ");
    let trace = stderr(&output);
    let (_, after) = trace.split_once("no more to send (receiving has ended)\n").expect(&trace);
    // Some may still have begun before the stop.
    let has_failed = after.contains("no more to send (it failed)\n");
    assert!(has_failed || after.matches("6 transfer   sending ").count() <= 1, "{after}");
}

#[test]
fn the_wait_for_a_reply_is_bounded_from_the_end_of_the_input() {
    for late in [0, 300] {
        let late = Duration::from_millis(late);
        let output = type_into(&tcp_peer(never_read), &["-q", "--timeout=0.2"], b"hi\n", late);
        assert_failure(&output, "no reply from 127.0.0.1:");
        assert!(stderr(&output).contains(" in 200ms\n"), "{}", stderr(&output));
    }
}

/// The server answers only after several times the time-out, while the input is open.
#[test]
fn a_person_at_the_keyboard_may_think_longer_than_the_timeout() {
    let address = tcp_peer(|mut stream| {
        stream.read_exact(&mut [0; 3]).unwrap();
        thread::sleep(Duration::from_millis(500));
        stream.write_all(b"late\n").unwrap();
        read_all_and_say_nothing(stream);
    });
    let mut child = start(&address, &["-q", "--timeout=0.1"], Stdio::piped());
    let mut keyboard = child.0.stdin.take().unwrap();
    keyboard.write_all(b"hi\n").unwrap();
    let screen = lines(child.0.stdout.take().unwrap());
    assert_eq!(screen.recv_timeout(PATIENCE), Ok("late".to_owned()));
    drop(keyboard);
    assert_eq!(child.finish().status.code(), Some(0));
}

/// Each byte comes after most of the time-out: only the last of them counts.
#[test]
fn a_slow_reply_is_waited_for_from_its_last_byte() {
    let address = tcp_peer(|mut stream| {
        stream.read_to_end(&mut Vec::new()).unwrap();
        for byte in b"slow\n" {
            thread::sleep(Duration::from_millis(300));
            stream.write_all(&[*byte]).unwrap();
        }
    });
    let output = type_into(&address, &["-q", "--timeout=0.9"], b"hi\n", Duration::ZERO);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "slow\n"));
}

#[test]
fn a_send_that_makes_no_progress_is_bounded_at_any_time() {
    let zeros = vec![0; MIB_100];
    let output = type_into(&tcp_peer(never_read), &["-q", "--timeout=0.2"], &zeros, Duration::ZERO);
    assert_failure(&output, "cannot send to 127.0.0.1:");
    let hint = "hint: the server reads nothing, or too slowly";
    assert!(stderr(&output).contains(hint), "{}", stderr(&output));
}

#[test]
fn a_copy_that_is_not_whole_shows_in_the_counts() {
    let address = tcp_peer(|mut stream| {
        let mut data = Vec::new();
        stream.read_to_end(&mut data).unwrap();
        stream.write_all(&data[..data.len() / 2]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
    });
    let output = type_into(&address, &[], &noise(100_000), Duration::ZERO);
    assert_eq!(output.stdout.len(), 50_000);
    let trace = stderr(&output);
    assert!(trace.ends_with("7 close      100000 bytes sent, 50000 received\n"), "{trace}");
}

/// A reply of more than one recv, on a terminal: the trace has a line for each piece, and the reply is whole.
#[cfg(unix)] // The shell gives both outputs one place.
#[test]
fn a_reply_in_three_pieces_does_not_run_into_the_trace() {
    let address = tcp_peer(|mut stream| {
        stream.set_nodelay(true).unwrap();
        for piece in ["Hel", "lo, ", "client!"] {
            stream.write_all(piece.as_bytes()).unwrap();
            thread::sleep(Duration::from_millis(20));
        }
    });
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$0\" \"$1\" 2>&1"]).arg(program_path("tcp-client")).arg(&address);
    let shown = stdout(&common::output(&mut shell));
    let data: Vec<&str> = shown.lines().filter(|line| !line.starts_with("tcp-client: ")).collect();
    assert_eq!(data, ["Received: Hello, client!"], "{shown}");
    assert!(shown.contains("6 transfer   3 bytes received: Hel\n"), "{shown}");
}

fn replies_that_cut_characters(times: usize) {
    let text = "你".repeat(2000);
    for _ in 0..times {
        let reply = text.clone();
        let address = tcp_peer(move |mut stream| {
            stream.set_nodelay(true).unwrap();
            for piece in reply.as_bytes().chunks(1024) {
                stream.write_all(piece).unwrap();
                thread::yield_now();
            }
        });
        let output = common::client("tcp-client").arg(&address).output().unwrap();
        assert!(stdout(&output) == format!("Received: {text}\n"), "{}", stderr(&output));
    }
}

#[test]
fn a_reply_in_pieces_that_cut_its_characters_is_the_same_to_the_byte() {
    replies_that_cut_characters(20);
}

#[ignore = "300 times: make soak"]
#[test]
fn a_reply_in_pieces_that_cut_its_characters_is_the_same_300_times_of_300() {
    replies_that_cut_characters(300);
}
