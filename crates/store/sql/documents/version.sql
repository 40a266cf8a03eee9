-- Read the version of a document, and whether this call wrote it.
select version, written_by = $3 as is_own
from documents
where kind = $1 and id = $2
