//! The requests that change something.

use super::connections::Seat;
use super::error::ApiError;
use crate::config::{self, AdminState};
use crate::control::{Changed, ControlLink, Refusal, Request, ServiceState, TargetChange};
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderName};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a write answers.
#[derive(Debug, Serialize)]
pub(super) struct ChangedBody {
    generation: u64,
    changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    discarded: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_restart: Option<Vec<&'static str>>,
}

impl ChangedBody {
    fn plain(changed: &Changed) -> Self {
        Self { generation: changed.generation, changed: changed.changed, discarded: None, pending_restart: None }
    }
}

type Answer = Result<Json<ChangedBody>, ApiError>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StateWord {
    Enabled,
    Draining,
    Disabled,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetPatch {
    state: Option<StateWord>,
    weight: Option<u64>,
}

/// `PATCH /v1/target_groups/G/targets/ID`
pub(super) async fn change_target(
    State(link): State<ControlLink>,
    path: Result<Path<(String, String)>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let Path((group, target)) = path.map_err(|rejection| ApiError::bad_request(rejection.body_text()))?;
    let body = whole(body)?;
    let patch: TargetPatch =
        serde_json::from_slice(&body).map_err(|error| ApiError::bad_request(format!("the body: {error}")))?;
    let state = patch.state.map(|word| match word {
        StateWord::Enabled => AdminState::Enabled,
        StateWord::Draining => AdminState::Draining,
        StateWord::Disabled => AdminState::Disabled,
    });
    let weight = match patch.weight {
        None => None,
        Some(weight @ 0..=1000) => u16::try_from(weight).ok(),
        Some(weight) => return Err(ApiError::bad_request(format!("`weight` is 0 to 1000, not {weight}"))),
    };
    if state.is_none() && weight.is_none() {
        return Err(ApiError::bad_request("the body has neither `state` nor `weight`"));
    }
    let change = TargetChange { state, weight };
    let changed = link.ask(Request::ChangeTarget { group, target, change }).await?;
    Ok(Json(ChangedBody::plain(&changed)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReloadQuery {
    #[serde(default)]
    keep_changes: bool,
}

/// `POST /v1/reload[?keep_changes=true]`
pub(super) async fn reload(
    State(link): State<ControlLink>,
    query: Result<Query<ReloadQuery>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let Query(ReloadQuery { keep_changes }) =
        query.map_err(|rejection| ApiError::bad_request(rejection.body_text()))?;
    whole(body)?;
    let changed = link.ask(Request::Reload { keep_changes }).await?;
    let body = ChangedBody::plain(&changed);
    Ok(Json(ChangedBody { discarded: Some(changed.discarded), pending_restart: Some(changed.pending_restart), ..body }))
}

/// `POST /v1/shutdown`: the connection asks control once this answer is out, and closes.
pub(super) async fn shutdown(
    State(link): State<ControlLink>,
    Extension(seat): Extension<Arc<Seat>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<([(HeaderName, &'static str); 1], Json<ChangedBody>), ApiError> {
    whole(body)?;
    let view = link.view();
    let changed = matches!(view.state, ServiceState::Starting | ServiceState::Serving);
    seat.end_process_after_answer();
    let generation = view.snapshot.generation;
    let answer = ChangedBody { generation, changed, discarded: None, pending_restart: None };
    Ok(([(header::CONNECTION, "close")], Json(answer)))
}

/// What `POST /v1/config/check` answers for a file that could be loaded; the same as `check --json`.
#[derive(Debug, Serialize)]
pub(super) struct CheckedBody {
    ok: bool,
    diagnostics: Vec<config::Diagnostic>,
    summary: config::Summary,
}

/// `POST /v1/config/check`: changes nothing; here because its body is untrusted text like that of a write.
pub(super) async fn check_config(body: Result<Bytes, BytesRejection>) -> Result<Json<CheckedBody>, ApiError> {
    let body = whole(body)?;
    let text = std::str::from_utf8(&body).map_err(|error| ApiError::bad_request(format!("the body: {error}")))?;
    let config::Parsed { config, diagnostics, summary } = config::parse("request", text);
    if config.is_some() {
        return Ok(Json(CheckedBody { ok: true, diagnostics, summary }));
    }
    let rendered = config::render(&diagnostics, text, false);
    let message = format!("the configuration is invalid: {} problem(s)", diagnostics.len());
    Err(Refusal::Invalid { message, diagnostics, rendered }.into())
}

fn whole(body: Result<Bytes, BytesRejection>) -> Result<Bytes, ApiError> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large(),
        _ => ApiError::bad_request(rejection.body_text()),
    })
}
