//! Performs a job of `bench/contest` on another durable engine: `onward-peers <engine> <job> <database> [count]`.
//! See README.md.

mod dbos;
mod durare;
mod duroxide;
mod restate;
mod sqlite;

use std::process::ExitCode;

use onward_contest::{Engine, Orders, Ready, Result, Runs, perform};

#[tokio::main]
async fn main() -> ExitCode {
    let orders = match Orders::read(std::env::args().skip(1)) {
        Ok(orders) => orders,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let count = orders.count;
    match orders.engine.as_str() {
        "dbos" => perform(on(dbos::open(orders.url.clone()), orders), count).await,
        "durare" => perform(on(durare::open(orders.url.clone()), orders), count).await,
        "duroxide" => perform(on(duroxide::open(orders.url.clone()), orders), count).await,
        "restate" => perform(on(restate::open(orders.url.clone()), orders), count).await,
        other => {
            eprintln!("error: no peer is called `{other}`; there are dbos, durare, duroxide and restate");
            ExitCode::FAILURE
        }
    }
}

/// The jobs on this engine, warmed up.
async fn on<E: Engine>(open: impl Future<Output = Result<(E, Ready)>>, orders: Orders) -> Result<(Runs<E>, Ready)> {
    let (engine, ready) = open.await?;
    Ok((Runs::new(engine, &orders).await?, ready))
}
