//! Documents: JSON values by kind and id, beside the runs.

use std::pin::Pin;
use std::task::{Context, Poll};

use onward_store::DocumentList;
use onward_types::{Document, DocumentRecord, Error};
use serde::Serialize;

use super::Client;
use super::lazy::Lazy;
use super::mask::Mask;
use super::shown::Shown;
use crate::data::Data;

/// How many documents a list has by default, and at most.
const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 10_000;

/// The documents of one kind. Made by [`Client::documents`]. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Documents {
    client: Client,
    kind: String,
}

impl Client {
    /// The documents of a kind: JSON values by id, each with a version, for what a program keeps beside its runs: definitions, keys,
    /// views. A kind needs no preparation. Kinds that begin with `onward.` are those of Onward's own programs.
    ///
    /// ```
    /// # use onward_engine::{Onward, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let onward = Onward::open("sqlite::memory:").launch().await?;
    /// let limits = onward.documents("limits");
    /// limits.put("eu", 10).await?;
    /// let eu = limits.get::<u32>("eu").await?.expect("it was put");
    /// assert_eq!((eu.value, eu.version), (10, 1));
    ///
    /// limits.compare_and_swap("eu", eu.version, 11).await?;
    /// let late = limits.compare_and_swap("eu", eu.version, 12).await.unwrap_err();
    /// assert_eq!(late.code(), "version_changed");
    /// # Ok(()) }
    /// ```
    ///
    /// Values are encoded by the [`Codec`](crate::Codec) as payloads are, and have the same maximum size; ids and kinds are not
    /// encoded. Documents are moved with the database. They do not belong to a run, so no retention deletes them.
    #[must_use]
    pub fn documents(&self, kind: impl Into<String>) -> Documents {
        Documents { client: self.clone(), kind: kind.into() }
    }
}

impl Documents {
    /// Write a document, whether it exists or not. Returns its version.
    ///
    /// # Errors
    /// `invalid` if the kind or the id is not 1 to 512 bytes without control characters, or if the value is too large; `encode` if it
    /// cannot be encoded.
    pub async fn put(&self, id: impl AsRef<str>, value: impl Serialize) -> Result<u64, Error> {
        let value = crate::data::encode("document", &value)?;
        self.client.store.put_document(&self.kind, id.as_ref(), &value).await
    }

    /// Read a document; `None` if it does not exist.
    ///
    /// # Errors
    /// `invalid` if the kind or the id is not valid; `decode` if the value is not a `T`.
    pub async fn get<T: Data>(&self, id: impl AsRef<str>) -> Result<Option<Document<T>>, Error> {
        let Some(found) = self.client.store.document(&self.kind, id.as_ref()).await? else { return Ok(None) };
        let DocumentRecord { id, version, value, created_at, updated_at, .. } = found;
        Ok(Some(Document { id, version, value: value.decode()?, created_at, updated_at }))
    }

    /// Write a document only if its version is the expected one; 0 means that it must not exist. Returns its new version. Of several
    /// calls with the same expected version, exactly one succeeds.
    ///
    /// A document that was deleted and put again begins at version 1, so a version alone does not tell it from the one before: put
    /// something into the value that does, if documents are deleted.
    ///
    /// # Errors
    /// `version_changed` if the document has another version; otherwise as [`put`](Documents::put).
    pub async fn compare_and_swap(
        &self,
        id: impl AsRef<str>,
        expected: u64,
        value: impl Serialize,
    ) -> Result<u64, Error> {
        let value = crate::data::encode("document", &value)?;
        self.client.store.swap_document(&self.kind, id.as_ref(), expected, &value).await
    }

    /// Delete a document. Returns whether there was one.
    ///
    /// # Errors
    /// `invalid` if the kind or the id is not valid.
    pub async fn delete(&self, id: impl AsRef<str>) -> Result<bool, Error> {
        self.client.store.delete_document(&self.kind, id.as_ref(), None).await
    }

    /// Delete a document only if its version is the expected one. Returns whether there was one.
    ///
    /// ```
    /// # use onward_engine::{Client, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let client = Client::connect("sqlite::memory:").await?;
    /// let limits = client.documents("limits");
    /// let seen = limits.put("eu", 10).await?;
    /// limits.put("eu", 11).await?; // somebody changes it
    /// assert_eq!(limits.compare_and_delete("eu", seen).await.unwrap_err().code(), "version_changed");
    /// assert!(limits.compare_and_delete("eu", seen + 1).await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `version_changed` if the document has another version; `invalid` if the kind or the id is not valid.
    pub async fn compare_and_delete(&self, id: impl AsRef<str>, expected: u64) -> Result<bool, Error> {
        self.client.store.delete_document(&self.kind, id.as_ref(), Some(expected)).await
    }

    /// One page of the documents, by id in the order of bytes. The fields of [`Client::mask`] are hidden in their values.
    ///
    /// ```
    /// # use onward_engine::{Onward, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let onward = Onward::open("sqlite::memory:").launch().await?;
    /// let keys = onward.documents("keys");
    /// for id in ["acme/1", "acme/2", "zeta/1"] {
    ///     keys.put(id, id).await?;
    /// }
    /// let page = keys.list().prefix("acme/").limit(1).await?;
    /// let rest = keys.list().prefix("acme/").after(&page[0].id).await?;
    /// assert_eq!((rest.len(), rest[0].value.decode::<String>()?), (1, "acme/2".to_owned()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `invalid` if the kind, the prefix or the id to begin after is not valid.
    pub fn list(&self) -> ListDocuments<'_> {
        let list = DocumentList { prefix: String::new(), after: String::new(), limit: LIMIT };
        ListDocuments { documents: self, call: Lazy::new(list) }
    }
}

/// Lists documents. Made by [`Documents::list`].
#[must_use = "documents are listed when this is awaited"]
pub struct ListDocuments<'a> {
    documents: &'a Documents,
    call: Lazy<'a, DocumentList, Result<Vec<DocumentRecord>, Error>>,
}

impl ListDocuments<'_> {
    /// Only documents whose id begins with this.
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        self.set(|list| list.prefix = prefix.into())
    }

    /// Begin after this id: the last one of the previous page.
    pub fn after(self, id: impl Into<String>) -> Self {
        self.set(|list| list.after = id.into())
    }

    /// At most this many. The default is 100, the maximum 10,000.
    pub fn limit(self, limit: u32) -> Self {
        self.set(|list| list.limit = limit.min(LIMIT_MAX))
    }

    fn set(mut self, set: impl FnOnce(&mut DocumentList)) -> Self {
        self.call.change(set);
        self
    }
}

impl Future for ListDocuments<'_> {
    type Output = Result<Vec<DocumentRecord>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Documents { client, kind } = self.documents;
        self.call.poll(cx, |list| Box::pin(async move { Ok(client.shown(client.store.documents(kind, list).await?)) }))
    }
}

impl Shown for DocumentRecord {
    fn hide(&mut self, mask: &Mask) {
        mask.hide(&mut self.value);
    }
}
