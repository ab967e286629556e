//! Each statement of a Python sample stands, word for word and in its order, above the Rust that does it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::pedantic, clippy::indexing_slicing)]

use std::fs::read_to_string;
use std::path::Path;

/// The document's steps, section 2.2.
const STEPS: [&str; 7] =
    ["1 create", "2 bind", "3 listen", "4 connect", "5 establish", "6 transfer", "7 close"];

/// `step` (or nothing) and statement, with the place where it stands.
type Statement = (String, String, String);

/// A statement's step is the comment above it: `# 2 bind`.
fn of_python(path: &str, text: &str) -> Vec<Statement> {
    let mut step = String::new();
    let mut statements = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        match line.strip_prefix("# ") {
            Some(comment) if STEPS.contains(&comment) => step = comment.to_owned(),
            Some(_) => assert!(!comment_of_a_step(line), "{path}: no step of the document: {line}"),
            None if line.is_empty() => (),
            None => statements.push((
                std::mem::take(&mut step),
                line.to_owned(),
                format!("{path}:{}", number + 1),
            )),
        }
    }
    statements
}

fn comment_of_a_step(line: &str) -> bool {
    line.trim_start_matches("# ").starts_with(|c: char| c.is_ascii_digit())
}

/// In Rust both stand in one comment, in columns: `// 2 bind       server_socket.bind(...)`.
fn of_rust(path: &str, text: &str) -> Vec<Statement> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut statements = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let place = format!("{path}:{}", number + 1);
        let comment = line.strip_prefix("// ").unwrap_or_default();
        if !comment.starts_with(|c: char| c == ' ' || c.is_ascii_digit()) {
            continue;
        }
        let (step, statement) = comment.split_at(12);
        let step = step.trim();
        assert!(
            step.is_empty() || STEPS.contains(&step),
            "{place}: no step of the document: {line}"
        );
        let code = lines[number..].iter().find(|line| !line.starts_with("//")).unwrap();
        assert!(code.len() > 2, "{place}: no Rust below: {line}");
        statements.push((step.to_owned(), statement.trim().to_owned(), place));
    }
    statements
}

fn assert_side_by_side(python_path: &str, python: &str, rust_path: &str, rust: &str) {
    let python = of_python(python_path, python);
    let rust = of_rust(rust_path, rust);
    for at in 0..python.len().max(rust.len()) {
        let nothing = (String::new(), "(nothing more)".to_owned(), "the end".to_owned());
        let ours = rust.get(at).unwrap_or(&nothing);
        let theirs = python.get(at).unwrap_or(&nothing);
        assert!(
            (&ours.0, &ours.1) == (&theirs.0, &theirs.1),
            "\n{}:\n  {:<12} {}\n{}:\n  {:<12} {}\n",
            theirs.2,
            theirs.0,
            theirs.1,
            ours.2,
            ours.0,
            ours.1
        );
    }
}

fn read(path: &str) -> String {
    read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn assert_pair(python: &str, rust: &str) {
    assert_side_by_side(python, &read(python), rust, &read(rust));
}

#[test]
fn tcp_server() {
    assert_pair("tests/python/tcp_server.py", "src/bin/tcp-server.rs");
}

#[test]
fn tcp_client() {
    assert_pair("tests/python/tcp_client.py", "src/bin/tcp-client.rs");
}

#[test]
fn udp_server() {
    assert_pair("tests/python/udp_server.py", "src/bin/udp-server.rs");
}

#[test]
fn udp_client() {
    assert_pair("tests/python/udp_client.py", "src/bin/udp-client.rs");
}

#[test]
fn changing_any_statement_of_either_side_is_noticed() {
    let (python_path, rust_path) = ("tests/python/tcp_server.py", "src/bin/tcp-server.rs");
    let (python, rust) = (read(python_path), read(rust_path));
    let fails = |python: &str, rust: &str| {
        let pair = [python_path, python, rust_path, rust].map(str::to_owned);
        std::panic::catch_unwind(move || {
            assert_side_by_side(&pair[0], &pair[1], &pair[2], &pair[3])
        })
        .is_err()
    };
    assert!(!fails(&python, &rust));
    for (_, statement, _) in of_python(python_path, &python) {
        let changed = format!("{statement} ");
        assert!(
            !fails(&python.replacen(&statement, &changed, 1), &rust),
            "white space at an end is none"
        );
        let changed = format!("{statement}x");
        assert!(fails(&python.replacen(&statement, &changed, 1), &rust), "{statement}");
        assert!(fails(&python, &rust.replacen(&statement, &changed, 1)), "{statement}");
        let removed: String = rust
            .lines()
            .filter(|line| !line.ends_with(&statement))
            .map(|l| format!("{l}\n"))
            .collect();
        assert!(fails(&python, &removed), "{statement}");
    }
    assert!(fails(&python.replace("# 2 bind", "# 3 listen"), &rust));
    assert!(fails(&python, &rust.replace("// 2 bind  ", "// 2 binds ")));
    assert!(fails(&format!("{python}server_socket.close()\n"), &rust));
}
