-- Write the next version of a document, if this one ($6) is still its version.
update documents
set version = version + 1, value = $3, updated_at = $4, written_by = $5
where kind = $1 and id = $2 and version = $6
returning version
