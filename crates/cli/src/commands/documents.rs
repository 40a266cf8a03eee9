//! `onward documents …`: shows and changes documents.

use onward::Client;
use onward::records::DocumentRecord;
use serde_json::json;

use super::talk;
use crate::args::{DeleteDocument, DocumentVerb, Documents, ListDocuments, OneDocument, PutDocument};
use crate::exit::{Exit, Failure};
use crate::output;

pub(crate) async fn run(Documents { common, mask, verb }: Documents) -> Result<Exit, Failure> {
    let client = super::connect(common.db.as_deref()).await?.mask(mask);
    match verb {
        DocumentVerb::List(list) => self::list(&client, list, common.json).await?,
        DocumentVerb::Get(one) => get(&client, &one, common.json).await?,
        DocumentVerb::Put(put) => self::put(&client, put, common.json).await?,
        DocumentVerb::Delete(delete) => self::delete(&client, delete, common.json).await?,
    }
    Ok(Exit::Done)
}

async fn list(client: &Client, list: ListDocuments, json: bool) -> Result<(), Failure> {
    let ListDocuments { kind, prefix, limit, after } = list;
    let found = client.documents(kind).list().prefix(prefix).after(after).limit(limit).await?;
    if json {
        return output::json(&found);
    }
    if found.is_empty() {
        return output::say("no documents");
    }
    let mut table = output::table(&["id", "version", "changed", "value"]);
    for DocumentRecord { id, version, value, updated_at, .. } in &found {
        let version = version.to_string();
        table.add_row([output::cell(id), version, output::time(*updated_at), output::excerpt(value.as_str())]);
    }
    let shown = output::rows(&table);
    match found.last().filter(|_| found.len() == limit as usize) {
        Some(last) => output::say(format!("{shown}\n\nthere may be more: add --after {}", output::cell(&last.id))),
        None => output::say(shown),
    }
}

/// Reads the document as a list of one: a list has whole records, with fields masked. No id with this prefix comes before it.
async fn get(client: &Client, one: &OneDocument, json: bool) -> Result<(), Failure> {
    let found = client.documents(&one.kind).list().prefix(&one.id).limit(1).await?;
    match found.first().filter(|document| document.id == one.id) {
        Some(document) if json => output::json(document),
        Some(document) => output::say(&document.value),
        None => Err(missing(one)),
    }
}

async fn put(client: &Client, put: PutDocument, json: bool) -> Result<(), Failure> {
    let PutDocument { document: OneDocument { kind, id }, value, if_version } = put;
    let (documents, value) = (client.documents(&kind), talk::value(&value)?);
    let version = match if_version {
        Some(expected) => documents.compare_and_swap(&id, expected, &value).await?,
        None => documents.put(&id, &value).await?,
    };
    if json {
        output::json(&json!({"kind": kind, "id": id, "version": version}))
    } else {
        output::say(format!("{kind} {id} has version {version}"))
    }
}

async fn delete(client: &Client, delete: DeleteDocument, json: bool) -> Result<(), Failure> {
    let DeleteDocument { document, if_version } = delete;
    let documents = client.documents(&document.kind);
    let existed = match if_version {
        Some(expected) => documents.compare_and_delete(&document.id, expected).await?,
        None => documents.delete(&document.id).await?,
    };
    if !existed {
        return Err(missing(&document));
    }
    let OneDocument { kind, id } = document;
    if json {
        output::json(&json!({"kind": kind, "id": id, "deleted": true}))
    } else {
        output::say(format!("{kind} {id} is deleted"))
    }
}

fn missing(OneDocument { kind, id }: &OneDocument) -> Failure {
    Failure::new(Exit::Unknown, format!("there is no document `{id}` of the kind `{kind}`"))
}
