//! Tests of `onward schedules …`.

use onward::prelude::*;
use onward::{Clock, Tick};
use onward_testkit::{TestDatabase, on_every_database};

use crate::harness::{Said, onward};

#[onward::workflow]
async fn report(ctx: &Ctx, tick: Tick) -> Result<String> {
    Ok(ctx.step("say", async || Ok(tick.due.to_string())).await?)
}

async fn schedules(db: &TestDatabase, arguments: &[&str]) -> Said {
    onward(&[&["schedules", "--db", &db.url], arguments].concat()).await
}

/// Opens the database with a clock that stands still at noon.
async fn house(db: &TestDatabase) -> Onward {
    let clock = Clock::virtual_at("2026-01-02T12:00:00Z".parse().unwrap());
    Onward::open(&db.url).clock(clock).workflow::<report>().launch().await.unwrap()
}

#[on_every_database]
async fn a_schedule_is_created_steered_and_deleted(db: TestDatabase) -> Result<()> {
    let onward = house(&db).await;
    assert_eq!(schedules(&db, &["list"]).await.out, "no schedules\n");
    let cron = ["create", "report", "0 0 8 * * Mon-Fri", "--id", "morning", "--zone", "Europe/Zurich"];
    let said = schedules(&db, &[&cron[..], &["--catch-up", "skip", "--json"]].concat()).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!((&said.json()["catch_up"], &said.json()["version"]), (&"skip".into(), &serde_json::Value::Null));
    assert_eq!(said.json()["upcoming"].as_array().unwrap().len(), 5);
    assert!(schedules(&db, &["list"]).await.out.contains("0 0 8 * * Mon-Fri"));

    let pause = ["pause", "morning", "--by", "ann", "--reason", "public holiday"];
    assert_eq!(schedules(&db, &pause).await.out, "morning is paused\n");
    assert_eq!(schedules(&db, &["pause", "morning"]).await.out, "morning was paused already\n");
    let said = "paused by ann: \"public holiday\"";
    let shown = schedules(&db, &["show", "morning"]).await.out;
    assert!(shown.contains(&format!("next        {said}\n")), "{shown}");
    assert!(shown.contains(&format!("steered     {said}, at 20")), "{shown}");
    assert!(schedules(&db, &["list"]).await.out.contains(said));
    let json = schedules(&db, &["show", "morning", "--json"]).await.json();
    assert_eq!(json["steered"]["reason"], "public holiday");
    assert_eq!(schedules(&db, &["resume", "morning"]).await.out, "morning is resumed\n");
    assert_eq!(schedules(&db, &["resume", "morning"]).await.out, "morning was not paused\n");
    assert_eq!(schedules(&db, &["resume", "morning", "--json"]).await.json()["paused"], false);

    let week = ["backfill", "morning", "--from", "2025-12-01T00:00:00Z", "--until", "2025-12-08T00:00:00Z"];
    assert_eq!(schedules(&db, &week).await.out, "5 runs are started\n");
    assert_eq!(schedules(&db, &[&week[..], &["--json"]].concat()).await.json()["started"], 0);
    let said = schedules(&db, &["trigger", "morning", "--json"]).await;
    let id = said.json()["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("morning@trigger-"), "{id}");
    let tick: Tick = onward.handle_named("morning@2025-12-01T07:00:00Z").describe().await?.input.unwrap().decode()?;
    assert_eq!((tick.schedule.as_str(), tick.zone.as_str()), ("morning", "Europe/Zurich"));

    assert_eq!(schedules(&db, &["delete", "morning"]).await.out, "morning is deleted\n");
    onward.handle_named(id).describe().await?;
    Ok(())
}

#[on_every_database]
async fn a_schedule_says_how_its_runs_wait_and_what_is_attached_to_them(db: TestDatabase) {
    let _onward = house(&db).await;
    let new = ["create", "report", "@daily", "--queue", "nightly", "--priority", "3", "--timeout", "90"];
    let said = schedules(&db, &[&new[..], &["--attribute", "team=blue", "--attribute", "floor=2"]].concat()).await;
    assert_eq!(said.code, 0, "{said:?}");
    let lines: Vec<String> =
        said.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in ["queue nightly", "priority 3", "timeout 1 min 30 s", r#"attributes {"floor":2,"team":"blue"}"#] {
        assert!(lines.iter().any(|it| it == line), "{line}: {said:?}");
    }
    let json = schedules(&db, &["show", "report", "--json"]).await.json();
    let json = &json["options"];
    assert_eq!(
        (&json["queue"], &json["priority"], &json["timeout_ms"]),
        (&"nightly".into(), &3.into(), &90_000.into())
    );
    let run = schedules(&db, &["trigger", "report", "--json"]).await.json();
    assert_eq!((&run["status"], &run["queue"]), (&"enqueued".into(), &"nightly".into()));
}

#[on_every_database]
async fn what_cannot_be_done_has_its_exit_code(db: TestDatabase) {
    let _onward = house(&db).await;
    for verb in ["show", "pause", "resume", "trigger", "delete"] {
        let said = schedules(&db, &[verb, "nobody"]).await;
        assert_eq!((said.code, said.err.as_str()), (3, "onward: no schedule has the id `nobody`\n"), "{verb}");
    }
    let said = schedules(&db, &["create", "report", "0 25 * * *"]).await;
    assert_eq!(said.code, 2);
    assert!(said.err.contains("it goes from 0 to 23"), "{said:?}");
    let said = schedules(&db, &["create", "report", "@daily", "--priority", "3"]).await;
    assert!(said.code == 2 && said.err.contains("--queue"), "{said:?}");
    let said = schedules(&db, &["create", "report", "@daily", "--overlap", "maybe"]).await;
    assert!(said.code == 2 && said.err.contains("not one of allow, skip, cancel"), "{said:?}");
}

#[on_every_database]
async fn a_schedule_does_with_ticks_what_was_asked_for(db: TestDatabase) {
    let _onward = house(&db).await;
    let plain = schedules(&db, &["create", "report", "@daily", "--json"]).await.json();
    assert_eq!((&plain["catch_up"], &plain["overlap"]), (&"latest".into(), &"allow".into()));
    let new = ["create", "report", "@daily", "--id", "strict", "--catch-up", "all", "--overlap", "cancel", "--json"];
    let strict = schedules(&db, &new).await.json();
    assert_eq!((&strict["catch_up"], &strict["overlap"]), (&"all".into(), &"cancel".into()));
    schedules(&db, &["pause", "strict"]).await;
    let listed = schedules(&db, &["list"]).await.out;
    let is_paused = |id: &str| listed.lines().any(|line| line.starts_with(id) && line.contains(" paused "));
    assert!(is_paused("strict") && !is_paused("report"), "{listed}");
}
