//! Documents: JSON values by kind and id.

use onward_types::{Code, DocumentRecord, Error, Json, check_name};

use super::Store;
use crate::change::check_payload;
use crate::codec::Payload;
use crate::ops::documents::{self, DocumentList, NewVersion};

impl Store {
    /// Write a document whatever its version is. Returns the new version.
    ///
    /// # Errors
    /// [`Code::Invalid`](onward_types::Code::Invalid) if the kind or the id is not a valid name or the value is too large, or if the
    /// database cannot be reached.
    pub async fn put_document(&self, kind: &str, id: &str, value: &Json) -> Result<u64, Error> {
        let new = self.new_version(kind, id, value)?;
        let put = self.write("documents.put", new, |tx, new| Box::pin(documents::put(tx, new)));
        Ok(put.await?.unsigned_abs())
    }

    /// Write a document if it has this version; 0: if it does not exist. Returns the new version.
    ///
    /// # Errors
    /// As [`put_document`](Store::put_document); [`Code::VersionChanged`](onward_types::Code::VersionChanged) if it has another version.
    pub async fn swap_document(&self, kind: &str, id: &str, expected: u64, value: &Json) -> Result<u64, Error> {
        let (new, expected) = (self.new_version(kind, id, value)?, version(expected)?);
        let swap = self.write("documents.swap", new, move |tx, new| Box::pin(documents::swap(tx, new, expected)));
        Ok(swap.await?.unsigned_abs())
    }

    fn new_version(&self, kind: &str, id: &str, value: &Json) -> Result<NewVersion, Error> {
        check(kind, id)?;
        let value = self.sealer.seal(value, Payload::Document)?;
        check_payload("document", &value)?;
        let call = self.clock.uuid().simple().to_string();
        Ok(NewVersion { kind: kind.to_owned(), id: id.to_owned(), value, call, now: self.clock.now() })
    }

    /// Read a document.
    ///
    /// # Errors
    /// [`Code::Invalid`](onward_types::Code::Invalid) if the kind or the id is not a valid name,
    /// [`Code::Decode`](onward_types::Code::Decode) if the value cannot be decoded.
    pub async fn document(&self, kind: &str, id: &str) -> Result<Option<DocumentRecord>, Error> {
        check(kind, id)?;
        let given = (kind.to_owned(), id.to_owned());
        let found = self.read("documents.get", given, |tx, (kind, id)| Box::pin(documents::get(tx, kind, id)));
        let Some(mut found) = found.await? else { return Ok(None) };
        found.value = self.sealer.open(&found.value, Payload::Document)?;
        Ok(Some(found))
    }

    /// List documents of a kind, by id. A value that cannot be decoded is returned as stored.
    ///
    /// # Errors
    /// [`Code::Invalid`](onward_types::Code::Invalid) if the kind is not a valid name, or if the database cannot be reached.
    pub async fn documents(&self, kind: &str, list: DocumentList) -> Result<Vec<DocumentRecord>, Error> {
        check_name("kind of documents", kind)?;
        if list.prefix.contains('\0') || list.after.contains('\0') {
            return Err(Error::new(Code::Invalid, "no id of a document contains a NUL: leave it out"));
        }
        let given = (kind.to_owned(), list);
        let found = self.read("documents.list", given, |tx, (kind, list)| Box::pin(documents::list(tx, kind, list)));
        let mut found = found.await?;
        found.iter_mut().for_each(|document| self.sealer.show(&mut document.value, Payload::Document));
        Ok(found)
    }

    /// Delete a document: if one is given, only this version. Returns whether there was one.
    ///
    /// # Errors
    /// [`Code::Invalid`](onward_types::Code::Invalid) if the kind or the id is not a valid name,
    /// [`Code::VersionChanged`](onward_types::Code::VersionChanged) if the document has another version.
    pub async fn delete_document(&self, kind: &str, id: &str, expected: Option<u64>) -> Result<bool, Error> {
        check(kind, id)?;
        let given = (kind.to_owned(), id.to_owned(), expected.map(version).transpose()?);
        let delete = self.write("documents.delete", given, |tx, (kind, id, version)| {
            Box::pin(documents::delete(tx, kind, id, *version))
        });
        delete.await
    }
}

fn check(kind: &str, id: &str) -> Result<(), Error> {
    check_name("kind of documents", kind)?;
    check_name("id of a document", id)
}

fn version(version: u64) -> Result<i64, Error> {
    i64::try_from(version).map_err(|_| {
        Error::new(Code::Invalid, format!("{version} is not the version of a document: use one that was read"))
    })
}
