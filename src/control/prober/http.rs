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

/// Sends one GET on an established connection; the status must lie in one of the inclusive ranges. The body is not read.
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
    let mut exchange = std::pin::pin!(sender.send_request(request));
    let response = tokio::select! {
        response = &mut exchange => response,
        // The connection may be over in the very moment that its response is there.
        ended = connection => match ended {
            Ok(()) => exchange.await,
            Err(error) => Err(error),
        },
    };
    let response = response.map_err(|error| describe(&error))?;
    let status = response.status().as_u16();
    let is_expected = expect_status.iter().any(|&(first, last)| (first..=last).contains(&status));
    if is_expected { Ok(()) } else { Err(format!("status {status}")) }
}

/// What went wrong, with its cause: hyper's own words leave that to whoever asks.
fn describe(error: &hyper::Error) -> String {
    use std::error::Error;
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
