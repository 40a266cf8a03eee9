//! A small graph engine on the public API alone: nodes by name, from JSON. A node that fails pauses the graph until it is resumed.
//!
//! `cargo run -p onward --example graph -- sqlite:graph.db`

use std::collections::BTreeMap;

use futures_util::future::select_all;
use onward::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A node runs a workflow by its name. Of several workflows the first result counts, and the others are cancelled.
#[derive(Serialize, Deserialize)]
pub(crate) struct Node {
    run: Vec<String>,
    #[serde(default)]
    after: Vec<String>,
    #[serde(default)]
    with: Value,
}

/// Execute each node as soon as all nodes before it have results; return the results by node.
async fn execute(ctx: Ctx, nodes: BTreeMap<String, Node>) -> Result<BTreeMap<String, Value>> {
    let mut results: BTreeMap<String, Value> = BTreeMap::new();
    while results.len() < nodes.len() {
        let is_ready = |name: &str, node: &Node| {
            !results.contains_key(name) && node.after.iter().all(|before| results.contains_key(before))
        };
        let ready: Vec<_> = nodes.iter().filter(|(name, node)| is_ready(name, node)).collect();
        if ready.is_empty() {
            return Err("a node waits for itself, or for one that does not exist".into());
        }
        let round = ready.into_iter().map(|(name, node)| {
            let before: Vec<_> = node.after.iter().map(|before| results[before].clone()).collect();
            let input = json!({"with": node.with, "after": before});
            ctx.branch(name, move |ctx| async move { Ok((name.clone(), insist(&ctx, name, node, &input).await?)) })
        });
        results.extend(ctx.all(round).await?);
    }
    Ok(results)
}

/// A failed node pauses the run with the reason. Once somebody has resumed it, the node is executed again.
async fn insist(ctx: &Ctx, name: &str, node: &Node, input: &Value) -> Result<Value> {
    loop {
        match first(ctx, node, input).await {
            Ok(result) => return Ok(result),
            Err(error) => ctx.pause(format!("node `{name}` failed: {error}")).await?,
        }
    }
}

async fn first(ctx: &Ctx, node: &Node, input: &Value) -> Result<Value> {
    let mut runs = Vec::new();
    for workflow in &node.run {
        runs.push(ctx.start_named(workflow, input).await?);
    }
    let (result, winner, _) = select_all(runs.iter().map(|run| run.result(ctx))).await;
    for (_, other) in runs.iter().enumerate().filter(|(at, _)| *at != winner) {
        ctx.cancel(other.id()).reason("another was faster").await?;
    }
    Ok(result?)
}

/// An executor of graphs and of three kinds of nodes.
pub(crate) async fn launch(url: &str) -> Result<Onward> {
    let join = async |ctx: Ctx, input: Value| Ok(ctx.step("join", async || Ok(input["after"].to_string())).await?);
    let sleep = async |ctx: Ctx, _: Value| Ok(ctx.sleep(days(1)).await?);
    let read = async |ctx: Ctx, input: Value| {
        let file = input["with"].as_str().unwrap_or_default();
        Ok(ctx.step("read", async || Ok(tokio::fs::read_to_string(file).await?)).await?)
    };
    let nodes = Onward::open(url).workflow_fn("join", "1", join).workflow_fn("sleep", "1", sleep);
    Ok(nodes.workflow_fn("read", "1", read).workflow_fn("graph", "1", execute).launch().await?)
}

#[tokio::main]
#[allow(dead_code, reason = "a test has a main function of its own")]
async fn main() -> Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "sqlite::memory:".to_owned());
    let onward = launch(&url).await?;
    let graph = json!({
        "name": {"run": ["read"], "with": "/etc/hostname"},
        "quick": {"run": ["sleep", "join"]},
        "all": {"run": ["join"], "after": ["name", "quick"]},
    });
    let run = onward.start_named("graph", graph).await?;
    let settled = run.settled().await?;
    println!("{}: {}", settled.status, settled.output.map_or(settled.reason, |results| results.to_string()));
    Ok(())
}
