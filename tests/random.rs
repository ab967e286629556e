//! Arguments and received bytes of any content: never a panic, a signal, or a control character shown.

mod common;

use common::{client, noise, stderr, LONGEST_ARGUMENT};
use socket_lab::trace::printable;
use std::ffi::OsString;

/// Of the bytes of which an argument can be made here: all but NUL, and text alone where it must be.
fn argument(bytes: &[u8]) -> OsString {
    let bytes: Vec<u8> = bytes.iter().map(|byte| (*byte).max(1)).collect();
    #[cfg(unix)]
    return std::os::unix::ffi::OsStringExt::from_vec(bytes);
    #[cfg(not(unix))]
    return String::from_utf8_lossy(&bytes).into_owned().into();
}

/// With `--help` behind them the programs end at once, whatever the arguments before it.
fn assert_ends_well(program: &str, args: &[OsString]) {
    let output = client(program).args(args).arg("--help").output().unwrap();
    let shown = stderr(&output);
    assert!(
        matches!(output.status.code(), Some(0..=2)),
        "{program} {args:?}: {:?} {shown}",
        output.status
    );
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{program} {args:?}: {shown}");
    assert!(shown.len() < 1000, "{program} {args:?}: {shown}");
}

#[test]
fn any_arguments_end_with_exit_code_0_1_or_2() {
    let noise = noise(LONGEST_ARGUMENT);
    // Under wine a program takes fifty times as long to start.
    let rounds = if cfg!(windows) { 4 } else { 40 };
    for (number, program) in common::PROGRAMS.into_iter().enumerate() {
        for length in 0..=3 {
            for round in 0..rounds {
                let start = 1000 * number + 100 * length + 2 * round;
                let one = argument(&noise[start..start + length]);
                let other = argument(&noise[start + 50..start + 50 + length]);
                assert_ends_well(program, std::slice::from_ref(&one));
                assert_ends_well(program, &["--count".into(), one.clone(), other]);
                let option = [&b"--"[..], &noise[start..start + length]].concat();
                assert_ends_well(program, &[argument(&option)]);
            }
        }
        assert_ends_well(program, &[argument(&noise)]);
        assert_ends_well(program, &["x".repeat(LONGEST_ARGUMENT).into()]);
        assert_ends_well(program, &[argument(&(1..32).collect::<Vec<u8>>())]);
    }
}

#[test]
fn any_bytes_are_shown_as_at_most_60_characters_without_controls() {
    let noise = noise(1 << 20);
    for length in 0..300 {
        for start in (0..noise.len() - 300).step_by(noise.len() / 100) {
            // Some of it mostly text, so that long runs of it are there too.
            for mask in [0xff, 0x7f] {
                let bytes: Vec<u8> =
                    noise[start..start + length].iter().map(|byte| byte & mask).collect();
                let shown = printable(&bytes);
                assert!(!shown.contains(char::is_control), "{bytes:?}: {shown:?}");
                let (cut, width) = (shown.ends_with('…'), shown.chars().count());
                assert!(width <= 60 || (cut && width == 61), "{bytes:?}: {shown:?}");
            }
        }
    }
}

#[test]
fn what_could_deceive_a_reader_is_escaped() {
    for (bytes, shown) in [
        (&br"a\nb"[..], r"a\\nb"),
        (b"a\nb", r"a\nb"),
        (b"\x1b[2J\x07", r"\x1b[2J\x07"),
        ("\u{9b}31m".as_bytes(), r"\xc2\x9b31m"),
        ("abc\u{202e}cba".as_bytes(), r"abc\xe2\x80\xaecba"),
        ("\u{2066}\u{2069}".as_bytes(), r"\xe2\x81\xa6\xe2\x81\xa9"),
        ("\u{2028}\u{2029}".as_bytes(), r"\xe2\x80\xa8\xe2\x80\xa9"),
        (b"\xff\xfe\xc4\xe3", r"\xff\xfe\xc4\xe3"),
        (&"你".as_bytes()[..2], r"\xe4\xbd"),
    ] {
        assert_eq!(printable(bytes), shown);
    }
    for begin in ["", "x", "你", "👩‍🔬"] {
        let text =
            |number: usize| format!("{begin}{}", "🦀".repeat(number - begin.chars().count()));
        assert_eq!(printable(text(60).as_bytes()), text(60));
        assert_eq!(printable(text(61).as_bytes()), format!("{}…", text(60)));
    }
    // An escape is not cut.
    assert_eq!(
        printable(format!("{}\n\n", "x".repeat(58)).as_bytes()),
        format!(r"{}\n…", "x".repeat(58))
    );
    assert_eq!(
        printable(format!("{}\x1b", "x".repeat(57)).as_bytes()),
        format!("{}…", "x".repeat(57))
    );
}

#[test]
fn text_that_is_fit_to_show_is_shown_as_it_is() {
    for line in ["", "Hello, server!", "你好", "e\u{301}", "👩‍🔬", "مرحبا"] {
        assert_eq!(printable(line.as_bytes()), line);
    }
}
