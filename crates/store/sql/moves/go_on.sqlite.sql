-- What lines up from now on stands behind all that was moved.
update queue_seq
set last = (select coalesce(max(seq), 0) from runs) + 1000
