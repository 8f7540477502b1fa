//! The one shape of every error body.

use crate::control::Refusal;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// An answer that is not a success.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    body: Body,
}

#[derive(Debug, Serialize)]
struct Body {
    error: Inner,
}

#[derive(Debug, Serialize)]
struct Inner {
    code: &'static str,
    message: String,
    details: Vec<serde_json::Value>,
    /// The details as a person reads them: file, line, underline.
    #[serde(skip_serializing_if = "Option::is_none")]
    rendered: Option<String>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let inner = Inner { code, message: message.into(), details: Vec::new(), rendered: None };
        Self { status, body: Body { error: inner } }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "this needs `Authorization: Bearer TOKEN`")
    }

    pub(super) fn token_required() -> Self {
        let message = "writes over TCP need a token, and `admin.token_file` is not set; use the unix socket";
        Self::new(StatusCode::FORBIDDEN, "token_required", message)
    }

    pub(super) fn foreign_origin() -> Self {
        Self::new(StatusCode::FORBIDDEN, "foreign_origin", "the `Origin` header names another site")
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(super) fn method_not_allowed() -> Self {
        let message = "the path exists, and not with this method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    }

    pub(super) fn too_large() -> Self {
        let message = format!("the body is over {} bytes", super::router::BODY_BOUND_BYTES);
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound(message) => Self::not_found(message),
            Refusal::BadRequest(message) => Self::bad_request(message),
            Refusal::Conflict(message) => Self::new(StatusCode::CONFLICT, "conflict", message),
            Refusal::Invalid { message, diagnostics, rendered } => {
                let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "config_invalid", message);
                error.body.error.details = diagnostics
                    .iter()
                    .map(|one| serde_json::to_value(one).expect("a diagnostic is plain text and numbers"))
                    .collect();
                error.body.error.rendered = (!rendered.is_empty()).then_some(rendered);
                error
            }
            Refusal::NotAdopted => {
                let message = "published, but not every worker has adopted it within 5 s";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "not_adopted", message)
            }
            Refusal::Gone => Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "forebay is stopping"),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = axum::http::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
