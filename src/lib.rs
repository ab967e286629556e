//! What the four programs share: that which Python has built in or hides.
//!
//! The socket calls of the document stand in the programs themselves. Where to find its sections:
//!
//! | section | subject | file |
//! |---|---|---|
//! | 2.2 | the seven steps | `src/bin/*.rs`; how a line about one is written: [`trace`] |
//! | 3.1, 4 | TCP server and client | `src/bin/tcp-server.rs`, `src/bin/tcp-client.rs` |
//! | 3.2, 4 | UDP server and client | `src/bin/udp-server.rs`, `src/bin/udp-client.rs` |
//! | 3.3 | options and states | [`sockopt`] |
//!
//! Beyond the document: [`cli`], the command line, and [`threads`], many connections at a time.

#![deny(unsafe_code)] // src/sockopt.rs alone allows it.

pub mod cli;
pub mod sockopt;
pub mod threads;
pub mod trace;
