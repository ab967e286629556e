//! The trace of two programs that share a terminal: no effect stands above its cause, and it changes nothing.

mod common;

use common::{client, lines, program_path, stderr, Running, Server, PATIENCE};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

#[cfg(unix)] // The shell lets two programs share a terminal.
mod order {
    use super::common::{has, name_programs, output, stdout};
    use std::process::{Command, Stdio};

    /// What a terminal shows: both programs' trace, in the order in which it was written.
    fn terminal(script: &str) -> Vec<String> {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec 2>&1; {script}")]).stdin(Stdio::null());
        name_programs(&mut shell);
        let output = output(shell.current_dir(env!("CARGO_MANIFEST_DIR")));
        stdout(&output).lines().map(str::to_owned).collect()
    }

    /// Where the first line stands that begins so and contains that.
    fn find(shown: &[String], begin: &str, part: &str) -> Option<usize> {
        shown.iter().position(|line| line.starts_with(begin) && line.contains(part))
    }

    /// Each pair that is there stands in its order, and the first `needed` of the pairs are there.
    fn assert_causes_first(shown: &[String], pairs: &[[&str; 4]], needed: usize) {
        for (number, [cause, cause_part, effect, effect_part]) in pairs.iter().enumerate() {
            let cause = find(shown, cause, cause_part);
            let effect = find(shown, effect, effect_part);
            if number < needed {
                assert!(cause.is_some() && effect.is_some(), "{pairs:#?} {number}: {shown:#?}");
            }
            if let Some(effect) = effect {
                assert!(
                    cause.map_or(false, |cause| cause < effect),
                    "{pairs:#?} {number}: {shown:#?}"
                );
            }
        }
    }

    /// What each side sees of the other: the connection, the data, the end of the data, the close.
    const TCP: [[&str; 4]; 6] = [
        ["tcp-client: 4 connect", "", "tcp-server: 5 establish", ""],
        ["tcp-client: 6 transfer", "sending", "tcp-server: 6 transfer", " bytes received: "],
        [
            "tcp-server: 6 transfer",
            " bytes received: ",
            "tcp-client: 6 transfer",
            " bytes received: ",
        ],
        ["tcp-client: 6 transfer", "no more to send", "tcp-server: 6 transfer", "0 bytes: no more"],
        ["tcp-server: 7 close", " sent back", "tcp-client: 6 transfer", "0 bytes: no more"],
        ["tcp-client: 7 close", "", "tcp-server: 7 close", ", then "],
    ];

    const UDP: [[&str; 4]; 2] = [
        ["udp-client: 6 transfer", "sending", "udp-server: 6 transfer", " bytes received: "],
        [
            "udp-server: 6 transfer",
            " bytes received: ",
            "udp-client: 6 transfer",
            " bytes received: ",
        ],
    ];

    /// An idle client is closed by the server; what it still sends is in vain.
    const IDLE: [[&str; 4]; 2] = [
        ["tcp-client: 4 connect", "", "tcp-server: 5 establish", ""],
        ["tcp-server: 7 close", "idle too long", "tcp-client: 6 transfer", "0 bytes: no more"],
    ];

    /// The client cannot print the reply, and closes while its input is still open.
    const FULL: [[&str; 4]; 4] = [
        ["tcp-client: 4 connect", "", "tcp-server: 5 establish", ""],
        ["tcp-client: 6 transfer", "sending", "tcp-server: 6 transfer", " bytes received: "],
        ["tcp-client: 6 transfer", "no more to send", "tcp-server: 6 transfer", "0 bytes: no more"],
        ["tcp-client: 6 transfer", "no more to send", "tcp-server: 7 close", "127.0.0.1:"],
    ];

    /// Descriptor 3: nobody types there, and it does not end.
    const KEYBOARD: &str =
        "fifo=$(mktemp -u) && mkfifo \"$fifo\" && exec 3<>\"$fifo\" && rm \"$fifo\";";

    fn conversations(times: usize) {
        let serve = |options: &str, client: &str| {
            format!(
                "\"$tcp_server\" --count 1 {options} 127.0.0.1:0 | {{ read -r line; {client}; }}"
            )
        };
        let address = "\"$tcp_client\" \"${line##* }\"";
        for _ in 0..times {
            if has(&["make"]) {
                let shown = terminal("make --silent demo");
                assert_causes_first(&shown, &TCP, 5);
                assert_causes_first(&shown, &UDP, 2);
                // Data and trace do not run into each other.
                assert_eq!(
                    shown.iter().filter(|line| *line == "Received: Hello, server!").count(),
                    2
                );
            }
            let idle = serve("--idle-timeout 0.02", &format!("{KEYBOARD} {address} - <&3"));
            assert_causes_first(&terminal(&idle), &IDLE, 2);
            if cfg!(target_os = "linux") {
                let shown = terminal(&serve("", &format!("{address} >/dev/full")));
                assert!(find(&shown, "tcp-client: cannot write to standard output", "").is_some());
                assert_causes_first(&shown, &TCP, 5);
                let shown =
                    terminal(&serve("", &format!("(echo hi; sleep 0.3) | {address} - >/dev/full")));
                assert!(find(&shown, "tcp-client: cannot write to standard output", "").is_some());
                assert_causes_first(&shown, &FULL, 2);
            }
        }
    }

    #[test]
    fn no_effect_stands_above_its_cause() {
        conversations(5);
    }

    #[ignore = "1,200 conversations: make soak"]
    #[test]
    fn no_effect_stands_above_its_cause_in_300_conversations_of_each_kind() {
        conversations(300);
    }
}

#[test]
fn a_connect_that_hangs_shows_what_it_hangs_in() {
    // Nobody accepts, and the queue is full: Linux drops what does not fit.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    socket_lab::sockopt::listen(&listener, 1).unwrap();
    let address = listener.local_addr().unwrap();
    let _queued = [TcpStream::connect(address).unwrap(), TcpStream::connect(address).unwrap()];
    let mut command = Command::new(program_path("tcp-client"));
    command.args(["--timeout=0", &address.to_string()]).stderr(Stdio::piped());
    let mut hanging = Running::start(&mut command);
    let trace = lines(hanging.0.stderr.take().unwrap());
    for line in ["1 create     TCP, IPv4".to_owned(), format!("4 connect    {address}")] {
        assert_eq!(trace.recv_timeout(PATIENCE), Ok(format!("tcp-client: {line}")));
    }
    if cfg!(target_os = "linux") {
        assert!(trace.try_recv().is_err());
        assert!(hanging.0.try_wait().unwrap().is_none());
        let mut impatient = common::client("tcp-client");
        let output =
            impatient.args(["-q", "--timeout=0.2", &address.to_string()]).output().unwrap();
        let error = common::stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(": connection timed out\n"), "{error}");
        assert!(error.contains("hint: nobody answers there: check the address"), "{error}");
    }
}

/// To read SO_ERROR for the trace would take a reset away: 104 became 32.
#[cfg(target_os = "linux")] // The numbers are Linux's.
#[test]
fn a_reset_is_the_same_error_with_and_without_a_trace() {
    if !common::has(&["python3"]) {
        return;
    }
    let mut python = Command::new("python3");
    python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/resetting_server.py"));
    let server = Server::run(python);
    for round in 0..200 {
        let option = if round % 2 == 0 { "--quiet" } else { "--timeout=5" };
        let output = client("tcp-client").args([option, &server.address.to_string()]).output();
        let error = stderr(&output.unwrap());
        assert!(error.contains(": Connection reset by peer (os error 104)\n"), "{option}: {error}");
    }
}

/// With IPv4 addresses of 15 characters; a port of five digits may make it 81.
#[test]
fn no_line_of_a_conversation_is_longer_than_80_columns() {
    for (server, program) in [("tcp-server", "tcp-client"), ("udp-server", "udp-client")] {
        let mut server = Server::start(server, &["--count=1"]);
        let output = client(program).arg(server.address.to_string()).output().unwrap();
        let mut trace = server.finish().1;
        trace.extend(stderr(&output).lines().map(str::to_owned));
        assert!(trace.len() > 8, "{trace:#?}");
        for line in trace {
            let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            for word in &mut words {
                let end = word.trim_end_matches(',');
                if end.parse::<std::net::SocketAddr>().is_ok() {
                    *word = word.replace(end, "255.255.255.255:8888");
                }
            }
            let longest = words.join(" ");
            assert!(longest.chars().count() <= 80, "{} columns: {longest}", longest.len());
        }
    }
}
