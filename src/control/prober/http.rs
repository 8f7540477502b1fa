//! A probe that asks over HTTP/1.1.

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// Response heads are small; a target that sends more than this is not answering a health check.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Sends one GET on an established connection; the status must lie in one of the inclusive ranges. The body is not
/// read.
///
/// # Errors
/// Why the answer is wrong.
pub(super) async fn ask(
    stream: TcpStream,
    addr: SocketAddr,
    path: &str,
    host: &str,
    expect_status: &[(u16, u16)],
) -> Result<(), String> {
    let host = if host.is_empty() { addr.to_string() } else { host.to_owned() };
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, concat!("forebay/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let shaken = http1::Builder::new().max_buf_size(HEAD_BYTES_MAX).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| error.to_string())?;
    // The connection may end in the very poll in which the answer arrives: the answer alone decides, and fails by
    // itself when none can come any more.
    let driven = async {
        drop(connection.await);
        std::future::pending::<()>().await;
    };
    let response = tokio::select! {
        response = sender.send_request(request) => response.map_err(|error| error.to_string())?,
        () = driven => return Err("the connection ended".to_owned()),
    };
    let status = response.status().as_u16();
    let is_expected = expect_status.iter().any(|&(first, last)| (first..=last).contains(&status));
    if is_expected { Ok(()) } else { Err(format!("status {status}")) }
}
