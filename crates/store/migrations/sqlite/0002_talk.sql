-- How runs talk: messages to them, events and streams of theirs, and hooks by which the world outside reaches them.

-- What was sent to a run, and which of its calls took it. The numbers of one file only grow: one that was deleted is never
-- given to another message.
create table messages (
    seq integer primary key autoincrement,
    run_key blob not null,
    topic text not null,
    body text not null,
    key text,
    sent_at integer not null,
    consumed_by integer
);

-- The same key again is the same message.
create unique index messages_key on messages (run_key, key) where key is not null;

create index messages_waiting on messages (run_key, topic, seq) where consumed_by is null;

-- The messages of one run, to be deleted with it.
create index messages_run on messages (run_key);

-- The latest value of each event, and every value it had.
create table events (
    run_key blob not null,
    key text not null,
    value text not null,
    updated_at integer not null,
    primary key (run_key, key)
) without rowid;

create table event_history (
    run_key blob not null,
    position integer not null,
    key text not null,
    value text not null,
    set_at integer not null,
    primary key (run_key, position)
) without rowid;

-- Chunks, each under its index. The last row of a closed stream is of kind `close`. A chunk that the body of a step appended
-- says in which attempt; the workflow itself is attempt 0.
create table streams (
    run_key blob not null,
    key text not null,
    idx integer not null,
    position integer not null,
    attempt integer not null,
    kind text not null,
    body text,
    bytes blob,
    appended_at integer not null,
    primary key (run_key, key, idx)
);

-- Who has a token. A row of a run that has ended holds nothing: the next one may take it over.
create table hooks (
    token text primary key,
    run_key blob not null,
    position integer not null,
    opened_at integer not null
) without rowid;

create unique index hooks_position on hooks (run_key, position);

-- A wait for a message has its topic; a wait for an event of another run has its key as the topic, and that run as the target.
alter table waits add column topic text;

alter table waits add column target_key blob;

create index waits_target on waits (target_key) where target_key is not null;
