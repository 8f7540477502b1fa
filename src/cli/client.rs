//! A client of the admin API over a unix socket or TCP.

use super::failure::{Exit, Failure};
use crate::admin::show_addr;
use crate::config::AdminAddr;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// A forebay that does not answer by then counts as not reached. Its own bound on a request is 30 s.
const ANSWER_BOUND: Duration = Duration::from_secs(35);
const CONNECT_BOUND: Duration = Duration::from_secs(5);

/// Talks to one forebay, a connection per request.
#[derive(Debug)]
pub(super) struct Client {
    addr: AdminAddr,
    token: Option<String>,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Reply {
    status: u16,
    /// The body, unchanged.
    pub(super) text: String,
}

impl Reply {
    /// The body as JSON; null when it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

impl Client {
    pub(super) fn new(addr: AdminAddr, token: Option<String>) -> Self {
        Self { addr, token }
    }

    /// Reads `path`; any answer but a success is a failure.
    pub(super) fn get(&self, path: &str) -> Result<Reply, Failure> {
        self.ask(&Method::GET, path, String::new())
    }

    /// Sends `body`; any answer but a success is a failure.
    pub(super) fn ask(&self, method: &Method, path: &str, body: String) -> Result<Reply, Failure> {
        let reply = self.exchange(method, path, body).map_err(|why| {
            Failure::new(Exit::NotReached, format!("no forebay was reached at {}: {why}", show_addr(&self.addr)))
        })?;
        if (200..300).contains(&reply.status) { Ok(reply) } else { Err(refusal(&reply)) }
    }

    /// Whether a forebay answers now.
    pub(super) fn answers(&self) -> bool {
        self.exchange(&Method::GET, "/healthz", String::new()).is_ok()
    }

    fn exchange(&self, method: &Method, path: &str, body: String) -> Result<Reply, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let request = self.request(method, path, body)?;
        let exchange = async {
            let connecting = tokio::time::timeout(CONNECT_BOUND, connect(&self.addr)).await;
            let stream = connecting.map_err(|_elapsed| "connecting took too long")?;
            let stream = stream.map_err(|error| error.to_string())?;
            let answering = tokio::time::timeout(ANSWER_BOUND, send(stream, request)).await;
            answering.map_err(|_elapsed| "no answer in time")?.map_err(|error| error.to_string())
        };
        runtime.block_on(exchange)
    }

    fn request(&self, method: &Method, path: &str, body: String) -> Result<Request<Full<Bytes>>, String> {
        let host = match &self.addr {
            AdminAddr::Unix(_) => "forebay".to_owned(),
            AdminAddr::Tcp(addr) => addr.to_string(),
        };
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, host);
        if method != Method::GET {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        request.body(Full::new(body.into())).map_err(|error| error.to_string())
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

async fn connect(addr: &AdminAddr) -> std::io::Result<Box<dyn Stream>> {
    Ok(match addr {
        AdminAddr::Unix(path) => Box::new(UnixStream::connect(path).await?),
        AdminAddr::Tcp(addr) => Box::new(TcpStream::connect(addr).await?),
    })
}

async fn send(stream: Box<dyn Stream>, request: Request<Full<Bytes>>) -> hyper::Result<Reply> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Reply { status, text: String::from_utf8_lossy(&body).into_owned() })
    };
    tokio::pin!(connection);
    tokio::pin!(exchange);
    tokio::select! {
        reply = &mut exchange => reply,
        // The connection may end with the last byte of the answer already in hand.
        ended = &mut connection => match ended { Ok(()) => exchange.await, Err(error) => Err(error) },
    }
}

/// What an error body says; an invalid configuration has an exit code of its own.
fn refusal(reply: &Reply) -> Failure {
    let body = reply.json();
    let error = &body["error"];
    let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
    let exit = if error["code"] == "config_invalid" { Exit::Config } else { Exit::Refused };
    let message = match (text("rendered"), text("message")) {
        (_, message) if message.is_empty() => format!("the running forebay answered {}", reply.status),
        (rendered, message) if rendered.is_empty() => message,
        (rendered, message) => format!("{message}\n{rendered}"),
    };
    Failure::new(exit, message)
}

/// A path segment with everything percent-encoded that is not plain.
pub(super) fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_survives_slashes_and_spaces() {
        assert_eq!(segment("10.0.0.1:80"), "10.0.0.1%3A80");
        assert_eq!(segment("a/b é"), "a%2Fb%20%C3%A9");
    }

    #[test]
    fn an_invalid_configuration_exits_1_and_any_other_refusal_5() {
        let reply = |status, text: &str| Reply { status, text: text.to_owned() };
        let invalid = refusal(&reply(422, r#"{"error":{"code":"config_invalid","message":"m","rendered":"r"}}"#));
        assert_eq!((invalid.exit, &*invalid.message), (Exit::Config, "m\nr"));
        let missing = refusal(&reply(404, r#"{"error":{"code":"not_found","message":"no such target"}}"#));
        assert_eq!((missing.exit, &*missing.message), (Exit::Refused, "no such target"));
        assert_eq!(refusal(&reply(500, "")).message, "the running forebay answered 500");
    }
}
