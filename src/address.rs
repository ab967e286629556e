//! Addresses: from `HOST:PORT` to what a socket call takes, and which of them are the same.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};

use crate::arguments::{quoted, whole};
use crate::program::{cannot, Failure};

/// The addresses of `HOST:PORT`, at least one, IPv4 first as in the document: getaddrinfo(3) for a name.
/// Fails where it is no address, or a name has none.
pub fn resolve(address: &str) -> Result<Vec<SocketAddr>, Failure> {
    let (host, port) = split(address, None)?;
    let cannot_find = |error: io::Error| cannot("find", quoted(host), &error);
    let mut addresses: Vec<_> = (host, port).to_socket_addrs().map_err(cannot_find)?.collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    if addresses.is_empty() {
        return Err(cannot_find(io::ErrorKind::NotFound.into()));
    }
    Ok(addresses)
}

/// [`resolve`] for a client: 0.0.0.0 and `[::]`, on which a server is ready, mean this machine.
/// Fails for port 0 too, at which no server is.
pub fn resolve_server(address: &str) -> Result<Vec<SocketAddr>, Failure> {
    if split(address, None)?.1 == 0 {
        let what = format!("no server is at port 0: {}", quoted(address));
        return Err(Failure::usage(what, "the server's 'ready on' line names its port"));
    }
    let mut servers = resolve(address)?;
    for server in &mut servers {
        // Linux would do this for us, but Windows refuses.
        match server {
            SocketAddr::V4(v4) if v4.ip().is_unspecified() => v4.set_ip(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(v6) if v6.ip().is_unspecified() => v6.set_ip(Ipv6Addr::LOCALHOST),
            _ => (),
        }
    }
    Ok(servers)
}

/// HOST and PORT; or, where it is neither, what to type instead. `next` is the next
/// argument, which is the port if the user typed `localhost 8888`.
pub fn split<'a>(address: &'a str, next: Option<&str>) -> Result<(&'a str, u16), Failure> {
    host_and_port(address).ok_or_else(|| {
        let typed = to_ascii(address);
        let next = next.map(to_ascii).filter(|next| whole(next).is_some());
        let port = next.as_deref().unwrap_or("8888");
        let meant = [typed.clone(), format!("127.0.0.1:{typed}"), format!("{typed}:{port}")];
        let hint = match meant.iter().find(|meant| host_and_port(meant).is_some()) {
            Some(meant) => format!("write {meant}"),
            None => "a HOST is a name, IPv4, or IPv6 in brackets; a PORT is 0 to 65535".to_owned(),
        };
        Failure::usage(format!("{} is not HOST:PORT", quoted(address)), hint)
    })
}

fn host_and_port(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let port = u16::try_from(whole(port)?).ok()?;
    if let Some(ip) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        // Behind % its zone may stand, a number or a name: [fe80::1%eth0].
        return ip.split('%').next()?.parse::<Ipv6Addr>().ok().map(|_| (ip, port));
    }
    let is_number = host.chars().all(|c| c.is_ascii_digit() || c == '.');
    let is_name = host.chars().all(|c| c.is_alphanumeric() || "-._".contains(c));
    let is_host = if is_number { host.parse::<Ipv4Addr>().is_ok() } else { is_name };
    Some((host, port)).filter(|_| is_host && !host.starts_with('-'))
}

/// What an input method for Chinese makes of an address, `：`, `８`, `。`, `“”`, made ASCII again; what
/// else may stand between HOST and PORT; and IPv4 without zeros in front, for which some take octal.
fn to_ascii(address: &str) -> String {
    let ascii = address.chars().map(|c| match c {
        '。' | '｡' => '.',
        '【' => '[',
        '】' => ']',
        // The full-width forms stand in the order of ASCII: Unicode, U+FF01 to U+FF5E.
        '！'..='～' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        _ => c,
    });
    let ascii = ascii.filter(|c| !"'\"‘’“”「」".contains(*c));
    let ascii: String =
        ascii.map(|c| if c.is_whitespace() || ";,/∶﹕、".contains(c) { ':' } else { c }).collect();
    let ascii = ascii.trim_end_matches(':');
    let ascii = ascii.strip_prefix(':').unwrap_or(ascii);
    let ipv4 = ascii.split_once(':').and_then(|(host, port)| {
        let numbers: Result<Vec<u8>, _> = host.split('.').map(str::parse).collect();
        let numbers: [u8; 4] = numbers.ok()?.try_into().ok()?;
        Some(format!("{}:{port}", Ipv4Addr::from(numbers)))
    });
    ipv4.unwrap_or_else(|| ascii.to_owned())
}

/// Whether two addresses are one. The flow label of IPv6 does not count; its scope does only where the
/// address is link-local, because there it says on which link (RFC 4007).
pub fn is_same(a: SocketAddr, b: SocketAddr) -> bool {
    let scope = |address| match address {
        SocketAddr::V6(v6) if v6.ip().segments()[0] & 0xffc0 == 0xfe80 => v6.scope_id(),
        _ => 0,
    };
    (a.ip(), a.port(), scope(a)) == (b.ip(), b.port(), scope(b))
}

/// Whether `address` is that of `port` on this machine: to another machine's IP no socket can be bound.
pub fn is_own(mut address: SocketAddr, port: u16) -> bool {
    let is_own_port = address.port() == port;
    address.set_port(0);
    let is_own_ip = |error: io::Error| error.kind() != io::ErrorKind::AddrNotAvailable;
    is_own_port && UdpSocket::bind(address).map_or_else(is_own_ip, |_| true)
}
