//! The exercises of labs/README.md. Checks the command that COUNT_SERVER, WORD_SERVER, WORD_CLIENT or UDP_PING
//! holds, of any language; or else the student's `src/bin/NAME.rs`, or else the solution in `examples/`.
//!
//! A failure is one sentence: what was sent, what was expected and what came.

mod common;

use common::{is_wine, program_path, PATIENCE};
use socket_lab::trace::printable;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep, JoinHandle};
use std::time::{Duration, Instant};

type Check = fn(&Program) -> Result<(), String>;

const EXERCISES: [(&str, Option<&str>, Check); 4] = [
    ("count-server", option_env!("CARGO_BIN_EXE_count-server"), check_count_server),
    ("word-server", option_env!("CARGO_BIN_EXE_word-server"), check_word_server),
    ("word-client", option_env!("CARGO_BIN_EXE_word-client"), check_word_client),
    ("udp-ping", option_env!("CARGO_BIN_EXE_udp-ping"), check_udp_ping),
];

fn check_exercise(name: &'static str) {
    let (_, written, check) = EXERCISES.iter().find(|exercise| exercise.0 == name).unwrap();
    let variable = name.to_uppercase().replace('-', "_");
    let (which, program) = match (std::env::var(&variable), written) {
        (Ok(command), _) => (command.clone(), Program::of_command(name, &command)),
        (_, Some(_)) => {
            (format!("your src/bin/{name}.rs"), Program::of_path(name, &program_path(name)))
        }
        _ if has_solutions(&format!("no src/bin/{name}.rs, no command in {variable}")) => {
            let program = Program::of_path(name, &solution(name));
            (format!("the solution, examples/{name}.rs"), program)
        }
        _ => return,
    };
    let line = format!("{name}: this checks {which}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap(); // Past the capture of the test runner.
    if let Err(sentence) = check(&program) {
        panic!("{name}: {sentence}");
    }
}

/// Whether the solutions are here: a student's kit does not have them. A check that is asked for by its name fails then,
/// because a student whose file has another name must not read "ok".
fn has_solutions(missing: &str) -> bool {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").exists();
    if !found {
        let why = format!("nothing to check: {missing}, and no solutions in examples");
        let is_asked_for = std::env::args().skip(1).any(|arg| !arg.starts_with('-'));
        assert!(!is_asked_for, "{why}");
        common::skip(&why);
    }
    found
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

#[cfg(target_os = "linux")]
#[test]
fn a_check_leaves_nothing_behind_of_what_a_program_started() {
    let started = "setsid sleep 1000 & sleep 1000 & echo Listening on 1; exit 3 #";
    let mut server = Program::of_command("count-server", started).start(&[]);
    let sentence = server.is_ready().unwrap_err();
    assert!(sentence.ends_with("on standard output; came 'Listening on 1'"), "{sentence}");
    assert!(!server.processes().is_empty());
    // They hold its output, which has an end all the same.
    assert_eq!(server.finish(), (b"Listening on 1\n".to_vec(), "exit code 3".to_owned()));
    assert!(server.printed.reader.is_finished() && server.said.reader.is_finished());
    assert_eq!(server.processes(), Vec::<String>::new());
}

#[cfg(unix)] // There is a sh.
#[test]
fn a_command_that_cannot_be_run_is_told() {
    for (name, line, mode, said) in [
        ("carriage_return", "#!/usr/bin/env python3\r", "755", "ends with a carriage return"),
        ("no_execute_bit", "#!/usr/bin/env python3", "644", "may not be executed; chmod +x"),
        ("missing/command", "", "", "exit code 127: it is not found"),
    ] {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if !mode.is_empty() {
            std::fs::write(&file, format!("{line}\n")).unwrap();
            common::output(Command::new("chmod").arg(mode).arg(&file));
        }
        let program = Program::of_command("count-server", &format!("'{}'", file.display()));
        let sentence = check_count_server(&program).unwrap_err();
        assert!(sentence.contains(said), "{sentence}");
    }
}

#[cfg(unix)] // There is a python3.
#[test]
fn the_solutions_in_python_pass_too() {
    if !has_solutions("no programs") || !common::has(&["python3"]) {
        return;
    }
    thread::scope(|scope| {
        for (name, _, check) in EXERCISES {
            let file = name.replace('-', "_");
            let command = format!("python3 examples/{file}.py");
            scope.spawn(move || assert_eq!(check(&Program::of_command(name, &command)), Ok(())));
        }
    });
}

fn check_count_server(program: &Program) -> Result<(), String> {
    check_server(program, |server| {
        let other = server.connect("nothing and stayed")?;
        let hello: &[u8] = b"Hello, server!";
        let sent = "'Hello, server!' while another client is silent";
        exchange(server, sent, &[hello], b"14 bytes\n")?;
        let pieces: Vec<&[u8]> = hello.chunks(5).collect();
        exchange(server, "'Hello', ', ser' and 'ver!'", &pieces, b"14 bytes\n")?;
        exchange(server, "nothing", &[], b"0 bytes\n")?;
        let no_text = "你好 and a byte that is no UTF-8";
        exchange(server, no_text, &["你好".as_bytes(), b"\xff"], b"7 bytes\n")?;
        drop(other);
        #[cfg(unix)] // Rust's std cannot do it.
        if common::has(&["python3"]) {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/resetting_client.py");
            let address = server.address.unwrap();
            let (ip, port) = (address.ip().to_string(), address.port().to_string());
            common::output(Command::new("python3").args([script, &ip, &port]));
            server.sent = "'Hello', and reset its connection".to_owned();
        }
        // Memory can be read on Linux.
        let length = if cfg!(target_os = "linux") { 200_000_000 } else { 5_000_000 };
        let sent = format!("{length} bytes");
        let mut stream = server.connect(&sent)?;
        let before = server.memory();
        let chunk = [b'x'; 1_000_000];
        let result = (0..length / chunk.len()).try_for_each(|_| stream.write_all(&chunk));
        wait_until_read(&stream);
        let grown = server.memory().saturating_sub(before);
        if result.is_ok() && grown > 100_000_000 {
            let what = format!("sent {sent}, and no end yet; expected that it counts them");
            return Err(format!(
                "{what} and does not store them; its memory has grown by {} MB",
                grown / 1_000_000
            ));
        }
        let _ = stream.shutdown(Shutdown::Write);
        let came = receive(&mut stream, u64::MAX);
        compare(
            &format!("{sent}, and the end"),
            format!("{length} bytes\n").as_bytes(),
            "the end",
            came,
        )
    })
}

/// A word as the exercise defines it.
fn word(text: &[u8]) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes(), text].concat()
}

fn check_word_server(program: &Program) -> Result<(), String> {
    check_server(program, |server| {
        let (hello, olleh) = (word(b"hello"), word(b"olleh"));
        let (nihao, haoni) = (word("你好".as_bytes()), word("好你".as_bytes()));

        let sent = "the word hello, and no end yet";
        let mut stream = server.connect(sent)?;
        let _ = send(&mut stream, &[&hello]);
        compare(sent, &olleh, "", receive(&mut stream, olleh.len() as u64))?;
        let other = server.connect("nothing and stayed")?;

        exchange(server, "the word hello while another client is silent", &[&hello], &olleh)?;
        exchange(server, "the word 你好", &[&nihao], &haoni)?;
        let bytes: Vec<&[u8]> = nihao.chunks(1).collect();
        exchange(server, "the word 你好, byte by byte, its length too", &bytes, &haoni)?;
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
        let mut rude = server.connect("the word hello, and closed with the reply unread")?;
        let _ = send(&mut rude, &[&hello]).and_then(|()| rude.peek(&mut [0]));
        drop(rude); // With the reply unread: the system resets the connection.
        exchange(server, "the word hello after all this", &[&hello], &olleh)
    })
}

fn check_word_client(program: &Program) -> Result<(), String> {
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
        let sent = "it the arguments 127.0.0.1:1, where nobody listens, and a word of 65536 bytes";
        let mut client = program.start(&["127.0.0.1:1", &"x".repeat(65_536)]);
        let result = client.ends_with(sent, "", 2);
        result.map_err(|sentence| sentence + &client.last_words())?;
    }
    Ok(())
}

fn check_word_client_with(
    program: &Program,
    message: &str,
    serve: impl FnOnce(&mut TcpStream) -> Result<(), String>,
    sent: &str,
    printed: &str,
    code: i32,
) -> Result<(), String> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut client = program.start(&[&address, message]);
    let result = accept(&listener, &mut client).and_then(|mut stream| {
        serve(&mut stream)?;
        drop(stream);
        client.ends_with(sent, printed, code)?;
        client.has_told_its_steps()
    });
    result.map_err(|sentence| sentence + &client.last_words())
}

fn check_udp_ping(program: &Program) -> Result<(), String> {
    let [silent, server] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let [mut lonely, mut client] = [&silent, &server]
        .map(|socket| program.start(&[&socket.local_addr().unwrap().to_string()]));
    let result = serve_udp_ping(&server, &mut client).and_then(|()| client.has_told_its_steps());
    result.map_err(|sentence| sentence + &client.last_words())?;
    let lines: String = (1..=10).map(|number| format!("{number}: no reply\n")).collect();
    let result = lonely.ends_with("no reply at all", &(lines + "10 sent, 0 received\n"), 1);
    result.map_err(|sentence| sentence + &lonely.last_words())
}

/// What the server does with each ping, and what that proves where the program takes it for the reply.
const PINGS: [(&str, Option<&str>); 10] = [
    ("the reply to ping 1, and a copy of it", None),
    ("no reply to ping 2", Some("the second copy of the reply to ping 1 is no reply to ping 2")),
    (
        "no reply to ping 3, but then the one to ping 2",
        Some("the late reply to ping 2 is none to ping 3"),
    ),
    ("the reply", None),
    (
        "no reply to ping 5, but a stranger's, again and again",
        Some("only what comes from the server's address and port is a reply"),
    ),
    ("a stranger's reply to ping 6, then the server's", None),
    ("the reply", None),
    ("the reply", None),
    ("the reply", None),
    (
        "'ping 100' and 'ping 1' to ping 10",
        Some("neither a longer text (a short buffer cuts it) nor a shorter one is the reply"),
    ),
];

fn serve_udp_ping(server: &UdpSocket, client: &mut Started) -> Result<(), String> {
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
            let ended = client.has_ended();
            if ended || Instant::now() > deadline {
                let end = if ended { client.finish().1 } else { no_end() };
                return compare(sent, ping.as_bytes(), "", (Vec::new(), end));
            }
        };
        compare(sent, ping.as_bytes(), "", came)?;
        let from = *first_addr.get_or_insert(addr);
        if addr != from {
            let expected = format!("{ping} from the socket of the others, {from}");
            return Err(format!("sent {sent}; expected {expected}; it came from {addr}"));
        }
        sent = PINGS[number - 1].0;
        let replies: Vec<(&UdpSocket, &str)> = match number {
            1 => vec![(server, "ping 1"), (server, "ping 1")],
            2 => vec![],
            3 => vec![(server, "ping 2")],
            5 => vec![(&stranger, "ping 5")],
            6 => vec![(&stranger, "ping 6"), (server, "ping 6")],
            10 => vec![(server, "ping 100"), (server, "ping 1")],
            _ => vec![(server, &ping)],
        };
        for (socket, reply) in replies {
            socket.send_to(reply.as_bytes(), addr).unwrap();
        }
    }
    let (printed, end) = client.finish();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    let mut lines = printed.lines();
    // Any time will do, and any of its units: s, ms, µs.
    let is_time =
        |time: &str| time.starts_with(|c: char| c.is_ascii_digit()) && time.ends_with('s');
    for (number, (sent, proof)) in (1..).zip(PINGS) {
        let line = lines.next().unwrap_or_default();
        let rest = line.strip_prefix(&format!("{number}: "));
        let result =
            rest.filter(|rest| if proof.is_some() { *rest == "no reply" } else { is_time(rest) });
        if result.is_none() {
            let expected = if proof.is_some() { "no reply" } else { "1.2ms" };
            let sentence = compare(
                sent,
                format!("{number}: {expected}").as_bytes(),
                "",
                (line.into(), String::new()),
            );
            let proof = match (proof, rest) {
                (Some(proof), Some(time)) if is_time(time) => format!(": {proof}"),
                (None, Some(rest)) if rest != "no reply" => ": any time, with its unit".to_owned(),
                _ => String::new(),
            };
            return sentence.map_err(|sentence| sentence + &proof);
        }
    }
    let sent = "a reply to each ping in time, except to 2, 3, 5 and 10";
    let rest = lines.map(|line| line.to_owned() + "\n").collect::<String>();
    compare(sent, b"10 sent, 6 received\n", "exit code 0", (rest.into(), end))
}

/// The code that the texts of the exercises begin with, in one language.
fn skeletons(language: &str) -> Vec<String> {
    let labs = common::read("labs/README.md");
    let fence = format!("```{language}\n");
    let blocks = labs.split(&fence[..]).skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn each_solution_is_its_skeleton_with_the_gaps_filled() {
    if !has_solutions("no programs") {
        return;
    }
    let (rust, python) = (skeletons("rust"), skeletons("python"));
    for (skeleton, file) in [
        (&rust[0], "count-server.rs"),
        (&rust[1], "word/mod.rs"),
        (&rust[2], "word-server.rs"),
        (&rust[2], "word-client.rs"),
        (&rust[3], "udp-ping.rs"),
        (&python[0], "count_server.py"),
        (&python[1], "word.py"),
        (&python[2], "udp_ping.py"),
    ] {
        let solution = common::read(&format!("examples/{file}"));
        assert!(solution.lines().count() < 70, "{file} is no small program any more");
        let mut lines = solution.lines();
        let is_gap = |line: &&str| line.contains("todo!") || line.trim() == "...";
        for line in skeleton.lines().filter(|line| !is_gap(line)) {
            assert!(
                lines.any(|other| other == line),
                "{file}: not there, or not in this order: {line}"
            );
        }
    }
    assert_eq!((rust.len(), python.len()), (4, 3));
}

/// Mistakes of students: the exercise or its file, the line of its solution, what stands there instead, and what
/// the check's sentence says of it.
#[cfg(target_os = "linux")] // As Project is, which the test below needs.
#[rustfmt::skip] // A table.
const MISTAKES: &[[&str; 5]] = &[
    ["count-server", "counts one recv",
     "count += length;", "return conn.write_all(format!(\"{length} bytes\\n\").as_bytes());",
     "sent 'Hello', ', ser' and 'ver!', and the end; expected '14 bytes\\n' (9 bytes) and the end; came '5 "],
    ["count-server", "answers before the end",
     "count += length;", "count += length; conn.write_all(format!(\"{count} bytes\\n\").as_bytes())?;",
     "came '14 bytes\\n14 bytes\\n'"],
    ["count-server", "never answers",
     "return conn.write_all(format!(\"{count} bytes\\n\").as_bytes());", "return Ok(());",
     "expected '14 bytes\\n' (9 bytes) and the end; came nothing and the end"],
    ["count-server", "never closes",
     "let _ = count(conn, addr);", "std::mem::forget(conn.try_clone()); let _ = count(conn, addr);",
     "'14 bytes\\n' came, which is right; then expected the end; came nothing more"],
    ["count-server", "serves one client after the other",
     "threads.spawn(move || {", "Some(()).map_or((), |()| {",
     "sent 'Hello, server!' while another client is silent, and the end"],
    ["count-server", "ends when a connection fails",
     "let _ = count(conn, addr);", "if count(conn, addr).is_err() { std::process::exit(1) }",
     "sent 'Hello', and reset its connection; expected that it goes on with others; came exit code 1"],
    ["count-server", "prints the address that it was given",
     "ready on {local}", "ready on {address}",
     "with the port that the system chose; came 'count-server ready on 127.0.0.1:0': ask the socket"],
    ["word-server", "takes for granted that the rest of a word is there",
     "source.read_exact(&mut word)?;", "let _ = source.read(&mut word)?;",
     "sent the word 你好, byte by byte"],
    ["word-server", "takes for granted that both bytes of a length are there",
     "source.read_exact(&mut length)?;", "let _ = source.read(&mut length)?;",
     "sent the word 你好, byte by byte"],
    ["word-server", "cuts 你 in two",
     "&word.chars().rev().collect::<String>()", "&String::from_utf8_lossy(&word.bytes().rev().collect::<Vec<u8>>())",
     "sent the word 你好"],
    ["word-server", "takes the length in the wrong byte order",
     "u16::from_be_bytes", "u16::from_le_bytes",
     "sent the word hello, and no end yet"],
    ["word-server", "loses what came together with a word",
     "read_word(&mut source)?", "read_word(&mut BufReader::new(conn))?",
     "in one piece"],
    ["word-server", "ends when a connection fails",
     "let _ = serve(&conn, addr);", "if serve(&conn, addr).is_err() { std::process::exit(1) }",
     "sent half of the word hello, and the end; expected that it goes on with others; came exit code 1"],
    ["word-client", "takes for granted that the rest of a word is there",
     "source.read_exact(&mut word)?;", "let _ = source.read(&mut word)?;",
     "sent three replies, byte by byte"],
    ["word-client", "sends the length in the wrong byte order",
     "length.to_be_bytes()", "length.to_le_bytes()",
     "came '\\x05\\x00hello"],
    ["word-client", "sends the number of characters",
     "u16::try_from(word.len())", "u16::try_from(word.chars().count())",
     "came '\\x00\\x05hello\\x00\\x02你好"],
    ["word-client", "cuts the length of a word that is too long",
     "word.len() > u16::MAX.into()", "word.is_empty()",
     "a word of 65536 bytes; expected exit code 2; came exit code 1"],
    ["word-client", "is content with fewer replies",
     "return Err(Failure::new(what, \"look at the server's terminal\"));", "drop(what); break;",
     "sent one reply, and the end; 'olleh\\n' came, which is right; then expected exit code 1; came exit code 0"],
    ["word-client", "does not look for replies after a failed send",
     "let _ = send(&client_socket, &words);", "send(&client_socket, &words).map_err(cannot(\"send to\", server))?;",
     "sent one reply to 10000 words, and the end; expected 'olleh\\n' (6 bytes) and exit code 1; came nothing and exit code 1"],
    ["udp-ping", "takes a late reply for the next ping's",
     "&buffer[..length] == ping.as_bytes() &&", "length > 0 &&",
     ": the second copy of the reply to ping 1 is no reply to ping 2"],
    ["udp-ping", "makes a socket for each ping",
     "ask(&client_socket, server", "ask(&UdpSocket::bind(any).unwrap(), server",
     "; expected ping 2 from the socket of the others, 127.0.0.1:"],
    ["udp-ping", "waits for ever",
     "set_read_timeout(Some(left))", "set_read_timeout(None)",
     "sent no reply to ping 2; expected 'ping 3' (6 bytes); came nothing more"],
    ["udp-ping", "counts a stranger's",
     "&& is_same(addr, server)", "&& (true || is_same(addr, server))",
     ": only what comes from the server's address and port is a reply"],
    ["udp-ping", "begins its wait anew when a stranger's comes",
     "while let Some(left) = Duration::from_secs(1).checked_sub(began.elapsed()) {",
     "let left = Duration::from_secs(1);
         while socket.set_read_timeout(Some(left)).is_ok() && socket.peek_from(&mut [0]).is_ok() {",
     "sent no reply to ping 5, but a stranger's, again and again; expected 'ping 6'"],
    ["count-server", "counts characters",
     "count += length;", "count += String::from_utf8_lossy(&buffer[..length]).chars().count();",
     "sent 你好 and a byte that is no UTF-8, and the end; expected '7 bytes"],
    ["count-server", "stores everything",
     "count += length;", "count += length; std::mem::forget(buffer[..length].to_vec());",
     "expected that it counts them and does not store them; its memory has grown by"],
    ["count-server", "panics when the port is taken",
     "TcpListener::bind(address).map_err(cannot(\"listen on\", address))?", "TcpListener::bind(address).unwrap()",
     "a port that another program has; expected exit code 1; came exit code 101 (a panic)"],
    ["count-server", "takes a port of its own",
     "let address = resolve(args.text(\"ADDRESS\"))?[0];",
     "let _ = resolve(args.text(\"ADDRESS\"))?; let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));",
     "a port that another program has; expected an error; came 'count-server ready on"],
    ["count-server", "prints a line of its own",
     "count-server ready on {local}", "Listening on {local}",
     "expected the line 'count-server ready on HOST:PORT' on standard output; came 'Listening on 127"],
    ["count-server", "tells no step",
     "step!(\"6 transfer\", \"{addr}, {}\", describe(&buffer[..length]));", "let _ = (addr, describe(b\"\"));",
     "expected lines 'count-server: 6 transfer …' on standard error; came none"],
    ["count_server.py", "counts one recv",
     "count += len(data)", "count = len(data)",
     "sent 'Hello', ', ser' and 'ver!', and the end; expected '14 bytes"],
    ["count_server.py", "counts characters",
     "count += len(data)", "count += len(data.decode(errors='replace'))",
     "sent 你好 and a byte that is no UTF-8, and the end; expected '7 bytes"],
    ["count_server.py", "shows a traceback when the port is taken",
     "    except OSError as error:", "    except KeyError as error:",
     "expected two lines, 'count-server: …' and 'count-server: hint: …' on standard error; the last line is: OSError"],
    ["count_server.py", "does not flush its line",
     "server_socket.getsockname(), flush=True)", "server_socket.getsockname())",
     "came nothing more in 10s: is the line still in a buffer?"],
    ["count_server.py", "prints without end of a line, and an error without end",
     "    args = [", "    while True: sys.stdout.write('x' * 9999); sys.stderr.write('y' * 9999)\n    args = [",
     "HOST:PORT' on standard output; came 'xxxxx"],
    ["word_server.py", "takes for granted that a recv returns a word",
     "conn.makefile('rb') as source", "conn.makefile('rb', 0) as source",
     "sent the word 你好"],
    ["word_server.py", "takes a port of its own",
     "socket.create_server((host, int(port)))", "socket.create_server((host, 0))",
     "a port that another program has; expected an error; came 'word-server ready on"],
    ["word_client.py", "ends with 0 where a reply is missing",
     "fail(f'no reply to {word}', \"look at the server's terminal\")", "break",
     "sent one reply, and the end; 'olleh\\n' came, which is right; then expected exit code 1; came exit code 0"],
    ["udp-ping", "is content with the beginning of a reply",
     "&buffer[..length] == ping.as_bytes() &&", "buffer[..length].starts_with(ping.as_bytes()) &&",
     "neither a longer text (a short buffer cuts it) nor a shorter one is the reply"],
    ["udp-ping", "ends with 0 where no reply came",
     "if received == 0 {", "if received > 10 {",
     "which is right; then expected exit code 1; came exit code 0"],
    ["udp_ping.py", "takes the copy of a reply for the next one",
     "if data == ping and addr == server:", "if addr == server:",
     ": the second copy of the reply to ping 1 is no reply to ping 2"],
    ["udp_ping.py", "ends with 0 where no reply came",
     "    if received == 0:", "    if received > 10:",
     "which is right; then expected exit code 1; came exit code 0"],
];

#[cfg(target_os = "linux")]
#[ignore = "builds a wrong program for each mistake: make soak"]
#[test]
fn each_mistake_is_found_and_told() {
    if !has_solutions("no programs") {
        return;
    }
    let project = common::Project::copy();
    let read = |file: &str| std::fs::read_to_string(project.0.join(file)).unwrap_or_default();
    let folder_of = |number: usize| project.0.join(format!("src/bin/wrong-{number}"));
    for (number, [name, mistake, line, instead, _]) in MISTAKES.iter().enumerate() {
        let is_python = name.ends_with(".py");
        let (main, program, word, module) = if is_python {
            (*name, read(&format!("examples/{name}")), "word.py", read("examples/word.py"))
        } else {
            (
                "main.rs",
                read(&format!("examples/{name}.rs")),
                "word/mod.rs",
                read("examples/word/mod.rs"),
            )
        };
        let found = program.matches(line).count() + module.matches(line).count();
        assert_eq!(found, 1, "{name} {mistake}");
        let folder = folder_of(number);
        std::fs::create_dir_all(folder.join("word")).unwrap();
        std::fs::write(folder.join(main), program.replace(line, instead)).unwrap();
        std::fs::write(folder.join(word), module.replace(line, instead)).unwrap();
    }
    // What a student begins with can be built too, but does nothing yet.
    let folder = project.0.join("src/bin/skeleton");
    std::fs::create_dir_all(folder.join("word")).unwrap();
    let skeletons = skeletons("rust");
    let main = skeletons[0].clone() + &skeletons[2];
    std::fs::write(folder.join("main.rs"), main).unwrap();
    std::fs::write(folder.join("word/mod.rs"), &skeletons[1]).unwrap();
    let mut build = Command::new("cargo");
    build.args(["build", "--quiet", "--bins", "--target-dir", "target"]).current_dir(&project.0);
    build.env("RUSTFLAGS", "-A warnings");
    assert!(build.status().unwrap().success());
    thread::scope(|scope| {
        for (number, [file, mistake, _, _, said]) in MISTAKES.iter().enumerate() {
            let name = file.trim_end_matches(".py").replace('_', "-");
            let (name, _, check) = EXERCISES.iter().find(|exercise| exercise.0 == name).unwrap();
            let program = if file.ends_with(".py") {
                let path = folder_of(number).join(file);
                Program::of_command(name, &format!("python3 '{}'", path.display()))
            } else {
                let path = project.0.join(format!("target/debug/wrong-{number}"));
                Program::of_path(name, &path)
            };
            scope.spawn(move || {
                let sentence = check(&program).err();
                let sentence =
                    sentence.unwrap_or_else(|| panic!("{file} {mistake}, and is not found wrong"));
                println!("{file} {mistake}: {sentence}\n");
                assert!(sentence.contains(said), "{file} {mistake}: {sentence}");
            });
        }
    });
}

fn no_end() -> String {
    format!("nothing more in {PATIENCE:?}")
}

/// The check of a server; then its steps; then what it says where another program has its port.
fn check_server(
    program: &Program,
    check: impl FnOnce(&mut Started) -> Result<(), String>,
) -> Result<(), String> {
    let mut server = program.start(&["127.0.0.1:0"]);
    let result = server.is_ready().and_then(|()| check(&mut server));
    let result = result.and_then(|()| server.has_told_its_steps());
    result.map_err(|sentence| sentence + &server.last_words())?;
    drop(server);

    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().to_string();
    let mut second = program.start(&[&taken]);
    let sent = format!("it the argument {taken}, a port that another program has");
    let result = match second.first_line() {
        Some(line) => {
            let came = format!("'{}': does it listen where its argument says?", short(&line));
            Err(format!("sent {sent}; expected an error; came {came}"))
        }
        None => second.ends_with(&sent, "", 1),
    };
    result.map_err(|sentence| sentence + &second.last_words())
}

/// A program of an exercise, and how it is started: by its path, or by a command of any language.
struct Program {
    name: &'static str,
    command: Vec<String>,
}

impl Program {
    fn of_path(name: &'static str, path: &Path) -> Program {
        Program { name, command: vec![path.to_str().unwrap().to_owned()] }
    }

    /// sh(1) runs it, in the folder of the project.
    fn of_command(name: &'static str, command: &str) -> Program {
        let command = ["sh", "-c", &format!("{command} \"$@\""), "sh"];
        Program { name, command: command.map(str::to_owned).to_vec() }
    }

    fn start(&self, args: &[&str]) -> Started {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let mark = format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).args(args).env(MARK, &mark);
        command.env("RUST_BACKTRACE", "0");
        command.env_remove("PYTHONUNBUFFERED"); // A machine may set it; what is not flushed is to be seen.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.current_dir(env!("CARGO_MANIFEST_DIR")).spawn().unwrap();
        let printed = Pipe::new(child.stdout.take().unwrap(), true);
        let said = Pipe::new(child.stderr.take().unwrap(), false);
        let (address, sent) = (None, "nothing yet".to_owned());
        let client_port = String::new();
        Started { name: self.name, child, mark, printed, said, address, sent, client_port }
    }
}

/// A variable of the environment: by its value a program is found, and all that it has started.
const MARK: &str = "SOCKET_LAB_CHECK";

/// Bytes of output that are kept, of a program that may print without end.
const KEPT: usize = 64 * 1024;

/// What a program has written to a pipe: its first bytes, which are compared, or its last, which are shown.
struct Pipe {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Pipe {
    fn new(mut source: impl Read + Send + 'static, keeps_first: bool) -> Pipe {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let shared = bytes.clone();
        let reader = thread::spawn(move || {
            let mut buffer = [0; KEPT];
            while let Ok(length @ 1..) = source.read(&mut buffer) {
                let mut bytes = shared.lock().unwrap();
                bytes.extend_from_slice(&buffer[..length]);
                let surplus = bytes.len().saturating_sub(KEPT);
                let begin = if keeps_first { bytes.len() - surplus } else { 0 };
                bytes.drain(begin..begin + surplus);
            }
        });
        Pipe { bytes, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }
}

/// A started program. It is ended when this goes out of scope, with all that it has started in turn.
struct Started {
    name: &'static str,
    child: Child,
    mark: String,
    printed: Pipe,
    said: Pipe,
    /// Of a server.
    address: Option<SocketAddr>,
    /// What its latest client sends, and from which port.
    sent: String,
    client_port: String,
}

impl Started {
    /// Of a server: a connection over which `sent` will be sent.
    fn connect(&mut self, sent: &str) -> Result<TcpStream, String> {
        let connected = TcpStream::connect(self.address.unwrap()).and_then(|stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(stream)
        });
        let before = std::mem::replace(&mut self.sent, sent.to_owned());
        if let Ok(Ok(address)) = connected.as_ref().map(TcpStream::local_addr) {
            self.client_port = address.port().to_string();
        }
        connected.map_err(|error| {
            let end = if self.has_ended() { self.finish().1 } else { error.to_string() };
            format!("sent {before}; expected that it goes on with others; came {end}")
        })
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// The first line of its standard output; none where it ends without one, or waits too long.
    fn first_line(&mut self) -> Option<String> {
        until(|| {
            let has_ended = self.has_ended() && self.printed.reader.is_finished();
            let text = self.printed.text();
            let line = text.split_once('\n').map(|(line, _)| line.to_owned());
            match line {
                None if has_ended || text.len() == KEPT => {
                    Some(Some(text).filter(|text| !text.is_empty()))
                }
                line => line.map(Some),
            }
        })
        .flatten()
    }

    /// Reads the `ready on` line of a server.
    fn is_ready(&mut self) -> Result<(), String> {
        let expected = format!("{} ready on ", self.name);
        let line = self.first_line();
        self.address = line.as_ref().and_then(|line| line.strip_prefix(&expected)?.parse().ok());
        let came = match &line {
            Some(line) => format!("'{}'", short(line)),
            None if self.has_ended() => self.finish().1,
            None => format!("{}: is the line still in a buffer?", no_end()),
        };
        let sentence =
            format!("started it; expected the line '{expected}HOST:PORT' on standard output");
        match self.address {
            None => Err(format!("{sentence}; came {came}")),
            Some(address) if address.port() == 0 => Err(format!(
                "{sentence}, with the port that the system chose; came {came}: ask the socket"
            )),
            Some(_) => {
                self.connect("nothing").map(drop).map_err(|error| format!("{came}: {error}"))
            }
        }
    }

    /// What it printed, and how it ended; now it has.
    fn finish(&mut self) -> (Vec<u8>, String) {
        let end = until(|| self.child.try_wait().unwrap());
        self.end();
        let end = end.map_or_else(no_end, |status| match status.code() {
            Some(101) => "exit code 101 (a panic)".to_owned(),
            Some(126) => {
                "exit code 126: it may not be executed; chmod +x, or name its language before it"
                    .to_owned()
            }
            Some(127) => {
                "exit code 127: it is not found; or its first line ends with a carriage return, as \
                          an editor of Windows writes it"
                    .to_owned()
            }
            Some(code) => format!("exit code {code}"),
            None => status.to_string(),
        });
        (self.printed.bytes.lock().unwrap().clone(), end)
    }

    /// Whether it prints this and ends so; where that is an error, with its two lines.
    fn ends_with(&mut self, sent: &str, printed: &str, code: i32) -> Result<(), String> {
        let (came, end) = self.finish();
        compare(sent, printed.as_bytes(), &format!("exit code {code}"), (came, end))?;
        let (said, name) = (self.said.text(), self.name);
        let lines: Vec<_> = said.lines().collect();
        let is_error = |what: &str, hint: &str| {
            [what, hint].iter().all(|line| line.starts_with(&format!("{name}: ")))
                && hint.starts_with(&format!("{name}: hint: "))
                && !what.starts_with(&format!("{name}: hint: "))
        };
        match lines[..] {
            _ if code == 0 => Ok(()),
            [.., what, hint]
                if is_error(what, hint) && lines.iter().all(|line| line.starts_with(name)) =>
            {
                Ok(())
            }
            _ => {
                let expected = format!("'{name}: …' and '{name}: hint: …' on standard error");
                let came = short(said.lines().last().unwrap_or("nothing"));
                Err(format!(
                    "sent {sent}; expected two lines, {expected}; the last line is: {came}"
                ))
            }
        }
    }

    fn has_told_its_steps(&self) -> Result<(), String> {
        let expected = format!("{}: 6 transfer", self.name);
        let is_step = |line: &str| line.starts_with(&expected);
        let told = until(|| Some(()).filter(|()| self.said.text().lines().any(is_step)));
        told.ok_or_else(|| format!("expected lines '{expected} …' on standard error; came none"))
    }

    /// For the lines below the sentence: they may tell why. Now it has ended.
    fn last_words(&mut self) -> String {
        self.end();
        let said = self.said.text();
        // Of the steps only those of the connection that the sentence is about.
        let is_step = |line: &str| {
            let rest = line.strip_prefix(self.name).and_then(|rest| rest.strip_prefix(": "));
            rest.map_or(false, |rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        let lines = said.lines().filter(|line| !is_step(line) || line.contains(&self.client_port));
        let lines: Vec<_> = lines.map(short).collect();
        let last = lines.len().saturating_sub(3);
        // Of a traceback also the place in the student's own file.
        let is_own = |line: &&String| line.contains("File \"") && !line.contains("/usr/");
        let shown = lines[..last].iter().rev().find(is_own).into_iter().chain(&lines[last..]);
        let shown: String = shown.map(|line| format!("\n  {line}")).collect();
        if shown.is_empty() {
            shown
        } else {
            format!("\nits standard error ends with:{shown}")
        }
    }

    /// Its processes: on Linux also those which it has started, whatever their parent is now: proc(5).
    fn processes(&self) -> Vec<String> {
        if !cfg!(target_os = "linux") {
            return Vec::new();
        }
        let mark = format!("{MARK}={}", self.mark);
        let is_marked = |id: &String| {
            let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        };
        let names = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| name.parse::<u32>().is_ok()).filter(is_marked).collect()
    }

    /// Bytes of memory that they use; 0 where nobody tells.
    fn memory(&self) -> u64 {
        let of = |id: String| {
            let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            line.map_or(0, |line| {
                1024 * line.trim_end_matches(" kB").trim().parse::<u64>().unwrap()
            })
        };
        self.processes().into_iter().map(of).sum()
    }

    fn end(&mut self) {
        until(|| {
            let processes = self.processes();
            let mut kill = Command::new("sh"); // Its own kill: kill(1) is not everywhere.
            kill.args(["-c", "kill -KILL \"$@\"", "sh"]).args(&processes).stderr(Stdio::null());
            Some(()).filter(|()| processes.is_empty() || kill.status().is_err())
        });
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Somebody may hold a pipe whom we did not find.
        let pipes = [&self.printed, &self.said];
        until(|| Some(()).filter(|()| pipes.iter().all(|pipe| pipe.reader.is_finished())));
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.end();
    }
}

/// Looks until there is something, but not for ever; says so where it takes long.
fn until<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let begin = Instant::now();
    let mut is_told = false;
    loop {
        let found = look();
        if found.is_some() || begin.elapsed() > PATIENCE {
            return found;
        }
        if begin.elapsed() > PATIENCE / 4 && !is_told {
            let _ = io::stderr().write_all(b"waiting for the program, ten seconds at most ...\n");
            is_told = true;
        }
        sleep(Duration::from_millis(2));
    }
}

/// A text as far as a person wants to read it.
fn short(text: &str) -> String {
    let begin: String = text.chars().take(200).collect();
    if begin.len() == text.len() {
        begin
    } else {
        begin + "…"
    }
}

fn accept(listener: &TcpListener, client: &mut Started) -> Result<TcpStream, String> {
    listener.set_nonblocking(true).unwrap();
    let stream = until(|| match listener.accept() {
        Ok((stream, _)) => Some(Some(stream)),
        Err(_) if client.has_ended() => Some(None),
        Err(_) => None,
    });
    let stream = stream.flatten().ok_or_else(|| {
        let end = if client.has_ended() { client.finish().1 } else { no_end() };
        format!("sent it the arguments ADDRESS and MESSAGE; expected a connection; came {end}")
    })?;
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Ok(stream)
}

/// Sends `pieces` and the end, and compares what comes until the server's end.
fn exchange(
    server: &mut Started,
    sent: &str,
    pieces: &[&[u8]],
    expected: &[u8],
) -> Result<(), String> {
    let sent = format!("{sent}, and the end");
    let mut stream = server.connect(&sent)?;
    // Where it closes too early, what it has answered tells more than our error.
    let _ = send(&mut stream, pieces).and_then(|()| stream.shutdown(Shutdown::Write));
    compare(&sent, expected, "the end", receive(&mut stream, u64::MAX))
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
    if came == expected && !came.is_empty() && !expected_end.is_empty() {
        let right = format!("'{}' came, which is right", printable(&came));
        return Err(format!(
            "sent {sent}; {right}; then expected {expected_end}; came {}",
            end.as_ref()
        ));
    }
    let shown = |bytes: &[u8], end: &str| match (bytes.len(), end) {
        (0, "") => "nothing".to_owned(),
        (0, end) if expected.is_empty() || end == no_end() => end.to_owned(),
        (0, end) => format!("nothing and {end}"),
        (length, end) => {
            let and = if end.is_empty() { "" } else { " and " };
            format!("'{}' ({length} bytes){and}{end}", printable(bytes))
        }
    };
    let came = shown(&came, end.as_ref());
    Err(format!("sent {sent}; expected {}; came {came}", shown(expected, expected_end)))
}
