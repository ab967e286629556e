//! The command line. A usage text is the specification: options, values and defaults are read from it.

use std::ffi::OsString;
use std::time::Duration;

use crate::failure::Failure;
use crate::trace::quoted;

/// The largest number that an argument may be: what a C `int` holds, as `listen` takes one.
pub const MAX_NUMBER: u64 = i32::MAX as u64;

/// The arguments of a program by the names that its usage text gives them: `--count`, `ADDRESS`.
#[derive(Debug)]
pub struct Arguments {
    usage: &'static str,
    /// A surplus one has no name.
    values: Vec<(&'static str, String)>,
}

impl Arguments {
    /// Reads `args`, which are those after the program's name. Fails where an option is unknown or lacks its
    /// value, and where an argument is not UTF-8.
    pub fn parse(
        usage: &'static str,
        args: impl Iterator<Item = OsString>,
    ) -> Result<Arguments, Failure> {
        let mut args = args.map(|arg| {
            arg.into_string().map_err(|arg| {
                let what = format!("{} is not UTF-8", quoted(&arg.to_string_lossy()));
                let hint = "with MESSAGE '-' a client sends any bytes from standard input";
                Failure::usage(what, hint)
            })
        });
        let names = ["ADDRESS", "MESSAGE"].into_iter();
        let mut names = names.filter(|name| declaration(usage, name).is_some());
        let mut values = Vec::new();
        let mut options_ended = false;
        while let Some(arg) = args.next().transpose()? {
            if options_ended || arg == "-" || !arg.starts_with('-') {
                values.push((names.next().unwrap_or(""), arg));
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
            let takes_value = words.next().map_or(false, |word| word == word.to_uppercase());
            let lacks_value = || wrong(format!("{name} needs a value"));
            values.push(match (takes_value, value) {
                (true, None) => (long, args.next().ok_or_else(lacks_value)??),
                (false, Some(_)) => return Err(wrong(format!("{name} takes no value"))),
                (_, value) => (long, value.unwrap_or_default()),
            });
            if long == "--help" || long == "--version" {
                break;
            }
        }
        Ok(Arguments { usage, values })
    }

    /// The second argument that is no option: MESSAGE, or a surplus one.
    pub fn second(&self) -> Option<&str> {
        let mut operands = self.values.iter().filter(|(name, _)| !name.starts_with('-'));
        operands.nth(1).map(|(_, value)| value.as_str())
    }

    /// Fails where there are more arguments than the usage text names.
    pub fn refuse_surplus(&self) -> Result<(), Failure> {
        match self.values.iter().find(|(name, _)| name.is_empty()) {
            Some((_, arg)) => Err(wrong(format!("one argument too many: {}", quoted(arg)))),
            None => Ok(()),
        }
    }

    /// The value given last, else the default that the usage text names.
    fn value(&self, name: &str) -> Option<&str> {
        let declared = declaration(self.usage, name);
        debug_assert!(declared.is_some(), "{name}");
        let default = || declared?.split_once("[default: ")?.1.strip_suffix(']');
        let given = self.values.iter().rfind(|(given, _)| *given == name);
        given.map(|(_, value)| value.as_str()).or_else(default)
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
        match value.parse() {
            // Rust's `parse` takes "+5" too.
            Ok(number) if (1..=most).contains(&number) && !value.starts_with('+') => Ok(number),
            _ => Err(wrong(format!(
                "{name} {} must be a whole number from 1 to {most}",
                quoted(value)
            ))),
        }
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
        match value.parse().ok().filter(|_| digits) {
            Some(seconds) if seconds <= 0.0 => Ok(None),
            Some(seconds) if (0.001..=1e6).contains(&seconds) => {
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
