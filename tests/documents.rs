//! README.md and LABS.md cannot rot: each of their commands is run, in their order, and its output compared.
//!
//! A block ```` ```console ```` is what a terminal shows: `$ ` begins a command, `> ` goes on with
//! it, `^C` is Ctrl-C, all else is output, in which `…` stands for anything (a line of it for any
//! lines). `# terminal 2` at the top says which terminal; a heading closes all of them. The text
//! `Not run by the tests:` and a reason above a block leaves it out.
#![cfg(target_os = "linux")] // What the labs show of the system is Linux's.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::pedantic)]

mod common;

use common::{has, lines, skip, PATIENCE};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::Receiver;

struct Block {
    place: String,
    section: String,
    terminal: String,
    lines: Vec<String>,
    not_run: Option<String>,
}

fn blocks(name: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mut blocks = Vec::new();
    let (mut section, mut above) = (String::new(), "");
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let place = format!("{name}:{}", number + 1);
        if line.starts_with("## ") {
            section = line.to_owned();
        }
        if let Some(language) = line.trim_start().strip_prefix("```") {
            let indent = line.len() - line.trim_start().len();
            let inside =
                lines.by_ref().map(|(_, line)| line.get(indent..).unwrap_or("").to_owned());
            let mut lines: Vec<String> = inside.take_while(|line| line != "```").collect();
            assert!(["console", "mermaid"].contains(&language), "{place}: is it run? {line}");
            if language == "console" {
                let label = lines[0].strip_prefix("# ").map(str::to_owned);
                if label.is_some() {
                    lines.remove(0);
                }
                let not_run = above.strip_prefix("Not run by the tests: ").map(str::to_owned);
                let terminal = label.unwrap_or_default();
                blocks.push(Block { place, section: section.clone(), terminal, lines, not_run });
            }
        } else if !line.trim().is_empty() {
            above = line.trim();
        }
    }
    blocks
}

/// What the labs call, beside what every system has; of nc that of OpenBSD.
const TOOLS: &str = "unshare nsenter setsid pkill ip ss strace tcpdump nc.openbsd python3 cmp";

/// A network of its own, so that port 8888 is free and nothing leaves it, with its own list of further
/// ones (`ip netns`); all of it ends with its only process.
struct Network(Child);

impl Network {
    fn new() -> Option<Network> {
        let script = "mkdir -p /run/netns && mount -t tmpfs lab /run/netns && \
            ip link set lo up && echo ready && exec cat";
        let mut unshare = Command::new("unshare");
        unshare.args(["-nm", "sh", "-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = unshare.stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line != "ready\n" {
            skip("only root may make the network in which the labs run");
            let _ = child.wait();
            return None;
        }
        Some(Network(child))
    }

    fn command(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--net", "--mount", "--wd", "--target", &self.0.id().to_string(), "setsid"]);
        command
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const END: &str = "\u{1}the command has ended";

struct Terminal {
    bash: Child,
    keyboard: ChildStdin,
    screen: Receiver<String>,
    running: Option<String>,
}

impl Terminal {
    fn new(network: &Network) -> Terminal {
        let mut command = network.command();
        // What a shell starts behind its back, with `&`, ignores Ctrl-C, and so does what that starts.
        command.args(["env", "--default-signal=INT", "bash", "--norc", "--noprofile"]);
        command.env("PYTHONUNBUFFERED", "1").env("LC_ALL", "C.UTF-8");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut bash = command.spawn().unwrap();
        let mut keyboard = bash.stdin.take().unwrap();
        keyboard.write_all(b"exec 2>&1\n").unwrap();
        let screen = lines(bash.stdout.take().unwrap());
        Terminal { bash, keyboard, screen, running: None }
    }

    fn signal(&self, program: &str, args: &[&str]) {
        let id = self.bash.id().to_string();
        let mut command = Command::new(program);
        let _ = command
            .args(args)
            .arg(format!("{}{id}", if program == "kill" { "-" } else { "" }))
            .status();
    }

    fn start(&mut self, command: &str) {
        let line = format!("{command}\n{{ __code=$?; printf '{END}\\n'; (exit $__code); }}\n");
        self.keyboard.write_all(line.as_bytes()).unwrap();
        self.running = Some(command.to_owned());
    }

    /// The next line of output; none when the command has ended.
    fn next(&mut self, place: &str, wanted: &str) -> Option<String> {
        self.running.as_ref()?;
        let line = self.screen.recv_timeout(6 * PATIENCE); // A command of a lab may build, or watch for a while.
        let line =
            line.unwrap_or_else(|_| panic!("{place}: {:?} does not print {wanted}", self.running));
        match line.strip_suffix(END) {
            None => Some(line),
            Some(rest) => {
                let unfinished = Some(rest.to_owned()).filter(|rest| !rest.is_empty());
                if unfinished.is_some() {
                    // Output without an end of line: its end is still to be told.
                    self.keyboard.write_all(format!("printf '{END}\\n'\n").as_bytes()).unwrap();
                } else {
                    self.running = None;
                }
                unfinished
            }
        }
    }

    fn run(&mut self, block: &Block, goes_on: bool) {
        let place = &block.place;
        let (mut anything, mut interrupted) = (false, false);
        let mut lines = block.lines.iter().peekable();
        while let Some(line) = lines.next() {
            if let Some(command) = line.strip_prefix("$ ") {
                self.end(place, anything);
                (anything, interrupted) = (false, false);
                let mut command = command.to_owned();
                while let Some(more) = lines.peek().and_then(|line| line.strip_prefix("> ")) {
                    command = format!("{command}\n{more}");
                    lines.next();
                }
                self.start(&command);
            } else if line == "^C" {
                self.signal("pkill", &["-INT", "-P"]);
                interrupted = true;
            } else if line == "…" {
                anything = true;
            } else {
                loop {
                    let shown = self.next(place, line);
                    let shown =
                        shown.unwrap_or_else(|| panic!("{place}: there is no such output: {line}"));
                    if matches(line, &shown) {
                        break;
                    }
                    assert!(anything, "{place}:\nwritten: {line}\nshown:   {shown}");
                }
                anything = false;
            }
        }
        let is_server = self.running.as_ref().map_or(false, |command| {
            ["tcp-server", "udp-server", "_server.py"].iter().any(|server| command.contains(server))
        });
        if interrupted || !(goes_on || is_server) {
            self.end(place, anything);
        }
    }

    /// Waits until the command has ended; what it still prints is wrong, or `anything`.
    fn end(&mut self, place: &str, anything: bool) {
        while let Some(shown) = self.next(place, "its end") {
            assert!(anything, "{place}: more than is written: {shown}");
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.signal("kill", &["-KILL", "--"]);
        let _ = self.bash.wait();
    }
}

/// `…` stands for anything.
fn matches(written: &str, shown: &str) -> bool {
    let mut parts = written.split('…');
    let mut rest = match shown.strip_prefix(parts.next().unwrap()) {
        Some(rest) => rest,
        None => return false,
    };
    let parts: Vec<&str> = parts.collect();
    for (number, part) in parts.iter().enumerate() {
        let found =
            if number + 1 == parts.len() { rest.strip_suffix(part).map(|_| "") } else { None };
        match found.or_else(|| Some(&rest[rest.find(part)? + part.len()..])) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

fn follow(name: &str) {
    if !has(&TOOLS.split(' ').collect::<Vec<_>>()) {
        return;
    }
    let network = match Network::new() {
        Some(network) => network,
        None => return,
    };
    let blocks = blocks(name);
    let (mut terminals, mut section, mut run) = (HashMap::new(), "", 0);
    let mut every_terminal: Vec<&Block> = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        if let Some(reason) = &block.not_run {
            println!("{}: not run: {reason}", block.place);
            continue;
        }
        if block.section != section {
            terminals.clear();
            section = &block.section;
        }
        run += 1;
        if block.terminal == "every terminal" {
            every_terminal.push(block);
            continue;
        }
        let terminal = terminals.entry(&block.terminal).or_insert_with(|| {
            let mut terminal = Terminal::new(&network);
            every_terminal.iter().for_each(|block| terminal.run(block, false));
            terminal
        });
        let later = &blocks[number + 1..];
        let goes_on = later
            .iter()
            .any(|other| (&other.section, &other.terminal) == (&block.section, &block.terminal));
        terminal.run(block, goes_on);
    }
    let message = format!("{name}: {run} blocks run, {} not run\n", blocks.len() - run);
    std::io::stderr().write_all(message.as_bytes()).unwrap();
    assert!(run > 0);
}

#[test]
fn the_readme_is_true() {
    follow("README.md");
}

#[test]
fn the_labs_are_true() {
    follow("LABS.md");
}

#[test]
fn a_wildcard_stands_for_anything_and_nothing_else_does() {
    for (written, shown) in
        [("a", "a"), ("a…", "abc"), ("…c", "abc"), ("a…c", "abc"), ("a…c…e", "abcde"), ("…", "")]
    {
        assert!(matches(written, shown), "{written} {shown}");
    }
    for (written, shown) in
        [("a", "ab"), ("a…", "b"), ("…c", "abcd"), ("a…c…e", "abde"), ("ab…ba", "aba")]
    {
        assert!(!matches(written, shown), "{written} {shown}");
    }
}
