//! `hoist health`: asks a server that runs here whether it lives, for containers without a shell.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

/// How long connecting, and each wait for bytes, may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// Most bytes of an answer that are read.
const ANSWER_SIZE: u64 = 16 << 10;

/// Asks `/healthz` of the server that listens on `addr`.
///
/// # Errors
///
/// If nobody answers, or not as a healthy server does.
pub fn ask(addr: SocketAddr) -> io::Result<()> {
    let addr = reachable(addr);
    let mut stream = TcpStream::connect_timeout(&addr, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET /healthz HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.take(ANSWER_SIZE).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    if answer.starts_with("HTTP/1.1 200 ") && answer.contains(r#""status":"ok""#) {
        return Ok(());
    }
    let first = answer.lines().next().unwrap_or_default();
    Err(io::Error::other(format!("it answered {first:?}")))
}

/// Where a server can be asked that listens on all addresses.
fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}
