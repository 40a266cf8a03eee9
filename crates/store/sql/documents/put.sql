-- Create a document, or write its next version.
insert into documents (kind, id, version, value, created_at, updated_at, written_by)
values ($1, $2, 1, $3, $4, $4, $5)
on conflict (kind, id) do update set
    version = documents.version + 1, value = excluded.value, updated_at = excluded.updated_at,
    written_by = excluded.written_by
returning version
