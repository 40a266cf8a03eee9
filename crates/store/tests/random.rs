//! Random lives of runs: SQLite and PostgreSQL tell the same story, word for word.
//!
//! `ONWARD_SEED=7` tells the seventh story again.
#![allow(clippy::disallowed_methods, reason = "a test may watch the clock of the machine for what hangs")]

#[allow(dead_code, reason = "this suite and the one beside it use a part each")]
#[path = "behaviour/world.rs"]
mod world;

mod random {
    mod player;
    mod words;

    pub(crate) use player::Player;
}

use onward_testkit::TestDatabase;
use random::Player;
use world::Dice;

const STORIES: u64 = 8;
const EVENTS: usize = 200;

/// What the stories must tell of, or they prove less than they seem to.
const TOLD: [&str; 15] = [
    " delayed: ",
    " enqueued: ",
    " running: ",
    " paused: ",
    " succeeded: ",
    " failed: ",
    " cancelled: ",
    "given up 1",
    "there is ",
    "committed false",
    "it lets go: true",
    "waits for child",
    "and on",
    "waits in mail",
    "from the queue: claimed [run",
];

mod both_databases_tell_the_same_story {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        if let Ok(seed) = std::env::var("ONWARD_SEED") {
            tell(seed.parse().expect("a seed is a number")).await;
            return;
        }
        let mut told = String::new();
        for seed in 1..=STORIES {
            told += &tell(seed).await;
        }
        let missing: Vec<_> = TOLD.into_iter().filter(|it| !told.contains(it)).collect();
        assert!(missing.is_empty(), "no story tells of {missing:?}");
    }
}

async fn tell(seed: u64) -> String {
    println!("seed {seed}");
    let databases = (TestDatabase::sqlite(), TestDatabase::postgres());
    let (mut sqlite, mut postgres) = (Player::join(&databases.0).await, Player::join(&databases.1).await);
    // Each rolls the same dice for itself.
    let mut dice = (Dice::seeded(seed), Dice::seeded(seed));
    let mut told = Vec::new();
    for event in 0..EVENTS {
        let here = sqlite.plays(&mut dice.0).await;
        let there = postgres.plays(&mut dice.1).await;
        if here != there {
            let before = told[told.len().saturating_sub(20)..].join("\n");
            panic!("seed {seed}, event {event}, after\n{before}\n\nSQLite says\n{here}\n\nPostgreSQL says\n{there}");
        }
        told.push(here);
    }
    told.join("\n")
}
