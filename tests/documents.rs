//! README.md and the labs cannot rot: each of their commands is run, in their order, and its output compared.
//!
//! A block ```` ```console ```` is what a terminal shows: `$ ` begins a command, `> ` goes on with
//! it, `⏎` ends a line that is typed into a program, `^D` ends what is typed, `^C` is Ctrl-C, and all else
//! is output, in which `…` stands for anything (a line of it for any lines). `# terminal 2` at the top says
//! which terminal; a heading closes all of them. A block ```` ```diff ```` changes the file that its first
//! line names. A comment `<!-- Not run by the tests: REASON -->` above a block leaves it out.
#![cfg(target_os = "linux")] // What the labs show of the system is Linux's.

mod common;

use common::{has, kill_group, lines, matches, output, Project, PATIENCE};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::Receiver;

struct Block {
    place: String,
    section: String,
    language: String,
    /// Of a diff, the file that it changes.
    terminal: String,
    lines: Vec<String>,
    not_run: Option<String>,
}

fn blocks(name: &str) -> Vec<Block> {
    let text = fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
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
            let known = ["console", "diff", "rust", "python"].contains(&language);
            assert!(known, "{place}: is it run? {line}");
            let label = lines[0].strip_prefix("# ").map(str::to_owned);
            if label.is_some() {
                lines.remove(0);
            }
            let not_run = above.strip_prefix("<!-- Not run by the tests: ").map(str::to_owned);
            let (section, language) = (section.clone(), language.to_owned());
            let terminal = label.unwrap_or_default();
            // tests/exercises.rs looks at what a student begins with.
            if language != "rust" && language != "python" {
                blocks.push(Block { place, section, language, terminal, lines, not_run });
            }
        } else if !line.trim().is_empty() {
            above = line.trim();
        }
    }
    blocks
}

/// Changes a file as a diff says, and returns what it was.
fn change(project: &Project, diff: &Block) -> (PathBuf, String) {
    let side = |other: char| {
        let lines = diff.lines.iter().filter(|line| !line.starts_with(other));
        lines.map(|line| format!("{}\n", line.get(1..).unwrap_or(""))).collect::<String>()
    };
    let file = project.0.join(&diff.terminal);
    let text = fs::read_to_string(&file).unwrap();
    let (old, new) = (side('+'), side('-'));
    assert_eq!(text.matches(&old).count(), 1, "{}: not once there:\n{old}", diff.place);
    fs::write(&file, text.replace(&old, &new)).unwrap();
    (file, text)
}

const END: &str = "\u{1}the command has ended";

struct Terminal {
    /// labs/enter, around the shell.
    outer: Child,
    shell: u32,
    keyboard: ChildStdin,
    screen: Receiver<String>,
    running: Option<String>,
    /// Whether the last line was `…`.
    anything: bool,
    /// Where the running program reads; a pipe with a name.
    typed: Option<File>,
    pipe: PathBuf,
}

impl Terminal {
    fn new(project: &Project) -> Terminal {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let pipe = format!("socket-lab-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let pipe = Path::new(env!("CARGO_TARGET_TMPDIR")).join(pipe);
        let mut command = project.enter(&[]);
        command.env("PYTHONUNBUFFERED", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut outer = command.spawn().unwrap();
        let mut keyboard = outer.stdin.take().unwrap();
        keyboard.write_all(b"exec 2>&1; echo entered\n").unwrap();
        let screen = lines(outer.stdout.take().unwrap());
        assert_eq!(screen.recv_timeout(6 * PATIENCE), Ok("entered".to_owned()));
        let child = |id| {
            let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
            children.split_whitespace().last().map(|child| child.parse::<u32>().unwrap())
        };
        let mut shell = outer.id();
        while let Some(inner) = child(shell) {
            shell = inner;
        }
        Terminal {
            outer,
            shell,
            keyboard,
            screen,
            running: None,
            anything: false,
            typed: None,
            pipe,
        }
    }

    fn start(&mut self, command: &str) {
        let _ = fs::remove_file(&self.pipe);
        assert!(output(Command::new("mkfifo").arg(&self.pipe)).status.success());
        self.typed = Some(OpenOptions::new().read(true).write(true).open(&self.pipe).unwrap());
        let pipe = self.pipe.display();
        let line = format!(
            "{{ {command}\n}} < '{pipe}'; {{ __code=$?; printf '{END}\\n'; (exit $__code); }}\n"
        );
        self.keyboard.write_all(line.as_bytes()).unwrap();
        self.running = Some(command.to_owned());
    }

    /// Ctrl-C: a terminal would send SIGINT to the program that runs in the shell.
    fn interrupt(&self) {
        let shell = self.shell.to_string();
        let mut command = Command::new("nsenter");
        // Some programs change their user, and then only the root of that user namespace may.
        let user = |id: &str| fs::read_link(format!("/proc/{id}/ns/user")).unwrap();
        if user("self") != user(&shell) {
            command.args(["--user", "--preserve-credentials", "--target", &shell]);
        }
        output(command.args(["pkill", "-INT", "-P", &shell]));
    }

    /// The next line of output; none when the command has ended.
    fn next(&mut self, place: &str, wanted: &str) -> Option<String> {
        let running = self.running.as_ref()?;
        // What cargo does may take long.
        let patience = if running.contains("cargo") { 60 * PATIENCE } else { 6 * PATIENCE };
        let line = self.screen.recv_timeout(patience);
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
        let mut left = false;
        let mut lines = block.lines.iter().peekable();
        while let Some(line) = lines.next() {
            if let Some(command) = line.strip_prefix("$ ") {
                self.end(place);
                (self.anything, left) = (false, false);
                let mut command = command.to_owned();
                while let Some(more) = lines.peek().and_then(|line| line.strip_prefix("> ")) {
                    command = format!("{command}\n{more}");
                    lines.next();
                }
                self.start(&command);
            } else if line == "^C" {
                self.interrupt();
                left = true;
            } else if line == "^D" {
                self.typed = None;
                left = true;
            } else if let Some(typed) = line.strip_suffix('⏎') {
                let typed = format!("{}\n", typed.trim_end());
                self.typed.as_ref().unwrap().write_all(typed.as_bytes()).unwrap();
            } else if line == "…" {
                self.anything = true;
            } else {
                loop {
                    let shown = self.next(place, line);
                    let shown =
                        shown.unwrap_or_else(|| panic!("{place}: there is no such output: {line}"));
                    if matches(line, &shown) {
                        break;
                    }
                    assert!(self.anything, "{place}:\nwritten: {line}\nshown:   {shown}");
                }
                self.anything = false;
            }
        }
        let is_server = self.running.as_ref().map_or(false, |command| {
            ["-server", "_server.py"].iter().any(|server| command.contains(server))
        });
        if left || !(goes_on || is_server) {
            self.end(place);
        }
    }

    /// Ends what runs with Ctrl-C, as a student does before the next lab.
    fn leave(&mut self) {
        self.anything = true;
        if !self.running.as_ref().map_or(true, |command| command == "rebuild") {
            self.interrupt();
        }
        self.end("between two labs");
    }

    /// Waits until the command has ended; what it still prints is wrong, or `anything`.
    fn end(&mut self, place: &str) {
        while let Some(shown) = self.next(place, "its end") {
            assert!(self.anything, "{place}: more than is written: {shown}");
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        kill_group(self.outer.id());
        let _ = self.outer.wait();
        let _ = fs::remove_file(&self.pipe);
    }
}

/// Without the tests that break when a lab changes a program: to build them takes a while.
fn without_cargo_test(mut block: Block) -> Option<Block> {
    let mut is_test = false;
    block.lines.retain(|line| {
        is_test = if line.starts_with("$ ") { line.starts_with("$ cargo test") } else { is_test };
        !is_test
    });
    Some(block).filter(|block| !block.lines.is_empty())
}

/// The number of the lab that begins with this heading.
fn lab_of(section: &str) -> Option<&str> {
    section.strip_prefix("## Lab ")?.split('.').next()
}

/// What the table at the top of the labs says. Nobody gets from lab 3 to lab 4 within a minute, but this test.
fn begins_in_a_new_network(section: &str) -> bool {
    let number = lab_of(section);
    let row = number.map(|number| format!("\n| [{number}. "));
    let labs = common::read("labs/README.md");
    let row = row.and_then(|row| Some(labs.split_once(&row[..])?.1.lines().next()?.to_owned()));
    number == Some("4") || row.map_or(true, |row| row.contains(" | yes | "))
}

/// Runs the blocks of a document in a copy of the project, in the same terminals where a lab begins in the
/// network of the one before, else in new ones.
fn follow(name: &str, tools: &[&str], blocks: Vec<Block>) {
    let needed = ["nsenter", "setsid", "flock", "pkill", "mkfifo"];
    if !has(&[&needed, tools].concat()) || !common::may_unshare("-Urnm") {
        return;
    }
    let project = Project::copy();
    if blocks.iter().any(|block| exercises(&block.section)) {
        // As if a student had written them, in both languages.
        let copy = "cp -r examples/. src/bin && cp -r examples mine";
        assert!(output(Command::new("sh").args(["-c", copy]).current_dir(&project.0))
            .status
            .success());
    }
    let (mut terminals, mut section, mut run) = (HashMap::<&String, Terminal>::new(), "", 0);
    let mut changed: Vec<(PathBuf, String)> = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        if let Some(reason) = &block.not_run {
            println!("{}: not run: {reason}", block.place);
            continue;
        }
        if block.section != section {
            // The last change first: two may be of one file.
            let is_changed = !changed.is_empty();
            changed.drain(..).rev().for_each(|(file, text)| fs::write(file, text).unwrap());
            if begins_in_a_new_network(&block.section) {
                terminals.clear();
            }
            for terminal in terminals.values_mut() {
                terminal.leave();
            }
            if let (true, Some(terminal)) = (is_changed, terminals.values_mut().next()) {
                terminal.start("rebuild");
                terminal.leave();
            }
            section = &block.section;
        }
        run += 1;
        if block.language == "diff" {
            changed.push(change(&project, block));
            continue;
        }
        let terminal = terminals.entry(&block.terminal).or_insert_with(|| Terminal::new(&project));
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
    follow("README.md", &["python3"], blocks("README.md"));
}

#[test]
fn the_teachers_page_is_true() {
    follow("labs/ROOM.md", &["ss"], blocks("labs/ROOM.md"));
}

/// The sections of the labs that are wanted; `prepare` may leave a block out.
fn follow_the_labs(is_wanted: impl Fn(&str) -> bool, prepare: fn(Block) -> Option<Block>) {
    let blocks = blocks("labs/README.md").into_iter();
    let blocks = blocks.filter(|block| is_wanted(&block.section)).filter_map(prepare).collect();
    follow("labs/README.md", &[&TOOLS[..], &["python3", "cmp"]].concat(), blocks);
}

fn labs(numbers: RangeInclusive<u32>) -> impl Fn(&str) -> bool {
    move |section| {
        lab_of(section).map_or(false, |number| numbers.contains(&number.parse().unwrap()))
    }
}

fn exercises(section: &str) -> bool {
    section.starts_with("## Exercise ") || section == "## What you hand in"
}

#[test]
fn the_labs_are_true() {
    // At the same time, because they mostly wait.
    std::thread::scope(|scope| {
        for numbers in [1..=7, 8..=9, 10..=10, 11..=14] {
            scope.spawn(move || follow_the_labs(labs(numbers), without_cargo_test));
        }
    });
}

#[test]
fn the_exercises_are_true() {
    follow_the_labs(exercises, without_cargo_test);
}

#[ignore = "builds the tests for each change: make soak"]
#[test]
fn the_tests_notice_what_the_labs_change() {
    follow_the_labs(labs(1..=7), Some);
    follow_the_labs(labs(11..=11), Some);
    follow_the_labs(exercises, Some);
}

/// The labs: their numbers, the rest of their headings, and their lines.
fn headings(labs: &str) -> Vec<(usize, &str, Vec<&str>)> {
    let labs = (1..).zip(labs.split("\n## Lab ").skip(1));
    let labs = labs.map(|(number, lab)| {
        let lab = lab.split("\n## ").next().unwrap();
        let lines: Vec<_> = lab.lines().collect();
        (number, lines[2], lines)
    });
    labs.collect()
}

/// The programs that a lab may need beside Rust, Python and what every system has.
const TOOLS: [&str; 12] = [
    "ps",
    "ss",
    "nc",
    "strace",
    "tcpdump",
    "nft",
    "nstat",
    "sysctl",
    "ip",
    "curl",
    "redis-benchmark",
    "nginx",
];

/// The headings of the labs, both tables of their page and the teacher's page name the same sections.
#[test]
fn each_section_is_shown_by_the_labs_that_the_tables_name() {
    let (labs, page) = (common::read("labs/README.md"), common::read("labs/TEACHING.md"));
    let check = common::read("labs/check");
    let table = labs.split_once("\n| section | the document").unwrap().1;
    let rows: Vec<Vec<&str>> =
        table.lines().skip(2).map(|row| row.split(" | ").collect()).collect();
    assert_eq!(rows.len(), 44, "one row of the document's statements each");
    let mut of_section = BTreeMap::<&str, Vec<usize>>::new();
    for (number, heading, lines) in headings(&labs) {
        let shows = |row: &&Vec<&str>| {
            let list = row[3].trim_end_matches(" |").split("](").next().unwrap();
            list.trim_start_matches('[').split(", ").any(|lab| lab == number.to_string())
        };
        let mut sections: Vec<_> = rows.iter().filter(shows).map(|row| &row[0][2..]).collect();
        sections.dedup();
        let named = heading.split_once("section").unwrap().1;
        assert_eq!(named.trim_start_matches('s').trim(), sections.join(", "), "lab {number}");
        sections.iter().for_each(|section| of_section.entry(section).or_default().push(number));
        assert!(lines.iter().filter(|line| **line == "```console").count() > 2, "lab {number}");
        // The table at the top: minutes, sections, and the programs that the commands call.
        let row = labs.lines().find(|line| line.starts_with(&format!("| [{number}. "))).unwrap();
        let cells: Vec<&str> = row.split(" | ").map(|cell| cell.trim_end_matches(" |")).collect();
        assert_eq!(cells[1], heading.split(' ').next().unwrap(), "{row}");
        assert_eq!(cells[2], sections.join(", "), "{row}");
        let commands = lines.iter().filter(|line| line.starts_with("$ "));
        let commands: String = commands
            .map(|line| line.replace(" exec client ", "$ ").replace(" exec server ", "$ ") + "\n")
            .collect();
        let calls = |tool: &&str| {
            ["$ ", "| ", "; ", "timeout 2 "]
                .iter()
                .any(|before| commands.contains(&format!("{before}{tool} ")))
        };
        let tools: Vec<&str> = TOOLS.into_iter().filter(calls).collect();
        assert_eq!(cells[5], tools.join(", "), "{row}");
        // And labs/check tries each of these; ip as the labs use it, for a cable.
        let needs =
            check.split_once(&format!("\nlab {number}:")).unwrap().1.lines().next().unwrap();
        for tool in tools.iter().map(|tool| if *tool == "ip" { "cable" } else { *tool }) {
            assert!(
                needs.split([' ', '+']).any(|need| need == tool),
                "labs/check: {number} {tool}"
            );
        }
    }
    for (section, labs) in &of_section {
        let labs: Vec<_> = labs.iter().map(usize::to_string).collect();
        let row = format!("\n| {section} | {} |\n", labs.join(", "));
        assert!(page.contains(&row), "not there: {row}");
    }
    assert_eq!(of_section.len(), 7);
}

/// The minutes: 160 words to read and 130 keys to type in each, half a minute to change the terminal, one to edit a
/// file, two for the answer to a question.
#[test]
fn the_minutes_of_a_lab_are_what_it_takes_to_read_and_type_it() {
    for (number, heading, lines) in headings(&common::read("labs/README.md")) {
        let (mut minutes, mut code) = (0.0, None);
        for line in &lines {
            let words = line.split_whitespace().count() as f64;
            let typed = line.starts_with("$ ") || line.starts_with("> ") || line.ends_with('⏎');
            minutes += match (line.strip_prefix("```"), code) {
                (Some(_), Some(_)) => 0.0,
                (Some(language), None) => {
                    if language == "diff" {
                        1.0
                    } else {
                        0.5
                    }
                }
                (None, Some("console")) if typed => (line.chars().count() - 1) as f64 / 130.0,
                (None, Some("diff")) => 0.0,
                _ => words / 160.0,
            };
            if let Some(language) = line.strip_prefix("```") {
                code = Some(language).filter(|_| code.is_none());
            }
        }
        let text = lines.join("\n");
        minutes +=
            2.0 * ('a'..='e').filter(|letter| text.contains(&format!("({letter})"))).count() as f64;
        let told: f64 = heading.split(' ').next().unwrap().parse().unwrap();
        assert!(
            (told - minutes).abs() <= 3.0,
            "lab {number}: {told} minutes, and it takes {minutes:.1}"
        );
    }
}

#[test]
fn a_plan_has_time_for_each_of_its_labs() {
    let (labs, page) = (common::read("labs/README.md"), common::read("labs/TEACHING.md"));
    let minutes_of: BTreeMap<usize, usize> = headings(&labs)
        .into_iter()
        .map(|(number, heading, _)| (number, heading.split(' ').next().unwrap().parse().unwrap()))
        .collect();
    let plans: Vec<&str> = page.split("\n### ").skip(1).collect();
    assert_eq!(plans.len(), 3);
    for plan in plans {
        let plan = plan.split("\n## ").next().unwrap();
        let mut sum = 0;
        for row in plan.lines().filter(|line| line.starts_with('|')).skip(2) {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let minutes: usize = cells[0].parse().unwrap();
            let labs = cells[1].split(", ").filter_map(|lab| lab.parse().ok());
            let needed: usize = labs.map(|lab: usize| minutes_of[&lab]).sum();
            assert!(minutes >= needed, "{row}: the labs take {needed}");
            sum += minutes;
        }
        assert!(plan.starts_with(&format!("{sum} minutes")), "{sum}: {plan:.20}");
        // What is handed in has a conversation over UDP.
        let has_udp = |row: &str| row.contains("| 6 |") || row.contains(", 6 |");
        assert!(plan.lines().any(has_udp), "{plan:.20}");
    }
}

/// The captures show what the answers quote of them.
#[test]
fn the_answers_about_the_captures_are_in_them() {
    if !has(&["tcpdump"]) {
        return;
    }
    let mut shown = String::new();
    for name in ["hello", "lost"] {
        let file = format!("{}/labs/{name}.pcap", env!("CARGO_MANIFEST_DIR"));
        let read = output(Command::new("tcpdump").args(["-tn", "-r", &file]));
        shown += &String::from_utf8(read.stdout).unwrap();
    }
    let text = common::read("labs/README.md");
    let section =
        text.split_once("\n## Two captures to read").unwrap().1.split("\n## ").next().unwrap();
    let (questions, answers) = section.split_once("<details>").unwrap();
    let first = questions.lines().find(|line| line.starts_with("IP ")).unwrap();
    assert!(shown.starts_with(first), "{shown}");
    let answers = answers.replace('\n', " ");
    let quoted: Vec<_> = answers.split('`').skip(1).step_by(2).collect();
    assert!(quoted.len() > 7, "{quoted:?}");
    for quoted in quoted {
        assert!(shown.contains(quoted), "{quoted} is not in:\n{shown}");
    }
    assert_eq!(shown.matches("seq 6:7,").count(), 3, "{shown}");
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
