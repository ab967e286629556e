//! How fast the servers are, beside the least that std can do, Python, and any other that is named.
//!
//! All servers are measured in the same run and in turn, and given as ratios to the floor: a machine
//! that is busy with something else slows them all. `make bench`, or
//! `cargo bench --bench echo -- [--only ROW] [--rounds N] [--json] [--peer 'NAME=COMMAND with PORT']`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::pedantic)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// How long a rate is measured in each round.
const WINDOW: Duration = Duration::from_millis(250);
const PYTHON_TCP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/tcp_server.py");
const PYTHON_UDP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/udp_server.py");
const PYTHON_CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/tcp_client.py");
/// The standard library's answer to many clients, with a queue that holds them.
const PYTHON_THREADS: &str = "
import socketserver
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(4096):
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 4096
    daemon_threads = True
server = Server(('127.0.0.1', 0), Echo)
print('ready on %s:%d' % server.server_address, flush=True)
server.serve_forever()
";

/// The floor: nothing but the two calls of each message, and a thread for each connection.
fn floor(protocol: &str) {
    if protocol == "tcp" {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        socket_lab::sockopt::listen(&listener, 4096).unwrap();
        println!("ready on {}", listener.local_addr().unwrap());
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut buffer = [0; 8192];
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..length]).is_err() {
                        break;
                    }
                }
            });
        }
    }
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    println!("ready on {}", socket.local_addr().unwrap());
    let mut buffer = [0; 65_536];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        let _ = socket.send_to(&buffer[..length], from);
    }
}

/// A server under measurement, killed when it goes out of scope.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts it, and reads its address from `ready on`; of a peer, waits until it lets us connect.
    fn start(name: &str, command: &[String]) -> Option<Server> {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let is_peer = command.iter().any(|word| word.contains("PORT"));
        let words: Vec<String> =
            command.iter().map(|word| word.replace("PORT", &free.port().to_string())).collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null());
        let trace = std::env::temp_dir().join(format!("socket-lab-bench-{}", std::process::id()));
        let stderr = if name == "traced" {
            std::fs::File::create(&trace).unwrap().into()
        } else {
            Stdio::null()
        };
        let stdout = if is_peer { Stdio::null() } else { Stdio::piped() };
        let mut child = command.stdout(stdout).stderr(stderr).spawn().ok()?;
        let _ = std::fs::remove_file(trace);
        if let Some(stdout) = child.stdout.take() {
            let mut lines = BufReader::new(stdout).lines();
            let ready = lines.find_map(|line| line.ok().filter(|line| line.contains("ready on ")));
            if ready.is_none() {
                eprintln!("{name} does not say that it is ready: left out");
            }
            let ready = ready?;
            let address = ready.rsplit(' ').next().unwrap().parse().unwrap();
            return Some(Server { child, address });
        }
        let server = Server { child, address: free };
        for _ in 0..500 {
            if TcpStream::connect(free).is_ok() {
                return Some(server);
            }
            thread::sleep(Duration::from_millis(10));
        }
        eprintln!("{name} does not listen on its port: left out");
        None
    }

    /// User and system time so far, in seconds: proc(5), fields 14 and 15 of /proc/PID/stat.
    fn processor_time(&self) -> f64 {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        let ticks = |field: usize| {
            fields.get(field).and_then(|f| f.parse::<f64>().ok()).unwrap_or(f64::NAN)
        };
        (ticks(11) + ticks(12)) / 100.0
    }

    fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.map_or(f64::NAN, |line| line.trim().trim_end_matches(" kB").parse().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// What one measurement gives: its value, how many operations the server did for it in all, and
/// the memory of a connection where that is what is measured.
struct Sample {
    value: f64,
    operations: f64,
    memory: f64,
}

/// `clients` threads do `work` again and again for the window: how often in a second.
fn rate<S>(clients: usize, start: impl Fn() -> S + Sync, work: impl Fn(&mut S) + Sync) -> Sample {
    let (done, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    // None begins before all are connected.
    let connected = Barrier::new(clients + 1);
    let value = thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut state = start();
                connected.wait();
                while !stop.load(Relaxed) {
                    work(&mut state);
                    done.fetch_add(1, Relaxed);
                }
            });
        }
        connected.wait();
        let (before, begin) = (done.load(Relaxed), Instant::now());
        thread::sleep(WINDOW);
        let value = (done.load(Relaxed) - before) as f64 / begin.elapsed().as_secs_f64();
        stop.store(true, Relaxed);
        value
    });
    Sample { value, operations: done.into_inner() as f64, memory: f64::NAN }
}

/// A request of `size` bytes in `writes` pieces, and its echo.
fn requests(server: &Server, clients: usize, size: usize, writes: usize) -> Sample {
    let start = || (connect(server.address), vec![b'x'; size]);
    rate(clients, start, |(stream, data)| {
        for piece in data.chunks(size / writes) {
            stream.write_all(piece).unwrap();
        }
        stream.read_exact(data).unwrap();
    })
}

/// The time of one operation, in microseconds, when there is one client.
fn latency(sample: Sample) -> Sample {
    Sample { value: 1e6 / sample.value, ..sample }
}

fn connections(server: &Server, clients: usize) -> Sample {
    rate(
        clients,
        || vec![b'x'; 14],
        |data| {
            let mut stream = connect(server.address);
            stream.write_all(data).unwrap();
            stream.read_exact(data).unwrap();
        },
    )
}

fn stream(server: &Server) -> Sample {
    const MIB: usize = 1024;
    let stream = connect(server.address);
    let begin = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            let data = vec![b'x'; 1 << 20];
            for _ in 0..MIB {
                (&stream).write_all(&data).unwrap();
            }
        });
        let mut data = vec![0; 1 << 20];
        for _ in 0..MIB {
            (&stream).read_exact(&mut data).unwrap();
        }
    });
    Sample { value: MIB as f64 / begin.elapsed().as_secs_f64(), operations: 1.0, memory: f64::NAN }
}

/// The seconds until 5,000 clients that come at once are all answered, and the KiB of the server's
/// own memory for each. The kernel's come on top, for every server with threads alike: 16 KiB of stack.
fn open_5000(server: &Server) -> Sample {
    drop(connect(server.address));
    thread::sleep(Duration::from_millis(50));
    let (before, begin) = (server.resident(), Instant::now());
    let streams: Vec<TcpStream> = thread::scope(|scope| {
        let opened = (0..20).map(|_| {
            scope.spawn(|| {
                let mut streams: Vec<TcpStream> =
                    (0..250).map(|_| connect(server.address)).collect();
                for stream in &mut streams {
                    stream.write_all(b"x").unwrap();
                }
                for stream in &mut streams {
                    stream.read_exact(&mut [0]).unwrap();
                }
                streams
            })
        });
        let opened: Vec<_> = opened.collect();
        opened.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let value = begin.elapsed().as_secs_f64();
    let memory = (server.resident() - before) / streams.len() as f64;
    Sample { value, operations: 5000.0, memory }
}

/// `outstanding` datagrams are under way at a time; a lost one is sent again after 100 ms.
fn datagrams(server: &Server, size: usize, outstanding: usize) -> Sample {
    let start = || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(server.address).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let data = vec![b'x'; size];
        for _ in 1..outstanding {
            socket.send(&data).unwrap();
        }
        (socket, data)
    };
    rate(1, start, |(socket, data)| {
        socket.send(data).unwrap();
        let _ = socket.recv(data);
    })
}

/// A whole run of a client, from start to exit, in milliseconds, against our own server.
fn client(command: &[String]) -> Sample {
    let server = Server::start("ours", &ours("tcp-server")).unwrap();
    let (host, port) = (server.address.ip().to_string(), server.address.port().to_string());
    let fill = |word: &String| word.replace("HOST", &host).replace("PORT", &port);
    let words: Vec<String> = command.iter().map(fill).collect();
    let begin = Instant::now();
    for _ in 0..20 {
        let output = Command::new(&words[0]).args(&words[1..]).output().unwrap();
        assert_eq!(output.stdout, b"Received: Hello, server!\n");
    }
    Sample {
        value: begin.elapsed().as_secs_f64() * 1000.0 / 20.0,
        operations: 20.0,
        memory: f64::NAN,
    }
}

fn words(command: &[&str]) -> Vec<String> {
    command.iter().map(|word| (*word).to_owned()).collect()
}

fn program(name: &str) -> &'static str {
    match name {
        "tcp-server" => env!("CARGO_BIN_EXE_tcp-server"),
        "tcp-client" => env!("CARGO_BIN_EXE_tcp-client"),
        "udp-server" => env!("CARGO_BIN_EXE_udp-server"),
        _ => env!("CARGO_BIN_EXE_udp-client"),
    }
}

fn ours(name: &str) -> Vec<String> {
    match name {
        "tcp-server" => words(&[program(name), "-q", "--max-connections=15000", "127.0.0.1:0"]),
        _ => words(&[program(name), "-q", "127.0.0.1:0"]),
    }
}

type Measure = Box<dyn Fn(&Server) -> Sample>;

/// A row of the table, and which servers beside the floor and ours are in it.
struct Row {
    name: String,
    unit: &'static str,
    python: Option<&'static [&'static str]>,
    protocol: &'static str,
    measure: Measure,
}

fn rows() -> Vec<Row> {
    let one: Option<&[&str]> = Some(&["-u", PYTHON_TCP, "127.0.0.1", "0"]);
    let many: Option<&[&str]> = Some(&["-c", PYTHON_THREADS]);
    let udp: Option<&[&str]> = Some(&["-u", PYTHON_UDP, "127.0.0.1", "0"]);
    let mut rows = Vec::new();
    let mut row = |name: String, unit, python, protocol, measure: Measure| {
        rows.push(Row { name, unit, python, protocol, measure });
    };
    let us = "µs";
    row(
        "round trip, 14 bytes".into(),
        us,
        one,
        "tcp",
        Box::new(|s| latency(requests(s, 1, 14, 1))),
    );
    row(
        "two writes, one read".into(),
        us,
        one,
        "tcp",
        Box::new(|s| latency(requests(s, 1, 14, 2))),
    );
    for clients in [1, 10, 50, 100, 300, 1000] {
        let name = format!("clients: {clients}, 512 bytes");
        row(name, "requests/s", many, "tcp", Box::new(move |s| requests(s, clients, 512, 1)));
    }
    row("one stream of 1 GiB".into(), "MiB/s", one, "tcp", Box::new(stream));
    for clients in [4, 32] {
        let name = format!("connections from {clients} clients");
        row(name, "connections/s", many, "tcp", Box::new(move |s| connections(s, clients)));
    }
    row("5000 connections opened".into(), "s", many, "tcp", Box::new(open_5000));
    for (size, outstanding) in [(64, 1), (64, 32), (1400, 1), (1400, 32)] {
        let name = format!("datagrams of {size}, {outstanding} under way");
        row(name, "datagrams/s", udp, "udp", Box::new(move |s| datagrams(s, size, outstanding)));
    }
    rows
}

/// Median, least and most.
fn summary(values: &mut [f64]) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[0], values[values.len() - 1])
}

fn number(value: f64) -> String {
    let digits = if value >= 100.0 { 0 } else { 3 };
    format!("{value:.digits$}")
}

/// One line of the table for each server, or one JSON object for all of them.
fn print(json: bool, name: &str, unit: &str, results: &mut [(String, Vec<f64>)]) {
    let base = summary(&mut results[0].1).0;
    let mut objects = Vec::new();
    for (server, values) in results {
        let (median, least, most) = summary(values);
        let ratio = median / base;
        objects.push(format!(
            r#""{server}":{{"median":{median},"least":{least},"most":{most},"ratio":{ratio:.3}}}"#
        ));
        if !json {
            let spread = format!("{} to {}", number(least), number(most));
            println!(
                "{name:<34} {server:<12} {:>9} {unit:<14} {ratio:>6.2}   {spread}",
                number(median)
            );
        }
    }
    if json {
        println!(r#"{{"row":"{name}","unit":"{unit}","servers":{{{}}}}}"#, objects.join(","));
    }
}

/// The interpreter itself, and not a script that looks for it.
fn find_python() -> Option<String> {
    let script = "import sys; print(sys.executable)";
    let found = Command::new("python3").args(["-c", script]).output().ok();
    if found.is_none() {
        eprintln!("there is no python3: its rows are left out");
    }
    Some(String::from_utf8_lossy(&found?.stdout).trim().to_owned())
}

fn main() {
    let (mut only, mut rounds, mut json, mut peers) = (None, 5, false, Vec::new());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--floor" => return floor(&args.next().unwrap()),
            "--only" => only = args.next(),
            "--rounds" => {
                rounds =
                    args.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0).expect("--rounds N")
            }
            "--json" => json = true,
            "--peer" => {
                let peer = args.next().expect("--peer 'NAME=COMMAND with PORT'");
                let (name, command) =
                    peer.split_once('=').expect("--peer 'NAME=COMMAND with PORT'");
                assert!(command.contains("PORT"), "the command of {name} has no PORT");
                peers.push((
                    name.to_owned(),
                    command.split(' ').map(str::to_owned).collect::<Vec<_>>(),
                ));
            }
            "--bench" => (),
            _ => panic!(
                "--only ROW, --rounds N, --json, --peer 'NAME=COMMAND with PORT', and not {arg}"
            ),
        }
    }
    let wanted = |name: &str| only.as_ref().map_or(true, |only| name.contains(&only[..]));
    let python = find_python();
    let own = std::env::current_exe().unwrap().display().to_string();
    if !json {
        println!(
            "{:<34} {:<12} {:>9} {:<14} {:>6}   least to most",
            "row", "server", "median", "", "ratio"
        );
    }
    for row in rows().iter().filter(|row| wanted(&row.name)) {
        let mut servers = vec![
            ("floor".to_owned(), words(&[&own, "--floor", row.protocol])),
            ("ours".to_owned(), ours(&format!("{}-server", row.protocol))),
        ];
        if row.name.starts_with("clients: 50,") {
            let traced = words(&[program("tcp-server"), "127.0.0.1:0"]);
            servers.push(("traced".to_owned(), traced));
        }
        // Python has no place in the row of 1,000 clients: it takes seconds to get through one.
        if let Some((command, python)) =
            row.python.filter(|_| !row.name.contains("1000,")).zip(python.as_ref())
        {
            servers.push((
                "python".to_owned(),
                [std::slice::from_ref(python), &words(command)].concat(),
            ));
        }
        if row.protocol == "tcp" {
            servers.extend(peers.iter().cloned());
        }
        let start = |(name, command): &(String, Vec<String>)| {
            Some((name.clone(), Server::start(name, command)?))
        };
        let running: Vec<(String, Server)> = servers.iter().filter_map(start).collect();
        let mut values: Vec<(String, Vec<f64>)> =
            running.iter().map(|(name, _)| (name.clone(), vec![])).collect();
        let mut memory = values.clone();
        let mut work = vec![(0.0, 0.0); running.len()];
        for round in 0..rounds {
            for (at, (name, server)) in running.iter().enumerate() {
                // Each crowd is a server's first, whose memory is not yet what another one left.
                let fresh = if row.unit == "s" && round > 0 {
                    servers.iter().find(|(other, _)| other == name).and_then(start)
                } else {
                    None
                };
                let server = fresh.as_ref().map_or(server, |(_, server)| server);
                let before = server.processor_time();
                let sample = (row.measure)(server);
                values[at].1.push(sample.value);
                memory[at].1.push(sample.memory);
                work[at].0 += server.processor_time() - before;
                work[at].1 += sample.operations;
            }
        }
        print(json, &row.name, row.unit, &mut values);
        if row.unit == "s" {
            print(json, "memory of each of 5000", "KiB", &mut memory);
        }
        if row.unit.ends_with("/s") && row.unit != "MiB/s" {
            let mut each: Vec<(String, Vec<f64>)> = values
                .iter()
                .zip(&work)
                .map(|((n, _), (t, o))| (n.clone(), vec![t * 1e6 / o]))
                .collect();
            print(json, &format!("{}: processor", row.name), "µs each", &mut each);
        }
    }
    if let Some(python) = python.filter(|_| wanted("a whole run of the client")) {
        let ours = words(&[program("tcp-client"), "-q", "HOST:PORT"]);
        let theirs = words(&[&python, PYTHON_CLIENT, "HOST", "PORT"]);
        let mut values = [("python".to_owned(), vec![]), ("ours".to_owned(), vec![])];
        for _ in 0..rounds {
            values[0].1.push(client(&theirs).value);
            values[1].1.push(client(&ours).value);
        }
        print(json, "a whole run of the client", "ms", &mut values);
    }
    for name in ["tcp-server", "tcp-client", "udp-server", "udp-client"] {
        if wanted("size of the binary") {
            let size = std::fs::metadata(program(name))
                .map_or(f64::NAN, |file| file.len() as f64 / 1024.0);
            print(
                json,
                &format!("size of the binary {name}"),
                "KiB",
                &mut [("ours".to_owned(), vec![size])],
            );
        }
    }
}
