-- Store a message in the place of one that was taken back.
insert into messages (run_key, topic, body, key, sent_at, place)
values ($1, $2, $3, $4, $5, $6)
returning seq
