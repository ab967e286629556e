//! The exercises of labs/README.md: checks the student's `src/bin/NAME.rs`, or else the solution in `examples/`.
//!
//! A failure is one sentence: what was sent, what was expected and what came.

mod common;

use common::{is_wine, lines, program_path, wait, Running, Server, PATIENCE};
use socket_lab::trace::printable;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;
use std::thread::sleep;
use std::time::{Duration, Instant};

type Check = fn(&Path) -> Result<(), String>;

const EXERCISES: [(&str, Option<&str>, Check); 4] = [
    ("count-server", option_env!("CARGO_BIN_EXE_count-server"), check_count_server),
    ("word-server", option_env!("CARGO_BIN_EXE_word-server"), check_word_server),
    ("word-client", option_env!("CARGO_BIN_EXE_word-client"), check_word_client),
    ("udp-ping", option_env!("CARGO_BIN_EXE_udp-ping"), check_udp_ping),
];

fn check_exercise(name: &str) {
    let (_, written, check) = EXERCISES.iter().find(|exercise| exercise.0 == name).unwrap();
    let which = if written.is_some() { "your src/bin" } else { "the solution, examples" };
    let line = format!("{name}: this checks {which}/{name}.rs\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap(); // Past the capture of the test runner.
    let program = if written.is_some() { program_path(name) } else { solution(name) };
    if let Err(sentence) = check(&program) {
        panic!("{name}: {sentence}");
    }
}

/// Builds it: all tests together build the examples too, but not `--test exercises` alone.
fn solution(name: &str) -> PathBuf {
    let mut build = Command::new("cargo");
    build.args(["build", "--quiet", "--example", name]).current_dir(env!("CARGO_MANIFEST_DIR"));
    build.args(if cfg!(debug_assertions) { None } else { Some("--release") });
    assert!(is_wine() || build.status().unwrap().success()); // In wine there is no cargo.
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    program_path("tcp-server").with_file_name("examples").join(file)
}

#[test]
fn count_server() {
    check_exercise("count-server");
}

#[test]
fn word_server() {
    check_exercise("word-server");
}

#[test]
fn word_client() {
    check_exercise("word-client");
}

#[test]
fn udp_ping() {
    check_exercise("udp-ping");
}

#[ignore = "waits ten times one second for a reply that does not come: make soak"]
#[test]
fn a_ping_without_any_reply_fails() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let (mut buffer, mut pings) = ([0; 1024], 0);
    let mut client = Client::start(&solution("udp-ping"), &[&address]);
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    while pings < 10 && silent.recv_from(&mut buffer).is_ok() {
        pings += 1;
    }
    let expected: String = (1..=10).map(|number| format!("{number}: no reply\n")).collect();
    let (printed, end) = client.finish();
    assert_eq!(String::from_utf8_lossy(&printed), expected + "10 sent, 0 received\n");
    assert_eq!(end, "exit code 1");
}

fn check_count_server(program: &Path) -> Result<(), String> {
    check_server(program, |server| {
        let other = server.connect();
        let hello: &[u8] = b"Hello, server!";
        let sent = "'Hello, server!' while another client is silent";
        exchange(server, sent, &[hello], b"14 bytes\n")?;
        let pieces: Vec<&[u8]> = hello.chunks(5).collect();
        exchange(server, "'Hello', ', ser' and 'ver!'", &pieces, b"14 bytes\n")?;
        exchange(server, "nothing", &[], b"0 bytes\n")?;
        drop(other);
        #[cfg(unix)] // Rust's std cannot do it.
        if common::has(&["python3"]) {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/resetting_client.py");
            let (ip, port) = (server.address.ip().to_string(), server.address.port().to_string());
            common::output(Command::new("python3").args([script, &ip, &port]));
        }
        let sent = "5000000 bytes after another client had reset its connection";
        exchange(server, sent, &[&[b'x'; 5_000_000]], b"5000000 bytes\n")
    })
}

/// A word as the exercise defines it.
fn word(text: &[u8]) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes(), text].concat()
}

fn check_word_server(program: &Path) -> Result<(), String> {
    check_server(program, |server| {
        let other = server.connect();
        let (hello, olleh) = (word(b"hello"), word(b"olleh"));
        let (nihao, haoni) = (word("你好".as_bytes()), word("好你".as_bytes()));

        let mut stream = server.connect();
        send(&mut stream, &[&hello]).unwrap();
        let came = receive(&mut stream, olleh.len() as u64);
        compare("the word hello, and no end yet", &olleh, "", came)?;

        exchange(server, "the word hello while another client is silent", &[&hello], &olleh)?;
        exchange(server, "the word 你好", &[&nihao], &haoni)?;
        let bytes: Vec<&[u8]> = nihao.chunks(1).collect();
        exchange(server, "the word 你好, byte by byte", &bytes, &haoni)?;
        let in_the_length = [&nihao[..1], &nihao[1..]];
        exchange(server, "the word 你好, cut within its length", &in_the_length, &haoni)?;
        let in_a_character = [&nihao[..4], &nihao[4..]];
        exchange(server, "the word 你好, cut within 你", &in_a_character, &haoni)?;
        let (all, replies) =
            ([&hello[..], &nihao, &word(b"")].concat(), [&olleh[..], &haoni, &word(b"")].concat());
        exchange(server, "the words hello, 你好 and '' in one piece", &[&all], &replies)?;
        let cut = [&all[..10], &all[10..]];
        exchange(server, "the words hello, 你好 and '' in two pieces", &cut, &replies)?;
        let longest = word("字".repeat(21_845).as_bytes());
        exchange(server, "the word 字字字… of 65535 bytes", &[&longest], &longest)?;
        exchange(server, "half of the word hello", &[&hello[..4]], b"")?;
        let invalid = [&hello[..], &word(b"\xe4\xbd")].concat();
        exchange(server, "the word hello, and two bytes that are no UTF-8", &[&invalid], &olleh)?;
        drop(other);
        let mut rude = server.connect();
        send(&mut rude, &[&hello]).unwrap();
        rude.peek(&mut [0]).unwrap();
        drop(rude); // With the reply unread: the system resets the connection.
        exchange(server, "the word hello after all this", &[&hello], &olleh)
    })
}

fn check_word_client(program: &Path) -> Result<(), String> {
    let expected = [word(b"hello"), word("你好".as_bytes()), word(b"word")].concat();
    let replies = [word(b"olleh"), word("好你".as_bytes()), word(b"drow")].concat();
    let lines = "olleh\n好你\ndrow\n";
    let cases: [(&str, Vec<&[u8]>, &str, i32); 6] = [
        ("three replies in one piece", vec![&replies], lines, 0),
        ("three replies, byte by byte", replies.chunks(1).collect(), lines, 0),
        ("three replies, cut within a length", vec![&replies[..8], &replies[8..]], lines, 0),
        ("three replies, cut within 好", vec![&replies[..10], &replies[10..]], lines, 0),
        ("one reply, and the end", vec![&replies[..7]], "olleh\n", 1),
        ("one reply and a half, and the end", vec![&replies[..12]], "olleh\n", 1),
    ];
    for (sent, pieces, printed, code) in cases {
        let serve = |stream: &mut TcpStream| {
            let came = receive(stream, u64::MAX);
            compare("it the arguments ADDRESS and 'hello 你好 word'", &expected, "the end", came)?;
            let _ = send(stream, &pieces); // If it does not read all, its output tells.
            Ok(())
        };
        check_word_client_with(program, "hello 你好 word", serve, sent, printed, code)?;
    }
    let close_early = |stream: &mut TcpStream| {
        let _ = receive(stream, 7);
        let _ = send(stream, &[&word(b"olleh")]);
        Ok(())
    };
    // Elsewhere a reset may overtake what came before it.
    if cfg!(target_os = "linux") {
        let (message, sent) = ("hello ".repeat(10_000), "one reply to 10000 words, and the end");
        check_word_client_with(program, &message, close_early, sent, "olleh\n", 1)?;
        // Nor can a word so long be an argument everywhere.
        let sent = "it the arguments 127.0.0.1:1 and a word of 65536 bytes";
        let mut client = Client::start(program, &["127.0.0.1:1", &"x".repeat(65_536)]);
        compare(sent, b"", "exit code 2", client.finish())?;
    }
    Ok(())
}

fn check_word_client_with(
    program: &Path,
    message: &str,
    serve: impl FnOnce(&mut TcpStream) -> Result<(), String>,
    sent: &str,
    printed: &str,
    code: i32,
) -> Result<(), String> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut client = Client::start(program, &[&address, message]);
    let result = accept(&listener).and_then(|mut stream| {
        serve(&mut stream)?;
        drop(stream);
        compare(sent, printed.as_bytes(), &format!("exit code {code}"), client.finish())
    });
    result.map_err(|sentence| sentence + &client.last_words())
}

fn check_udp_ping(program: &Path) -> Result<(), String> {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let mut client = Client::start(program, &[&address]);
    let result = serve_udp_ping(&server, &mut client);
    result.map_err(|sentence| sentence + &client.last_words())
}

fn serve_udp_ping(server: &UdpSocket, client: &mut Client) -> Result<(), String> {
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let (mut buffer, mut first_addr, mut sent) = ([0; 1024], None, "it the argument ADDRESS");
    for number in 1..=10 {
        let ping = format!("ping {number}");
        let deadline = Instant::now() + PATIENCE;
        let (came, addr) = loop {
            match (server.recv_from(&mut buffer), first_addr) {
                (Ok((length, addr)), _) => {
                    break ((buffer[..length].to_vec(), String::new()), addr)
                }
                // They must not make the wait for the server's reply longer.
                (Err(_), Some(addr)) if number == 6 => drop(stranger.send_to(b"ping 5", addr)),
                _ => (),
            }
            let ended = client.running.0.try_wait().unwrap().is_some();
            if ended || Instant::now() > deadline {
                let end = if ended { client.finish().1 } else { no_end() };
                return compare(sent, ping.as_bytes(), "", (Vec::new(), end));
            }
        };
        compare(sent, ping.as_bytes(), "", came)?;
        let from = *first_addr.get_or_insert(addr);
        if addr != from {
            return Err(format!("sent {sent}; expected {ping} from {from}; it came from {addr}"));
        }
        let (text, replies): (&str, Vec<(&UdpSocket, &str)>) = match number {
            1 => (
                "the reply to ping 1, and a copy of it",
                vec![(server, "ping 1"), (server, "ping 1")],
            ),
            2 => ("no reply to ping 2", vec![]),
            3 => ("no reply to ping 3, but then the one to ping 2", vec![(server, "ping 2")]),
            5 => (
                "no reply to ping 5, but a stranger's, again and again",
                vec![(&stranger, "ping 5")],
            ),
            6 => (
                "a stranger's reply to ping 6, then the server's",
                vec![(&stranger, "ping 6"), (server, "ping 6")],
            ),
            _ => ("the reply", vec![(server, &ping)]),
        };
        sent = text;
        for (socket, reply) in replies {
            socket.send_to(reply.as_bytes(), addr).unwrap();
        }
    }
    let sent = "a reply to each ping in time, except to 2, 3 and 5";
    let expected = (1..=10).map(|number| match number {
        2 | 3 | 5 => format!("{number}: no reply"),
        _ => format!("{number}: 1.2ms"),
    });
    // Any time will do, and any of its units: s, ms, µs.
    let shape = |line: &str| match line.split_once(": ") {
        Some((number, time))
            if time.starts_with(|c: char| c.is_ascii_digit()) && time.ends_with('s') =>
        {
            format!("{number}: TIME")
        }
        _ => line.to_owned(),
    };
    let (printed, end) = client.finish();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    let mut lines = printed.lines();
    for expected in expected.chain(["10 sent, 7 received".to_owned()]) {
        let line = lines.next().unwrap_or_default();
        if shape(line) != shape(&expected) {
            return compare(sent, expected.as_bytes(), "", (line.into(), String::new()));
        }
    }
    compare(sent, b"", "exit code 0", (lines.collect::<String>().into(), end))
}

/// The code that the text of an exercise begins with.
fn skeletons() -> Vec<String> {
    let labs = concat!(env!("CARGO_MANIFEST_DIR"), "/labs/README.md");
    let labs = std::fs::read_to_string(labs).unwrap();
    let blocks = labs.split("```rust\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn each_solution_is_its_skeleton_with_the_gaps_filled() {
    let skeletons = skeletons();
    for (number, file) in [
        (0, "count-server.rs"),
        (1, "word/mod.rs"),
        (2, "word-server.rs"),
        (2, "word-client.rs"),
        (3, "udp-ping.rs"),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(file);
        let solution = std::fs::read_to_string(path).unwrap();
        assert!(solution.lines().count() < 70, "{file} is no small program any more");
        let mut lines = solution.lines();
        for line in skeletons[number].lines().filter(|line| !line.contains("todo!")) {
            assert!(
                lines.any(|other| other == line),
                "{file}: not there, or not in this order: {line}"
            );
        }
    }
    assert_eq!(skeletons.len(), 4);
}

/// Mistakes of students: the exercise, the line of its solution, what stands there instead, and what the
/// check's sentence says of it.
#[cfg(target_os = "linux")] // As Project is, which the test below needs.
const MISTAKES: &[[&str; 5]] = &[
    [
        "count-server",
        "counts one recv",
        "count += length;",
        "return conn.write_all(format!(\"{length} bytes\\n\").as_bytes());",
        "sent 'Hello', ', ser' and 'ver!', and the end; expected '14 bytes\\n' (9 bytes) and the end; came '5 ",
    ],
    [
        "count-server",
        "answers before the end",
        "count += length;",
        "count += length; conn.write_all(format!(\"{count} bytes\\n\").as_bytes())?;",
        "came '14 bytes\\n14 bytes\\n'",
    ],
    [
        "count-server",
        "never answers",
        "return conn.write_all(format!(\"{count} bytes\\n\").as_bytes());",
        "return Ok(());",
        "expected '14 bytes\\n' (9 bytes) and the end; came the end",
    ],
    [
        "count-server",
        "never closes",
        "let _ = count(conn, addr);",
        "std::mem::forget(conn.try_clone()); let _ = count(conn, addr);",
        "came '14 bytes\\n' (9 bytes) and nothing more",
    ],
    [
        "count-server",
        "serves one client after the other",
        "threads.spawn(move || {",
        "Some(()).map_or((), |()| {",
        "sent 'Hello, server!' while another client is silent, and the end",
    ],
    [
        "count-server",
        "ends when a connection fails",
        "let _ = count(conn, addr);",
        "if count(conn, addr).is_err() { std::process::exit(1) }",
        "after another client had reset its connection, and the end",
    ],
    [
        "count-server",
        "prints the address that it was given",
        "ready on {local}",
        "ready on {address}",
        "expected its own address behind 'ready on'; came 127.0.0.1:0",
    ],
    [
        "word-server",
        "takes for granted that the rest of a word is there",
        "source.read_exact(&mut word)?;",
        "let _ = source.read(&mut word)?;",
        "sent the word 你好, byte by byte",
    ],
    [
        "word-server",
        "takes for granted that both bytes of a length are there",
        "source.read_exact(&mut length)?;",
        "let _ = source.read(&mut length)?;",
        "sent the word 你好, byte by byte",
    ],
    [
        "word-server",
        "cuts 你 in two",
        "&word.chars().rev().collect::<String>()",
        "&String::from_utf8_lossy(&word.bytes().rev().collect::<Vec<u8>>())",
        "sent the word 你好",
    ],
    [
        "word-server",
        "takes the length in the wrong byte order",
        "u16::from_be_bytes",
        "u16::from_le_bytes",
        "sent the word hello, and no end yet",
    ],
    [
        "word-server",
        "loses what came together with a word",
        "read_word(&mut source)?",
        "read_word(&mut BufReader::new(conn))?",
        "in one piece",
    ],
    [
        "word-server",
        "ends when a connection fails",
        "let _ = serve(&conn, addr);",
        "if serve(&conn, addr).is_err() { std::process::exit(1) }",
        "came Connection re", // refused, or reset
    ],
    [
        "word-client",
        "takes for granted that the rest of a word is there",
        "source.read_exact(&mut word)?;",
        "let _ = source.read(&mut word)?;",
        "sent three replies, byte by byte",
    ],
    [
        "word-client",
        "sends the length in the wrong byte order",
        "length.to_be_bytes()",
        "length.to_le_bytes()",
        "came '\\x05\\x00hello",
    ],
    [
        "word-client",
        "sends the number of characters",
        "u16::try_from(word.len())",
        "u16::try_from(word.chars().count())",
        "came '\\x00\\x05hello\\x00\\x02你好",
    ],
    [
        "word-client",
        "cuts the length of a word that is too long",
        "word.len() > u16::MAX.into()",
        "word.is_empty()",
        "a word of 65536 bytes; expected exit code 2; came exit code 1",
    ],
    [
        "word-client",
        "is content with fewer replies",
        "return Err(Failure::new(what, \"look at the server's terminal\"));",
        "drop(what); break;",
        "sent one reply, and the end; expected 'olleh\\n' (6 bytes) and exit code 1",
    ],
    [
        "word-client",
        "does not look for replies after a failed send",
        "let _ = send(&client_socket, &words);",
        "send(&client_socket, &words).map_err(cannot(\"send to\", server))?;",
        "sent one reply to 10000 words, and the end; expected 'olleh\\n'",
    ],
    [
        "udp-ping",
        "takes a late reply for the next ping's",
        "&buffer[..length] == ping.as_bytes() &&",
        "length > 0 &&",
        "except to 2, 3 and 5; expected '2: no reply' (11 bytes); came '2: ",
    ],
    [
        "udp-ping",
        "makes a socket for each ping",
        "ask(&client_socket, server",
        "ask(&UdpSocket::bind(any).unwrap(), server",
        "; expected ping 2 from 127.0.0.1:",
    ],
    [
        "udp-ping",
        "waits for ever",
        "set_read_timeout(Some(left))",
        "set_read_timeout(None)",
        "sent no reply to ping 2; expected 'ping 3' (6 bytes); came nothing more",
    ],
    [
        "udp-ping",
        "counts a stranger's",
        "&& is_same(addr, server)",
        "&& (true || is_same(addr, server))",
        "except to 2, 3 and 5; expected '5: no reply' (11 bytes); came '5: ",
    ],
    [
        "udp-ping",
        "begins its wait anew when a stranger's comes",
        "while let Some(left) = Duration::from_secs(1).checked_sub(began.elapsed()) {",
        "let left = Duration::from_secs(1);
         while socket.set_read_timeout(Some(left)).is_ok() && socket.peek_from(&mut [0]).is_ok() {",
        "sent no reply to ping 5, but a stranger's, again and again; expected 'ping 6'",
    ],
];

#[cfg(target_os = "linux")]
#[ignore = "builds a wrong program for each mistake: make soak"]
#[test]
fn each_mistake_is_found_and_told() {
    let project = common::Project::copy();
    let read = |file: &str| std::fs::read_to_string(project.0.join(file)).unwrap();
    for (number, [name, mistake, line, instead, _]) in MISTAKES.iter().enumerate() {
        let (program, word) = (read(&format!("examples/{name}.rs")), read("examples/word/mod.rs"));
        assert_eq!(
            program.matches(line).count() + word.matches(line).count(),
            1,
            "{name} {mistake}"
        );
        let folder = project.0.join(format!("src/bin/wrong-{number}"));
        std::fs::create_dir_all(folder.join("word")).unwrap();
        std::fs::write(folder.join("main.rs"), program.replace(line, instead)).unwrap();
        std::fs::write(folder.join("word/mod.rs"), word.replace(line, instead)).unwrap();
    }
    // What a student begins with can be built too, but does nothing yet.
    let folder = project.0.join("src/bin/skeleton");
    std::fs::create_dir_all(folder.join("word")).unwrap();
    let skeletons = skeletons();
    let main = skeletons[0].clone() + &skeletons[2];
    std::fs::write(folder.join("main.rs"), main).unwrap();
    std::fs::write(folder.join("word/mod.rs"), &skeletons[1]).unwrap();
    let mut build = Command::new("cargo");
    build.args(["build", "--quiet", "--bins", "--target-dir", "target"]).current_dir(&project.0);
    build.env("RUSTFLAGS", "-A warnings");
    assert!(build.status().unwrap().success());
    std::thread::scope(|scope| {
        for (number, [name, mistake, _, _, said]) in MISTAKES.iter().enumerate() {
            let program = project.0.join(format!("target/debug/wrong-{number}"));
            scope.spawn(move || {
                let check = EXERCISES.iter().find(|exercise| exercise.0 == *name).unwrap().2;
                let sentence = check(&program).err();
                let sentence =
                    sentence.unwrap_or_else(|| panic!("{name} {mistake}, and is not found wrong"));
                println!("{name} {mistake}: {sentence}");
                assert!(sentence.contains(said), "{name} {mistake}: {sentence}");
            });
        }
    });
}

fn no_end() -> String {
    format!("nothing more in {PATIENCE:?}")
}

/// Starts the server, and adds to the sentence what it has said.
fn check_server(
    program: &Path,
    check: impl FnOnce(&Server) -> Result<(), String>,
) -> Result<(), String> {
    let mut command = Command::new(program);
    command.arg("127.0.0.1:0");
    let mut server = Server::run(command);
    let address = server.address;
    let result = match TcpStream::connect(address) {
        Ok(_) => check(&server),
        Err(error) => {
            Err(format!("expected its own address behind 'ready on'; came {address}: {error}"))
        }
    };
    result.map_err(|sentence| sentence + &last_words(server.said()))
}

/// For the line below the sentence: it may tell why.
fn last_words(lines: &[String]) -> String {
    let last = &lines[lines.len().saturating_sub(3)..];
    if last.is_empty() {
        return String::new();
    }
    format!("\nits standard error ends with:\n  {}", last.join("\n  "))
}

/// A client and what it says on standard error.
struct Client {
    running: Running,
    stderr: Receiver<String>,
}

impl Client {
    fn start(program: &Path, args: &[&str]) -> Client {
        let mut command = Command::new(program);
        command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = Running::start(&mut command);
        let stderr = lines(running.0.stderr.take().unwrap());
        Client { running, stderr }
    }

    /// What it printed, and how it ended.
    fn finish(&mut self) -> (Vec<u8>, String) {
        let end = wait(&mut self.running.0);
        let end = end.map(|status| format!("exit code {}", status.code().unwrap_or(-1)));
        let _ = self.running.0.kill();
        let mut printed = Vec::new();
        self.running.0.stdout.take().unwrap().read_to_end(&mut printed).unwrap();
        (printed, end.unwrap_or_else(no_end))
    }

    fn last_words(&self) -> String {
        last_words(&self.stderr.try_iter().collect::<Vec<_>>())
    }
}

fn accept(listener: &TcpListener) -> Result<TcpStream, String> {
    listener.set_nonblocking(true).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(false).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            return Ok(stream);
        }
        sleep(Duration::from_millis(2));
    }
    Err(format!("sent nothing, expected a connection, came {}", no_end()))
}

/// Sends `pieces` and the end, and compares what comes until the server's end.
fn exchange(server: &Server, sent: &str, pieces: &[&[u8]], expected: &[u8]) -> Result<(), String> {
    let came = TcpStream::connect(server.address).and_then(|mut stream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        // Where it closes too early, what it has answered tells more than our error.
        let _ = send(&mut stream, pieces).and_then(|()| stream.shutdown(Shutdown::Write));
        Ok(receive(&mut stream, u64::MAX))
    });
    let came = came.unwrap_or_else(|error| (Vec::new(), error.to_string()));
    compare(&format!("{sent}, and the end"), expected, "the end", came)
}

/// Sends each piece when the one before has been read, so that no recv returns more than one.
fn send(stream: &mut TcpStream, pieces: &[&[u8]]) -> io::Result<()> {
    for (number, piece) in pieces.iter().enumerate() {
        if number > 0 {
            wait_until_read(stream);
        }
        stream.write_all(piece)?;
    }
    Ok(())
}

/// Waits until the peer's system holds no byte more for its program: see proc(5), /proc/net/tcp.
fn wait_until_read(stream: &TcpStream) {
    let (from, to) = match (stream.local_addr(), stream.peer_addr()) {
        (Ok(from), Ok(to)) => (format!(":{:04X}", from.port()), format!(":{:04X}", to.port())),
        _ => return, // The peer has gone.
    };
    let is_unread = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // sl, local_address, rem_address, st, tx_queue:rx_queue
        fields[1].ends_with(&to) && fields[2].ends_with(&from) && !fields[4].ends_with(":00000000")
    };
    let deadline = Instant::now() + PATIENCE;
    while let Ok(table) = std::fs::read_to_string("/proc/net/tcp") {
        if Instant::now() > deadline || !table.lines().any(is_unread) {
            return;
        }
        sleep(Duration::from_millis(1));
    }
    // Elsewhere: what a program does right, it does whenever the pieces come.
    sleep(Duration::from_millis(20));
}

/// What comes until the end or until `most` bytes are there, and how it ended.
fn receive(stream: &mut TcpStream, most: u64) -> (Vec<u8>, String) {
    let mut bytes = Vec::new();
    let end = match stream.take(most).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() as u64 == most => String::new(),
        Ok(_) => "the end".to_owned(),
        Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
            no_end()
        }
        Err(error) => error.to_string(),
    };
    (bytes, end)
}

/// The sentence, where what came is not what was expected.
fn compare(
    sent: &str,
    expected: &[u8],
    expected_end: &str,
    (came, end): (Vec<u8>, impl AsRef<str>),
) -> Result<(), String> {
    if came == expected && end.as_ref() == expected_end {
        return Ok(());
    }
    let shown = |bytes: &[u8], end: &str| match (bytes.len(), end) {
        (0, "") => "nothing".to_owned(),
        (0, end) => end.to_owned(),
        (length, end) => {
            let and = if end.is_empty() { "" } else { " and " };
            format!("'{}' ({length} bytes){and}{end}", printable(bytes))
        }
    };
    let (expected, came) = (shown(expected, expected_end), shown(&came, end.as_ref()));
    Err(format!("sent {sent}; expected {expected}; came {came}"))
}
