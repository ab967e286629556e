//! What the four programs share: what Python has built in or hides, the threads, and what the document does
//! not have.
//!
//! The programs port the samples of 《网络编程基础:Socket通信原理与实现》, an introductory document on
//! socket programming, whose socket calls stand in the programs themselves. Its seven steps (section 2.2)
//! have their lines there; its sections are:
//!
//! | section | |
//! |---|---|
//! | 3.1, 4.1 the TCP server | [tcp-server] |
//! | 3.2 the clients | [tcp-client], [udp-client] |
//! | 4 the UDP server | [udp-server] |
//! | 3.3 options and states | [`sockopt`] |
//!
//! Each file here uses only files below it in this list: [`program`], [`arguments`], [`stdin`], [`address`],
//! [`threads`], [`sockopt`], [`failure`], [`trace`].
//!
//! [tcp-server]: ../src/tcp_server/tcp-server.rs.html
//! [tcp-client]: ../src/tcp_client/tcp-client.rs.html
//! [udp-server]: ../src/udp_server/udp-server.rs.html
//! [udp-client]: ../src/udp_client/udp-client.rs.html

#![deny(unsafe_code)] // src/sockopt.rs alone allows it.

pub mod address;
pub mod arguments;
pub mod failure;
pub mod program;
pub mod sockopt;
pub mod stdin;
pub mod threads;
pub mod trace;
