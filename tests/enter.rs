//! labs/enter: a network for the terminals of one student, and what it says where there may be none.
#![cfg(target_os = "linux")] // Other systems have no network namespaces.

mod common;

use common::{has, kill_group, lines, may_unshare, output, stdout, Project, Running, PATIENCE};
use std::io::Write;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
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
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut again = Running::start(&mut command);
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
    let ip = "#!/bin/sh\necho 'RTNETLINK answers: Operation not permitted' >&2\nexit 2\n";
    let path = fake(&project, "ip", ip);
    let none = "echo 0 >/proc/sys/user/max_net_namespaces; exec \"$0\"";
    for (through, why) in [
        (&["env", &path][..], "RTNETLINK answers: Operation not permitted"),
        (&["unshare", "-Ur", "sh", "-c", none], "unshare: unshare failed: No space left on device"),
    ] {
        let (printed, said) = enter(&project, through, "tcp-server --version\n");
        assert!(printed.starts_with("tcp-server "), "{said}");
        let because = format!("labs/enter: no network of your own here ({why}): ");
        assert!(said.contains(&because), "{said}");
        assert!(!project.0.join("target/lab/network").exists());
    }
}

/// What a terminal shows that is entered through `through`, types `script`, and leaves: both streams.
fn enter(project: &Project, through: &[&str], script: &str) -> (String, String) {
    let mut command = project.enter(through);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Running::start(&mut command);
    process.0.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let (said, shown) = (process.0.stderr.take().unwrap(), process.0.stdout.take().unwrap());
    let (said, shown) = (lines(said), lines(shown));
    // The first one builds. A terminal that hangs has failed.
    let all = |lines: Receiver<String>| {
        let mut text = String::new();
        loop {
            match lines.recv_timeout(6 * PATIENCE) {
                Ok(line) => text += &(line + "\n"),
                Err(RecvTimeoutError::Disconnected) => return text,
                Err(RecvTimeoutError::Timeout) => {
                    kill_group(process.0.id());
                    panic!("it hangs after {text:?}");
                }
            }
        }
    };
    let shown = all(shown);
    kill_group(process.0.id()); // What it left behind, which is told to nobody.
    (shown, all(said))
}

/// Makes `name` a program of its own, in the front of the PATH.
fn fake(project: &Project, name: &str, script: &str) -> String {
    let folder = project.0.join(format!("fake {name}"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join(name), script).unwrap();
    assert!(output(Command::new("chmod").arg("+x").arg(folder.join(name))).status.success());
    format!("PATH={}:{}", folder.display(), std::env::var("PATH").unwrap())
}

#[test]
fn whatever_a_user_has_exported_it_enters_and_says_which_network_it_is() {
    if !may_enter() {
        return;
    }
    let project = Project::copy();
    let rustup = std::env::var("RUSTUP_HOME");
    let rustup = rustup.unwrap_or_else(|_| std::env::var("HOME").unwrap() + "/.rustup");
    let rustup = format!("RUSTUP_HOME={rustup}");
    // A compiler's cache leaves a server behind, which inherits what is open.
    fake(&project, "wrapper", "#!/bin/sh\nsleep 100 & exec \"$@\"\n");
    let wrapper = format!("RUSTC_WRAPPER={}", project.0.join("fake wrapper/wrapper").display());
    let (printed, said) = enter(&project, &["env", &wrapper], "tcp-server --version; ls /run\n");
    assert!(printed.starts_with("tcp-server "), "{printed}{said}");
    assert!(said.contains("labs/enter: your network is a new one\n"), "{said}");
    for folder in std::fs::read_dir("/run").unwrap().map(Result::unwrap) {
        let name = folder.file_name().into_string().unwrap();
        let is_folder = folder.file_type().unwrap().is_dir() && name != "netns";
        assert!(!is_folder || printed.lines().any(|line| line == name), "no {name} in: {printed}");
    }
    std::fs::write(project.0.join("env"), "echo BASH_ENV was read >&2\n").unwrap();
    let mut first = Terminal::enter(&project);
    assert_eq!(first.type_in("echo entered"), "entered");
    for exported in [
        &["PROMPT_COMMAND=echo prompted", "BASH_ENV=env", "TMOUT=1", "CDPATH=/usr"][..],
        &["SHELLOPTS=noclobber:nounset:noglob", "POSIXLY_CORRECT=1", "BASH_FUNC_cd%%=() { :; }"],
        &["--unset=CARGO_HOME", "HOME=/proc", &rustup],
    ] {
        let (printed, said) = enter(
            &project,
            &[&["env"], exported].concat(),
            "tcp-server --version; echo ${PROMPT_COMMAND-none} ${BASH_ENV-none}\n",
        );
        assert!(printed.starts_with("tcp-server ") && printed.ends_with("none none\n"), "{said}");
        assert!(
            said.ends_with("labs/enter: your network is that of your other terminals\n"),
            "{said}"
        );
        assert!(
            said.matches("BASH_ENV was read").count() < 2 && !said.contains("failed"),
            "{said}"
        );
    }
    first.close();
}

#[test]
fn what_would_do_harm_is_refused_in_one_sentence_before_anything_is_done() {
    if !may_enter() {
        return;
    }
    let project = Project::copy();
    let linked = "ln -s . a:b && cd a:b && exec labs/enter";
    for (through, sentence) in [
        (&["sh", "-c", "sh labs/enter", "$0"][..], "type labs/enter alone, with no 'sh', '.' or "),
        (&["sh", "-c", ". labs/enter; pwd", "$0"], "type labs/enter alone, with no 'sh', '.' or "),
        (
            &["bash", "-c", ". labs/enter; pwd", "$0"],
            "type labs/enter alone, with no 'sh', '.' or ",
        ),
        (&["sh", "-c", linked, "$0"], "this folder's path has a ':' in it"),
        (&["unshare", "-Ur", "env", "SUDO_UID=1000"], "type it without sudo: "),
    ] {
        let (printed, said) = enter(&project, through, "");
        assert!(said.starts_with(&format!("labs/enter: {sentence}")), "{through:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        let shell_goes_on = through[2].contains("pwd");
        let folder = format!("{}\n", project.0.display());
        assert_eq!(printed, if shell_goes_on { folder } else { String::new() });
        assert!(!project.0.join("target/lab").exists(), "{through:?}");
    }
    let stolen = project.0.join("target/stolen");
    std::fs::write(&stolen, "").unwrap();
    if !output(Command::new("chown").arg("1000000").arg(&stolen)).status.success() {
        return common::skip("only root may give a file away");
    }
    let (_, said) = enter(&project, &[], "");
    assert!(
        said.starts_with("labs/enter: target/ is not all yours, was it sudo? Type: sudo chown -R ")
    );
}

/// cargo waits for an answer; the second terminal does not try again.
#[test]
fn a_network_that_swallows_packets_keeps_no_terminal_from_its_shell() {
    if !may_enter() {
        return;
    }
    let project = Project::copy();
    let real = output(Command::new("sh").args(["-c", "command -v cargo"]));
    let script = "#!/bin/sh\ncase \"$*\" in
        *fetch*offline*) exit 101 ;;
        *fetch*) echo tried >>tried; exec sleep 100 ;;
        *) exec REAL \"$@\" ;;
        esac\n";
    let path = fake(&project, "cargo", &script.replace("REAL", stdout(&real).trim()));
    for _ in 0..2 {
        let (printed, said) = enter(&project, &["env", &path], "tcp-server --version\n");
        assert!(printed.starts_with("tcp-server "), "{said}");
        assert!(
            said.contains("labs/enter: no network outside, or a slow one: 'cargo test' "),
            "{said}"
        );
    }
    assert_eq!(std::fs::read_to_string(project.0.join("tried")).unwrap(), "tried\n");
}

/// In a chroot no user namespace may be made. Three terminals at once: none waits for another for ever.
#[test]
fn a_chroot_that_refuses_namespaces_opens_plain_shells() {
    if !may_enter() || !has(&["chroot", "setpriv"]) {
        return;
    }
    let project = Project::copy();
    let own = output(Command::new("chown").args(["-R", "65534:65534"]).arg(&project.0));
    let through = "printf 'nobody:1000000:65536\\n' >subuid && mount --bind subuid /etc/subuid &&
        mount --bind subuid /etc/subgid && mount --rbind / /media &&
        exec chroot /media setpriv --reuid=65534 --regid=65534 --clear-groups \
        sh -c 'cd \"$1\" && HOME=/proc exec labs/enter' sh \"$PWD\"";
    if !own.status.success() || !may_unshare("-m") {
        return common::skip("only root may be another user in a chroot");
    }
    let terminal = || enter(&project, &["unshare", "-m", "sh", "-c", through], "echo inside\n");
    std::thread::scope(|scope| {
        let terminals = [(); 3].map(|()| scope.spawn(terminal));
        for (printed, said) in terminals.map(|terminal| terminal.join().unwrap()) {
            assert_eq!(printed, "inside\n", "{said}");
            assert!(said.contains("labs/enter: no network of your own here (unshare: "), "{said}");
        }
    });
}

/// What is taken away: its name, how (in a mount namespace of this test's own), and the labs that need it.
const TAKEN: &[(&str, &str, &str)] = &[
    ("Rust", "hide cargo", "all labs, exercises, make lint"),
    ("python3", "hide python3", "all labs, lab 8"),
    ("git", "hide git", "all labs"),
    ("ps", "hide ps", "lab 2, lab 14"),
    ("ss", "hide ss", "lab 3, lab 5, lab 10, lab 11, lab 13"),
    ("nc", "hide nc", "lab 5"),
    ("nstat", "hide nstat", "lab 7, lab 11"),
    ("network", "echo 0 >/proc/sys/user/max_net_namespaces", "lab 7, lab 8, lab 9, lab 11, lab 13"),
    ("nft", "hide nft", "lab 7, lab 8, lab 11"),
    ("numgen", "refuse nft numgen", "lab 7, lab 8"),
    ("counter", "refuse nft counter", "lab 8"),
    ("tun", "mount -t tmpfs none /dev/net", "lab 8"),
    ("tcpdump", "hide tcpdump", "lab 8, lab 9"),
    ("strace", "hide strace", "lab 9"),
    ("cable", "refuse ip veth", "lab 9, lab 13"),
    ("sysctl", "hide sysctl", "lab 11"),
    ("curl", "hide curl", "lab 12"),
    ("redis-benchmark", "hide redis-benchmark", "lab 12"),
    ("nginx", "mount -t tmpfs none /usr/lib/nginx/modules", "lab 14"),
    ("crates", "refuse cargo fetch", "exercises"),
    ("rustfmt", "refuse cargo fmt", "make lint"),
    ("clippy", "refuse cargo clippy", "make lint"),
];

#[test]
#[ignore = "takes one thing after another away, and looks at all again: make soak"]
fn labs_check_says_of_each_lab_what_it_lacks_and_nothing_else_changes() {
    if !may_enter() {
        return;
    }
    if !common::is_root() {
        return common::skip("only root may take things away");
    }
    let setup = r#"ip link set lo up
        hide() { for at in $(type -ap "$1"); do mount --bind /dev/null "$(readlink -f "$at")"; done; }
        refuse() {
            real=$(command -v "$1") && mkdir -p refusing && PATH=$PWD/refusing:$PATH
            printf '#!/bin/sh\ncase "$*" in\n*%s*) echo "%s: cannot" >&2 && exit 1 ;;\nesac\nexec %s "$@"\n' \
                "$2" "$2" "$real" >"refusing/$1" && chmod +x "refusing/$1"
        }
"#;
    let check = |taken: &str| {
        let project = Project::copy(); // Else it would join the network of before.
        let script = format!("{setup}{taken}\nexec \"$0\"");
        // Namespaces are taken away from a user, for this machine shall keep them.
        let flags = if taken.starts_with("echo") { "-Urnm" } else { "-nm" };
        let through = ["unshare", flags, "bash", "-c", &script];
        let (shown, said) = enter(&project, &through, "exec labs/check\n");
        assert!(said.contains("labs/enter: "), "{said}");
        shown
    };
    let all = check("");
    assert!(all.lines().all(|line| line.ends_with(": works")), "{all}");
    assert_eq!(all.lines().count(), 17);
    let try_one = |(name, how, labs): &(&str, &str, &str)| {
        let shown = check(how);
        let expected: Vec<String> = labs.split(", ").map(|lab| format!("{lab}:")).collect();
        let mut lines = shown.lines();
        for line in all.lines() {
            let lab = line.strip_suffix(" works").unwrap();
            let lacks = expected.iter().any(|one| one == lab);
            assert_eq!(lines.next(), Some(if lacks { lab } else { line }), "{name}: {shown}");
            if lacks {
                let what = lines.next().unwrap();
                assert!(what.starts_with(&format!("  {name}: ")), "{name}: {shown}");
                assert!(lines.next().unwrap().starts_with("    "), "{name}: {shown}");
            }
        }
    };
    for some in TAKEN.chunks(4) {
        std::thread::scope(|scope| {
            for one in some {
                scope.spawn(|| try_one(one));
            }
        });
    }
}
