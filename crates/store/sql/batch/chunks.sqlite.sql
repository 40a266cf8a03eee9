-- Append a chunk to a stream.
insert into streams (run_key, key, idx, position, attempt, kind, body, bytes, appended_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
