-- Import a stream chunk of a run.
-- Differs from SQLite in how hexadecimal digits are decoded.
insert into streams (run_key, key, idx, position, attempt, kind, body, bytes, appended_at)
values ($1, $2, $3, $4, $5, $6, $7, decode($8, 'hex'), $9)
