//! Tests of `--mask` and `ONWARD_MASK`: no verb of `onward runs` shows a masked field.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};
use serde_json::{Value, json};

use crate::harness::command;

#[onward::workflow]
async fn tells(ctx: &Ctx, input: Value) -> Result<Value> {
    ctx.step("gives", async || Ok(input.clone())).await?;
    ctx.set_event("says", &input).await?;
    ctx.stream("default").append(&input).await?;
    Ok(input)
}

#[on_every_database]
async fn no_verb_shows_what_is_masked(db: TestDatabase) -> Result<()> {
    let onward = Onward::open(&db.url).workflow::<tells>().launch().await?;
    let secret = json!({"password": "s3cret"});
    onward.start::<tells>(secret.clone()).attributes(&secret).id("r").await?.result().await?;
    for verb in [
        &["show", "r"][..],
        &["steps", "r"],
        &["list", "--with-payloads"],
        &["event", "r"],
        &["event", "r", "says"],
        &["stream", "r"],
        &["stream", "r", "--raw"],
        &["watch", "r"],
    ] {
        for form in [&[][..], &["--json"]] {
            if verb.contains(&"--raw") && !form.is_empty() {
                continue;
            }
            let arguments = [&["runs"], verb, form].concat();
            let mut shown = command(&arguments);
            let shown = shown.env("ONWARD_DB", &db.url).env("ONWARD_MASK", "password").output().await?;
            let out = String::from_utf8_lossy(&shown.stdout);
            assert!(shown.status.success() && !out.is_empty(), "{arguments:?}: {shown:?}");
            assert!(!out.contains("s3cret"), "{arguments:?} shows it: {out}");
        }
    }
    Ok(())
}
