-- Delete a document.
delete from documents
where kind = $1 and id = $2
