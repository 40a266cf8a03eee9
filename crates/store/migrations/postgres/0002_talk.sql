-- How runs talk: messages to them, events and streams of theirs, and hooks by which the world outside reaches them.

-- What was sent to a run, and which of its calls took it. Whoever sends locks the run's row first, so the order of `seq` is the
-- order in which messages of one run became visible.
create table messages (
    run_key uuid not null,
    seq bigint generated always as identity,
    topic text collate "C" not null,
    body text not null,
    key text collate "C",
    sent_at bigint not null,
    consumed_by bigint,
    primary key (run_key, seq)
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);

-- The same key again is the same message.
create unique index messages_key on messages (run_key, key) where key is not null;

create index messages_waiting on messages (run_key, topic, seq) where consumed_by is null;

-- The latest value of each event, and every value it had.
create table events (
    run_key uuid not null,
    key text collate "C" not null,
    value text not null,
    updated_at bigint not null,
    primary key (run_key, key)
);

create table event_history (
    run_key uuid not null,
    position bigint not null,
    key text collate "C" not null,
    value text not null,
    set_at bigint not null,
    primary key (run_key, position)
);

-- Chunks, each under its index. The last row of a closed stream is of kind `close`. A chunk that the body of a step appended
-- says in which attempt; the workflow itself is attempt 0.
create table streams (
    run_key uuid not null,
    key text collate "C" not null,
    idx bigint not null,
    position bigint not null,
    attempt bigint not null,
    kind text collate "C" not null,
    body text,
    bytes bytea,
    appended_at bigint not null,
    primary key (run_key, key, idx)
);

-- Who has a token. A row of a run that has ended holds nothing: the next one may take it over.
create table hooks (
    token text collate "C" primary key,
    run_key uuid not null,
    position bigint not null,
    opened_at bigint not null
);

create unique index hooks_position on hooks (run_key, position);

-- A wait for a message has its topic; a wait for an event of another run has its key as the topic, and that run as the target.
alter table waits add column topic text collate "C", add column target_key uuid;

create index waits_target on waits (target_key) where target_key is not null;
