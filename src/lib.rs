//! What the four programs share: what Python has built in or hides, and the threads.
//!
//! The programs port the samples of 《网络编程基础:Socket通信原理与实现》, an introductory document on
//! socket programming. Its socket calls stand in the programs themselves. Where to find its sections:
//!
//! | section | subject | file |
//! |---|---|---|
//! | 2.2 | the seven steps | `src/bin/*.rs`; how a line about one is printed: [`trace`] |
//! | 3.1, 4 | TCP server and client | `src/bin/tcp-server.rs`, `src/bin/tcp-client.rs` |
//! | 3.2, 4 | UDP server and client | `src/bin/udp-server.rs`, `src/bin/udp-client.rs` |
//! | 3.3 | options and states | [`sockopt`] |
//!
//! Beyond the document: [`program`], how a program begins, fails and ends; [`arguments`], its command
//! line; [`address`], from a name to addresses; [`threads`], a thread for each connection.

#![deny(unsafe_code)] // src/sockopt.rs alone allows it.

pub mod address;
pub mod arguments;
pub mod program;
pub mod sockopt;
pub mod threads;
pub mod trace;
