-- Delete a document, if this is still its version.
delete from documents
where kind = $1 and id = $2 and version = $3
