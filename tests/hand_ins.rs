//! What students hand in, and the script that looks at a folder of it.
#![cfg(unix)] // Python is `python3` there.

mod common;

use common::{has, output, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What `labs/README.md` lets a student hand in, from real programs' traces.
fn conversations(number: &str, tcp_port: u16, udp_port: u16) -> String {
    let length = number.len();
    format!(
        "\
tcp-server: 1 create     TCP, IPv4
tcp-server ready on 127.0.0.1:8888
tcp-client: 4 connect    127.0.0.1:8888
tcp-client: 5 establish  127.0.0.1:{tcp_port}, chosen by the system
tcp-client: 6 transfer   sending {length} bytes: {number}
tcp-server: 6 transfer   127.0.0.1:{tcp_port}, {length} bytes received: {number}
tcp-client: 6 transfer   {length} bytes received: {number}
udp-client: 2 bind       0.0.0.0:{udp_port}, chosen by the system
udp-server: 6 transfer   127.0.0.1:{udp_port}, {length} bytes received: {number}
udp-client: 6 transfer   127.0.0.1:8888, {length} bytes received: {number}
"
    )
}

fn check(name: &str, files: &[(&str, String)]) -> Output {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    for (number, text) in files {
        std::fs::write(folder.join(format!("{number}.txt")), text).unwrap();
    }
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("labs/hand_ins.py");
    output(Command::new("python3").arg(script).arg(folder))
}

#[test]
fn a_hand_in_is_done_when_both_sides_saw_the_number_over_tcp_and_udp() {
    if !has(&["python3"]) {
        return;
    }
    let twice = conversations("1002", 40002, 50002) + &conversations("1002", 40003, 50003);
    let windows = conversations("张三", 40004, 50004).replace('\n', "\r\n");
    let files = [("1001", conversations("1001", 40001, 50001)), ("1002", twice), ("张三", windows)];
    let output = check("hand-ins that are right", &files);
    assert_eq!(stdout(&output), "1001: done\n1002: done\n张三: done\n", "{}", stderr(&output));
    assert!(output.status.success());
}

#[test]
fn a_hand_in_that_lacks_something_or_is_a_copy_is_told() {
    if !has(&["python3"]) {
        return;
    }
    let whole = |number| conversations(number, 40001, 50001);
    let without = |text: &str| {
        let whole = whole("1002");
        assert!(whole.contains(text), "{text}");
        whole.lines().filter(|line| !line.contains(text)).map(|line| format!("{line}\n")).collect()
    };
    let copy = ("1001", whole("1001"));
    for (second, said) in [
        (String::new(), "1002 is nowhere in it"),
        (whole("1001"), "1002 is nowhere in it"),
        (without("tcp-"), "no whole conversation over TCP"),
        (without("tcp-client"), "no whole conversation over TCP"),
        (without("tcp-server"), "no whole conversation over TCP"),
        (without("udp-client"), "no whole conversation over UDP"),
        (without("udp-server"), "no whole conversation over UDP"),
        (without("udp-client: 6 transfer"), "no whole conversation over UDP"),
        (
            whole("1002").replacen("40001", "40002", 1).replacen("50001", "50002", 1),
            "no whole conversation over TCP or UDP",
        ),
        (whole("1002"), "the same ports as 1001"),
    ] {
        let output = check("hand-ins that are wrong", &[copy.clone(), ("1002", second.clone())]);
        assert_eq!(stdout(&output), format!("1001: done\n1002: {said}\n"), "{second}");
        assert_eq!(output.status.code(), Some(1));
    }
    let output = check("no hand-ins", &[]);
    assert!(stderr(&output).starts_with("there is no NUMBER.txt in "), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(1));
}
