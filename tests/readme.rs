//! What the README shows of a conversation, in tables and pictures, is what this machine shows.
#![cfg(target_os = "linux")] // Network namespaces and ss(8) are Linux's.

mod common;

use common::{
    assert_links, client, has, lines, matches, may_unshare, output, program_path, read, seen,
    set_stopped, stderr, stdout, table, Running, Server, PAGES, PATIENCE, PROGRAMS,
};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

fn assert_matches(written: &[String], shown: &[String]) {
    let same = written.len() == shown.len()
        && written.iter().zip(shown).all(|(written, shown)| matches(written, shown));
    assert!(same, "written: {written:#?}\nshown: {shown:#?}");
}

/// Lines of the two programs may change places; those of each may not.
#[test]
fn make_demo_shows_the_conversation_of_the_first_screen() {
    if !has(&["make"]) {
        return;
    }
    let mut make = Command::new("sh");
    make.args(["-c", "make demo 2>&1"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let shown = stdout(&output(make.stdin(Stdio::null())));
    let shown = shown.split("udp-").next().unwrap();
    let readme = read("README.md");
    let written =
        readme.split_once("$ make demo\n").unwrap().1.split_once("$ make test").unwrap().0;
    let of = |text: &str, begin: &str| -> Vec<String> {
        text.lines().filter(|line| line.starts_with(begin)).map(str::to_owned).collect()
    };
    for begin in ["tcp-server", "tcp-client", "Received: "] {
        assert_matches(&of(written, begin), &of(shown, begin));
    }
    let is_its = |line: &str| line.starts_with("tcp-") || line.starts_with("Received: ");
    assert!(written.lines().all(is_its), "{written}");
}

#[test]
fn each_program_prints_what_the_table_shows() {
    for protocol in ["tcp", "udp"] {
        let mut server = Server::start(&format!("{protocol}-server"), &[]);
        let address = server.address.to_string();
        let output = client(&format!("{protocol}-client")).arg(&address).output().unwrap();
        server.trace_until(if protocol == "tcp" { "7 close" } else { "6 transfer" });
        let ours = server.said().to_vec();
        let theirs = stderr(&output).lines().map(str::to_owned).collect();
        for (side, shown) in [("server", ours), ("client", theirs)] {
            let line = |(step, text): (String, Vec<String>)| {
                let text = text[0].replace("127.0.0.1:8888", &address);
                format!("{protocol}-{side}: {step:<12} {text}")
            };
            let written: Vec<_> = seen(protocol, side, "prints").into_iter().map(line).collect();
            assert_matches(&written, &shown);
        }
    }
}

/// One conversation on lo, packet by packet, in the README's words.
fn capture(protocol: &str) -> Vec<String> {
    let script = r#"
        ip link set lo up && mount -t tmpfs none /media && cd /media && mkfifo ready || exit 3
        "$SERVER" -q 127.0.0.1:8888 >ready & read -r line <ready
        tcpdump --immediate-mode -lnt -i lo port 8888 >packets 2>said &
        while ! grep -q listening said; do sleep 0.01; done
        "$CLIENT" -q >reply
        while ! COMPLETE; do sleep 0.01; done
        cat packets"#;
    let complete = match protocol {
        // Behind the server's FIN comes what acknowledges it.
        "tcp" => "sed '1,/8888 > .*Flags .F/d' packets | grep -q .",
        _ => "grep -q '8888 > ' packets",
    };
    let script = script.replace("COMPLETE", complete);
    let mut unshare = Command::new("timeout");
    unshare.args(["--signal=KILL", "20", "unshare", "-nm", "--pid", "--kill-child", "--fork"]);
    unshare.args(["sh", "-c", &script]).stdin(Stdio::null());
    unshare.env("SERVER", program_path(&format!("{protocol}-server")));
    unshare.env("CLIENT", program_path(&format!("{protocol}-client")));
    let output = output(&mut unshare);
    let packet = |line: &str| {
        let flags =
            line.split_once("Flags [").map_or("", |(_, rest)| rest.split(']').next().unwrap());
        let data = line.rsplit("length ").next().unwrap();
        let what = match (flags, data) {
            ("S", _) => "SYN".to_owned(),
            ("S.", _) => "SYN, ACK".to_owned(),
            (".", "0") => "ACK".to_owned(),
            ("F.", "0") => "FIN".to_owned(),
            _ => format!("{data} bytes"),
        };
        if line.contains("> 127.0.0.1.8888:") {
            format!("{what} →")
        } else {
            format!("← {what}")
        }
    };
    stdout(&output).lines().filter(|line| line.starts_with("IP ")).map(packet).collect()
}

/// The packets of a picture from top to bottom.
fn picture(protocol: &str) -> Vec<String> {
    let svg = read(&format!("labs/{protocol}.svg"));
    let texts = svg.lines().filter_map(|line| line.strip_suffix("</text>")?.rsplit('>').next());
    texts.filter(|text| text.contains(['→', '←'])).map(str::to_owned).collect()
}

/// What each side sends, in its order, and behind it what carries nothing but an ACK: the client's FIN, that ACK
/// and the reply may change places.
fn by_sender(packets: &[String]) -> Vec<&String> {
    let mut packets: Vec<_> = packets.iter().collect();
    packets.sort_by_key(|packet| (packet.contains('←'), is_ack(packet)));
    packets
}

fn is_ack(packet: &str) -> bool {
    ["ACK →", "← ACK"].contains(&packet)
}

#[test]
fn a_capture_shows_the_packets_of_the_table_and_of_the_picture() {
    if !has(&["tcpdump"]) || !may_unshare("-nm") {
        return;
    }
    for protocol in ["tcp", "udp"] {
        let (picture, mut captured) = (picture(protocol), capture(protocol));
        // An ACK may travel with data or a FIN, and then there is one packet less.
        for _ in 0..50 {
            if by_sender(&captured) == by_sender(&picture) {
                break;
            }
            captured = capture(protocol);
        }
        assert_eq!(by_sender(&captured), by_sender(&picture));
        // Until the data are sent, each packet waits for the one before.
        let first = captured.len().min(4);
        assert_eq!(captured[..first], picture[..first]);
        // The table leaves out what carries nothing but an ACK, after the handshake.
        for arrow in ['→', '←'] {
            let is_of_the_table = |(number, packet): &(usize, &String)| {
                packet.contains(arrow) && (*number < 3 || !is_ack(packet))
            };
            let sent = picture.iter().enumerate().filter(is_of_the_table).map(|(_, packet)| packet);
            let rows = ["client", "server"].map(|side| seen(protocol, side, "on the wire"));
            let cells = rows.iter().flatten().flat_map(|(_, packets)| packets);
            let written = cells.filter(|packet| packet.contains(arrow));
            assert_eq!(written.collect::<Vec<_>>(), sent.collect::<Vec<_>>());
        }
    }
}

/// The states of all sockets of one protocol at the port of a server, as ss(8) has them, with the local port.
fn states(protocol: &str, port: u16) -> Vec<(String, u16)> {
    let filter = format!("( sport = :{port} or dport = :{port} )");
    let option = if protocol == "tcp" { "-tanH" } else { "-uanH" };
    let shown = stdout(&output(Command::new("ss").args([option, &filter])));
    let state = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        (words[0].to_owned(), words[3].rsplit(':').next().unwrap().parse().unwrap())
    };
    shown.lines().map(state).collect()
}

/// Waits until a TCP socket of that side has this state.
fn assert_state(port: u16, side: &str, state: &str) {
    let deadline = Instant::now() + PATIENCE;
    let is_there = |states: &[(String, u16)]| {
        states.iter().any(|(shown, local)| shown == state && (*local == port) == (side == "server"))
    };
    loop {
        let states = states("tcp", port);
        if is_there(&states) {
            return;
        }
        assert!(Instant::now() < deadline, "no {state} at the {side}: {states:?}");
    }
}

/// The states of the table, each as (step, side, state).
fn written_states(protocol: &str) -> Vec<[String; 3]> {
    let of = |side: &str| {
        let states = seen(protocol, side, "state in `ss`").into_iter();
        states.map(|(step, state)| [step, side.to_owned(), state.concat()]).collect::<Vec<_>>()
    };
    let mut states = [of("server"), of("client")].concat();
    states.sort();
    states
}

#[test]
fn ss_shows_the_states_of_the_table() {
    if !has(&["ss"]) {
        return;
    }
    let mut shown = Vec::new();
    let mut see = |port: u16, step: &str, side: &str, state: &str| {
        assert_state(port, side, state);
        shown.push([step, side, state].map(str::to_owned));
    };
    // A queue that is full: the next client waits in connect.
    let server = Server::start("tcp-server", &["--backlog", "1"]);
    let (address, port) = (server.address.to_string(), server.address.port());
    see(port, "3 listen", "server", "LISTEN");
    set_stopped(server.id(), true);
    let waiting = [server.connect(), server.connect()];
    let client = |address: &str| {
        let mut client = Command::new(program_path("tcp-client"));
        client.args([address, "-"]).stdin(Stdio::piped());
        Running::start(client.stdout(Stdio::piped()).stderr(Stdio::piped()))
    };
    let hanging = client(&address);
    see(port, "4 connect", "client", "SYN-SENT");
    drop((hanging, waiting, server));

    let mut server = Server::start("tcp-server", &[]);
    let (address, port) = (server.address.to_string(), server.address.port());
    let mut running = client(&address);
    server.trace_until("5 establish");
    see(port, "5 establish", "client", "ESTAB");
    see(port, "5 establish", "server", "ESTAB");
    set_stopped(server.id(), true);
    let mut keyboard = running.0.stdin.take().unwrap();
    std::io::Write::write_all(&mut keyboard, b"Hello, server!").unwrap();
    drop(keyboard);
    see(port, "6 transfer", "client", "FIN-WAIT-2");
    see(port, "6 transfer", "server", "CLOSE-WAIT");
    set_stopped(server.id(), false);
    assert!(running.finish().status.success());
    see(port, "6 transfer", "client", "TIME-WAIT");
    shown.sort();
    assert_eq!(written_states("tcp"), shown);

    let mut shown = Vec::new();
    let server = Server::start("udp-server", &[]);
    let (address, port) = (server.address.to_string(), server.address.port());
    assert_eq!(states("udp", port), [("UNCONN".to_owned(), port)]);
    shown.push(["2 bind", "server", "UNCONN"].map(str::to_owned));
    set_stopped(server.id(), true);
    let mut client = Command::new(program_path("udp-client"));
    client.args(["--timeout", "0", &address]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::start(&mut client);
    let trace = lines(running.0.stderr.take().unwrap());
    let bound = trace.iter().find(|line| line.contains("2 bind")).unwrap();
    let bound = bound.split(',').next().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    assert_eq!(states("udp", bound), [("UNCONN".to_owned(), bound)]);
    shown.push(["2 bind", "client", "UNCONN"].map(str::to_owned));
    shown.sort();
    assert_eq!(written_states("udp"), shown);
}

/// The arguments of each program: name, default, meaning.
#[test]
fn the_table_of_the_options_is_what_help_says() {
    let mut helped = Vec::new();
    for program in PROGRAMS {
        let output = client(program).arg("--help").output().unwrap();
        for line in stdout(&output).lines().filter(|line| line.starts_with("  ")) {
            let (name, meaning) = line.trim().rsplit_once("  ").unwrap();
            let (meaning, default) = meaning.split_once(" [default: ").unwrap_or((meaning, "]"));
            let default = default.trim_end_matches(']');
            helped.push([program, name.trim(), default, meaning].map(str::to_owned));
        }
    }
    let mut written = Vec::new();
    for row in table("## Programs and options", "argument") {
        let programs = if row[0] == "all" { PROGRAMS.join(", ") } else { row[0].clone() };
        for program in programs.split(", ") {
            let cell = |number: usize| row[number].trim_matches('`').to_owned();
            written.push([program.to_owned(), cell(1), cell(2), cell(3)]);
        }
    }
    helped.sort();
    written.sort();
    assert_eq!(written, helped);
}

#[test]
fn each_link_leads_somewhere() {
    let both = PAGES.iter().flat_map(|(english, chinese)| [*english, *chinese]);
    for page in both.chain(["benches/README.md", "docs/bounds.md", "docs/systems.md"]) {
        assert_links(Path::new(env!("CARGO_MANIFEST_DIR")), page);
    }
}
