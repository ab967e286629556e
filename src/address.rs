//! Addresses: from `HOST:PORT` to what a socket call takes, and which of them are the same.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};

use crate::failure::{cannot, Failure};
use crate::trace::quoted;

/// The addresses of `HOST:PORT`, at least one and each once, IPv4 first as in the document: getaddrinfo(3)
/// for a name. Fails where it is no address, or a name has none.
pub fn resolve(address: &str) -> Result<Vec<SocketAddr>, Failure> {
    let (host, port) = split(address, None)?;
    let mut addresses = Vec::new();
    for found in (host, port).to_socket_addrs().map_err(cannot("find", quoted(host)))? {
        if !addresses.contains(&found) {
            addresses.push(found);
        }
    }
    addresses.sort_by_key(SocketAddr::is_ipv6);
    if addresses.is_empty() {
        return Err(cannot("find", quoted(host))(ErrorKind::NotFound.into()));
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

/// HOST and PORT; or, where it is neither, what to type instead. `next` is what was typed after it:
/// the port, if that was `localhost 8888`.
pub fn split<'a>(address: &'a str, next: Option<&str>) -> Result<(&'a str, u16), Failure> {
    let typed = to_ascii(address);
    host_and_port(address).filter(|_| typed == address).ok_or_else(|| {
        // Word processors make one dash of the two before a long name.
        let option = typed.trim_start_matches('-');
        let is_option = typed != address && typed != option && !option.is_empty();
        let dashes = if option.chars().count() == 1 { "-" } else { "--" };
        let port = next.map(to_ascii).filter(|next| port(next).is_some());
        let port = port.as_deref().unwrap_or("8888");
        let host = typed.strip_suffix(':').unwrap_or(&typed);
        let meant = [typed.clone(), format!("127.0.0.1:{typed}"), format!("{host}:{port}")];
        let hint = match meant.iter().find(|meant| host_and_port(meant).is_some()) {
            Some(meant) => format!("write {meant}"),
            None if is_option => format!("write {dashes}{option}"),
            None => "a HOST is a name, IPv4, or IPv6 in brackets; a PORT is 0 to 65535".to_owned(),
        };
        Failure::usage(format!("{} is not HOST:PORT", quoted(address)), hint)
    })
}

fn host_and_port(address: &str) -> Option<(&str, u16)> {
    let (host, port_text) = address.rsplit_once(':')?;
    let port = port(port_text)?;
    if let Some(ip) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        // After % its zone may stand, a number or a name: [fe80::1%eth0].
        return ip.split('%').next()?.parse::<Ipv6Addr>().ok().map(|_| (ip, port));
    }
    let is_number = host.chars().all(|c| c.is_ascii_digit() || c == '.');
    let is_name = host.chars().all(|c| c.is_alphanumeric() || "-._".contains(c));
    let is_host = if is_number { host.parse::<Ipv4Addr>().is_ok() } else { is_name };
    Some((host, port)).filter(|_| is_host && !host.starts_with('-'))
}

/// Rust's own `parse` would take "+5" too.
fn port(digits: &str) -> Option<u16> {
    digits.parse().ok().filter(|_| !digits.starts_with('+'))
}

/// What an input method for Chinese or a word processor makes of an address or an option,
/// `１２７。０。０。１：８８８８` or `——quiet`, made ASCII again.
fn to_ascii(address: &str) -> String {
    let ascii = address.chars().map(|c| match c {
        '。' => '.',
        '–' | '—' | '−' => '-',
        '　' => ' ',
        // The full-width forms stand in the order of ASCII: Unicode, U+FF01 to U+FF5E.
        '！'..='～' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        _ => c,
    });
    ascii.collect::<String>().trim().replace(' ', ":")
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

/// Whether this machine has the IP of `address`: only then can a socket be bound to it, and one is opened
/// to find out. Where net.ipv4.ip_nonlocal_bind is 1, Linux binds to any, and this is always so (ip(7)).
pub fn is_this_machine(mut address: SocketAddr) -> bool {
    address.set_port(0);
    match UdpSocket::bind(address) {
        Err(error) => error.kind() != ErrorKind::AddrNotAvailable,
        Ok(_) => true,
    }
}
