-- List up to $5 documents of a kind, by id: after $2, from $3 on, and before $4.
select id, version, value, created_at, updated_at
from documents
where kind = $1 and id > $2 and id >= $3 and id < $4
order by id
limit $5
