//! A process that executes graphs, until it is killed: the example `graph`.

use onward::Result;

#[path = "../../../../onward/examples/graph.rs"]
mod example;

pub(crate) async fn serve(url: &str) -> Result<()> {
    let _onward = example::launch(url).await?;
    std::future::pending().await
}
