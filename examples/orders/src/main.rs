//! The server: `cargo run -p orders -- sqlite:orders.db 127.0.0.1:3000`.
//!
//! On SIGTERM it takes no more connections, lets running steps finish, ends the open streams, and exits with 0. Killed in any other
//! way, it goes on where it was when it is started again.

use std::future::IntoFuture;
use std::path::Path;
use std::sync::Arc;

use onward::prelude::*;
use orders::world::World;
use orders::{shop, web};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter()).init();
    let mut given = std::env::args().skip(1);
    let url = given.next().unwrap_or_else(|| "sqlite:orders.db".to_owned());
    let address = given.next().unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let world = given.next().unwrap_or_else(|| "world.log".to_owned());
    let mut terminate = signal(SignalKind::terminate())?;

    let onward = shop::executor(&url, World::open(Path::new(&world))?).launch().await?;
    shop::declare(&onward).await?;
    let listener = TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);

    let close = Arc::new(Notify::new());
    let server = axum::serve(listener, web::routes(onward.clone()));
    let server = server.with_graceful_shutdown(close.clone().notified_owned());
    let drain = async {
        terminate.recv().await;
        close.notify_one();
        onward.shutdown(secs(20)).await // it ends the open streams, so that their connections close
    };
    let (served, drained) = tokio::join!(server.into_future(), drain);
    served?;
    Ok(drained?)
}

/// `RUST_LOG`, or else the story that Onward tells.
fn filter() -> tracing_subscriber::EnvFilter {
    tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "onward=info".into())
}
