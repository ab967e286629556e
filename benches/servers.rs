//! The servers under measurement: how one is started and asked, and the floor, to which all are compared.

use std::fs::{read_to_string, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::PATIENCE;

/// The floor: nothing but the two calls of each message, and a thread spawned for each connection.
pub fn floor(protocol: &str) {
    if protocol == "tcp" {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        socket_lab::sockopt::listen(&listener, 4096).unwrap();
        println!("ready on {}", listener.local_addr().unwrap());
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut buffer = [0; 8192];
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    stream.write_all(&buffer[..length]).unwrap();
                }
            });
        }
    }
    let (socket, mut buffer) = (UdpSocket::bind("127.0.0.1:0").unwrap(), [0; 65_536]);
    println!("ready on {}", socket.local_addr().unwrap());
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        socket.send_to(&buffer[..length], from).unwrap();
    }
}

/// A server under measurement, killed when it goes out of scope.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Starts it and reads its address from `ready on`; a peer, on a port of our choice, says nothing.
    pub fn start(command: &[String]) -> Server {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let is_peer = command.iter().any(|word| word.contains("PORT"));
        let words = command.iter().map(|word| word.replace("PORT", &free.port().to_string()));
        let trace = concat!(env!("CARGO_TARGET_TMPDIR"), "/trace");
        let mut child = Command::new(&command[0]);
        child.args(words.skip(1)).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
        child.stdout(Stdio::piped()).stderr(File::create(trace).unwrap());
        let mut server = Server { child: child.spawn().expect(&command[0]), address: free };
        let mut lines = BufReader::new(server.child.stdout.take().unwrap()).lines();
        let said = |line: io::Result<String>| line.ok()?.split_once("ready on ")?.1.parse().ok();
        let connected = |_| {
            thread::sleep(Duration::from_millis(10));
            TcpStream::connect(free).ok()?.peer_addr().ok()
        };
        let ready = if is_peer { (0..500).find_map(connected) } else { lines.find_map(said) };
        server.address = ready.unwrap_or_else(|| panic!("{} is not ready", command[0]));
        server
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Seconds of user and system time so far: proc(5), fields 14 and 15 of /proc/PID/stat, in ticks.
    pub fn cpu_time(&self) -> Option<f64> {
        let stat = read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        let ticks = stat.rsplit_once(") ")?.1.split(' ').skip(11).take(2);
        Some(ticks.map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0)
    }

    /// KiB of memory that it really has: proc(5), VmRSS of /proc/PID/status.
    pub fn resident(&self) -> Option<f64> {
        let status = read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        status.split_once("VmRSS:")?.1.split_once(" kB")?.0.trim().parse().ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
