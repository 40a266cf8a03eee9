-- Read a document.
select id, version, value, created_at, updated_at
from documents
where kind = $1 and id = $2
