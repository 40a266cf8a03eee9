//! A process that follows every run, until it is killed: the example `follow`.

use std::path::Path;

use onward::Result;

#[path = "../../../../onward/examples/follow.rs"]
mod example;

pub(crate) async fn follow(url: &str, file: &str) -> Result<()> {
    example::follow(url, Path::new(file)).await
}
