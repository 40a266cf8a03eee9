//! A web server that executes runs: it starts them, shows them, and streams what they publish to browsers as server-sent events.
//!
//! On SIGTERM it takes no more connections, lets running steps finish, ends the open streams and exits with 0. A browser then
//! connects again, to the next process, and misses nothing: it says after which event it goes on.
//!
//! `cargo run --example web -- sqlite:web.db 127.0.0.1:3000`, then
//! `curl -d '{"id": "tale", "words": 50}' -H 'content-type: application/json' localhost:3000/runs` and
//! `curl -N localhost:3000/runs/tale/words`

use std::convert::Infallible;
use std::future::{IntoFuture, ready};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::{Stream, StreamExt, stream};
use onward::client::{Changes, ReadChunks};
use onward::prelude::*;
use onward::records::{Chunk, ChunkBody};
use onward::{Code, Filter, RunRecord};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How long running steps may take to finish after SIGTERM.
const DRAIN: Duration = Duration::from_secs(20);
/// How long connections may take to close after that. A browser that reads nothing must not keep the process.
const CLOSE: Duration = Duration::from_secs(5);

/// Writes a tale, word by word.
#[onward::workflow]
async fn tell(ctx: &Ctx, words: u32) -> Result<u32> {
    for n in 1..=words {
        ctx.step("word", async || {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(ctx.stream("words").append(format!("word {n}")).await?)
        })
        .await?;
    }
    Ok(words)
}

#[derive(Deserialize)]
struct NewTale {
    id: String,
    words: u32,
}

/// An error of Onward as a response: each code has its HTTP status.
struct Refused(Error);

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

fn routes(onward: Onward, draining: watch::Receiver<bool>) -> Router {
    Router::new()
        .route("/runs", post(start).get(list))
        .route("/runs/{id}", get(show))
        .route("/runs/{id}/words", get(words))
        .route("/changes", get(changes))
        .route("/live", get(|| async { "live" }))
        .route("/ready", get(move |State(onward): State<Onward>| is_ready(onward, *draining.borrow())))
        .with_state(onward)
}

async fn start(State(onward): State<Onward>, Json(new): Json<NewTale>) -> Result<(StatusCode, String), Refused> {
    let run = onward.start::<tell>(new.words).id(new.id).await?;
    Ok((StatusCode::CREATED, run.id().to_owned()))
}

async fn list(State(onward): State<Onward>) -> Result<Json<Vec<RunRecord>>, Refused> {
    let newest = Filter { limit: Some(100), ..Filter::default() };
    Ok(Json(onward.list(newest).await?.items))
}

async fn show(State(onward): State<Onward>, Path(id): Path<String>) -> Result<Json<RunRecord>, Refused> {
    Ok(Json(onward.handle::<tell>(id).describe().await?))
}

/// Not ready: a balancer sends requests to other processes.
async fn is_ready(onward: Onward, is_draining: bool) -> Result<&'static str, (StatusCode, String)> {
    let troubles = onward.trouble();
    if is_draining {
        return Err((StatusCode::SERVICE_UNAVAILABLE, "draining".to_owned()));
    }
    match troubles.first() {
        None => Ok("ready"),
        Some(trouble) => Err((StatusCode::SERVICE_UNAVAILABLE, trouble.to_string())),
    }
}

/// The words of a tale as they come. The id of an event is the index of its chunk, from which a browser goes on.
async fn words(
    State(onward): State<Onward>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refused> {
    let run = onward.handle::<tell>(id);
    run.describe().await?; // an unknown run is a 404, and not a stream
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<i64>().ok());
    let chunks = run.read_stream::<String>("words").from(last.map_or(0, |last| last + 1)).chunks();
    Ok(Sse::new(events(chunks)).keep_alive(KeepAlive::default()))
}

fn events(chunks: ReadChunks) -> impl Stream<Item = Result<Event, Infallible>> {
    let end = Event::default().event("end").data("");
    let all = chunks.map(Some).chain(stream::iter([None])).map(move |chunk| match chunk {
        Some(Ok(chunk)) => Some(of_chunk(&chunk)),
        // This server shuts down. The stream is not over, so there is no end: the browser connects again.
        Some(Err(error)) if error.kind() == Code::Stopped => None,
        Some(Err(error)) => Some(Event::default().event("trouble").data(error.code())),
        None => Some(end.clone()),
    });
    all.take_while(|event| ready(event.is_some())).filter_map(|event| ready(event.map(Ok)))
}

fn of_chunk(chunk: &Chunk) -> Event {
    let event = Event::default().id(chunk.index.to_string());
    match &chunk.body {
        ChunkBody::Json(json) => event.data(json.as_str()),
        ChunkBody::Bytes(_) | ChunkBody::Close => event.event("bytes").data(""),
    }
}

/// Which runs change, from now on.
async fn changes(State(onward): State<Onward>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes: Changes = onward.changes(Filter::all()).from_now();
    let changed = changes.take_while(|change| ready(change.is_ok())).filter_map(|change| {
        let run = change.ok().and_then(|change| change.run().map(|run| format!("{} {}", run.run, run.status)));
        ready(run.map(|run| Ok(Event::default().data(run))))
    });
    Sse::new(changed).keep_alive(KeepAlive::default())
}

/// Serves until `stop`, and then drains.
pub(crate) async fn serve(listener: TcpListener, onward: Onward, stop: impl Future<Output = ()>) -> Result<()> {
    let (drain, draining) = watch::channel(false);
    let mut told = draining.clone();
    let server = axum::serve(listener, routes(onward.clone(), draining))
        .with_graceful_shutdown(async move { drop(told.wait_for(|draining| *draining).await) })
        .into_future();
    let server = tokio::spawn(server);
    stop.await;
    drain.send_replace(true); // no more connections; those that are open go on
    let drained = onward.shutdown(DRAIN).await; // the streams have ended, and with them their connections
    match tokio::time::timeout(CLOSE, server).await {
        Ok(served) => served??,
        Err(_) => eprintln!("some connections were still open after {CLOSE:?}"),
    }
    Ok(drained?)
}

/// Resolves on SIGTERM and on Ctrl-C. From this call on, neither ends the process by itself.
#[cfg(unix)]
fn told_to_stop() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn told_to_stop() -> Result<impl Future<Output = ()>> {
    Ok(async { drop(tokio::signal::ctrl_c().await) })
}

/// Run the server on this database and address until it is told to stop.
pub(crate) async fn run(url: &str, address: &str) -> Result<()> {
    let stop = told_to_stop()?;
    let onward = Onward::open(url).workflow::<tell>().launch().await?;
    let listener = TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    serve(listener, onward, stop).await
}

#[tokio::main]
#[allow(dead_code, reason = "a test has a main function of its own")]
async fn main() -> Result<()> {
    let mut given = std::env::args().skip(1);
    let Some(url) = given.next() else { return Err("give the URL of a database, and an address to listen on".into()) };
    run(&url, given.next().as_deref().unwrap_or("127.0.0.1:0")).await
}
