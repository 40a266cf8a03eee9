//! How durable the connections of a SQLite pool are.

use onward_contest::Result;
use sqlx::SqlitePool;

/// What all connections of this pool say, where they agree.
pub async fn durability(pool: &SqlitePool, connections: u32) -> Result<String> {
    let mut held = Vec::new();
    for _ in 0..connections {
        held.push(pool.acquire().await?);
    }
    let mut said = Vec::new();
    for connection in &mut held {
        let (mode,): (String,) = sqlx::query_as("pragma journal_mode").fetch_one(&mut **connection).await?;
        let (level,): (i64,) = sqlx::query_as("pragma synchronous").fetch_one(&mut **connection).await?;
        said.push(format!("journal_mode={mode} synchronous={level}"));
    }
    said.dedup();
    Ok(said.join(", but "))
}

/// Set every connection of this pool to `synchronous=full`. It has so many at most, and keeps them open.
pub async fn make_full(pool: &SqlitePool, connections: u32) -> Result<()> {
    let mut held = Vec::new();
    for _ in 0..connections {
        held.push(pool.acquire().await?);
    }
    for connection in &mut held {
        sqlx::query("pragma synchronous = full").execute(&mut **connection).await?;
    }
    Ok(())
}
