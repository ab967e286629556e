//! MESSAGE `-`, standard input, which the document does not have.
//!
//! Over TCP it may be more than the buffers of both sides hold. A client that sends all of it before it receives
//! then waits forever, and so does an echo server: neither reads. So a thread sends, while the caller receives
//! (UNIX Network Programming, section 26.3).

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{channel, Sender};
use std::thread::Builder;
use std::time::Duration;

use crate::failure::{cannot, cannot_receive, closed_without_reply};
use crate::failure::{despite_signals, print, Failure};
use crate::step;
use crate::trace::{describe, printable};

/// Bytes of a read(2) and of a recv(2).
const BUFFER_SIZE: usize = 64 * 1024;
/// How long a sending gets to end by itself when the server has closed.
const MOMENT: Duration = Duration::from_millis(200);
/// Bytes sent so far; a piece that failed midway is not counted.
static SENT: AtomicU64 = AtomicU64::new(0);

/// Sends standard input to a TCP server, prints what comes back as it comes, and closes.
pub fn copy_both_ways(
    client_socket: TcpStream,
    server: SocketAddr,
    timeout: Option<Duration>,
) -> Result<(), Failure> {
    let (tell, told) = channel();
    let mut total = 0;
    let mut send_result = None; // Until it has ended.
    let receive = || -> Result<(), Failure> {
        let socket = client_socket.try_clone().map_err(cannot("duplicate", "the socket"))?;
        // `thread::spawn` would panic where no thread can start. It is not joined: it may wait for a key.
        let thread = Builder::new().spawn(move || send(&socket, server, timeout, &tell));
        thread.map_err(cannot("start", "a thread"))?;
        let mut buffer = vec![0; BUFFER_SIZE];
        loop {
            let received = despite_signals(timeout, || (&client_socket).read(&mut buffer));
            let was_sending = send_result.is_none();
            send_result = send_result.take().or_else(|| told.try_recv().ok());
            let data = match received {
                // The timeout counts once the input has ended: a user may think.
                Err(error) if error.kind() == ErrorKind::WouldBlock && was_sending => continue,
                other => &buffer[..other.map_err(cannot_receive(server, timeout, total))?],
            };
            // After a failed sending the end is our own shutdown's, and not the server's.
            if !data.is_empty() || !matches!(send_result, Some(Err(_))) {
                step!("6 transfer", "{}", describe(data));
            }
            if data.is_empty() {
                return Ok(());
            }
            total += data.len();
            print(data)?;
        }
    };
    let result = receive();
    // The input may just have ended too; it takes a moment until that is seen.
    send_result = send_result.or_else(|| told.recv_timeout(MOMENT).ok());
    if send_result.is_none() {
        step!("6 transfer", "no more to send (receiving has ended)");
        let _ = client_socket.shutdown(Shutdown::Both);
        // What is being sent fails now, and says so before the last line.
        let _ = told.recv_timeout(MOMENT);
    }
    let sent = SENT.load(Relaxed);
    step!("7 close", "{sent} bytes sent, {total} received");
    drop(client_socket);

    match (send_result, result) {
        (Some(Err(failure)), _) | (_, Err(failure)) => Err(failure),
        (None, _) => {
            let what = format!(
                "{server} closed before standard input ended: {sent} bytes sent, {total} received"
            );
            Err(Failure::new(what, "what was still to come is lost: look at the server's terminal"))
        }
        (Some(_), _) if sent > 0 && total == 0 => Err(closed_without_reply(server)),
        (Some(_), _) => Ok(()),
    }
}

/// Sends all of standard input, then says that no more will come, and tells how it ended.
fn send(
    mut socket: &TcpStream,
    server: SocketAddr,
    timeout: Option<Duration>,
    tell: &Sender<Result<(), Failure>>,
) {
    let mut buffer = vec![0; BUFFER_SIZE];
    let mut transfer = || -> Result<(), Failure> {
        loop {
            let length = despite_signals(None, || io::stdin().read(&mut buffer));
            let data = &buffer[..length.map_err(cannot("read", "standard input"))?];
            if data.is_empty() {
                return Ok(());
            }
            step!("6 transfer", "sending {} bytes: {}", data.len(), printable(data));
            let sent = despite_signals(timeout, || socket.write_all(data));
            sent.map_err(cannot("send to", server))?;
            SENT.fetch_add(data.len() as u64, Relaxed);
        }
    };
    let result = transfer();
    // After a failure nothing is waited for any more: a shutdown of both directions ends the other thread's recv.
    let (direction, detail) = match result {
        Ok(()) => (Shutdown::Write, "no more to send (half-close)"),
        Err(_) => (Shutdown::Both, "no more to send (it failed)"),
    };
    step!("6 transfer", "{detail}");
    // Before the shutdown, because that ends the receiving, and then the result is asked for at once.
    let _ = tell.send(result);
    let _ = socket.shutdown(direction);
}

/// Calls `ask` with each line and its end. Fails for a line of more than `longest` bytes, with that `hint`.
pub fn for_each_line(
    longest: usize,
    hint: &str,
    mut ask: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        // One byte beyond the limit shows that a line is too long, without reading all of it.
        let length = input.by_ref().take(longest as u64 + 1).read_until(b'\n', &mut line);
        match length.map_err(cannot("read", "standard input"))? {
            0 => return Ok(()),
            length if length > longest => return Err(Failure::new("a line is too long", hint)),
            _ => ask(&line)?,
        }
    }
}
