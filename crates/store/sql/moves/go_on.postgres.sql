-- Advance the sequences of queue places and messages past everything that was moved, so that new ones come after it.
select setval('queue_seq', (select coalesce(max(seq), 0) from runs) + 1000) as seq,
    setval(pg_get_serial_sequence('messages', 'seq'), (select coalesce(max(seq), 0) from messages) + 1) as message
