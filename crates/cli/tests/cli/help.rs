//! Tests of the help of every command. The golden files are its reference.

use crate::harness::{assert_golden, onward};

#[tokio::test]
async fn every_command_explains_itself() {
    let runs = "start list show steps watch wait cancel pause resume start-now wake-up set-delay restart fork attributes delete \
                export import send messages event stream";
    let queues = "list show set reset pause resume delete";
    let schedules = "list show create pause resume trigger backfill delete";
    let of = |noun: &str, verbs: &str| verbs.split(' ').map(|verb| format!("{noun} {verb}")).collect::<Vec<_>>();
    let nouns = [
        "",
        "demo",
        "runs",
        "queues",
        "schedules",
        "workflows",
        "executors",
        "executors list",
        "inbox",
        "changes",
        "hooks",
        "hooks resume",
    ];
    let more = ["documents", "move"];
    let nouns: Vec<String> = nouns.into_iter().chain(more).map(str::to_owned).collect();
    let documents = of("documents", "list get put delete");
    for command in [nouns, of("runs", runs), of("queues", queues), of("schedules", schedules), documents].concat() {
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        arguments.push("--help");
        let said = onward(&arguments).await;
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{command}");
        assert_golden(format!("help {command}").trim(), &said.out);
    }
}

#[tokio::test]
async fn no_tip_names_what_is_not_for_users() {
    for word in ["demo-executr", "demo-exec", "execut"] {
        let said = onward(&[word]).await;
        assert!(said.code == 2 && !said.err.contains("demo-executor"), "{said:?}");
    }
}

#[tokio::test]
async fn without_a_command_it_explains_itself_and_says_that_nothing_was_done() {
    let said = onward(&[]).await;
    assert_eq!(said.code, 2);
    assert!(said.err.contains("Usage: onward"), "{said:?}");
}
