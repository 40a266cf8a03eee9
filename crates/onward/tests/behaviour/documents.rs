//! Documents: values by kind and id, of which exactly one of several writers wins.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Graph {
    nodes: Vec<String>,
    secret: String,
}

fn graph(node: &str) -> Graph {
    Graph { nodes: vec![node.to_owned()], secret: "s3cret".to_owned() }
}

async fn connect(db: &TestDatabase) -> Client {
    Client::connect(&db.url).await.unwrap()
}

#[on_every_database]
async fn a_document_is_put_read_and_deleted(db: TestDatabase) {
    let client = connect(&db).await;
    let graphs = client.documents("graph");
    assert_eq!(graphs.get::<Graph>("a").await.unwrap(), None);
    assert_eq!(graphs.put("a", &graph("x")).await.unwrap(), 1);
    let first = graphs.get::<Graph>("a").await.unwrap().unwrap();
    assert_eq!(graphs.put("a", &graph("y")).await.unwrap(), 2);
    let second = graphs.get::<Graph>("a").await.unwrap().unwrap();
    assert_eq!((first.version, first.value), (1, graph("x")));
    assert_eq!((second.version, &second.value), (2, &graph("y")));
    assert!(second.created_at == first.created_at && second.updated_at >= first.updated_at);
    assert_eq!(client.documents("other").get::<Graph>("a").await.unwrap(), None, "a kind is a space of its own");
    assert_eq!(graphs.get::<u32>("a").await.unwrap_err().code(), "decode");
    assert_eq!(graphs.compare_and_delete("a", 1).await.unwrap_err().code(), "version_changed");
    assert!(graphs.compare_and_delete("a", 2).await.unwrap());
    assert!(!graphs.delete("a").await.unwrap());
}

#[on_every_database]
async fn of_several_swaps_exactly_one_wins(db: TestDatabase) {
    let client = connect(&db).await;
    client.documents("count").put("n", &0).await.unwrap();
    let mut writers = Vec::new();
    for _ in 0..4 {
        let client = connect(&db).await;
        writers.push(tokio::spawn(async move {
            let counts = client.documents("count");
            let mut won = 0;
            while won < 10 {
                let read = counts.get::<u32>("n").await.unwrap().unwrap();
                match counts.compare_and_swap("n", read.version, &(read.value + 1)).await {
                    Ok(version) => {
                        assert_eq!(version, read.version + 1);
                        won += 1;
                    }
                    Err(error) => assert_eq!(error.code(), "version_changed"),
                }
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let last = client.documents("count").get::<u32>("n").await.unwrap().unwrap();
    assert_eq!((last.value, last.version), (40, 41), "no increment was lost");
}

#[on_every_database]
async fn of_several_creators_exactly_one_wins(db: TestDatabase) {
    let mut creators = Vec::new();
    for n in 0..6 {
        let client = connect(&db).await;
        creators.push(tokio::spawn(async move { client.documents("key").compare_and_swap("k", 0, &n).await }));
    }
    let mut won = 0;
    for creator in creators {
        match creator.await.unwrap() {
            Ok(version) => {
                assert_eq!(version, 1);
                won += 1;
            }
            Err(error) => {
                assert_eq!(error.code(), "version_changed");
                assert!(error.message().contains("has version 1, and none was expected"), "{error}");
            }
        }
    }
    assert_eq!(won, 1);
    let missing = connect(&db).await.documents("key").compare_and_swap("nobody", 3, &1).await.unwrap_err();
    assert!(missing.message().contains("does not exist, and version 3 was expected"), "{missing}");
}

#[on_every_database]
async fn documents_are_listed_by_id_in_pages_and_masked(db: TestDatabase) {
    let client = connect(&db).await.mask(["secret"]);
    let graphs = client.documents("graph");
    for id in ["b/2", "a/1", "b/10", "ä", "b/1", "B"] {
        graphs.put(id, &graph(id)).await.unwrap();
    }
    let ids = async |list: onward::client::ListDocuments<'_>| {
        list.await.unwrap().into_iter().map(|document| document.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(graphs.list()).await, ["B", "a/1", "b/1", "b/10", "b/2", "ä"]);
    assert_eq!(ids(graphs.list().prefix("b/")).await, ["b/1", "b/10", "b/2"]);
    assert_eq!(ids(graphs.list().prefix("b/").after("b/1").limit(1)).await, ["b/10"]);
    assert_eq!(ids(graphs.list().after("ä")).await, [""; 0]);
    let shown = graphs.list().prefix("ä").await.unwrap().remove(0);
    assert_eq!((shown.kind.as_str(), shown.version), ("graph", 1));
    assert!(shown.value.as_str().contains("\"***\"") && !shown.value.as_str().contains("s3cret"), "{}", shown.value);
    let read = graphs.get::<Graph>("ä").await.unwrap().unwrap();
    assert_eq!(read.value.secret, "s3cret", "a typed value is not masked");
}

#[on_every_database]
async fn what_no_document_can_be_is_refused_and_changes_nothing(db: TestDatabase) {
    let client = connect(&db).await;
    let graphs = client.documents("graph");
    graphs.put("a", &1).await.unwrap();
    let long = "x".repeat(17 << 20);
    let refused = graphs.put("a", &long).await.unwrap_err();
    assert!(refused.code() == "invalid" && refused.message().contains("the document has "), "{refused}");
    for id in ["", "a\0", &"x".repeat(513)] {
        assert_eq!(graphs.put(id, &1).await.unwrap_err().code(), "invalid");
        assert_eq!(graphs.get::<u32>(id).await.unwrap_err().code(), "invalid");
    }
    assert_eq!(client.documents("").put("a", &1).await.unwrap_err().code(), "invalid");
    assert_eq!(graphs.list().prefix("\0").await.unwrap_err().code(), "invalid");
    assert_eq!(graphs.get::<u32>("a").await.unwrap().unwrap().version, 1);
}
