//! The command line of all four programs: options, their values, and what is refused.

mod common;

use common::{client, stderr, stdout, Server, LONGEST_ARGUMENT, PROGRAMS};
use std::ffi::OsString;
use std::process::Output;

fn run(program: &str, args: &[&str]) -> Output {
    client(program).args(args).output().unwrap()
}

/// Ends with exit code 2, nothing on stdout, and two lines on stderr of which the first names `named`.
fn assert_refused(program: &str, args: &[&str], named: &str) {
    let output = run(program, args);
    let error = stderr(&output);
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(output.status.code(), Some(2), "{program} {args:?}: {error}");
    assert_eq!(stdout(&output), "", "{program} {args:?}");
    assert_eq!(lines.len(), 2, "{program} {args:?}: {error}");
    assert!(lines[0].starts_with(&format!("{program}: ")), "{error}");
    assert!(lines[0].contains(named), "{program} {args:?} should name {named}: {error}");
    assert!(lines[1].starts_with(&format!("{program}: hint: ")), "{error}");
}

/// Ends with exit code 1 when it looks up ADDRESS, which comes after all options: a label of 64 letters is
/// one more than DNS allows, so that no query leaves the machine.
fn assert_taken(program: &str, args: &[&str]) {
    let name = format!("{}.invalid:1", "x".repeat(64));
    let output = run(program, &[args, &["--", &name]].concat());
    let error = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{program} {args:?}: {error}");
    assert!(error.starts_with(&format!("{program}: cannot find '")), "{error}");
}

#[test]
fn help_lists_exactly_the_options_of_the_design() {
    for (program, own) in [
        ("tcp-server", &["--backlog", "--max-connections", "--idle-timeout", "--count"][..]),
        ("tcp-client", &["--timeout"]),
        ("udp-server", &["--count", "--drop-every"]),
        ("udp-client", &["--timeout", "--tries"]),
    ] {
        let help = run(program, &["--help"]);
        assert_eq!((help.status.code(), stderr(&help).as_str()), (Some(0), ""));
        assert_eq!(run(program, &["-h"]), help);
        let help = stdout(&help);
        let options = help.split_once("Options:\n").unwrap().1;
        let names = options.split_whitespace().filter(|word| word.starts_with("--"));
        let expected = [own, &["--quiet", "--help", "--version"]].concat();
        assert_eq!(names.collect::<Vec<_>>(), expected, "{program}");
    }
}

/// As `--option VALUE` and as `--option=VALUE`.
fn assert_values(program: &str, option: &str, taken: &[&str], refused: &[&str]) {
    for value in taken {
        assert_taken(program, &[option, value]);
        assert_taken(program, &[&format!("{option}={value}")]);
    }
    for value in refused {
        assert_refused(program, &[option, value], &format!("{option} '{value}' must be "));
        let joined = format!("{option}={value}");
        assert_refused(program, &[&joined], &format!("{option} '{value}' must be "));
    }
    assert_refused(program, &[option], &format!("{option} needs a value"));
}

#[test]
fn a_number_is_whole_and_from_1_to_the_largest() {
    for (program, option, largest, one_more) in [
        ("tcp-server", "--backlog", "2147483647", "2147483648"),
        ("tcp-server", "--max-connections", "15000", "15001"),
        ("tcp-server", "--count", "2147483647", "2147483648"),
        ("udp-server", "--count", "2147483647", "2147483648"),
        ("udp-server", "--drop-every", "2147483647", "2147483648"),
        ("udp-client", "--tries", "2147483647", "2147483648"),
    ] {
        let refused = ["0", one_more, "", "x", "-1", "+1", "1.5", "1e3", "99999999999999999999"];
        assert_values(program, option, &["1", "007", largest], &refused);
    }
}

#[test]
fn seconds_are_0_or_from_a_thousandth_to_a_million() {
    for (program, option) in
        [("tcp-server", "--idle-timeout"), ("tcp-client", "--timeout"), ("udp-client", "--timeout")]
    {
        let taken = ["0", "0.0", ".0", "0.001", "0.25", "1000000"];
        let refused =
            ["0.0001", "0.0009", "1000001", "", "x", "-1", "+1", "1e3", "inf", "nan", "1.2.3", "."];
        assert_values(program, option, &taken, &refused);
    }
}

#[test]
fn quiet_has_two_forms_and_no_value() {
    for program in PROGRAMS {
        assert_taken(program, &["-q"]);
        assert_taken(program, &["--quiet"]);
        assert_refused(program, &["--quiet=1"], "--quiet takes no value");
        assert_refused(program, &["--help=1"], "--help takes no value");
    }
}

#[test]
fn version_is_the_name_and_the_number_of_the_package() {
    for program in PROGRAMS {
        for form in ["-V", "--version"] {
            let output = run(program, &[form]);
            assert_eq!(stdout(&output), format!("{program} {}\n", env!("CARGO_PKG_VERSION")));
            assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
        }
    }
}

#[test]
fn unknown_options_and_surplus_arguments_are_refused() {
    for program in PROGRAMS {
        for unknown in ["--bogus", "-x", "-qh", "--=", "--quie", "--Quiet", "---", "-=1"] {
            assert_refused(program, &[unknown], unknown.trim_end_matches('='));
        }
        assert_refused(program, &["--", "--bogus"], "--bogus");
    }
    for program in ["tcp-server", "udp-server"] {
        assert_refused(program, &["127.0.0.1:0", "surplus"], "surplus");
    }
    for program in ["tcp-client", "udp-client"] {
        assert_refused(program, &["127.0.0.1:1", "message", "surplus"], "surplus");
    }
}

#[test]
fn an_address_that_is_none_is_refused() {
    for program in PROGRAMS {
        for address in [
            "",
            "8888",
            "localhost",
            "127.0.0.1",
            ":8888",
            "127.0.0.1:",
            "127.0.0.1:65536",
            "127.0.0.1:-1",
            "localhost:+80",
            "localhost:http",
            "127.0.0.256:1",
            "127.1:1",
            "1:1",
            "::1:8888",
            "[::1]",
            "[::1:8888",
            "[::1]:65536",
            "[localhost]:1",
        ] {
            assert_refused(program, &["--", address], &format!("'{address}'"));
        }
    }
}

/// What an input method for Chinese makes of an address, and the samples' form, HOST PORT.
#[test]
fn an_address_that_can_be_guessed_is_refused_with_what_to_type() {
    let two = |program: &str| program.ends_with("client");
    for program in PROGRAMS {
        for (args, write) in [
            (&["127.0.0.1：8888"][..], "127.0.0.1:8888"),
            (&["１２７。０。０。１：８８８８"], "127.0.0.1:8888"),
            (&["127.0.0.1：8888　"], "127.0.0.1:8888"),
            (&["１２７.0.0.1:8888"], "127.0.0.1:8888"),
            (&["my—host:8888"], "my-host:8888"),
            (&["——quiet"], "--quiet"),
            (&["－－quiet"], "--quiet"),
            (&["–quiet"], "--quiet"),
            (&["—timeout＝5"], "--timeout=5"),
            (&["−−count", "5"], "--count"),
            (&["－q"], "-q"),
            (&["［::1］:8888"], "[::1]:8888"),
            (&["localhost"], "localhost:8888"),
            (&["localhost:"], "localhost:8888"),
            (&["localhost", "9999"], "localhost:9999"),
            (&["localhost:", "9999"], "localhost:9999"),
            (&["localhost", "9999", "hi"], "localhost:9999"),
            (&["localhost", "hi"], "localhost:8888"),
            (&["localhost", "９０００"], "localhost:9000"),
            (&["localhost 9999"], "localhost:9999"),
            (&["9999"], "127.0.0.1:9999"),
        ] {
            if args.len() > 1 && !two(program) && args[1] == "hi" {
                continue;
            }
            let output = run(program, args);
            let expected = format!(
                "{program}: '{}' is not HOST:PORT\n{program}: hint: write {write}\n",
                args[0]
            );
            assert_eq!((output.status.code(), stderr(&output)), (Some(2), expected));
        }
        for hopeless in [
            "",
            "—",
            "－－",
            r"a\b",
            "“”",
            "::1",
            "http://localhost:8888",
            "1.2.3:4",
            "1.2.3.256:4",
            "fe80::",
        ] {
            let output = run(program, &["--", hopeless]);
            assert_eq!(output.status.code(), Some(2), "{hopeless}");
            assert!(stderr(&output).ends_with("a PORT is 0 to 65535\n"), "{}", stderr(&output));
        }
    }
}

#[test]
fn no_server_is_at_port_0() {
    for program in ["tcp-client", "udp-client"] {
        for address in ["127.0.0.1:0", "localhost:0", "0.0.0.0:0", "[::1]:0"] {
            assert_refused(program, &[address], &format!("'{address}'"));
        }
    }
}

#[test]
fn what_is_refused_is_shown_escaped_and_cut() {
    assert_refused("tcp-client", &["--\x1b[2J"], r"--\x1b[2J");
    let long = format!("--{}", "x".repeat(LONGEST_ARGUMENT));
    assert_refused("udp-client", &[&long], &format!("'--{}…'", "x".repeat(58)));
}

/// A byte that no character of UTF-8 has; on Windows, half of a pair of UTF-16.
fn not_text() -> OsString {
    #[cfg(unix)]
    return std::os::unix::ffi::OsStringExt::from_vec(vec![0xff]);
    #[cfg(windows)]
    return std::os::windows::ffi::OsStringExt::from_wide(&[0xd800]);
}

#[test]
fn an_argument_that_is_not_utf_8_is_refused() {
    for program in PROGRAMS {
        for start in ["", "--", "--count="] {
            let mut arg = OsString::from(start);
            arg.push(not_text());
            let output = client(program).arg(arg).output().unwrap();
            assert_eq!(output.status.code(), Some(2));
            assert!(stderr(&output).contains("is not UTF-8"), "{}", stderr(&output));
            assert!(stderr(&output).contains("any bytes from standard input"));
        }
    }
}

/// A mistake of the program's own: it shows when that line is first run.
#[cfg(debug_assertions)]
#[test]
fn a_program_that_asks_for_what_its_usage_text_lacks_is_told_in_debug_builds() {
    use socket_lab::arguments::Arguments;
    let usage = "  ADDRESS  HOST:PORT [default: 127.0.0.1:8888]\n      --count N  end after N\n";
    let args = Arguments::parse(usage, std::iter::empty()).unwrap();
    assert_eq!(args.text("ADDRESS"), "127.0.0.1:8888");
    assert_eq!(args.optional_number("--count", 9).unwrap(), None);
    let wrong: [fn(&Arguments); 4] = [
        |args| assert!(!args.is_set("--quiet")),
        |args| drop(args.text("MESSAGE").to_owned()),
        |args| drop(args.number("--count", 9)),
        |args| drop(args.optional_number("--counts", 9)),
    ];
    for ask in wrong {
        let args = std::panic::AssertUnwindSafe(&args);
        assert!(std::panic::catch_unwind(|| ask(&args)).is_err());
    }
}

#[test]
fn the_last_of_two_values_holds() {
    assert_refused("tcp-server", &["--count", "1", "--count", "x"], "--count");
    let mut server = Server::start("tcp-server", &["--backlog", "7", "--backlog=9"]);
    assert!(server.trace_until("3 listen").contains("backlog 9,"));
}

#[test]
fn a_message_may_begin_with_a_dash_behind_two_dashes() {
    let server = Server::start("tcp-server", &[]);
    let address = server.address.to_string();
    let output = run("tcp-client", &["-q", "--", &address, "--quiet"]);
    assert_eq!(stdout(&output), "Received: --quiet\n");
}

#[test]
fn quiet_leaves_no_step_lines() {
    for (server, program) in [("tcp-server", "tcp-client"), ("udp-server", "udp-client")] {
        let mut server = Server::start(server, &["--quiet", "--count", "1"]);
        let output = run(program, &["--quiet", &server.address.to_string()]);
        assert_eq!(
            (stdout(&output).as_str(), stderr(&output).as_str()),
            ("Received: Hello, server!\n", "")
        );
        let (status, trace) = server.finish();
        assert_eq!((status.code(), trace), (Some(0), vec![]));
    }
}
