//! What the tests share: a server that is ended by a guard, clients, and peers that misbehave.
#![allow(dead_code)]

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::{channel, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here takes: a test that waits so long has failed. wine is slow to start programs.
pub const PATIENCE: Duration = Duration::from_secs(if cfg!(windows) { 60 } else { 10 });

/// Bytes of the largest datagram that may be sent: of IPv4, or of macOS (net.inet.udp.maxdgram).
pub const LARGEST: usize = if cfg!(target_os = "macos") { 9216 } else { 65_507 };

/// Bytes of the longest argument that is tried: Windows bounds the whole command line, to 32,767 characters.
pub const LONGEST_ARGUMENT: usize = if cfg!(windows) { 10_000 } else { 100_000 };

pub const PROGRAMS: [&str; 4] = ["tcp-server", "tcp-client", "udp-server", "udp-client"];

/// The document's steps, section 2.2.
pub const STEPS: [&str; 7] =
    ["1 create", "2 bind", "3 listen", "4 connect", "5 establish", "6 transfer", "7 close"];

/// The pages that are there in English and in Chinese.
pub const PAGES: [(&str, &str); 7] = [
    ("README.md", "README.zh-CN.md"),
    ("labs/README.md", "labs/README.zh-CN.md"),
    ("labs/TEACHING.md", "labs/TEACHING.zh-CN.md"),
    ("labs/ROOM.md", "labs/ROOM.zh-CN.md"),
    ("labs/REPORT.md", "labs/REPORT.zh-CN.md"),
    ("labs/QUESTIONS.md", "labs/QUESTIONS.zh-CN.md"),
    ("docs/programs.md", "docs/programs.zh-CN.md"),
];

/// Leaves `command` what the test gave it, and of the user's environment what programs need: no language, no
/// options of grep, no proxy. But not on Windows, where they need more.
fn plain_environment(command: &mut Command) {
    let given = |name: &OsStr| command.get_envs().any(|(other, _)| other == name);
    let is_needed = |name: &OsStr| {
        let name = name.to_string_lossy();
        ["PATH", "HOME", "TMPDIR", "CI"].contains(&&name[..])
            || (["CARGO", "RUST"].iter().any(|begin| name.starts_with(begin))
                && !name.contains("TERM"))
    };
    let names = std::env::vars_os().map(|(name, _)| name);
    let has_path = given(OsStr::new("PATH"));
    let surplus: Vec<_> = names.filter(|name| !is_needed(name) && !given(name)).collect();
    if cfg!(unix) {
        for name in surplus {
            command.env_remove(name);
        }
        // Text is UTF-8, and in English where a tool speaks more.
        command.env("LC_ALL", "C.UTF-8");
        if !has_path {
            command.env("PATH", path());
        }
    }
}

/// Debian's PATH of an ordinary user lacks two folders; what is in them runs all the same.
fn path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(if cfg!(unix) { ":/usr/sbin:/sbin" } else { "" });
    path
}

/// A started server, killed when it goes out of scope.
pub struct Server {
    child: Child,
    /// From the `ready on` line.
    pub address: SocketAddr,
    /// Line by line what it wrote to stderr; closed at its end.
    trace: Receiver<String>,
    /// What `trace_until` has taken from there.
    pub seen: Vec<String>,
}

impl Server {
    /// Starts `program` on a free port of 127.0.0.1.
    pub fn start(program: &str, options: &[&str]) -> Server {
        Server::at(program, options, "127.0.0.1:0")
    }

    pub fn at(program: &str, options: &[&str], address: &str) -> Server {
        let mut command = Command::new(program_path(program));
        command.args(options).arg(address);
        Server::run(command)
    }

    /// Starts it through the shell, after `setup`: limits, redirections, ...
    pub fn through_shell(setup: &str, program: &str, options: &[&str]) -> Server {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{setup}\nexec \"$0\" \"$@\""));
        command.arg(program_path(program)).args(options).arg("127.0.0.1:0");
        Server::run(command)
    }

    /// Starts `command` and waits for its `ready on` line.
    pub fn run(mut command: Command) -> Server {
        plain_environment(&mut command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let trace = lines(child.stderr.take().unwrap());
        let ready = lines(child.stdout.take().unwrap()).recv_timeout(PATIENCE);
        let ready = ready.unwrap_or_else(|_| {
            let _ = child.kill();
            let trace: Vec<_> = trace.iter().collect();
            panic!("it printed no line `NAME ready on ADDRESS`; on standard error: {trace:?}");
        });
        let address = ready.split_once(" ready on ").expect(&ready).1.parse().expect(&ready);
        Server { child, address, trace, seen: Vec::new() }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Waits for a line of the trace that contains `text`, and returns it.
    pub fn trace_until(&mut self, text: &str) -> String {
        loop {
            match self.trace.recv_timeout(PATIENCE) {
                Ok(line) => self.seen.push(line),
                Err(_) => panic!("no {text:?} in the trace, only {:#?}", self.seen),
            }
            if self.seen.last().unwrap().contains(text) {
                return self.seen.last().unwrap().clone();
            }
        }
    }

    /// What it has written to stderr until now.
    pub fn said(&mut self) -> &[String] {
        self.seen.extend(self.trace.try_iter());
        &self.seen
    }

    /// Closes our end of its stderr.
    pub fn forget_trace(&mut self) {
        self.trace = channel().1;
    }

    /// Whether it is still running.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until it ends by itself; its exit status and its whole trace.
    pub fn finish(&mut self) -> (ExitStatus, Vec<String>) {
        while let Ok(line) = self.trace.recv_timeout(PATIENCE) {
            self.seen.push(line);
        }
        let status = wait(&mut self.child);
        (
            status.unwrap_or_else(|| panic!("it does not end; its trace: {:#?}", self.seen)),
            self.seen.clone(),
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `child` ends; `None` when that takes too long.
pub fn wait(child: &mut Child) -> Option<ExitStatus> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(2));
    }
    None
}

/// Another program, killed when it goes out of scope.
pub struct Running(pub Child);

impl Running {
    pub fn start(command: &mut Command) -> Running {
        plain_environment(command);
        Running(command.spawn().unwrap())
    }

    /// Waits until it ends by itself; what it printed to where nobody else has read.
    pub fn finish(mut self) -> Output {
        fn read(source: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
            let mut bytes = Vec::new();
            thread::spawn(move || {
                source.map(|mut source| source.read_to_end(&mut bytes).unwrap());
                bytes
            })
        }
        let (stdout, stderr) = (read(self.0.stdout.take()), read(self.0.stderr.take()));
        let status = wait(&mut self.0).expect("it does not end");
        let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
        Output { status, stdout, stderr }
    }
}

/// Runs `command` to its end, as [`Command::output`] does, but kills it when that takes too long.
pub fn output(command: &mut Command) -> Output {
    Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped())).finish()
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The lines of `source` as they come, read by a thread.
pub fn lines(source: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(source).split(b'\n') {
            let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

pub fn program_path(program: &str) -> std::path::PathBuf {
    assert_cmd::cargo::cargo_bin(program)
}

/// Lets the scripts of `command` call the programs by their names: `"$tcp_server"`.
pub fn name_programs(command: &mut Command) {
    plain_environment(command);
    for program in PROGRAMS {
        command.env(program.replace('-', "_"), program_path(program));
    }
}

/// Stops a program as Ctrl-Z does, or continues it; on Linux waits until it has really been done.
#[cfg(unix)] // Windows has no signals.
pub fn set_stopped(id: u32, stopped: bool) {
    let is_stopped = || state(id) == 'T';
    let kill = format!("kill {} {id}", if stopped { "-STOP" } else { "-CONT" }); // The shell's own: kill(1) is not everywhere.
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let deadline = Instant::now() + PATIENCE;
    while cfg!(target_os = "linux") && is_stopped() != stopped {
        assert!(Instant::now() < deadline, "it has ended");
        thread::yield_now();
    }
}

/// Ctrl-Z and fg.
#[cfg(unix)] // Windows has no signals.
pub fn stop_and_continue(id: u32) {
    set_stopped(id, true);
    set_stopped(id, false);
}

/// Whether a program runs (R), sleeps in a call (S) or is stopped (T): proc(5). On Linux.
pub fn state(id: u32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
}

/// Kills all processes of the group that `id` leads, as setsid(1) makes one; whether there were any.
#[cfg(unix)]
pub fn kill_group(id: u32) -> bool {
    output(Command::new("sh").args(["-c", &format!("kill -KILL -{id}")])).status.success()
}

/// A client through `assert_cmd`, ended when it takes too long.
pub fn client(program: &str) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::cargo_bin(program).unwrap();
    command.timeout(PATIENCE);
    command
}

/// A TCP server of the test's own: one connection, handled by `serve`.
pub fn tcp_peer(serve: impl FnOnce(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || serve(listener.accept().unwrap().0));
    address
}

/// A UDP server of the test's own, handled by `serve`.
pub fn udp_peer(serve: impl FnOnce(UdpSocket) + Send + 'static) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    thread::spawn(move || serve(socket));
    address
}

/// Says aloud, past the capture of the test runner, that a test was skipped; in CI none may be. `make test`
/// names a file, and counts at its end what stands there.
pub fn skip(reason: &str) {
    assert!(std::env::var_os("CI").is_none(), "skipped in CI: {reason}");
    std::io::stderr().write_all(format!("SKIPPED: {reason}\n").as_bytes()).unwrap();
    if let Some(path) = std::env::var_os("SKIPPED") {
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        let name = thread::current().name().unwrap_or("?").replace(':', "_");
        file.write_all(format!("{name}: {reason}\n").as_bytes()).unwrap();
    }
}

/// Whether all `tools` are on the PATH; says aloud which one is missing, for which a test is skipped.
pub fn has(tools: &[&str]) -> bool {
    let path = path();
    let is_there =
        |tool: &str| std::env::split_paths(&path).any(|folder| folder.join(tool).is_file());
    let missing = tools.iter().find(|tool| !is_there(tool));
    if let Some(tool) = missing {
        skip(&format!("there is no {tool}"));
    }
    missing.is_none()
}

/// Whether root runs the tests.
pub fn is_root() -> bool {
    stdout(&output(Command::new("id").arg("-u"))) == "0\n"
}

/// `script` in `folder`, with no network but 127.0.0.1: see [`may_unshare`] for `-rn`.
pub fn without_a_network(folder: &Path, script: &str) -> Command {
    let mut inside = Command::new("unshare");
    inside.args(["-rn", "sh", "-c", &format!("ip link set lo up && {script}")]);
    inside.current_dir(folder);
    inside
}

/// Whether a program may have namespaces of its own, those of `flags`: see unshare(1).
pub fn may_unshare(flags: &str) -> bool {
    if !has(&["unshare", "ip"]) {
        return false;
    }
    let may = Command::new("unshare").args([flags, "true"]).output().unwrap().status.success();
    if !may {
        skip("only root may make namespaces");
    }
    may
}

/// Whether this machine has the address ::1; not where IPv6 is turned off.
pub fn has_ipv6() -> bool {
    let found = TcpListener::bind("[::1]:0").is_ok();
    if !found {
        skip("there is no IPv6");
    }
    found
}

/// Whether Windows is wine here, which differs from it in places; wine itself sets the variable.
pub fn is_wine() -> bool {
    cfg!(windows) && std::env::var_os("WINELOADER").is_some()
}

/// A port of 127.0.0.1 on which nothing listens.
pub fn closed_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// `length` bytes that look random, the same ones each time (xorshift).
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// stdout as text, for messages.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Whether a line is as it is written, where `…` stands for anything.
pub fn matches(written: &str, shown: &str) -> bool {
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

/// The text of a file of the project.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Where the links of a page lead within the project: a file, or this one, and a heading, or none.
pub fn links(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let links = text.split("](").skip(1).map(|link| link.split(')').next().unwrap());
    let links = links.filter(|link| !link.contains("://"));
    links.map(|link| link.split_once('#').unwrap_or((link, "")))
}

/// Each link of a page below `root` leads to a file there, and to a heading where it names one.
pub fn assert_links(root: &Path, page: &str) {
    let page = root.join(page);
    for (file, heading) in links(&std::fs::read_to_string(&page).unwrap()) {
        let target = if file.is_empty() { page.clone() } else { page.with_file_name(file) };
        let place = format!("{}: {file}#{heading}", page.display());
        let target = std::fs::read_to_string(target).expect(&place);
        let is_it = |line: &str| {
            let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
            let title = line.trim_start_matches('#').trim().to_lowercase();
            line.starts_with('#')
                && title.chars().filter(kept).collect::<String>().replace(' ', "-") == heading
        };
        assert!(heading.is_empty() || target.lines().any(is_it), "{place}");
    }
}

/// The rows of the first table of README.md below a heading whose head names `column`, cell by cell.
pub fn table(heading: &str, column: &str) -> Vec<Vec<String>> {
    let text = read("README.md").replace("&nbsp;", " "); // Such a space keeps a cell on one line.
    let below = text.split_once(&format!("\n{heading}\n")).expect(heading).1;
    let lines = below.lines().skip_while(|line| !line.starts_with('|') || !line.contains(column));
    let cells = |row: &str| {
        let row = row.strip_prefix('|').unwrap().strip_suffix('|').unwrap();
        row.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    lines.take_while(|line| line.starts_with('|')).skip(2).map(cells).collect()
}

/// The rows of one side in the README's table of a protocol whose head names `column`.
pub fn rows(protocol: &str, side: &str, column: &str) -> Vec<Vec<String>> {
    let mut rows = table(&format!("### {}", protocol.to_uppercase()), column);
    assert!(rows.iter().all(|row| ["server", "client"].contains(&&row[1][..])), "{rows:?}");
    rows.retain(|row| row[1] == side);
    rows
}

/// What one side has in a column of the README's table of a conversation as the machine sees it, in its
/// order: the step, and the parts of the cell. Empty cells are left out.
pub fn seen(protocol: &str, side: &str, column: &str) -> Vec<(String, Vec<String>)> {
    let columns = ["step", "side", "system calls", "on the wire", "state in `ss`", "prints"];
    let number = columns.iter().position(|name| *name == column).unwrap();
    let rows = rows(protocol, side, columns[number]);
    let steps = rows.iter().map(|row| &row[0]).collect::<Vec<_>>();
    let known = steps.iter().all(|step| STEPS.contains(&&step[..]));
    assert!(known && steps.windows(2).all(|pair| pair[0] <= pair[1]), "{side}: {steps:?}");
    let parts = |cell: &str| -> Vec<String> {
        let parts = cell.split("` `").flat_map(|part| part.split("<br>"));
        parts.map(|part| part.trim_matches('`').to_owned()).collect()
    };
    let rows = rows.iter().filter(|row| !row[number].is_empty());
    rows.map(|row| (row[0].clone(), parts(&row[number]))).collect()
}

/// A copy of the project in a folder whose name is hard, so that its labs can change it.
pub struct Project(pub PathBuf);

impl Project {
    pub fn copy() -> Project {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("网络 labs {} {}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let project = Project(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
        std::fs::create_dir_all(project.0.join("target")).unwrap();
        let parts = ["Cargo.toml", "Cargo.lock", "src", "examples", "tests", "benches", "labs"];
        let mut copy = Command::new("cp");
        copy.arg("-r").args(parts).arg(&project.0).current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(output(&mut copy).status.success());
        project
    }

    /// `labs/enter`, as a terminal starts it; `through` are commands that it is started through.
    pub fn enter(&self, through: &[&str]) -> Command {
        let mut command = Command::new("setsid");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        plain_environment(&mut command);
        // What a shell starts behind its back, with `&`, ignores Ctrl-C, and so does what that starts.
        command.args(["env", "--default-signal=INT"]).args(through);
        command.arg("labs/enter").current_dir(&self.0);
        command
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
