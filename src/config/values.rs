//! The grammars of single values: text → meaning, or what is wrong with it.

use super::types::{AdminAddr, Bind, TargetAddr};
use ipnet::{IpNet, Ipv4Net};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// The longest duration that a file may hold: ten years.
pub(super) const MAX_DURATION: Duration = Duration::from_secs(87_600 * 3600);

/// `<runtime dir>/admin.sock` as the documentation writes it: the default, not a path.
pub(super) const DEFAULT_ADMIN: &str = "unix:<runtime dir>/admin.sock";

/// The longest path of a unix socket, in bytes (unix(7): 108 with the final NUL).
const MAX_SOCKET_PATH: usize = 107;

/// `"250ms"`, `"5s"`, `"10m"` or `"1h"`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("a duration is an integer and `ms`, `s`, `m` or `h`, such as \"5s\"".to_owned()),
    };
    if number.is_empty() {
        return Err("a duration is an integer and `ms`, `s`, `m` or `h`, such as \"5s\"".to_owned());
    }
    let too_long = || format!("a duration is at most {}", duration_text(MAX_DURATION));
    let number: u64 = number.parse().map_err(|_overflow| too_long())?;
    let value = number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(too_long)?;
    if value > MAX_DURATION { Err(too_long()) } else { Ok(value) }
}

/// A duration in the file's own words: the largest unit that loses nothing.
pub(super) fn duration_text(value: Duration) -> String {
    let milliseconds = value.as_millis();
    match milliseconds {
        0 => "0s".to_owned(),
        n if n % 3_600_000 == 0 => format!("{}h", n / 3_600_000),
        n if n % 60_000 == 0 => format!("{}m", n / 60_000),
        n if n % 1000 == 0 => format!("{}s", n / 1000),
        n => format!("{n}ms"),
    }
}

/// `"0%"` to `"100%"`.
pub(super) fn percent(text: &str) -> Result<u8, String> {
    let wrong = || "a share is written \"0%\" to \"100%\", in whole percent".to_owned();
    let digits = text.strip_suffix('%').filter(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).filter(|share| *share <= 100).ok_or_else(wrong)
}

/// A name: `[A-Za-z0-9][A-Za-z0-9_-]{0,63}`.
pub(super) fn is_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    text.len() <= 64 && text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric) && text.bytes().all(inner)
}

/// A plain address; IPv4-mapped ones become IPv4.
pub(super) fn ip(text: &str) -> Result<IpAddr, String> {
    let ip: IpAddr = text.parse().map_err(|_wrong| "this is not an IP address".to_owned())?;
    Ok(ip.to_canonical())
}

/// `"10.0.0.0/8"` or one address. The second value tells whether bits behind the prefix were set.
pub(super) fn prefix(text: &str) -> Result<(IpNet, bool), String> {
    let wrong = || "this is not a prefix such as \"10.0.0.0/8\", nor an address".to_owned();
    let written: IpNet = match text.parse() {
        Ok(net) => net,
        Err(_) => IpNet::from(text.parse::<IpAddr>().map_err(|_wrong| wrong())?),
    };
    let mapped = |net: IpNet| {
        let IpNet::V6(v6) = net else { return net };
        let v4 = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
        v4.and_then(|(addr, len)| Ipv4Net::new(addr, len).ok()).map_or(net, IpNet::V4)
    };
    let net = mapped(written);
    Ok((net.trunc(), net.trunc() != net))
}

/// `"7000"` or `"7000-7009"`, inclusive.
pub(super) fn ports(text: &str) -> Result<(u16, u16), String> {
    let wrong = || "a port is 1 to 65535, a range of ports \"7000-7009\"".to_owned();
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first).ok_or_else(wrong)?, port(last).ok_or_else(wrong)?);
    if first == 0 {
        return Err(wrong());
    }
    if first > last {
        return Err(format!("the range ends at {last}, before it begins"));
    }
    Ok((first, last))
}

fn port(text: &str) -> Option<u16> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Splits `"host:rest"`, with brackets around an IPv6 host; `None` for the rest when there is none.
fn split_host(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(inner) = text.strip_prefix('[') {
        let (host, rest) = inner.split_once(']')?;
        return if rest.is_empty() { Some((host, None)) } else { Some((host, Some(rest.strip_prefix(':')?))) };
    }
    match text.split_once(':') {
        Some((_, rest)) if rest.contains(':') => Some((text, None)),
        Some((host, rest)) => Some((host, Some(rest))),
        None => Some((text, None)),
    }
}

/// `"0.0.0.0:80"`, `"[::]:80"` or `"0.0.0.0:7000-7099"`; port 0 alone is allowed.
pub(super) fn bind(text: &str) -> Result<Bind, String> {
    let (host, rest) = split_host(text).ok_or("this is not an address and a port such as \"0.0.0.0:80\"")?;
    let Some(rest) = rest else {
        if port(host).is_some_and(|port| port > 0) {
            return Err(format!("an address is missing: write \"0.0.0.0:{host}\" or \"[::]:{host}\""));
        }
        return Err("a port is missing: write \"0.0.0.0:80\" or \"[::]:80\"".to_owned());
    };
    if host.is_empty() || host == "*" {
        return Err(format!("an address is missing: write \"0.0.0.0:{rest}\" or \"[::]:{rest}\""));
    }
    let ip = listen_ip(host, text)?;
    if rest == "0" {
        return Ok(Bind { ip, first_port: 0, last_port: 0 });
    }
    let (first_port, last_port) = ports(rest)?;
    Ok(Bind { ip, first_port, last_port })
}

fn listen_ip(host: &str, text: &str) -> Result<IpAddr, String> {
    let ip: IpAddr = host.parse().map_err(|_wrong| format!("`{host}` is not an IP address"))?;
    if ip.is_ipv6() && !text.starts_with('[') {
        return Err(format!("an IPv6 address with a port needs brackets: \"[{host}]:80\""));
    }
    if ip.is_multicast() || ip == IpAddr::from([255, 255, 255, 255]) {
        return Err("nothing can listen on a multicast or broadcast address".to_owned());
    }
    Ok(ip.to_canonical())
}

/// The words of a bind, as a file writes them.
pub(super) fn bind_text(bind: Bind) -> String {
    let first = SocketAddr::new(bind.ip, bind.first_port);
    if bind.first_port == bind.last_port { first.to_string() } else { format!("{first}-{}", bind.last_port) }
}

/// What a target's address is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// An IP address, perhaps with a port.
    Ip(TargetAddr),
    /// A name that would have to be resolved.
    Name,
}

/// `"10.0.0.1:80"`, `"[2001:db8::1]:80"`, either without a port, or `"host:port"`.
pub(super) fn target(text: &str) -> Result<Address, String> {
    let wrong = || "a target is an address with or without a port, such as \"10.0.0.1:80\"".to_owned();
    let (host, rest) = split_host(text).ok_or_else(wrong)?;
    let port = match rest {
        None => None,
        Some(rest) => match port(rest) {
            Some(port) if port > 0 => Some(port),
            _ => return Err(format!("`{rest}` is not a port (1 to 65535)")),
        },
    };
    let Ok(ip) = host.parse::<IpAddr>() else {
        let label = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        let numeric = host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let name = !host.is_empty() && host.len() <= 253 && host.bytes().all(label) && !numeric;
        return if !name {
            Err(wrong())
        } else if port.is_none() {
            Err("a host name needs a port: \"host:port\"".to_owned())
        } else {
            Ok(Address::Name)
        };
    };
    let ip = ip.to_canonical();
    if ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::from([255, 255, 255, 255]) {
        return Err(format!("{ip} is not the address of one machine"));
    }
    Ok(Address::Ip(TargetAddr { ip, port }))
}

/// The words of a target's address, as a file writes them.
pub(super) fn target_text(address: TargetAddr) -> String {
    address.port.map_or_else(|| address.ip.to_string(), |port| SocketAddr::new(address.ip, port).to_string())
}

/// `"unix:/run/forebay/admin.sock"` or `"127.0.0.1:9901"`.
pub(super) fn admin(text: &str) -> Result<AdminAddr, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        let usable = !path.is_empty() && path.len() <= MAX_SOCKET_PATH && !path.contains('\0');
        return if usable {
            Ok(AdminAddr::Unix(PathBuf::from(path)))
        } else {
            Err(format!("the path of a unix socket has 1 to {MAX_SOCKET_PATH} bytes"))
        };
    }
    let bind = bind(text).map_err(|_wrong| {
        "an admin address is \"unix:/path/admin.sock\" or an address and a port such as \"127.0.0.1:9901\"".to_owned()
    })?;
    if bind.first_port == bind.last_port {
        Ok(AdminAddr::Tcp(SocketAddr::new(bind.ip, bind.first_port)))
    } else {
        Err("an admin address has one port".to_owned())
    }
}

/// The string's bytes, or those of `"hex:0a0b"`.
pub(super) fn bytes(text: &str) -> Result<Vec<u8>, String> {
    text.strip_prefix("hex:").map_or_else(|| Ok(text.as_bytes().to_vec()), hex)
}

/// Two hexadecimal digits a byte.
pub(super) fn hex(digits: &str) -> Result<Vec<u8>, String> {
    let wrong = "hexadecimal bytes are two digits each, such as \"0a0b\"";
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(wrong.to_owned());
    }
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_wrong| wrong.to_owned());
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// Bytes as a file writes them: plain where printable, else `"hex:…"`.
pub(super) fn bytes_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.starts_with("hex:") && !text.chars().any(char::is_control) => text.to_owned(),
        _ => bytes.iter().fold("hex:".to_owned(), |text, byte| format!("{text}{byte:02x}")),
    }
}

/// `"200-399"`, or several such separated by commas.
pub(super) fn statuses(text: &str) -> Result<Vec<(u16, u16)>, String> {
    let one = |part: &str| {
        let (first, last) = part.trim().split_once('-').unwrap_or((part.trim(), part.trim()));
        let pair = port(first).zip(port(last));
        pair.filter(|(first, last)| (100..=599).contains(first) && first <= last && *last <= 599)
    };
    let wrong = || "status codes are 100 to 599: \"200\", \"200-399\" or \"200,301-302\"".to_owned();
    text.split(',').map(one).collect::<Option<_>>().ok_or_else(wrong)
}

/// `"ip"` or `"ip:port"`.
pub(super) fn resolver(text: &str) -> Result<(), String> {
    match target(text) {
        Ok(Address::Ip(_)) => Ok(()),
        Ok(Address::Name) | Err(_) => Err("a resolver is an IP address with or without a port".to_owned()),
    }
}

/// Whether `number` has no divisor but 1 and itself.
pub(super) fn is_prime(number: i64) -> bool {
    number >= 2 && (2..).take_while(|d| d * d <= number).all(|d| number % d != 0)
}

/// The smallest prime that is not below `number`.
pub(super) fn next_prime(number: i64) -> i64 {
    (number.max(2)..).find(|n| is_prime(*n)).unwrap_or(2)
}

/// An address that nobody but this machine can use.
pub(super) fn is_loopback(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => v6 == Ipv6Addr::LOCALHOST,
    }
}
