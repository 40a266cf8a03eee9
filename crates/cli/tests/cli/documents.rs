//! Tests of `onward documents …`.

use std::process::Stdio;

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::harness::{Said, assert_golden, command, onward, open};

async fn documents(db: &TestDatabase, arguments: &[&str]) -> Said {
    onward(&[&["documents", "--db", &db.url], arguments].concat()).await
}

#[on_every_database]
async fn documents_are_put_read_listed_and_deleted(db: TestDatabase) -> Result<()> {
    let onward = open(&db).await?;
    assert_eq!(documents(&db, &["list", "limits"]).await.out, "no documents\n");
    assert_eq!(documents(&db, &["put", "limits", "eu", r#"{"daily": 10}"#]).await.out, "limits eu has version 1\n");
    let again = documents(&db, &["put", "limits", "eu", r#"{"daily":11}"#, "--json"]).await.json();
    assert_eq!(again, json!({"kind": "limits", "id": "eu", "version": 2}));
    assert_eq!(documents(&db, &["put", "limits", "us", "not JSON"]).await.code, 0);
    assert_eq!(documents(&db, &["put", "limits", "eu/ch", "-5"]).await.code, 0);
    let eu = onward.documents("limits").get::<serde_json::Value>("eu").await?.unwrap();
    assert_eq!((eu.value, eu.version), (json!({"daily": 11}), 2));

    assert_eq!(documents(&db, &["get", "limits", "eu"]).await.out, "{\"daily\":11}\n");
    assert_eq!(documents(&db, &["get", "limits", "us"]).await.out, "\"not JSON\"\n");
    let record = documents(&db, &["get", "limits", "eu", "--json"]).await.json();
    assert_eq!((&record["version"], &record["value"]), (&json!(2), &json!({"daily": 11})));

    let ids = |said: Said| -> Vec<String> {
        said.json().as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(documents(&db, &["list", "limits", "--json"]).await), ["eu", "eu/ch", "us"]);
    assert_eq!(ids(documents(&db, &["list", "limits", "--json", "--prefix", "eu/"]).await), ["eu/ch"]);
    assert_eq!(ids(documents(&db, &["list", "limits", "--json", "--after", "eu"]).await), ["eu/ch", "us"]);
    let page = documents(&db, &["list", "limits", "--limit", "2"]).await.out;
    assert!(page.ends_with("\n\nthere may be more: add --after eu/ch\n"), "{page}");

    assert_eq!(documents(&db, &["delete", "limits", "us"]).await.out, "limits us is deleted\n");
    let deleted = documents(&db, &["delete", "limits", "eu/ch", "--json"]).await.json();
    assert_eq!(deleted, json!({"kind": "limits", "id": "eu/ch", "deleted": true}));
    assert_eq!(ids(documents(&db, &["list", "limits", "--json"]).await), ["eu"]);
    Ok(())
}

#[on_every_database]
async fn documents_are_shown_as_a_table(db: TestDatabase) -> Result<()> {
    // The command takes its times from the clock of the machine, the library from that of the test.
    let onward = open(&db).await?;
    onward.documents("limits").put("eu", &json!({"daily": 10})).await?;
    onward.documents("limits").put("us", &"x".repeat(100)).await?;
    assert_golden("documents", &documents(&db, &["list", "limits"]).await.out);
    Ok(())
}

#[on_every_database]
async fn of_two_writers_with_one_version_the_second_is_refused_and_loses_nothing(db: TestDatabase) -> Result<()> {
    let _onward = open(&db).await?;
    let put = async |value: &str, version: &str| {
        documents(&db, &["put", "limits", "eu", value, "--if-version", version]).await
    };
    assert_eq!(put("1", "0").await.code, 0);
    let exists = put("2", "0").await;
    assert!(exists.code == 1 && exists.err.contains("version"), "{exists:?}");
    assert_eq!(put("3", "1").await.out, "limits eu has version 2\n");
    assert_eq!(put("4", "1").await.code, 1);
    assert_eq!(documents(&db, &["get", "limits", "eu"]).await.out, "3\n");
    assert_eq!(documents(&db, &["delete", "limits", "eu", "--if-version", "1"]).await.code, 1);
    assert_eq!(documents(&db, &["delete", "limits", "eu", "--if-version", "2"]).await.code, 0);
    Ok(())
}

#[on_every_database]
async fn a_value_is_read_from_standard_input_and_fields_are_masked_where_they_are_shown(
    db: TestDatabase,
) -> Result<()> {
    let onward = open(&db).await?;
    let mut put = command(&["documents", "--db", &db.url, "put", "keys", "acme", "-"]).stdin(Stdio::piped()).spawn()?;
    put.stdin.take().unwrap().write_all(b"{\"name\": \"acme\", \"secret\": \"s3\"}\n").await?;
    assert!(put.wait().await?.success());
    let stored = onward.documents("keys").get::<serde_json::Value>("acme").await?.unwrap();
    assert_eq!(stored.value, json!({"name": "acme", "secret": "s3"}));
    for arguments in [&["get", "keys", "acme"][..], &["get", "keys", "acme", "--json"], &["list", "keys"]] {
        let plain = documents(&db, arguments).await;
        assert!(plain.out.contains("s3"), "{plain:?}");
        let masked = documents(&db, &[arguments, &["--mask", "secret"]].concat()).await;
        assert!(masked.code == 0 && masked.out.contains("acme") && !masked.out.contains("s3"), "{masked:?}");
    }
    Ok(())
}

#[on_every_database]
async fn what_cannot_be_done_to_a_document_has_its_exit_code(db: TestDatabase) -> Result<()> {
    let onward = open(&db).await?;
    onward.documents("limits").put("nobody else", &1).await?;
    for verb in ["get", "delete"] {
        let said = documents(&db, &[verb, "limits", "nobody"]).await;
        let expected = "onward: there is no document `nobody` of the kind `limits`\n";
        assert_eq!((said.code, said.err.as_str()), (3, expected), "{verb}");
    }
    assert_eq!(documents(&db, &["put", "", "eu", "1"]).await.code, 2);
    assert_eq!(documents(&db, &["put", "limits", "eu", "1", "--if-version", "x"]).await.code, 2);
    assert_eq!(documents(&db, &["list", "limits", "--limit", "0"]).await.code, 2);
    Ok(())
}
