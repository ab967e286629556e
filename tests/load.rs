//! Many connections at once: `make soak` runs it.
#![cfg(target_os = "linux")] // /proc tells memory, threads and descriptors.

mod common;

use common::Server;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

/// A number of /proc/PID/status: KiB for memory.
fn status(id: u32, name: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn descriptors(id: u32) -> usize {
    std::fs::read_dir(format!("/proc/{id}/fd")).unwrap().count()
}

/// Raises our own soft limit, which servers inherit, as far as we may: how many connections that allows.
fn raise_descriptor_limit(wanted: usize) -> usize {
    let own = std::process::id().to_string();
    for limit in [format!("{}:", wanted + 100), format!("{0}:{0}", wanted + 100)] {
        let _ = Command::new("prlimit").args(["--pid", &own, "--nofile", &limit]).output();
    }
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let limit = line.split_whitespace().nth(3).unwrap().parse::<usize>().unwrap_or(usize::MAX);
    wanted.min(limit - 100)
}

fn wait_until(what: &str, mut reached: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if reached() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("not reached: {what}");
}

#[ignore = "15,000 threads three times: make soak"]
#[test]
fn fifteen_thousand_connections_are_served_at_once_and_leave_nothing_behind() {
    let number = raise_descriptor_limit(15_000);
    let server =
        Server::start("tcp-server", &["-q", "--max-connections=15000", "--idle-timeout=0"]);
    let id = server.id();
    let open = descriptors(id);
    // Once, so that what is measured at the start is a server at work. Its thread is there before its end.
    drop(server.connect());
    wait_until("a spare thread", || status(id, "Threads:") == 2 && descriptors(id) == open);
    let memory = status(id, "VmRSS:");
    for round in 1..=3 {
        let mut streams: Vec<TcpStream> = (0..number).map(|_| server.connect()).collect();
        for (at, stream) in streams.iter_mut().enumerate() {
            stream.write_all(&(at as u64).to_le_bytes()).unwrap();
        }
        for (at, stream) in streams.iter_mut().enumerate() {
            let mut reply = [0; 8];
            stream.read_exact(&mut reply).unwrap();
            assert_eq!(u64::from_le_bytes(reply), at as u64);
        }
        let each = (status(id, "VmRSS:") - memory) as f64 / number as f64;
        let threads = status(id, "Threads:");
        drop(streams);
        wait_until("at most 64 spare threads", || status(id, "Threads:") <= 64 + 1);
        wait_until("descriptors closed", || descriptors(id) == open);
        let left = status(id, "VmRSS:").saturating_sub(memory) / 1024;
        println!("round {round}: {number} connections, {threads} threads, {each:.1} KiB each, {left} MiB left");
        assert!(each <= 16.0, "{each} KiB resident for each connection");
        assert!(left <= 80, "{left} MiB more than at the start");
    }
}
