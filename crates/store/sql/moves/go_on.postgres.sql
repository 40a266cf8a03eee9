-- What lines up from now on stands behind all that was moved, and so do messages that are sent.
select setval('queue_seq', (select coalesce(max(seq), 0) from runs) + 1000) as seq,
    setval(pg_get_serial_sequence('messages', 'seq'), (select coalesce(max(seq), 0) from messages) + 1) as message
