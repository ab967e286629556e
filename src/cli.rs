//! The command line: arguments in, exit code and error lines out.
//!
//! A usage text is the specification: the parser reads the options, their values and defaults from it.

use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use crate::trace::{set_quiet, text, write};

/// Why a program ends: what failed, what to do about it, and the exit code.
#[derive(Debug)]
pub struct Failure {
    what: String,
    hint: String,
    code: u8,
}

impl Failure {
    /// The network, the peer or a file failed: exit code 1.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure { what: what.into(), hint: hint.into(), code: 1 }
    }

    /// The command line is wrong: exit code 2.
    pub fn usage(what: impl Into<String>) -> Failure {
        Failure { what: what.into(), hint: "--help shows what this program takes".into(), code: 2 }
    }
}

/// The [`Failure`] of a system call: names the action, the address and the system's reason.
pub fn cannot(action: &str, address: impl Display, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        ErrorKind::AddrInUse => "another program has this port: end it, or choose another port",
        ErrorKind::AddrNotAvailable => {
            "this machine does not have that address; 127.0.0.1 is its own"
        }
        ErrorKind::ConnectionRefused => "nothing listens there; start tcp-server first",
        ErrorKind::PermissionDenied => {
            "the system forbids it: a port below 1024 or kept by Windows, or a broadcast address"
        }
        ErrorKind::TimedOut => "nobody answered: check the address, or wait longer with --timeout",
        _ => "check the address and the network",
    };
    Failure::new(format!("cannot {action} {address}: {error}"), hint)
}

/// Whether a wait ended for want of time: Unix says `WouldBlock` then, Windows `TimedOut`.
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Runs a program: reads its arguments, calls `run`, and turns a failure into two lines and an exit code.
pub fn main(
    program: &str,
    usage: &'static str,
    run: fn(&Arguments) -> Result<(), Failure>,
) -> ExitCode {
    let result = Arguments::parse(usage, env::args_os().skip(1)).and_then(|args| {
        if args.value("--help").is_some() {
            print(&[usage.as_bytes()])
        } else if args.value("--version").is_some() {
            print(&[program.as_bytes(), concat!(" ", env!("CARGO_PKG_VERSION"), "\n").as_bytes()])
        } else {
            set_quiet(args.value("--quiet").is_some());
            run(&args)
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { what, hint, code }) => {
            write(format_args!("{program}: {what}\n{program}: hint: {hint}"));
            ExitCode::from(code)
        }
    }
}

/// Writes to standard output and flushes it; unlike `println!` it does not panic.
///
/// # Errors
/// A [`Failure`] when standard output takes no more.
pub fn print(parts: &[&[u8]]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written =
        parts.iter().try_for_each(|part| stdout.write_all(part)).and_then(|()| stdout.flush());
    written.map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::InvalidData => "a Windows console shows text, UTF-8, alone: write to a file",
            _ => "the disk is full, or the program that reads the output has ended",
        };
        Failure::new(format!("cannot write to standard output: {error}"), hint)
    })
}

/// The arguments of a program by the names that its usage text gives them: `--count`, `ADDRESS`.
#[derive(Debug)]
pub struct Arguments {
    usage: &'static str,
    values: Vec<(&'static str, String)>,
}

impl Arguments {
    fn parse(
        usage: &'static str,
        args: impl Iterator<Item = OsString>,
    ) -> Result<Arguments, Failure> {
        let mut args = args.map(|arg| {
            arg.into_string().map_err(|arg| {
                Failure::usage(format!("{} is not UTF-8", quoted(&arg.to_string_lossy())))
            })
        });
        let mut operands =
            ["ADDRESS", "MESSAGE"].into_iter().filter(|name| declaration(usage, name).is_some());
        let mut values = Vec::new();
        let mut options_ended = false;
        while let Some(arg) = args.next().transpose()? {
            if options_ended || arg == "-" || !arg.starts_with('-') {
                let surplus = || Failure::usage(format!("one argument too many: {}", quoted(&arg)));
                values.push((operands.next().ok_or_else(surplus)?, arg));
            } else if arg == "--" {
                options_ended = true;
            } else {
                let (name, value) = option(usage, &arg, &mut args)?;
                values.push((name, value));
                if name == "--help" || name == "--version" {
                    break;
                }
            }
        }
        Ok(Arguments { usage, values })
    }

    /// The value given last, else the default that the usage text names.
    fn value(&self, name: &str) -> Option<&str> {
        let given = self
            .values
            .iter()
            .rev()
            .find(|(given, _)| *given == name)
            .map(|(_, value)| value.as_str());
        given.or_else(|| {
            declaration(self.usage, name)?.split_once("[default: ")?.1.strip_suffix(']')
        })
    }

    /// ADDRESS or MESSAGE, as given.
    pub fn text(&self, name: &str) -> &str {
        self.value(name).unwrap_or_default()
    }

    /// A whole number of at least 1; `u64::MAX`, which no count reaches, when there is neither value nor default.
    ///
    /// # Errors
    /// A [`Failure`] of the command line when it is no such number, or more than a C `int` holds.
    pub fn number(&self, name: &str) -> Result<u64, Failure> {
        self.value(name).map_or(Ok(u64::MAX), |value| {
            whole(value).filter(|number| (1..=i32::MAX as u64).contains(number)).ok_or_else(|| {
                Failure::usage(format!(
                    "{name} {} is no whole number from 1 to {}",
                    quoted(value),
                    i32::MAX
                ))
            })
        })
    }

    /// A time in seconds; `None`, which is how std writes "no limit", for 0.
    ///
    /// # Errors
    /// A [`Failure`] of the command line when it is no number, or shorter or longer than a system's clock can tell.
    pub fn seconds(&self, name: &str) -> Result<Option<Duration>, Failure> {
        let value = self.value(name).unwrap_or_default();
        let digits = value.chars().all(|c| c.is_ascii_digit() || c == '.');
        match value.parse::<f64>() {
            Ok(seconds) if digits && seconds == 0.0 => Ok(None),
            Ok(seconds) if digits && (0.001..=1e6).contains(&seconds) => {
                Ok(Some(Duration::from_secs_f64(seconds)))
            }
            _ => Err(Failure::usage(format!(
                "{name} {} is neither 0 nor from 0.001 to 1000000",
                quoted(value)
            ))),
        }
    }
}

/// One option and its value, which stands behind `=` or is the next argument.
fn option(
    usage: &'static str,
    arg: &str,
    rest: &mut impl Iterator<Item = Result<String, Failure>>,
) -> Result<(&'static str, String), Failure> {
    let (name, value) = match arg.split_once('=') {
        Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
        _ => (arg, None),
    };
    let line = declaration(usage, name)
        .ok_or_else(|| Failure::usage(format!("there is no option {}", quoted(name))))?;
    let mut words = words(line).skip_while(|word| !word.starts_with("--"));
    let long = words.next().unwrap_or_default();
    let takes_value = words.next().map_or(false, |word| word.chars().all(char::is_uppercase));
    let value = match (takes_value, value) {
        (true, None) => rest
            .next()
            .transpose()?
            .ok_or_else(|| Failure::usage(format!("{name} needs a value")))?,
        (false, Some(_)) => return Err(Failure::usage(format!("{name} takes no value"))),
        (_, value) => value.unwrap_or_default(),
    };
    Ok((long, value))
}

/// The line of the usage text that begins with `name`, or with a short form and then `name`.
fn declaration(usage: &'static str, name: &str) -> Option<&'static str> {
    usage.lines().find(|line| words(line).take(2).any(|word| word == name))
}

fn words(line: &'static str) -> impl Iterator<Item = &'static str> {
    line.split([' ', ',']).filter(|word| !word.is_empty())
}

fn whole(digits: &str) -> Option<u64> {
    // Rust's own parse would take "+5" too.
    digits.parse().ok().filter(|_| !digits.starts_with('+'))
}

fn quoted(arg: &str) -> String {
    format!("'{}'", text(arg.as_bytes()))
}

/// The addresses of `HOST:PORT`, IPv4 first as in the document: getaddrinfo(3) for a name.
///
/// # Errors
/// A [`Failure`] of the command line when it is no address; of the network when a name has none.
pub fn resolve(address: &str) -> Result<Vec<SocketAddr>, Failure> {
    if let Ok(address) = address.parse() {
        return Ok(vec![address]);
    }
    let wrong = |why| Failure::usage(format!("{} is no HOST:PORT: {why}", quoted(address)));
    let (host, port) = address.rsplit_once(':').ok_or_else(|| wrong("the port is missing"))?;
    let port = whole(port)
        .and_then(|port| u16::try_from(port).ok())
        .ok_or_else(|| wrong("a port is 0 to 65535"))?;
    // std's parser takes no zone by its name, [fe80::1%eth0]; getaddrinfo does, without brackets.
    let in_brackets = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let zoned = in_brackets.filter(|host| host.contains('%'));
    if host.is_empty() || (zoned.is_none() && host.contains([':', '[', ']'])) {
        return Err(wrong("a HOST is a name, IPv4, or IPv6 in brackets"));
    }
    if host.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err(wrong("an IPv4 address is four numbers from 0 to 255"));
    }
    let found = (zoned.unwrap_or(host), port)
        .to_socket_addrs()
        .map_err(|error| cannot("find", text(host.as_bytes()), &error))?;
    let mut addresses: Vec<SocketAddr> = found.collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    Ok(addresses)
}
