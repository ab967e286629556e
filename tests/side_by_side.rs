//! Each statement of a Python sample stands, word for word and in its order, above the Rust that does it.
//!
//! A line `//| 2 bind       server_socket.bind(...)` has the number and name of the step, where the
//! statement begins one, and the statement. The Rust for it reaches to the next such line; adjoining
//! lines share it, and where it calls a function of the same file, that one's body counts.

mod common;

use common::{read, STEPS};

/// What it calls them.
const STEPS_IN_CHINESE: [&str; 7] =
    ["创建Socket", "绑定Socket", "监听连接", "发起连接", "建立连接", "数据传输", "断开连接"];

/// The colours of the steps, on the sheet and in the pictures.
const COLOURS: [&str; 7] =
    ["#7a6a00", "#7b1fa2", "#007c91", "#1a53c4", "#2e7d32", "#d32f2f", "#5d4037"];

/// What a statement of the Python contains, and what must stand in the Rust for it; `|` is "or".
const PAIRS: [(&str, &str); 29] = [
    ("import socket", "use std::net::"),
    ("import sys", "use socket_lab::arguments::"),
    ("host = sys.argv[1] ", "args.text(\"ADDRESS\")"),
    ("port = int(sys.argv[2])", "args.text(\"ADDRESS\")"),
    ("message = sys.argv[3] ", "args.text(\"MESSAGE\")"),
    ("server_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)", "TcpListener::bind("),
    ("client_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)", "TcpStream::connect("),
    ("server_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)", "UdpSocket::bind("),
    ("client_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)", "UdpSocket::bind("),
    ("setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)", "TcpListener::bind("),
    ("server_socket.bind((host, port))", "::bind(address)"),
    ("server_socket.listen(5)", "listen(&server_socket, "),
    ("getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)", "SO_ACCEPTCONN)"),
    ("getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)", "SO_ERROR)"),
    ("print('ready on ", "server ready on {local}"),
    ("while True:", "while |loop {"),
    ("client_socket.connect((host, port))", "TcpStream::connect_timeout("),
    ("server_socket.accept()", "server_socket.accept()"),
    (
        "conn.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)",
        "setsockopt(&conn, SO_KEEPALIVE, 1)",
    ),
    ("data = conn.recv(1024)", "conn.read("),
    ("data = client_socket.recv(1024)", "client_socket.read("),
    ("if not data:", "data.is_empty()"),
    ("break", "break"),
    (".sendall(", ".write_all("),
    (".recvfrom(1024)", ".recv_from("),
    (".sendto(", ".send_to("),
    ("print('Received:', ", "print("),
    ("conn.close()", "drop(conn)"),
    ("client_socket.close()", "drop(client_socket)"),
];

/// Calls that belong to a pair, or to the list below.
const SOCKET_CALLS: [&str; 12] = [
    "::bind(",
    "listen(&",
    ".accept(",
    "::connect_timeout(",
    "::connect(",
    ".read(",
    ".write_all(",
    ".send_to(",
    ".recv_from(",
    ".shutdown(",
    "setsockopt(&",
    "drop(",
];

/// Which of them only the Rust makes, and why.
const ONLY_RUST: [(&str, &str, &str); 3] = [
    ("tcp-server", "drop(server_socket)", "--count ends the server; Python's goes on until Ctrl-C"),
    ("udp-server", "drop(server_socket)", "the same"),
    (
        "tcp-client",
        "client_socket.shutdown(Shutdown::Write)",
        "the half-close, which Python leaves to close",
    ),
];

/// A statement with its step, or none, and where it stands.
struct Statement {
    step: String,
    text: String,
    line: usize,
}

/// A statement's step is the comment above it: `# 2 bind`.
fn of_python(text: &str) -> Vec<Statement> {
    let mut step = String::new();
    let mut statements = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        match line.strip_prefix("# ") {
            Some(comment) if comment.starts_with(|c: char| c.is_ascii_digit()) => {
                step = comment.to_owned();
            }
            Some(_) => (),
            None if line.is_empty() => (),
            None => statements.push(Statement {
                step: std::mem::take(&mut step),
                text: line.to_owned(),
                line: number + 1,
            }),
        }
    }
    statements
}

fn of_rust(text: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(statement) = line.trim().strip_prefix("//|") {
            let statement = statement.trim();
            let step = STEPS.iter().find(|step| statement.starts_with(&format!("{step} ")));
            let step = step.map_or("", |step| step);
            let text = statement[step.len()..].trim().to_owned();
            statements.push(Statement { step: step.to_owned(), text, line: number + 1 });
        }
    }
    statements
}

/// Whether a name begins at that column, and not in the middle of a longer one.
fn begins(line: &str, column: usize) -> bool {
    let before = line[..column].chars().last().unwrap_or(' ');
    !before.is_alphanumeric() && !"._:".contains(before)
}

/// The code of a page, by lines: comments and the `//|` lines are empty in it.
struct Code<'a> {
    lines: Vec<&'a str>,
    is_statement: Vec<bool>,
}

impl<'a> Code<'a> {
    fn new(text: &'a str) -> Code<'a> {
        let is_comment = |line: &str| line.trim_start().starts_with("//");
        Code {
            lines: text.lines().map(|line| if is_comment(line) { "" } else { line }).collect(),
            is_statement: text.lines().map(|line| line.trim_start().starts_with("//|")).collect(),
        }
    }

    /// The lines (from 0) of the Rust for the statement at `line` (from 1).
    fn below(&self, line: usize) -> Vec<usize> {
        let own = (line..self.lines.len()).skip_while(|at| self.is_statement[*at]);
        // The end of a function ends it too.
        let own: Vec<usize> = own
            .take_while(|at| !self.is_statement[*at] && (self.lines[*at] != "}" || *at == line))
            .collect();
        let mut all = own.clone();
        self.add_called(&own, &mut all);
        all
    }

    /// Adds the bodies of the functions that `lines` call, but of those that have statements of their own.
    fn add_called(&self, lines: &[usize], all: &mut Vec<usize>) {
        for (begin, line) in self.lines.iter().enumerate() {
            let name = match line.strip_prefix("fn ").and_then(|rest| rest.split(['(', '<']).next())
            {
                Some(name) => format!("{name}("),
                None => continue,
            };
            let length = self.lines[begin..].iter().position(|line| *line == "}").unwrap();
            let body: Vec<usize> = (begin..begin + length).collect();
            let is_called = lines.iter().any(|at| {
                let mut calls = self.lines[*at].match_indices(&name);
                calls.any(|(column, _)| begins(self.lines[*at], column))
            });
            let has_statements = body.iter().any(|at| self.is_statement[*at]);
            if is_called && !has_statements && !all.contains(&begin) {
                all.extend(&body);
                self.add_called(&body, all);
            }
        }
    }

    /// Where `call` stands first in `lines`: line and column.
    fn find(&self, lines: &[usize], call: &str) -> Option<(usize, usize)> {
        lines.iter().find_map(|at| Some((*at, self.lines[*at].find(call)?)))
    }
}

/// What is wrong with a pair of pages, each with its name and text; one that is right has no line.
fn compare(python: (&str, &str), rust: (&str, &str)) -> Vec<String> {
    let mut wrong = Vec::new();
    let (theirs, ours) = (of_python(python.1), of_rust(rust.1));
    let show = |path: &str, statement: Option<&Statement>| match statement {
        Some(Statement { step, text, line }) => format!("{path}:{line}: {step:<12} {text}"),
        None => format!("{path}: nothing more"),
    };
    for at in 0..theirs.len().max(ours.len()) {
        let key = |statement: &Statement| (statement.step.clone(), statement.text.clone());
        if theirs.get(at).map(key) != ours.get(at).map(key) {
            let (their, our) = (show(python.0, theirs.get(at)), show(rust.0, ours.get(at)));
            return vec![format!("not the same:\n  {their}\n  {our}")];
        }
    }
    for statement in theirs.iter().filter(|statement| !statement.step.is_empty()) {
        if !STEPS.contains(&&statement.step[..]) {
            wrong.push(format!("no step of the document: {}", show(python.0, Some(statement))));
        }
    }
    let code = Code::new(rust.1);
    let mut in_a_pair = Vec::new();
    for (their, our) in theirs.iter().zip(&ours) {
        let pair = PAIRS.iter().find(|(python, _)| their.text.contains(python));
        let (their, our_place) = (show(python.0, Some(their)), format!("{}:{}", rust.0, our.line));
        match pair {
            None => wrong.push(format!("in no pair:\n  {their}")),
            Some((_, calls)) => {
                let below = code.below(our.line);
                match calls.split('|').find_map(|call| code.find(&below, call)) {
                    Some(place) => in_a_pair.push(place),
                    None => wrong.push(format!("not done:\n  {their}\n  {our_place}: no {calls}")),
                }
            }
        }
    }
    for (number, line) in code.lines.iter().enumerate() {
        for call in SOCKET_CALLS {
            for (column, _) in line.match_indices(call) {
                // A pair may begin before the call, with the name of the socket.
                let is_paired = in_a_pair.iter().any(|(at, from)| {
                    *at == number && column.abs_diff(*from) <= "server_socket".len()
                });
                let is_known = ONLY_RUST
                    .iter()
                    .any(|(program, known, _)| rust.0.contains(program) && line.contains(known));
                if !is_paired && !is_known {
                    wrong.push(format!("{}:{}: {call} is in no pair", rust.0, number + 1));
                }
            }
        }
    }
    wrong
}

/// The four pairs: path and text of the Python, path and text of the Rust.
fn pages() -> [[String; 4]; 4] {
    ["tcp_server", "tcp_client", "udp_server", "udp_client"].map(|name| {
        let python = format!("tests/python/{name}.py");
        let rust = format!("src/bin/{}.rs", name.replace('_', "-"));
        [python.clone(), read(&python), rust.clone(), read(&rust)]
    })
}

#[test]
fn the_four_programs_are_the_four_samples() {
    for [python_path, python, rust_path, rust] in &pages() {
        let wrong = compare((python_path, python), (rust_path, rust));
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    }
}

#[test]
fn a_statement_that_is_changed_or_left_out_on_one_side_is_noticed() {
    for [python_path, python, rust_path, rust] in &pages() {
        let fails = |python: &str, rust: &str| {
            !compare((python_path, python), (rust_path, rust)).is_empty()
        };
        for Statement { text, .. } in of_python(python) {
            assert!(fails(&python.replacen(&text, &format!("{text}x"), 1), rust), "{text}");
            let is_it = |line: &str| line.contains("//|") && line.ends_with(&format!(" {text}"));
            let changed = |line: &str| format!("{line}{}\n", if is_it(line) { "x" } else { "" });
            assert!(fails(python, &rust.lines().map(changed).collect::<String>()), "{text}");
            let without: Vec<&str> = rust.lines().filter(|line| !is_it(line)).collect();
            assert!(fails(python, &without.join("\n")), "{text}");
        }
        assert!(fails(&python.replace("# 1 create", "# 2 bind"), rust));
        assert!(fails(
            &python.replace("# 1 create", "# 1 make"),
            &rust.replace("1 create", "1 make")
        ));
        assert!(fails(python, &rust.replace("//| 1 create ", "//| 2 bind ")));
        assert!(fails(&format!("{python}server_socket.close()\n"), rust));
    }
}

/// The Rust of each statement, and nothing else, is replaced; the message names both lines.
#[test]
fn rust_that_does_not_do_what_the_python_above_it_does_is_noticed() {
    for [python_path, python, rust_path, rust] in &pages() {
        let code = Code::new(rust);
        for (their, our) in of_python(python).iter().zip(of_rust(rust)) {
            let (_, calls) = PAIRS.iter().find(|(python, _)| their.text.contains(python)).unwrap();
            let below = code.below(our.line);
            let mut lines: Vec<String> = rust.lines().map(str::to_owned).collect();
            let mut replaced = 0;
            for at in below {
                for call in calls.split('|').filter(|call| code.lines[at].contains(call)) {
                    lines[at] = lines[at].replace(call, "conn.flush(");
                    replaced += 1;
                }
            }
            assert!(replaced > 0, "{}", their.text);
            let wrong = compare((python_path, python), (rust_path, &lines.join("\n"))).join("\n");
            for place in [(python_path, their.line), (rust_path, our.line)] {
                assert!(
                    wrong.contains(&format!("{}:{}: ", place.0, place.1)),
                    "{place:?}\n{wrong}"
                );
            }
        }
    }
}

#[test]
fn a_socket_call_in_no_pair_is_noticed_wherever_it_stands() {
    for [python_path, python, rust_path, rust] in &pages() {
        let lines: Vec<&str> = rust.lines().collect();
        let body = lines.iter().position(|line| line.starts_with("fn run(")).unwrap() + 1;
        for at in body..lines.len() {
            // Between statements, and not within one that goes over several lines.
            if !lines[at - 1].ends_with([';', '{', '}']) {
                continue;
            }
            for call in SOCKET_CALLS {
                let mut changed = lines.clone();
                let added = format!("    other{call});");
                changed.insert(at, &added);
                let wrong = compare((python_path, python), (rust_path, &changed.join("\n")));
                assert!(!wrong.is_empty(), "{rust_path}:{}: {added}", at + 1);
            }
        }
    }
}

/// The rows of one side in the README's table of a protocol: step, section, Python, Rust.
fn rows(program: &str) -> Vec<[String; 4]> {
    let (protocol, side) = program.split_once('-').unwrap();
    let cells = |row: &Vec<String>| {
        let (python, rust) = row[3].split_once("<br>").unwrap_or(("", &row[3]));
        let code = |cell: &str| cell.trim_matches('`').to_owned();
        [row[0].replace("<br>", " "), row[2].clone(), code(python), code(rust)]
    };
    common::rows(protocol, side, "Python").iter().map(cells).collect()
}

/// Each statement of the samples that calls a socket has its row, with the Rust that does it.
#[test]
fn the_tables_of_the_readme_are_the_samples_and_the_programs() {
    for [_, python, rust_path, rust] in &pages() {
        let program = rust_path.trim_start_matches("src/bin/").trim_end_matches(".rs");
        let (code, ours) = (Code::new(rust), of_rust(rust));
        let rows = rows(program);
        let mut left = rows.iter();
        let mut step = 0;
        for (number, statement) in of_python(python).iter().enumerate() {
            step = STEPS.iter().position(|name| *name == statement.step).unwrap_or(step);
            let text = &statement.text;
            // What shows a state or an address is no step.
            let calls = ["socket.socket(", "_socket.", "conn."];
            if !calls.iter().any(|call| text.contains(call)) || text.starts_with("print(") {
                continue;
            }
            let [their_step, section, their_python, their_rust] = left.next().unwrap();
            assert_eq!(their_step, &format!("{} {}", STEPS[step], STEPS_IN_CHINESE[step]));
            let expected = match program {
                _ if text.contains("setsockopt") => "3.3",
                "tcp-client" | "udp-client" => "3.2",
                "tcp-server" if step < 5 => "3.1",
                "tcp-server" => "4.1",
                _ => "4",
            };
            assert_eq!(section, expected, "{text}");
            assert_eq!(their_python, text);
            let below = code.below(ours[number].line);
            let found = code.find(&below, their_rust);
            let (line, column) =
                found.unwrap_or_else(|| panic!("{rust_path}: {text}: {their_rust}"));
            // The whole call, and not a part of it.
            assert!(begins(code.lines[line], column), "{their_rust}");
            let calls = SOCKET_CALLS.iter().any(|call| their_rust.contains(call));
            assert!(calls && their_rust.ends_with(')'), "{their_rust}");
            if left.as_slice().first().map_or(false, |row| row[2].is_empty()) {
                let [its_step, section, _, only_rust] = left.next().unwrap();
                assert_eq!((its_step, &section[..]), (their_step, ""));
                let is_known =
                    |known: &(&str, &str, &str)| known.0 == program && known.1 == only_rust;
                assert!(ONLY_RUST.iter().any(is_known), "{only_rust}");
            }
        }
        assert!(left.next().is_none(), "{program}: more rows than statements: {rows:?}");
        let only_rust = rows.iter().filter(|row| row[2].is_empty()).count();
        assert_eq!(only_rust, usize::from(program == "tcp-client"), "the half-close");
    }
}

/// A file of the library uses only files below it in the list of src/lib.rs; a line that points up is named.
fn pointing_up(order: &[&str], file: &str, text: &str) -> Vec<String> {
    let place = |name: &str| order.iter().position(|other| *other == name);
    let code = text.split("#[cfg(test)]").next().unwrap();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let points_up = |line: &&str| {
        // `$crate` is for the programs.
        let mut used = line.split(" crate::").skip(1);
        used.any(|rest| {
            let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
            // `crate::step` is a macro of trace.rs.
            let name = if name == "step" { "trace" } else { name };
            place(name).map_or(true, |used| place(file).unwrap() >= used)
        })
    };
    lines.filter(points_up).map(|line| format!("src/{file}.rs: {}", line.trim())).collect()
}

#[test]
fn each_file_of_the_library_uses_only_files_below_it() {
    let library = read("src/lib.rs");
    let list = library.split_once("in this list:").unwrap().1.split_once('.').unwrap().0;
    let order: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
    let modules = library.lines().filter_map(|line| line.strip_prefix("pub mod "));
    let mut modules: Vec<&str> = modules.map(|line| line.trim_end_matches(';')).collect();
    let up: Vec<String> = order
        .iter()
        .flat_map(|file| pointing_up(&order, file, &read(&format!("src/{file}.rs"))))
        .collect();
    assert!(up.is_empty(), "{up:#?}");
    modules.sort_unstable();
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, modules);
    // One line that points up, or at itself, is noticed.
    for (number, file) in order.iter().enumerate() {
        for used in &order[..=number] {
            let line = format!("use crate::{used}::something;");
            assert_eq!(pointing_up(&order, file, &line).len(), 1, "{file}: {line}");
        }
    }
}

/// A row of the sheet: the lines of adjoining statements, and of the Rust that follows them.
#[derive(Default)]
struct Row {
    python: Vec<String>,
    rust: Vec<String>,
    /// The Rust has these statements in another order.
    is_wrong: bool,
}

fn sheet_rows(python: &str, rust: &str) -> Vec<Row> {
    let (theirs, ours, code) = (of_python(python), of_rust(rust), Code::new(rust));
    // In the first row stands what is above the first statements.
    let mut rows = vec![Row::default()];
    let (mut number, mut shown) = (0, theirs[0].line - 1);
    rows[0].python = python.lines().take(shown).map(str::to_owned).collect();
    for (at, line) in rust.lines().enumerate() {
        if !code.is_statement[at] {
            rows.last_mut().unwrap().rust.push(line.to_owned());
            continue;
        }
        if !code.is_statement[at - 1] {
            // The head of a function stands beside its first statement.
            let rust = &mut rows.last_mut().unwrap().rust;
            let end = rust.iter().rposition(|line| line == "}").map_or(rust.len(), |end| end + 1);
            let head = rust.split_off(end);
            rows.push(Row { rust: head, ..Row::default() });
        }
        let row = rows.last_mut().unwrap();
        let until = theirs.get(number).map_or(shown, |statement| statement.line);
        row.python.extend(python.lines().take(until).skip(shown).map(str::to_owned));
        let text = |statements: &[Statement]| statements.get(number).map(|one| one.text.clone());
        row.is_wrong |= text(&theirs) != text(&ours);
        (number, shown) = (number + 1, until);
    }
    rows
}

/// Lines in HTML: a step in its colour and with both names, a comment lighter. `is_folded` tells what paper
/// leaves out.
fn sheet_cell(lines: &[String], mut is_folded: impl FnMut(&str) -> bool) -> String {
    let mut html = String::new();
    for line in lines {
        let text = line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let words = line.trim_start();
        let indent = &line[..line.len() - words.len()];
        let step = STEPS.iter().position(|step| words == format!("# {step}"));
        html += &match step {
            Some(step) => {
                let (name, chinese) = (STEPS[step], STEPS_IN_CHINESE[step]);
                format!("{indent}<b style=\"color:{}\">{name} {chinese}</b>\n", COLOURS[step])
            }
            None if is_folded(line) => format!("<s>{text}\n</s>"),
            None if words.starts_with("//") || words.starts_with("# ") => {
                format!("<i>{text}</i>\n")
            }
            None => {
                let colour = |text: String, (step, colour): (&&str, &str)| {
                    let name = format!("\"{step}\"");
                    text.replace(&name, &format!("<b style=\"color:{colour}\">{name}</b>"))
                };
                STEPS.iter().zip(COLOURS).fold(text, colour) + "\n"
            }
        };
    }
    format!("<td><pre>{}</pre>", html.trim_matches('\n'))
}

/// The page: four pairs, Python on the left, and nothing that it must load.
fn sheet() -> String {
    let mut html = include_str!("side_by_side.html").to_owned();
    for [python_path, python, rust_path, rust] in &pages() {
        html += &format!("<table><thead><tr><th>{python_path}<th>{rust_path}<tbody>");
        let (mut in_usage, mut was_empty) = (false, true);
        for row in sheet_rows(python, rust) {
            let class = if row.is_wrong { " class=wrong" } else { "" };
            // The `use` below an import is its twin.
            let mut is_twin = !row.python.is_empty();
            let rust = sheet_cell(&row.rust, |line| {
                in_usage |= line.starts_with("const USAGE");
                let is_use = line.starts_with("use ") && !is_twin;
                let is_folded = in_usage || is_use || (line.is_empty() && was_empty);
                was_empty = if is_folded { was_empty } else { line.is_empty() };
                in_usage &= line != "\";";
                is_twin = false;
                is_folded
            });
            html += &format!("\n<tr{class}>{}{rust}", sheet_cell(&row.python, |_| false));
        }
        html += "</table>\n";
    }
    html
}

#[test]
fn the_sheet_has_each_statement_beside_the_rust_that_follows_it() {
    // There is no such folder yet where CARGO_TARGET_DIR names another.
    let target = concat!(env!("CARGO_MANIFEST_DIR"), "/target");
    std::fs::create_dir_all(target).unwrap();
    std::fs::write(format!("{target}/side-by-side.html"), sheet()).unwrap();
    for [_, python, rust_path, rust] in &pages() {
        let rows = sheet_rows(python, rust);
        assert!(rows.iter().all(|row| !row.is_wrong), "{rust_path}");
        let row_of = |(number, row): (usize, &Row)| vec![number; row.python.len()];
        let row_of: Vec<usize> = rows.iter().enumerate().flat_map(row_of).collect();
        for (their, our) in of_python(python).iter().zip(of_rust(rust)) {
            let row = &rows[row_of[their.line - 1]];
            let mut below = rust.lines().skip(our.line);
            let next = below.find(|line| !line.trim_start().starts_with("//|")).unwrap();
            assert!(row.rust.iter().any(|line| line == next), "{}", their.text);
        }
        // All lines of both are there, in their order.
        let left: Vec<_> = rows.iter().flat_map(|row| row.python.clone()).collect();
        assert_eq!(left, python.lines().collect::<Vec<_>>());
        let right: Vec<_> = rows.iter().flat_map(|row| row.rust.clone()).collect();
        let is_code = |line: &&str| !line.trim_start().starts_with("//|");
        assert_eq!(right, rust.lines().filter(is_code).collect::<Vec<_>>());
        // Two statements that have changed places.
        let swapped = rust.replace("//| host =", "//| x").replace("//| port =", "//| host =");
        let swapped = sheet_rows(python, &swapped.replace("//| x", "//| port ="));
        assert!(swapped.iter().any(|row| row.is_wrong), "{rust_path}");
    }
}

#[test]
fn a_step_has_one_colour_on_the_sheet_and_in_the_pictures() {
    for picture in ["tcp", "udp", "states", "tcp.zh-CN", "udp.zh-CN", "states.zh-CN"] {
        for text in read(&format!("labs/{picture}.svg")).split("<text").skip(1) {
            let (tag, words) = text.split_once('>').unwrap();
            let names = STEPS.iter().zip(STEPS_IN_CHINESE);
            let mut names = names
                .map(|(step, chinese)| [step.to_string(), format!("{} {chinese}", &step[..1])]);
            let step = names.position(|names| names.iter().any(|name| words.starts_with(name)));
            let fill = step.map(|step| format!("fill=\"{}\"", COLOURS[step]));
            assert!(fill.map_or(true, |fill| tag.ends_with(&fill)), "{picture}: {text}");
        }
    }
}

/// The greatest width of a page that is measured here, in pixels, and the least size of text, in points.
const SCREEN: u32 = 1400;
const LEAST_SIZE: f64 = 6.5;

#[ignore = "opens the sheet in a browser: make soak"]
#[test]
fn in_a_browser_no_line_is_cut_and_on_paper_a_pair_takes_two_pages_at_most() {
    if !common::has(&["chromium", "pdftotext"]) {
        return;
    }
    let folder = std::env::temp_dir().join(format!("socket-lab-sheet-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let measure = "<script>
        const all = [...document.querySelectorAll('pre')];
        const height = pre => parseFloat(getComputedStyle(pre).lineHeight) * pre.innerText.split('\\n').length;
        const wrong = all.filter(pre => pre.scrollWidth > pre.clientWidth || pre.clientHeight > height(pre) + 2);
        document.title = wrong.length + ' of ' + all.length + ', width ' + document.documentElement.scrollWidth;
        </script>";
    let (page, pdf) = (folder.join("sheet.html"), folder.join("sheet.pdf"));
    std::fs::write(&page, sheet() + measure).unwrap();
    let browse = |options: &[String]| {
        let mut chromium = std::process::Command::new("timeout");
        chromium.args([
            "60",
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
        ]);
        chromium.args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ]);
        chromium.arg(format!("--user-data-dir={}", folder.join("profile").display()));
        let output = chromium.args(options).arg(&page).env("HOME", &folder).output().unwrap();
        common::stdout(&output)
    };
    let dom = browse(&["--dump-dom".to_owned(), format!("--window-size={SCREEN},900")]);
    let title = dom.split("<title>").nth(1).unwrap().split("</title>").next().unwrap();
    let width: u32 = title.rsplit(' ').next().unwrap().parse().expect(title);
    assert!(title.starts_with("0 of ") && width <= SCREEN, "lines wrapped or cut: {title}");

    browse(&["--no-pdf-header-footer".to_owned(), format!("--print-to-pdf={}", pdf.display())]);
    let mut pdftotext = std::process::Command::new("pdftotext");
    let words = common::stdout(&common::output(pdftotext.arg("-bbox").arg(&pdf).arg("-")));
    let pages: Vec<&str> = words.split("<page ").skip(1).collect();
    for program in common::PROGRAMS {
        let count =
            pages.iter().filter(|page| page.contains(&format!("src/bin/{program}.rs"))).count();
        assert!([1, 2].contains(&count), "{program}: {count} pages");
    }
    assert!(pages
        .iter()
        .all(|page| page.starts_with("width=\"841") && page.contains("height=\"59")));
    // A character of a monospaced font is 0.6 as wide as it is high.
    let size = |word: &str| -> Option<f64> {
        let (place, text) = word.split_once("\">")?;
        let text = text.split("</word>").next()?;
        let place: Vec<f64> = place.split('"').filter_map(|number| number.parse().ok()).collect();
        let is_long = text.len() > 12 && text.is_ascii() && !text.contains('&');
        Some((place[2] - place[0]) / text.len() as f64 / 0.602).filter(|_| is_long)
    };
    let sizes: Vec<f64> = words.split("<word ").skip(1).filter_map(size).collect();
    let least = sizes.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(
        sizes.len() > 100 && least >= LEAST_SIZE,
        "{} words, the smallest {least} points",
        sizes.len()
    );
    std::fs::remove_dir_all(folder).unwrap();
}
