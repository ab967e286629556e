//! The command line. A usage text is the specification: options, values and defaults are read from it.

use std::ffi::OsString;
use std::time::Duration;

use crate::address;
use crate::program::Failure;
use crate::trace::printable;

/// The largest number that a C `int` holds.
pub const MAX_INT: u64 = i32::MAX as u64;

/// The arguments of a program by the names that its usage text gives them: `--count`, `ADDRESS`.
#[derive(Debug)]
pub struct Arguments {
    usage: &'static str,
    values: Vec<(&'static str, String)>,
}

impl Arguments {
    /// Reads `args`, which begin behind the program's name. Fails where one is unknown, surplus or not
    /// UTF-8, where a value is missing, and where ADDRESS is no address.
    pub fn parse(
        usage: &'static str,
        args: impl Iterator<Item = OsString>,
    ) -> Result<Arguments, Failure> {
        let mut args = args.map(|arg| {
            arg.into_string().map_err(|arg| {
                let what = format!("{} is not UTF-8", quoted(&arg.to_string_lossy()));
                Failure::usage(
                    what,
                    "with MESSAGE '-' a client sends any bytes from standard input",
                )
            })
        });
        let mut operands =
            ["ADDRESS", "MESSAGE"].into_iter().filter(|name| declaration(usage, name).is_some());
        let mut parsed = Arguments { usage, values: Vec::new() };
        let (mut surplus, mut options_ended) = (None, false);
        while let Some(arg) = args.next().transpose()? {
            if options_ended || arg == "-" || !arg.starts_with('-') {
                match operands.next() {
                    Some(name) => parsed.values.push((name, arg)),
                    None => surplus = surplus.or(Some(arg)),
                }
                continue;
            }
            options_ended = arg == "--";
            if options_ended {
                continue;
            }
            let (name, value) = match arg.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                _ => (&arg[..], None),
            };
            let unknown = || wrong(format!("unknown option {}", quoted(name)));
            let mut words = words(declaration(usage, name).ok_or_else(unknown)?);
            let long = words.find(|word| word.starts_with("--")).unwrap_or_default();
            let takes_value =
                words.next().map_or(false, |word| word.chars().all(char::is_uppercase));
            let value = match (takes_value, value) {
                (true, None) => {
                    args.next().ok_or_else(|| wrong(format!("{name} needs a value")))??
                }
                (false, Some(_)) => return Err(wrong(format!("{name} takes no value"))),
                (_, value) => value.unwrap_or_default(),
            };
            parsed.values.push((long, value));
            if long == "--help" || long == "--version" {
                return Ok(parsed);
            }
        }
        // First, so that a user who types `localhost 8888 hi` is told to type `localhost:8888`.
        let next = parsed.value("MESSAGE").or(surplus.as_deref());
        address::split(parsed.text("ADDRESS"), next)?;
        let too_many = |arg: String| wrong(format!("one argument too many: {}", quoted(&arg)));
        surplus.map_or(Ok(parsed), |arg| Err(too_many(arg)))
    }

    /// The value given last, else the default that the usage text names.
    fn value(&self, name: &str) -> Option<&str> {
        debug_assert!(declaration(self.usage, name).is_some() || name == "MESSAGE", "{name}");
        let given = self.values.iter().rev().find(|(given, _)| *given == name);
        given.map(|(_, value)| value.as_str()).or_else(|| {
            declaration(self.usage, name)?.split_once("[default: ")?.1.strip_suffix(']')
        })
    }

    /// Whether an option was given.
    pub fn is_set(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// ADDRESS or MESSAGE, as given.
    pub fn text(&self, name: &str) -> &str {
        debug_assert!(self.value(name).is_some(), "{name} has neither value nor default");
        self.value(name).unwrap_or_default()
    }

    /// A whole number from 1 to `most`.
    pub fn number(&self, name: &str, most: u64) -> Result<u64, Failure> {
        let value = self.text(name);
        whole(value).filter(|number| (1..=most).contains(number)).ok_or_else(|| {
            wrong(format!("{name} {} must be a whole number from 1 to {most}", quoted(value)))
        })
    }

    /// [`Arguments::number`] of an option without a default; `None` when it is absent.
    pub fn optional_number(&self, name: &str, most: u64) -> Result<Option<u64>, Failure> {
        self.value(name).map(|_| self.number(name, most)).transpose()
    }

    /// A time in seconds; 0 is `None`, which is how std writes "no limit". Fails unless it is 0,
    /// or from 0.001 (Windows counts milliseconds) to 1,000,000.
    pub fn seconds(&self, name: &str) -> Result<Option<Duration>, Failure> {
        let value = self.text(name);
        let digits = value.chars().all(|c| c.is_ascii_digit() || c == '.');
        match value.parse::<f64>() {
            Ok(seconds) if digits && seconds == 0.0 => Ok(None),
            Ok(seconds) if digits && (0.001..=1e6).contains(&seconds) => {
                Ok(Some(Duration::from_secs_f64(seconds)))
            }
            _ => Err(wrong(format!("{name} {} must be 0, or 0.001 to 1000000", quoted(value)))),
        }
    }
}

/// The line of the usage text that begins with `name`, or with a short form and then `name`.
fn declaration(usage: &'static str, name: &str) -> Option<&'static str> {
    usage.lines().find(|line| words(line).take(2).any(|word| word == name))
}

fn words(line: &'static str) -> impl Iterator<Item = &'static str> {
    line.split([' ', ',']).filter(|word| !word.is_empty())
}

fn wrong(what: String) -> Failure {
    Failure::usage(what, "--help shows what this program takes")
}

/// A whole number; Rust's own `parse` would take "+5" too.
pub fn whole(digits: &str) -> Option<u64> {
    digits.parse().ok().filter(|_| !digits.starts_with('+'))
}

/// An argument as an error line shows it.
pub fn quoted(arg: &str) -> String {
    format!("'{}'", printable(arg.as_bytes()))
}
