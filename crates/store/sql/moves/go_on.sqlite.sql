-- Advance the sequence of queue places past everything that was moved, so that new runs come after it.
update queue_seq
set last = (select coalesce(max(seq), 0) from runs) + 1000
