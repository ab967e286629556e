//! How a program begins and ends: `main`, two error lines and the exit code.

use std::env;
use std::process::ExitCode;

use crate::address;
use crate::arguments::Arguments;
use crate::failure::{print, Failure};
use crate::trace;

/// Runs a program: reads its arguments, calls `run`, and turns a failure into two lines and an exit code.
pub fn main(
    program: &'static str,
    usage: &'static str,
    run: fn(&Arguments) -> Result<(), Failure>,
) -> ExitCode {
    let result = Arguments::parse(usage, env::args_os().skip(1)).and_then(|args| {
        if args.is_set("--help") {
            return print(usage.as_bytes());
        }
        if args.is_set("--version") {
            return print(format!("{program} {}\n", env!("CARGO_PKG_VERSION")).as_bytes());
        }
        // Before the surplus, so that a user who types `localhost 8888 hi` is told to type `localhost:8888`.
        address::split(args.text("ADDRESS"), args.second())?;
        args.refuse_surplus()?;
        trace::start(program, args.is_set("--quiet"));
        run(&args)
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { what, hint, code }) => {
            trace::write(format_args!("{program}: {what}\n{program}: hint: {hint}"));
            ExitCode::from(code)
        }
    }
}
