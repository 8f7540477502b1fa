//! Who may ask what, by where the request came in.

use super::error::ApiError;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use std::net::SocketAddr;

/// Where a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// A unix socket: the file mode has let the caller in.
    Unix,
    /// A socket bound to a loopback address.
    Loopback,
    /// Any other socket.
    Network,
}

impl Door {
    /// The door of a TCP socket bound to `addr`; a wildcard counts as network, wherever its caller sits.
    pub(super) fn of(addr: SocketAddr) -> Self {
        if addr.ip().to_canonical().is_loopback() { Self::Loopback } else { Self::Network }
    }
}

/// Lets the request pass, or says why not.
///
/// # Errors
/// 401 without the right token where one is needed, 403 where one is needed and none is configured or the
/// `Origin` is foreign, 400 for a write over TCP whose `Content-Type` a browser could send by itself.
pub(super) fn admit(door: Door, token: Option<&str>, request: &Parts) -> Result<(), ApiError> {
    if door == Door::Unix {
        return Ok(());
    }
    let read = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&request.method);
    let open = read && (door == Door::Loopback || is_public(request.uri.path()));
    if !open {
        let expected = token.ok_or_else(ApiError::token_required)?;
        if !bearer(&request.headers).is_some_and(|given| same(given.as_bytes(), expected.as_bytes())) {
            return Err(ApiError::unauthorized());
        }
    }
    if read { Ok(()) } else { admit_write(request) }
}

fn is_public(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz" | "/metrics")
}

fn admit_write(request: &Parts) -> Result<(), ApiError> {
    let text = |name: header::HeaderName| request.headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(origin) = text(header::ORIGIN) {
        let host = text(header::HOST).unwrap_or_default();
        if origin.strip_prefix("http://").is_none_or(|site| host.is_empty() || !site.eq_ignore_ascii_case(host)) {
            return Err(ApiError::foreign_origin());
        }
    }
    let wanted = if request.uri.path() == "/v1/config/check" { "application/toml" } else { "application/json" };
    let given = text(header::CONTENT_TYPE).unwrap_or_default();
    let media_type = given.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(ApiError::bad_request(format!("this needs `Content-Type: {wanted}`")))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Compares in a time that tells the length of the secret and nothing of its bytes.
fn same(given: &[u8], expected: &[u8]) -> bool {
    let difference = given.iter().zip(expected).fold(0, |bits, (a, b)| bits | (a ^ b));
    given.len() == expected.len() && std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;
    use axum::response::IntoResponse;

    /// `HEADERS` as `Name: value` joined by `|`.
    fn status(door: Door, token: Option<&str>, method: &str, path: &str, headers: &str) -> u16 {
        let mut request = Request::builder().method(method).uri(path);
        for line in headers.split('|').filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ").expect("name and value");
            request = request.header(name, value);
        }
        let (parts, ()) = request.body(()).expect("valid").into_parts();
        match admit(door, token, &parts) {
            Ok(()) => 200,
            Err(error) => error.into_response().status().as_u16(),
        }
    }

    const JSON: &str = "Content-Type: application/json";
    const GOOD: &str = "Authorization: Bearer sesame|Content-Type: application/json; charset=utf-8";
    const BAD: &str = "Authorization: Bearer sesamo|Content-Type: application/json";

    #[test]
    fn a_unix_socket_needs_neither_token_nor_headers() {
        assert_eq!(status(Door::Unix, None, "POST", "/v1/reload", ""), 200);
        assert_eq!(status(Door::Unix, Some("sesame"), "PATCH", "/v1/x", "Origin: http://evil.example"), 200);
    }

    #[test]
    fn loopback_reads_are_free_and_writes_need_the_token() {
        let ask = |token, method, headers| status(Door::Loopback, token, method, "/v1/status", headers);
        assert_eq!(ask(Some("sesame"), "GET", ""), 200);
        assert_eq!(ask(None, "POST", JSON), 403);
        assert_eq!(ask(Some("sesame"), "POST", JSON), 401);
        assert_eq!(ask(Some("sesame"), "POST", BAD), 401);
        assert_eq!(ask(Some("sesame"), "POST", "Authorization: Basic sesame|Content-Type: application/json"), 401);
        assert_eq!(ask(Some("sesame"), "POST", "Authorization: Bearer sesam|Content-Type: application/json"), 401);
        assert_eq!(ask(Some("sesame"), "POST", GOOD), 200);
    }

    #[test]
    fn elsewhere_only_health_readiness_and_metrics_are_free() {
        for path in ["/healthz", "/readyz", "/metrics"] {
            assert_eq!(status(Door::Network, Some("sesame"), "GET", path, ""), 200, "{path}");
        }
        assert_eq!(status(Door::Network, Some("sesame"), "GET", "/v1/status", ""), 401);
        assert_eq!(status(Door::Network, Some("sesame"), "GET", "/metrics/", ""), 401);
        assert_eq!(status(Door::Network, Some("sesame"), "POST", "/metrics", JSON), 401);
        assert_eq!(status(Door::Network, Some("sesame"), "GET", "/v1/status", GOOD), 200);
        assert_eq!(status(Door::Network, None, "GET", "/v1/status", ""), 403);
    }

    #[test]
    fn a_write_over_tcp_needs_its_content_type_and_no_foreign_origin() {
        let write = |path, more: &str| {
            let headers = format!("Host: 127.0.0.1:9901|Authorization: Bearer sesame|{more}");
            status(Door::Loopback, Some("sesame"), "POST", path, &headers)
        };
        assert_eq!(write("/v1/reload", ""), 400);
        assert_eq!(write("/v1/reload", "Content-Type: text/plain"), 400);
        assert_eq!(write("/v1/config/check", JSON), 400);
        assert_eq!(write("/v1/config/check", "Content-Type: application/toml"), 200);
        assert_eq!(write("/v1/reload", "Content-Type: application/json|Origin: http://evil.example"), 403);
        assert_eq!(write("/v1/reload", "Content-Type: application/json|Origin: null"), 403);
        assert_eq!(write("/v1/reload", "Content-Type: application/json|Origin: http://127.0.0.1:9901"), 200);
    }

    #[test]
    fn a_wildcard_bind_is_not_loopback() {
        let door = |addr: &str| Door::of(addr.parse().expect("literal"));
        assert_eq!(door("127.0.0.5:1"), Door::Loopback);
        assert_eq!(door("[::1]:1"), Door::Loopback);
        assert_eq!(door("0.0.0.0:1"), Door::Network);
        assert_eq!(door("[::]:1"), Door::Network);
    }
}
