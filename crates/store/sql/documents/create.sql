-- Create a document, unless there is one.
insert into documents (kind, id, version, value, created_at, updated_at, written_by)
values ($1, $2, 1, $3, $4, $4, $5)
on conflict (kind, id) do nothing
returning version
