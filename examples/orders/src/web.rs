//! The HTTP API of the shop: place an order, look at it, follow it, approve it.

use std::convert::Infallible;
use std::future::ready;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use futures_util::{Stream, StreamExt};
use onward::RunRecord;
use onward::prelude::*;
use serde_json::json;

use crate::shop::{Order, order, thank};

/// An error of Onward as a response: each code has its HTTP status.
pub struct Refused(Error);

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        Refused(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.kind().http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, format!("{}: {}\n", self.0.code(), self.0.message())).into_response()
    }
}

/// The routes of the shop.
pub fn routes(onward: Onward) -> Router {
    Router::new()
        .route("/orders/{id}", put(place).get(show))
        .route("/orders/{id}/progress", get(progress))
        .route("/orders/{id}/approval", post(approve))
        .route("/metrics", get(metrics))
        .route("/ready", get(is_ready))
        .with_state(onward)
}

/// The same order again is the same run. All orders of a customer within a minute are thanked for once.
async fn place(
    State(onward): State<Onward>,
    Path(id): Path<String>,
    Json(new): Json<Order>,
) -> Result<(StatusCode, String), Refused> {
    let customer = new.customer.clone();
    let run = onward.start::<order>(new).id(&id).attributes(json!({"customer": customer})).await?;
    onward.start::<thank>(customer.clone()).debounce(customer, mins(1)).timeout(hours(1)).await?;
    Ok((StatusCode::CREATED, format!("{}\n", run.id())))
}

async fn show(State(onward): State<Onward>, Path(id): Path<String>) -> Result<Json<RunRecord>, Refused> {
    Ok(Json(onward.handle::<order>(id).describe().await?))
}

/// What has happened to an order so far, and what happens from then on, until it is over or this server stops.
async fn progress(
    State(onward): State<Onward>,
    Path(id): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refused> {
    let run = onward.handle::<order>(id);
    run.describe().await?; // an unknown order is a 404, and not a stream
    let said = run.read_stream::<String>("progress");
    let events = said.take_while(|said| ready(said.is_ok())).filter_map(|said| ready(said.ok()));
    Ok(Sse::new(events.map(|said| Ok(Event::default().data(said)))).keep_alive(KeepAlive::default()))
}

async fn approve(
    State(onward): State<Onward>,
    Path(id): Path<String>,
    Json(yes): Json<bool>,
) -> Result<StatusCode, Refused> {
    onward.send(id, "approval", yes).key("decision").await?; // the first decision counts
    Ok(StatusCode::ACCEPTED)
}

async fn metrics(State(onward): State<Onward>) -> String {
    onward.metrics().to_prometheus()
}

async fn is_ready(State(onward): State<Onward>) -> Result<&'static str, (StatusCode, String)> {
    let trouble = onward.trouble();
    trouble.first().map_or(Ok("ready\n"), |worst| Err((StatusCode::SERVICE_UNAVAILABLE, format!("{worst}\n"))))
}
