//! What `make kit` writes, unpacked where there is no network. It holds what is committed.
#![cfg(target_os = "linux")] // unshare(1), which takes the network away, is of Linux.

mod common;

use common::{has, may_unshare, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// An unpacked kit, in a folder of its own.
struct Kit(PathBuf);

impl Kit {
    fn unpack(student: &str) -> Kit {
        let mut make = Command::new("make");
        let made = make
            .args(["--no-print-directory", "kit", student])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", stderr(&made));
        let printed = stdout(&made);
        let (sum, path) = printed.trim_end().split_once("  ").unwrap();
        assert!(sum.len() == 64 && path.ends_with(".tar.gz"), "{printed}");
        // Outside of the project, whose own crates and history it must not find.
        let place = std::env::temp_dir().join(format!("kit {} {student}", std::process::id()));
        std::fs::create_dir(&place).unwrap();
        let kit = Kit(place.join(path.rsplit('/').next().unwrap().trim_end_matches(".tar.gz")));
        let tar = Command::new("tar").args(["-xzf", path, "-C"]).arg(&place).status().unwrap();
        assert!(tar.success());
        kit
    }
}

impl Drop for Kit {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.0.parent().unwrap());
    }
}

/// Runs `script` in the kit, with no network but 127.0.0.1 and nothing downloaded before, and asserts that it ends
/// well.
fn run(Kit(kit): &Kit, script: &str) -> Output {
    let mut inside = common::without_a_network(kit, script);
    inside.env("CARGO_HOME", kit.join("../home")).env("PROJECT", env!("CARGO_MANIFEST_DIR"));
    inside.env_remove("CI").env_remove("SKIPPED").env_remove("CARGO_TARGET_DIR");
    let output = inside.output().unwrap();
    assert!(output.status.success(), "{script}: {}{}", stdout(&output), stderr(&output));
    output
}

/// The demo, lab 1, and an exercise in Rust and in Python, whose solutions are in `examples`.
fn works(kit: &Kit, examples: &str) {
    let shown = stdout(&run(kit, "make demo"));
    assert_eq!(shown.matches("Received: Hello, server!\n").count(), 2, "{shown}");
    let lab = "echo 'tcp-server -q --count 1 | { read -r line && echo \"$line\" && tcp-client -q; }' | labs/enter";
    let shown = run(kit, lab);
    let (printed, said) = (stdout(&shown), stderr(&shown));
    assert_eq!(printed, "tcp-server ready on 127.0.0.1:8888\nReceived: Hello, server!\n", "{said}");
    assert!(!said.contains("no network outside"), "{said}");
    // Lab 1 changes a line, shows a test that fails, and takes the change back.
    let change = "sed -i s/1024/1000/ src/bin/tcp-server.rs && git diff --quiet; test $? = 1 &&
        git checkout --quiet src labs && test -z \"$(git status --porcelain)\"";
    run(kit, change);
    let check = "cargo test --quiet --test exercises count_server 2>&1";
    let file = format!("{examples}/count_server.py");
    let python = stdout(&run(kit, &format!("COUNT_SERVER=\"python3 '{file}'\" {check}")));
    assert!(python.contains("count-server: this checks python3 "), "{python}");
    let copy = format!("cp \"{examples}/count-server.rs\" src/bin");
    let rust = stdout(&run(kit, &format!("{copy} && {check} && rm src/bin/count-server.rs")));
    assert!(rust.contains("count-server: this checks your src/bin/count-server.rs\n"), "{rust}");
}

fn may_try() -> bool {
    if Path::new(env!("CARGO_MANIFEST_DIR")).join("vendor").exists() {
        common::skip("this is a kit");
        return false;
    }
    has(&["make", "git", "tar", "python3", "flock"]) && may_unshare("-rn")
}

#[test]
#[ignore = "builds all again: make soak"]
fn without_a_network_a_kit_has_all_that_the_labs_and_the_exercises_need() {
    if !may_try() {
        return;
    }
    let kit = Kit::unpack("STUDENT=");
    works(&kit, "examples");
    // A kit makes a kit, which has the crates too.
    let again = run(&kit, "make kit && tar -tzf target/*.tar.gz && ls vendor");
    let again = stdout(&again);
    assert!(
        again.contains("/vendor/assert_cmd/Cargo.toml\n") && again.contains("\nassert_cmd\n"),
        "{again}"
    );
}

#[test]
#[ignore = "builds all again: make soak"]
fn a_students_kit_tells_no_solution_and_passes_its_own_tests() {
    if !may_try() {
        return;
    }
    let kit = Kit::unpack("STUDENT=1");
    works(&kit, "$PROJECT/examples");
    let history =
        stdout(&run(&kit, "git log --all --oneline && git ls-files && git status --porcelain"));
    assert_eq!(history.lines().filter(|line| line.contains(' ')).count(), 1, "{history}");
    for gone in
        ["examples", "TEACHING", "QUESTIONS", "mark.py", "labs/box", "chinese.rs", "hand_ins.rs"]
    {
        assert!(!history.contains(gone), "{gone}: {history}");
    }
    for (solution, page) in
        [("<summary>Answers", "labs/README.md"), ("<summary>答案", "labs/README.zh-CN.md")]
    {
        let all = common::read(page);
        assert!(all.contains(solution));
        let text = std::fs::read_to_string(kit.0.join(page)).unwrap();
        assert!(!text.contains(solution) && text.contains("<details>"), "{page}");
    }
    // A line of a solution that no skeleton has.
    let grep =
        "! grep -rF 'count += length;' --include=* . --exclude-dir=target --exclude-dir=.git";
    run(&kit, grep);
    for page in stdout(&run(&kit, "ls *.md labs/*.md docs/*.md")).lines() {
        common::assert_links(&kit.0, page);
    }
    // Who asks for a check by its name, and has no such program, does not read "ok".
    let none = "! cargo test --quiet --test exercises udp_ping >said 2>&1 &&
        grep 'nothing to check: no src/bin/udp-ping.rs' said && rm said";
    run(&kit, none);
    let tests = run(&kit, "make test 2>&1");
    let tests = stdout(&tests);
    assert!(tests.contains("  nothing to check: "), "{tests}");
}
