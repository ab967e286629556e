//! Installed and packed: four programs on the PATH, in a room without a network, and what the package holds.
#![cfg(target_os = "linux")] // unshare(1), which takes the network away, is of Linux.

mod common;

use common::{has, may_unshare, stderr, stdout};
use std::fs::read_dir;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// `command` in a clean place of its own, with nothing downloaded before.
fn without_a_network(place: &Path, command: &str) -> Output {
    let mut inside = common::without_a_network(Path::new(env!("CARGO_MANIFEST_DIR")), command);
    inside.env("CARGO_HOME", place.join("home")).env("CARGO_TARGET_DIR", place.join("target"));
    inside.env("ROOT", place.join("root"));
    inside.output().unwrap()
}

/// What is in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn place(name: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&place);
    place
}

#[test]
fn without_a_network_cargo_install_puts_the_four_programs_on_the_path() {
    if !may_unshare("-rn") {
        return;
    }
    let place = place("install");
    let root = place.join("root");
    let output = without_a_network(&place, "cargo install --path . --root \"$ROOT\"");
    assert!(output.status.success(), "{}", stderr(&output));
    // Those of src/bin, where a student may have written more, and nothing else.
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin");
    let programs: Vec<String> =
        names(&source).iter().filter_map(|name| Some(name.strip_suffix(".rs")?.into())).collect();
    let installed = names(&root.join("bin"));
    assert_eq!(installed, programs);
    for program in common::PROGRAMS {
        assert!(installed.iter().any(|name| name == program), "{program}: {installed:?}");
        let output = Command::new(program).arg("--version").env("PATH", root.join("bin")).output();
        let expected = format!("{program} {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(stdout(&output.unwrap()), expected);
    }
}

#[test]
fn without_a_network_make_demo_shows_both_conversations() {
    if !has(&["make"]) || !may_unshare("-rn") {
        return;
    }
    let output = without_a_network(&place("demo"), "make demo");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output).matches("Received: Hello, server!\n").count(), 2);
}

#[test]
fn the_package_is_clean_and_holds_what_the_readme_names() {
    let cargo = |args: &[&str]| {
        let mut cargo = Command::new("cargo");
        cargo.args(["package", "--offline", "--allow-dirty"]).args(args);
        cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap()
    };
    let output = cargo(&["--list"]);
    let list = stdout(&output);
    let files: Vec<&str> = list.lines().collect();
    for (file, _) in common::links(&common::read("README.md")) {
        assert!(file.is_empty() || files.contains(&file), "{file}: {files:#?}");
    }
    for file in ["Makefile", "LICENSE", "Cargo.lock", "tests/python/demo.sh"] {
        assert!(files.contains(&file), "{file}: {files:#?}");
    }
    let hidden: Vec<_> = files.iter().filter(|file| file.starts_with('.')).collect();
    // The first is cargo's own: which commit it was.
    assert!(
        hidden.iter().all(|file| [".cargo_vcs_info.json", ".rustfmt.toml"].contains(file)),
        "{hidden:?}"
    );
    let output = cargo(&[]);
    assert!(output.status.success(), "{}", stderr(&output));
    // It has no address of its own yet.
    let known = "warning: manifest has no documentation, homepage or repository";
    let said = stderr(&output);
    let mut warnings = said.lines().filter(|line| line.starts_with("warning"));
    assert!(warnings.all(|line| line.starts_with(known)), "{said}");
}

#[test]
fn the_pages_name_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    let of = |page: &str, begin: &str| -> Vec<String> {
        let text = common::read(page);
        let after = text.split(begin).skip(1);
        after
            .map(|rest| rest.chars().take_while(|c| ".0123456789".contains(*c)).collect())
            .collect()
    };
    assert_eq!(of("CHANGELOG.md", "\n## ")[0], version);
    for page in ["labs/TEACHING.md", "labs/TEACHING.zh-CN.md"] {
        let named = of(page, "socket-lab-");
        assert!(named.iter().all(|one| one.trim_end_matches('.') == version), "{page}: {named:?}");
        assert_eq!(named.len(), 3, "{page}: {named:?}");
    }
}
