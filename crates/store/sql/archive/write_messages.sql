-- Import a message of a run.
insert into messages (run_key, topic, body, key, sent_at, consumed_by, refused, refused_at)
values ($1, $2, $3, $4, $5, $6, $7, $8)
