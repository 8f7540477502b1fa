//! Which path is answered by what.

use super::bodies::{self, ListenersBody, StatusBody};
use super::error::ApiError;
use super::explain::{self, Question};
use super::target_bodies::{GroupBody, GroupsBody};
use super::{metrics, writes};
use crate::control::ControlLink;
use crate::time::clock;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

/// Largest request body.
pub(super) const BODY_BOUND_BYTES: usize = 1024 * 1024;

/// The whole API over one link to control.
pub(super) fn router(link: ControlLink) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_text))
        .route("/v1/status", get(status))
        .route("/v1/listeners", get(listeners))
        .route("/v1/target_groups", get(target_groups))
        .route("/v1/target_groups/{group}", get(target_group))
        .route("/v1/target_groups/{group}/targets/{target}", patch(writes::change_target))
        .route("/v1/explain", get(explain_client))
        .route("/v1/config", get(config))
        .route("/v1/config/check", post(writes::check_config))
        .route("/v1/reload", post(writes::reload))
        .route("/v1/shutdown", post(writes::shutdown))
        .fallback(async || ApiError::not_found("no such path"))
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(DefaultBodyLimit::max(BODY_BOUND_BYTES))
        .with_state(link)
}

async fn readyz(State(link): State<ControlLink>) -> (StatusCode, String) {
    match &link.view().ready {
        Ok(()) => (StatusCode::OK, "ready\n".into()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn metrics_text(State(link): State<ControlLink>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::text(&link.view()))
}

async fn status(State(link): State<ControlLink>) -> impl IntoResponse {
    Json(StatusBody::new(&link.view(), clock::now())).into_response()
}

async fn listeners(State(link): State<ControlLink>) -> Json<ListenersBody> {
    Json(bodies::listeners(&link.view()))
}

async fn target_groups(State(link): State<ControlLink>) -> Json<GroupsBody> {
    Json(GroupsBody::new(&link.view()))
}

type Segments<T> = Result<Path<T>, PathRejection>;

async fn target_group(State(link): State<ControlLink>, group: Segments<String>) -> Result<Json<GroupBody>, ApiError> {
    let Path(group) = group.map_err(|rejection| ApiError::bad_request(rejection.body_text()))?;
    let body = GroupBody::find(&link.view(), &group);
    body.map(Json).ok_or_else(|| ApiError::not_found(format!("no target group is named `{group}`")))
}

/// The parameters of `/v1/explain`, as text.
#[derive(Debug, Deserialize)]
struct ExplainQuery {
    listener: String,
    client: String,
    payload: Option<String>,
    listen_address: Option<String>,
}

async fn explain_client(
    State(link): State<ControlLink>,
    query: Result<Query<ExplainQuery>, QueryRejection>,
) -> Result<Json<explain::Explained>, ApiError> {
    let Query(query) = query.map_err(|rejection| ApiError::bad_request(rejection.body_text()))?;
    let question =
        Question::parse(&query.listener, &query.client, query.payload.as_deref(), query.listen_address.as_deref())
            .map_err(ApiError::bad_request)?;
    let view = link.view();
    let explained = explain::explain(&view.snapshot, &question);
    explained.map(Json).ok_or_else(|| ApiError::not_found(format!("no listener is named `{}`", question.listener)))
}

#[derive(Debug, Serialize)]
struct InForce {
    generation: u64,
    config: serde_json::Value,
}

async fn config(State(link): State<ControlLink>) -> impl IntoResponse {
    let view = link.view();
    Json(InForce { generation: view.snapshot.generation, config: crate::config::to_json(&view.config) }).into_response()
}
