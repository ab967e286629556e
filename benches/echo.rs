//! How fast the programs are, as ratios to the least that std can do: README.md, beside this file.
//!
//! `cargo bench --bench echo -- [--only ROW] [--rounds N] [--json] [--peer 'NAME=COMMAND with PORT']`

mod servers;

use servers::{floor, Server};
use std::env;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::process::{exit, Command};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// How long a rate is measured in each round, and how much longer for each client: where 1,000 threads
/// share two cores, a shorter time passes before each of them has had a turn.
const WINDOW: Duration = Duration::from_millis(300);
const WINDOW_OF_A_CLIENT: Duration = Duration::from_millis(2);
/// Whoever is silent for so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

// NAME=COMMAND, in which THIS is this program.
const FLOOR: &str = "floor=THIS --floor tcp";
const OURS: &str = "ours=tcp-server -q --max-connections=15000 127.0.0.1:0";
const TRACED: &str = "traced=tcp-server 127.0.0.1:0";
/// The sample serves one client after another; for many there is what Python's library has.
const PYTHON: &str = "python=python3 -u tests/python/tcp_server.py 127.0.0.1 0";
const PYTHON_THREADS: &str = "python=python3 benches/threads.py";
const UDP_FLOOR: &str = "floor=THIS --floor udp";
const UDP_OURS: &str = "ours=udp-server -q 127.0.0.1:0";
const UDP_PYTHON: &str = "python=python3 -u tests/python/udp_server.py 127.0.0.1 0";
const CLIENT: &str = "ours=tcp-client -q HOST:PORT";
const PYTHON_CLIENT: &str = "python=python3 tests/python/tcp_client.py HOST PORT";

/// What there is how much of, who takes part, and how it is measured. The first one is what the others are
/// compared with; where that is the floor of TCP, named peers take part too.
struct Row(&'static str, usize, &'static [&'static str], fn(&[String], usize) -> Vec<Figure>);

/// What a measurement gives: its unit and value; no value where this system does not tell it.
type Figure = (&'static str, Option<f64>);

const ROWS: [Row; 13] = [
    Row("requests of 512 bytes, clients", 1, &[FLOOR, OURS, PYTHON], requests),
    Row("requests of 512 bytes, clients", 50, &[FLOOR, OURS, PYTHON_THREADS], requests),
    Row("requests of 512 bytes, clients", 300, &[FLOOR, OURS, PYTHON_THREADS], requests),
    Row("requests of 512 bytes, clients", 1000, &[FLOOR, OURS, PYTHON_THREADS], requests),
    Row("requests with a trace, clients", 50, &[OURS, TRACED], requests),
    Row("two writes and one read, clients", 1, &[FLOOR, OURS, PYTHON], two_writes),
    Row("stream, MiB", 1024, &[FLOOR, OURS, PYTHON], stream),
    Row("connections, clients", 4, &[FLOOR, OURS, PYTHON_THREADS], connections),
    Row("connections, clients", 32, &[FLOOR, OURS, PYTHON_THREADS], connections),
    Row("clients at once", 5000, &[FLOOR, OURS, PYTHON_THREADS], crowd),
    Row("datagrams, in flight", 1, &[UDP_FLOOR, UDP_OURS, UDP_PYTHON], datagrams),
    Row("datagrams, in flight", 32, &[UDP_FLOOR, UDP_OURS, UDP_PYTHON], datagrams),
    Row("whole runs of a client", 10, &[PYTHON_CLIENT, CLIENT], runs),
];

fn requests(command: &[String], clients: usize) -> Vec<Figure> {
    let server = &Server::start(command);
    rate(server, clients, || server.connect(), |stream| echo(stream, 512, 1))
}

/// What Nagle's algorithm delays where it is not turned off.
fn two_writes(command: &[String], clients: usize) -> Vec<Figure> {
    let server = &Server::start(command);
    rate(server, clients, || server.connect(), |stream| echo(stream, 14, 2))
}

fn connections(command: &[String], clients: usize) -> Vec<Figure> {
    let server = &Server::start(command);
    rate(server, clients, || (), |()| echo(&mut server.connect(), 14, 1))
}

fn datagrams(command: &[String], in_flight: usize) -> Vec<Figure> {
    let server = &Server::start(command);
    let send = |socket: &UdpSocket| assert_eq!(socket.send(&[b'x'; 64]).unwrap(), 64);
    let start = || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(server.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        (1..in_flight).for_each(|_| send(&socket));
        socket
    };
    let work = |socket: &mut UdpSocket| {
        send(socket);
        assert_eq!(socket.recv(&mut [0; 100]).expect("a datagram was lost"), 64);
    };
    // Without the times: with several in flight they are not those of one.
    rate(server, 1, start, work)[..2].to_vec()
}

fn stream(command: &[String], mib: usize) -> Vec<Figure> {
    let server = Server::start(command);
    let (mut stream, mut data) = (server.connect(), vec![0; 1 << 20]);
    let (mut sender, block) = (stream.try_clone().unwrap(), data.clone());
    let began = Instant::now();
    let thread = thread::spawn(move || (0..mib).for_each(|_| sender.write_all(&block).unwrap()));
    (0..mib).for_each(|_| stream.read_exact(&mut data).unwrap());
    thread.join().unwrap();
    vec![("MiB a second", Some(mib as f64 / began.elapsed().as_secs_f64()))]
}

/// The memory is the server's own; the kernel's is on top, 16 KiB of stack for each thread.
fn crowd(command: &[String], clients: usize) -> Vec<Figure> {
    let server = Server::start(command);
    echo(&mut server.connect(), 1, 1); // What a first connection allocates is not counted.
    let (before, began) = (server.resident(), Instant::now());
    let mut streams: Vec<_> = (0..clients).map(|_| server.connect()).collect();
    streams.iter_mut().for_each(|stream| stream.write_all(b"x").unwrap());
    streams.iter_mut().for_each(|stream| stream.read_exact(&mut [0]).unwrap());
    let elapsed = began.elapsed().as_secs_f64();
    let memory =
        server.resident().zip(before).map(|(after, before)| (after - before) / clients as f64);
    vec![("s until all have a reply", Some(elapsed)), ("KiB of memory each", memory)]
}

fn runs(client: &[String], number: usize) -> Vec<Figure> {
    let server = Server::start(&contestant(OURS).1);
    let (host, port) = (server.address.ip().to_string(), server.address.port().to_string());
    let fill = |word: &String| word.replace("HOST", &host).replace("PORT", &port);
    let client: Vec<String> = client.iter().map(fill).collect();
    let began = Instant::now();
    for _ in 0..number {
        let output = Command::new(&client[0]).args(&client[1..]).output().unwrap();
        assert_eq!(output.stdout, b"Received: Hello, server!\n");
    }
    vec![("ms each", Some(began.elapsed().as_secs_f64() * 1000.0 / number as f64))]
}

/// Sends `size` bytes in `pieces` and reads their echo.
fn echo(stream: &mut TcpStream, size: usize, pieces: usize) {
    let mut data = [b'x'; 512];
    for piece in data[..size].chunks(size / pieces) {
        stream.write_all(piece).unwrap();
    }
    stream.read_exact(&mut data[..size]).unwrap();
}

/// Each of `clients` does `work` again and again: how often in a second, and how long it takes. Counted
/// is what ends within the window, over the time that the window really took.
fn rate<S>(
    server: &Server,
    clients: usize,
    start: impl Fn() -> S + Sync,
    work: impl Fn(&mut S) + Sync,
) -> Vec<Figure> {
    let (stop, ready) = (AtomicBool::new(false), Barrier::new(clients + 1));
    let client = || {
        let (mut state, mut times) = (start(), Vec::new());
        work(&mut state); // Both sides have what they need before the first is counted.
        ready.wait();
        loop {
            let began = Instant::now();
            work(&mut state);
            if stop.load(Relaxed) {
                return times;
            }
            times.push(began.elapsed().as_secs_f64() * 1e6);
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        ready.wait();
        let (began, before) = (Instant::now(), server.cpu_time());
        thread::sleep(WINDOW + WINDOW_OF_A_CLIENT * clients as u32);
        stop.store(true, Relaxed);
        let elapsed = began.elapsed().as_secs_f64();
        let cpu_time = server.cpu_time().zip(before).map(|(after, before)| after - before);
        let times: Vec<Vec<f64>> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        let starved = times.iter().filter(|times| times.is_empty()).count();
        let mut times = times.concat();
        times.sort_by(f64::total_cmp);
        let count = times.len() as f64;
        vec![
            ("a second", Some(count / elapsed)),
            ("us of CPU time each", cpu_time.map(|time| time * 1e6 / count)),
            ("us, median", times.get(times.len() / 2).copied()),
            ("us, 99th percentile", times.get(times.len() * 99 / 100).copied()),
            ("us, longest", times.last().copied()),
            ("clients without any reply", Some(starved as f64).filter(|starved| *starved > 0.0)),
        ]
    })
}

/// A name, the words of a command, and what each round gave for it.
type Contestant<'a> = (&'a str, Vec<String>, Vec<Vec<Figure>>);

/// The contestant of NAME=COMMAND.
fn contestant(text: &str) -> Contestant<'_> {
    let (name, command) = text.split_once('=').unwrap_or_else(|| refuse(text));
    let path = |word| match word {
        "THIS" => env::current_exe().unwrap().display().to_string(),
        "tcp-server" => env!("CARGO_BIN_EXE_tcp-server").to_owned(),
        "tcp-client" => env!("CARGO_BIN_EXE_tcp-client").to_owned(),
        "udp-server" => env!("CARGO_BIN_EXE_udp-server").to_owned(),
        _ => word.to_owned(),
    };
    (name, command.split(' ').map(path).collect(), Vec::new())
}

/// Median, least and most.
fn summary(values: impl Iterator<Item = f64>) -> Option<[f64; 3]> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    Some([*values.get(values.len() / 2)?, *values.first()?, *values.last()?])
}

/// A line for one figure of a contestant. The ratio to the first contestant is taken round by round,
/// because what slows the machine for a while slows both.
fn print(json: bool, row: &Row, at: usize, (name, _, own): &Contestant, first: &[Vec<Figure>]) {
    let (Row(what, number, ..), unit) = (row, own[0][at].0);
    let ratios = own.iter().zip(first).filter_map(|(own, first)| Some(own[at].1? / first[at].1?));
    let (value, ratio) = (summary(own.iter().filter_map(|own| own[at].1)), summary(ratios));
    if json {
        let list = |numbers: Option<[f64; 3]>| numbers.map_or(vec![], Vec::from);
        print!(r#"{{"row":{what:?},"number":{number},"unit":{unit:?},"server":{name:?},"#);
        println!(r#""value":{:?},"ratio":{:?}}}"#, list(value), list(ratio));
    } else if let Some([value, ..]) = value {
        print!("{:<37} {name:<8} {value:>10.2} {unit:<24}", format!("{what}: {number}"));
        if let Some([median, least, most]) = ratio {
            print!("{median:6.2} ({least:.2} to {most:.2})");
        }
        println!();
    }
}

fn refuse(arg: &str) -> ! {
    eprintln!("not {arg}, but: --only ROW, --rounds N, --json, --peer 'NAME=COMMAND with PORT'");
    exit(2)
}

fn main() {
    let (mut only, mut rounds, mut json, mut peers) = (String::new(), 5, false, Vec::new());
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().unwrap_or_else(|| refuse(&arg));
        match &arg[..] {
            "--floor" => return floor(&value()),
            "--only" => only = value(),
            "--rounds" => {
                rounds = value().parse().ok().filter(|n| *n > 0).unwrap_or_else(|| refuse(&arg))
            }
            "--json" => json = true,
            "--peer" => peers.push(value()),
            "--bench" => (), // cargo adds it.
            _ => refuse(&arg),
        }
    }
    if !ROWS.iter().any(|row| row.0.contains(&only)) {
        let mut names: Vec<&str> = ROWS.iter().map(|row| row.0).collect();
        names.dedup();
        eprintln!("no row has {only:?} in its name; they are: {}", names.join("; "));
        exit(2)
    }
    let has_python = Command::new("python3").arg("--version").output().is_ok();
    for row @ Row(_, number, contestants, measure) in
        ROWS.iter().filter(|row| row.0.contains(&only))
    {
        let peers = peers.iter().map(String::as_str).filter(|_| contestants[0] == FLOOR);
        let all = contestants.iter().copied().chain(peers).map(contestant);
        let mut all: Vec<_> =
            all.filter(|(_, words, _)| has_python || words[0] != "python3").collect();
        for _ in 0..rounds {
            for (_, command, figures) in &mut all {
                figures.push(measure(command, *number));
            }
        }
        for at in 0..all[0].2[0].len() {
            all.iter().for_each(|own| print(json, row, at, own, &all[0].2));
        }
    }
}
