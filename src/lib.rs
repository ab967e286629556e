//! What the four programs share: what Python has built in or hides, and the threads.
//!
//! The programs port the samples of 《网络编程基础:Socket通信原理与实现》, an introductory document on
//! socket programming. Its socket calls stand in the programs themselves. Each number here is the line of a
//! program where a step of the document (section 2.2) begins:
//!
//! | step | [tcp-server] | [tcp-client] | [udp-server] | [udp-client] |
//! |---|---|---|---|---|
//! | 1 create 创建Socket | 56 | 55 | 47 | 82 |
//! | 2 bind 绑定Socket | 58 | | 48 | 89 |
//! | 3 listen 监听连接 | 66 | | | |
//! | 4 connect 发起连接 | | 56 | | |
//! | 5 establish 建立连接 | 83 | 164 | | |
//! | 6 transfer 数据传输 | 120 | 71 | 63 | 101 |
//! | 7 close 断开连接 | 146 | 134 | 97 | 154 |
//!
//! The document's sections 3.1, 3.2 and 4 are these programs; its options and states (3.3) are [`sockopt`].
//!
//! Beyond the document: [`program`], how a program begins, fails and ends; [`arguments`], its command
//! line; [`address`], from a name to addresses; [`trace`], how a line about a step is printed; [`threads`], a
//! thread for each connection.
//!
//! [tcp-server]: ../src/tcp_server/tcp-server.rs.html
//! [tcp-client]: ../src/tcp_client/tcp-client.rs.html
//! [udp-server]: ../src/udp_server/udp-server.rs.html
//! [udp-client]: ../src/udp_client/udp-client.rs.html

#![deny(unsafe_code)] // src/sockopt.rs alone allows it.

pub mod address;
pub mod arguments;
pub mod program;
pub mod sockopt;
pub mod threads;
pub mod trace;
