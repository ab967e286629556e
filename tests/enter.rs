//! labs/enter: a network for the terminals of one student, and what it says where there may be none.
#![cfg(target_os = "linux")] // Other systems have no network namespaces.

mod common;

use common::{
    has, kill_group, lines, may_unshare, output, stderr, stdout, Project, Running, PATIENCE,
};
use std::io::Write;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Instant;

fn may_enter() -> bool {
    has(&["nsenter", "flock", "setsid", "ip"]) && may_unshare("-Urnm")
}

struct Terminal {
    process: Running,
    keyboard: ChildStdin,
    screen: Receiver<String>,
}

impl Terminal {
    fn enter(project: &Project) -> Terminal {
        let mut command = project.enter(&[]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Running::start(&mut command);
        let mut keyboard = process.0.stdin.take().unwrap();
        keyboard.write_all(b"exec 2>&1\n").unwrap();
        let screen = lines(process.0.stdout.take().unwrap());
        Terminal { process, keyboard, screen }
    }

    /// Types `command`, and returns the first line that it shows.
    fn type_in(&mut self, command: &str) -> String {
        self.keyboard.write_all(format!("{command}\n").as_bytes()).unwrap();
        self.screen.recv_timeout(6 * PATIENCE).unwrap() // The first command waits until all is built.
    }

    /// Closes the window: all that was started from it is killed, and nothing can be tidied up.
    fn close(self) {
        assert!(kill_group(self.process.0.id()));
    }
}

#[test]
fn three_terminals_share_a_network_that_goes_with_the_last_of_them() {
    if !may_enter() {
        return;
    }
    // In the student's own network it is free.
    let _taken = std::net::TcpListener::bind("127.0.0.1:8888");
    let project = Project::copy();
    let [mut first, mut second, mut third] = [(); 3].map(|()| Terminal::enter(&project));
    let network = first.type_in("readlink /proc/self/ns/net");
    for other in [&mut second, &mut third] {
        assert_eq!(other.type_in("readlink /proc/self/ns/net"), network);
    }
    assert_ne!(std::fs::read_link("/proc/self/ns/net").unwrap().to_str().unwrap(), network);
    assert_eq!(first.type_in("id -u"), "0");
    let again = first.type_in("labs/enter");
    assert_eq!(again, "labs/enter: this terminal has entered already");
    assert_eq!(second.type_in("tcp-server -q &"), "tcp-server ready on 127.0.0.1:8888");
    assert_eq!(third.type_in("tcp-client -q"), "Received: Hello, server!");

    // Somebody changes a program so that it does not compile, and closes a window.
    let page = project.0.join("src/bin/tcp-server.rs");
    let text = std::fs::read_to_string(&page).unwrap();
    std::fs::write(&page, text.replace("fn main()", "fn main(")).unwrap();
    // And git has put new files in the place of the old ones.
    let (enter, copy) = (project.0.join("labs/enter"), project.0.join("labs/copy"));
    std::fs::copy(&enter, &copy).unwrap();
    std::fs::rename(&copy, &enter).unwrap();
    first.close();
    let mut command = project.enter(&[]);
    let mut again = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
    let mut keyboard = again.0.stdin.take().unwrap();
    keyboard.write_all(b"readlink /proc/self/ns/net; tcp-client -q\n").unwrap();
    drop(keyboard);
    let shown = again.finish();
    assert_eq!(stdout(&shown), format!("{network}\nReceived: Hello, server!\n"));

    // One leaves as it should, the other one is closed; the server, which was left running, goes with it.
    let holder = std::fs::read_to_string(project.0.join("target/lab/network")).unwrap();
    drop(second.keyboard);
    second.process.finish();
    assert_eq!(third.type_in("tcp-client -q"), "Received: Hello, server!");
    third.close();
    let began = Instant::now();
    let is_there = || std::path::Path::new("/proc").join(holder.trim()).exists();
    while is_there() || project.0.join("target/lab/network").exists() {
        assert!(began.elapsed() < PATIENCE, "the network stays");
        std::thread::yield_now();
    }
    let processes = output(Command::new("pgrep").args(["-f", project.0.to_str().unwrap()]));
    assert_eq!(stdout(&processes), "", "something is still running");
}

#[test]
fn where_no_network_may_be_made_it_says_why_and_opens_a_plain_shell() {
    if !may_enter() {
        return;
    }
    let project = Project::copy();
    // What Ubuntu does: the namespace may be made, and has no rights.
    let folder = project.0.join("no rights");
    std::fs::create_dir(&folder).unwrap();
    let ip = "#!/bin/sh\necho 'RTNETLINK answers: Operation not permitted' >&2\nexit 2\n";
    std::fs::write(folder.join("ip"), ip).unwrap();
    assert!(output(Command::new("chmod").arg("+x").arg(folder.join("ip"))).status.success());
    let path = format!("PATH={}:{}", folder.display(), std::env::var("PATH").unwrap());
    let none = "echo 0 >/proc/sys/user/max_net_namespaces; exec \"$0\"";
    for (through, why) in [
        (&["env", &path][..], "RTNETLINK answers: Operation not permitted"),
        (&["unshare", "-Ur", "sh", "-c", none], "unshare: unshare failed: No space left on device"),
    ] {
        let mut command = project.enter(through);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Running::start(&mut command);
        process.0.stdin.take().unwrap().write_all(b"tcp-server --version\n").unwrap();
        let shown = process.finish();
        assert!(stdout(&shown).starts_with("tcp-server "), "{}", stderr(&shown));
        let said = format!("labs/enter: no network of your own here ({why}): ");
        assert!(stderr(&shown).contains(&said), "{}", stderr(&shown));
        assert!(!project.0.join("target/lab/network").exists());
    }
}
