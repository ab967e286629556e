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

/// An empty folder of its own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    folder
}

fn check_folder(folder: &Path, options: &[&str]) -> Output {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/labs/hand_ins.py");
    output(Command::new("python3").arg(script).args(options).arg(folder))
}

/// Checks files with these names and contents.
fn check(name: &str, files: &[(&str, impl AsRef<[u8]>)]) -> Output {
    let folder = folder(name);
    for (name, text) in files {
        let file = folder.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    check_folder(&folder, &[])
}

#[test]
fn a_hand_in_is_done_when_both_sides_saw_the_number_over_tcp_and_udp() {
    if !has(&["python3"]) {
        return;
    }
    let twice = conversations("1002", 40002, 50002) + &conversations("1002", 40003, 50003);
    let windows = conversations("张三", 40004, 50004).replace('\n', "\r\n");
    let one = conversations("1001", 40001, 50001);
    let files = [("1001.txt", one), ("1002.txt", twice), ("张三.TXT", windows)];
    let output = check("hand-ins that are right", &files);
    assert_eq!(stdout(&output), "1001: done\n1002: done\n张三 (张三.TXT): done\n", "{output:?}");
    assert!(output.status.success());
}

#[test]
fn the_number_is_the_one_of_a_name_that_the_traces_carry() {
    if !has(&["python3"]) {
        return;
    }
    let files = [
        ("2026001_张三.txt", conversations("2026001", 40001, 50001)),
        ("2026002 (1).txt", conversations("2026002", 40002, 50002)),
        ("2026004/lab 1/traces.txt", conversations("2026004", 40004, 50004)),
        ("2026004/REPORT.md", "a report".to_owned()),
        ("2026004/mine/word.py", "a program".to_owned()),
        ("2026004/notes.txt", "notes".to_owned()),
        ("2026005/lab 1.txt", "some text".to_owned()),
        ("计科2401-2026003.txt", conversations("2026003", 40003, 50003)),
    ];
    let output = check("hand-ins with names", &files);
    let expected = "\
2026001 (2026001_张三.txt): done
2026002 (2026002 (1).txt): done
2026004 (2026004/lab 1/traces.txt): done
2026005 (2026005/lab 1.txt): no trace in it carries 2026005
2026003 (计科2401-2026003.txt): done
";
    assert_eq!(stdout(&output), expected, "{output:?}");
}

#[test]
fn a_copied_folder_with_the_number_of_another_is_to_be_compared() {
    if !has(&["python3"]) {
        return;
    }
    let one = conversations("2026001", 40001, 50001);
    let files = [
        ("2026001/2026001.txt", one.clone()),
        ("2026001/REPORT.md", "a report".to_owned()),
        ("2026005 李四/2026001.txt", one),
        ("2026005 李四/REPORT.md", "a report".to_owned()),
        ("2026005 李四/mine/word.py", "a program".to_owned()),
    ];
    let output = check("hand-ins that are copied", &files);
    let expected = "\
2026001 (2026001/2026001.txt): done; compare with 2026005 李四
2026001 (2026005 李四/2026001.txt): done; compare with 2026001
";
    assert_eq!(stdout(&output), expected, "{output:?}");
}

#[test]
fn the_text_may_be_what_editors_and_shells_of_windows_write() {
    if !has(&["python3"]) {
        return;
    }
    let text = conversations("1001", 40001, 50001);
    let utf16 = |begin: [u8; 2], bytes: fn(u16) -> [u8; 2]| {
        [begin.to_vec(), text.encode_utf16().flat_map(bytes).collect()].concat()
    };
    let gbk = [b"\xd5\xc5\xc8\xfd\r\n", text.replace('\n', "\r\n").as_bytes()].concat();
    for file in [
        [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        utf16([0xff, 0xfe], u16::to_le_bytes),
        utf16([0xfe, 0xff], u16::to_be_bytes),
        gbk,
    ] {
        let output = check("hand-ins of Windows", &[("1001.txt", file)]);
        assert_eq!(stdout(&output), "1001: done\n", "{output:?}");
    }
}

#[test]
fn a_hand_in_that_lacks_something_is_told() {
    if !has(&["python3"]) {
        return;
    }
    let whole = |number| conversations(number, 40002, 50002);
    let without = |text: &str| {
        let whole = whole("1002");
        assert!(whole.contains(text), "{text}");
        whole.lines().filter(|line| !line.contains(text)).map(|line| format!("{line}\n")).collect()
    };
    let right = ("1001.txt", conversations("1001", 40001, 50001));
    for (second, said) in [
        (String::new(), "is empty"),
        (" \r\n".to_owned(), "is empty"),
        ("5".repeat(40_000), "no trace in it carries 1002"),
        (conversations("1003", 40003, 50003), "no trace in it carries 1002"),
        (conversations("11002", 40003, 50003), "no trace in it carries 1002"),
        (without("tcp-"), "no whole conversation over TCP"),
        (without("tcp-client"), "no whole conversation over TCP"),
        (without("tcp-server"), "no whole conversation over TCP"),
        (without("udp-client"), "no whole conversation over UDP"),
        (without("udp-server"), "no whole conversation over UDP"),
        (without("udp-client: 6 transfer"), "no whole conversation over UDP"),
        (
            whole("1002").replacen("40002", "40003", 1).replacen("50002", "50003", 1),
            "no whole conversation over TCP or UDP",
        ),
    ] {
        let output =
            check("hand-ins that are wrong", &[right.clone(), ("1002.txt", second.clone())]);
        assert_eq!(stdout(&output), format!("1001: done\n1002: {said}\n"), "{second:.99}");
        assert_eq!(output.status.code(), Some(1));
    }
    let output = check("no hand-ins", &[("", ""); 0]);
    assert!(stderr(&output).starts_with("not all is done in "), "{output:?}");
    assert_eq!(output.status.code(), Some(1));
}

/// Of TCP or of UDP: one that was changed is not enough.
#[test]
fn a_port_that_another_student_has_is_told_of_both() {
    if !has(&["python3"]) {
        return;
    }
    for (tcp, udp) in [(40001, 50001), (40001, 50002), (40002, 50001)] {
        let one = conversations("1001", 40001, 50001);
        let files = [("1001.txt", one), ("1002.txt", conversations("1002", tcp, udp))];
        let output = check("hand-ins with the same ports", &files);
        let expected = "1001: done; compare with 1002\n1002: done; compare with 1001\n";
        assert_eq!(stdout(&output), expected);
        assert!(output.status.success());
    }
    let again =
        [("1001.txt", conversations("1001", 4, 5)), ("1001 (1).txt", conversations("1001", 4, 5))];
    let output = check("a hand-in twice", &again);
    assert_eq!(stdout(&output), "1001 (1001 (1).txt): done\n1001: done\n");
}

#[cfg(target_os = "linux")] // Elsewhere names must be UTF-8.
#[test]
fn what_is_no_hand_in_gets_a_line_and_stops_nothing() {
    use std::os::unix::ffi::OsStrExt;
    if !has(&["python3", "mkfifo"]) {
        return;
    }
    let folder = folder("hand-ins and others");
    let write = |name: &[u8], text: &str| {
        std::fs::write(folder.join(std::ffi::OsStr::from_bytes(name)), text).unwrap();
    };
    write(b"1001.txt", &conversations("1001", 40001, 50001));
    write(b"1002.docx", "x");
    write(b"1003.txt\n1004: done", "x");
    write(b"\xd5\xc5\xc8\xfd 1005.txt", &conversations("1005", 40005, 50005));
    std::fs::create_dir(folder.join("empty.txt")).unwrap();
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, folder.join(name)).unwrap();
    link("nowhere", "1006.txt");
    link("/", "1007.txt");
    link("1008.txt", "1008.txt");
    assert!(output(Command::new("mkfifo").arg(folder.join("1009.txt"))).status.success());
    let output = check_folder(&folder, &[]);
    let expected = "\
1001: done
1002.docx: no hand-in, its name does not end with .txt
1003.txt\\n1004: done: no hand-in, its name does not end with .txt
1006.txt: no hand-in: No such file or directory
1007.txt: no hand-in: it is no file
1008.txt: no hand-in: Too many levels of symbolic links
1009.txt: no hand-in: it is no file
1005 (张三 1005.txt): done
";
    assert_eq!(stdout(&output), expected, "{output:?}");
    assert_eq!(output.status.code(), Some(1));

    let output = check_folder(Path::new("/nowhere"), &[]);
    assert_eq!(stdout(&output), ".: no hand-in: No such file or directory\n");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_roll_tells_who_was_there() {
    if !has(&["python3"]) {
        return;
    }
    let folder = folder("hand-ins and a roll");
    let roll = folder.with_file_name("roll of a class");
    let line = |number, address| {
        format!("tcp-server: 6 transfer   {address}, 4 bytes received: {number}\n")
    };
    let lines = [
        "tcp-server: 5 establish  10.0.0.1:40001, SO_KEEPALIVE=1\n".to_owned(),
        line(" 1001\\n", "10.0.0.1:40001"),
        "tcp-server: 6 transfer   10.0.0.1:40001, 0 bytes: no more will come\n".to_owned(),
        line("1003", "10.0.0.3:40003"),
        line("1004", "10.0.0.4:40004"),
        line("1005", "10.0.0.4:40005"),
    ];
    std::fs::write(&roll, lines.concat()).unwrap();
    for (number, port) in [("1001", 1), ("1002", 2), ("1004", 4), ("1005", 5)] {
        let file = folder.join(format!("{number}.txt"));
        std::fs::write(file, conversations(number, port, port)).unwrap();
    }
    let output = check_folder(&folder, &["--roll", roll.to_str().unwrap()]);
    let expected = "\
1001: done
1002: done; not on the roll
1004: done; compare with 1005
1005: done; compare with 1004
1003: on the roll, from 10.0.0.3, and nothing handed in
";
    assert_eq!(stdout(&output), expected, "{output:?}");
}

/// In `labs/box`, which refuses root: an ordinary user's run does it. The number, what is in the folder, and what its
/// row says.
#[cfg(target_os = "linux")]
#[ignore = "builds and runs what a class has written: make soak"]
#[test]
fn a_class_is_marked_whatever_its_programs_do() {
    if common::is_root() || !has(&["python3", "setpriv"]) || !common::may_unshare("-Urnm") {
        return;
    }
    let class = folder("a class");
    let write = |number: &str, file: &str, text: &str| {
        let path = class.join(format!("{number} 张三")).join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let read = |name: &str| common::read(&format!("examples/{name}"));
    for (number, port) in
        [("1001", 1), ("1002", 2), ("1003", 2), ("1004", 4), ("1005", 5), ("1006", 6)]
    {
        write(number, "traces.txt", &conversations(number, 40000 + port, 50000 + port));
        write(number, "REPORT.md", &format!("report of {number}"));
    }
    let outside = class.with_file_name("outside");
    std::fs::write(&outside, "kept").unwrap();
    write("1001", "src/bin/word-client.rs", &read("word-client.rs"));
    write("1001", "src/bin/word/mod.rs", &read("word/mod.rs"));
    write("1002", "mine/count_server.py", &read("count_server.py"));
    write("1003", "REPORT.md", "report of 1002");
    write("1009", "1001.txt", &conversations("1001", 40009, 50009));
    let evil = format!("import os\nos.unlink({:?})\n", outside.display().to_string());
    write("1003", "mine/count_server.py", &evil);
    write("1004", "mine/count_server.py", "while True: pass");
    write("1004", "mine/udp_ping.py", "import os\nwhile True: os.fork()");
    write("1005", "src/bin/count-server.rs", "fn main() { what }");
    write("1005", "mine/udp_ping.py", "f = open('big', 'wb')\nwhile True: f.write(b'x' * 10**7)");
    write("1006", "mine/Word-Server.py", "while True: print('=1', end='')");
    write("1007", "notes.docx", "");
    std::fs::write(class.join("1008.zip"), "").unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/labs/mark.py");
    let mut mark = Command::new("timeout"); // It takes longer than a command of a test may.
    mark.args(["500", "python3", script, "."]).current_dir(&class);
    let output = mark.output().unwrap();
    let said = stdout(&output);
    assert!(output.status.success(), "{said}{}", stderr(&output));
    let row = |number: &str| {
        said.split(&format!("number: {number}")).nth(1).unwrap().split("\n\n").next().unwrap()
    };
    let none = "\nword-server: none\nword-client: none\nudp-ping: none\ncompare with: ";
    assert_eq!(row("1001"), "\ntraces: done\nreport: there\ncount-server: none\nword-server: none\nword-client: passed\nudp-ping: none\ncompare with: 1009 张三");
    assert!(row("1001 (in 1009 张三)").ends_with("compare with: 1001 张三"), "{said}");
    assert_eq!(
        row("1002"),
        format!("\ntraces: done\nreport: there\ncount-server: passed{none}1003")
    );
    assert!(
        row("1003")
            .contains("report: does not name 1003\ncount-server: count-server: started it; "),
        "{said}"
    );
    assert!(row("1003").ends_with("compare with: 1002"), "{said}");
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "kept");
    assert!(
        row("1004").contains("\ncount-server: count-server: started it; expected the line"),
        "{said}"
    );
    assert!(
        row("1004")
            .contains("\nudp-ping: udp-ping: sent it the argument ADDRESS; expected 'ping 1'"),
        "{said}"
    );
    assert!(
        row("1005")
            .contains("\ncount-server: error[E0425]: cannot find value `what` in this scope\n"),
        "{said}"
    );
    assert!(
        row("1005")
            .contains("\nudp-ping: udp-ping: sent it the argument ADDRESS; expected 'ping 1'"),
        "{said}"
    );
    assert!(row("1006").contains("\nword-server: word-server: started it; "), "{said}");
    assert!(row("1007").contains("traces: none\nreport: none\ncount-server: none"), "{said}");
    let table = std::fs::read_to_string(class.join("marks.csv")).unwrap();
    assert_eq!(table.lines().count(), 10, "{table}");
    assert!(table.contains("\n1002,done,there,passed,none,none,none,1003"), "{table}");
    assert!(table.contains("\n1008.zip,none,none,none,none,none,none,"), "{table}");
}
