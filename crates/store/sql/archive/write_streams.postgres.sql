-- Give a run chunks of streams that a file has.
-- Differs from SQLite: how bytes are read that are written as digits.
insert into streams (run_key, key, idx, position, attempt, kind, body, bytes, appended_at)
values ($1, $2, $3, $4, $5, $6, $7, decode($8, 'hex'), $9)
