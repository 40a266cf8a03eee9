-- Runs, what they recorded, what they wait for, and the executors that have them.
-- Rows are keyed by 16 bytes that sort by creation, so tables need no rowid beside them.

create table runs (
    run_key blob primary key,
    id text not null,
    workflow text not null,
    version text not null,
    status text not null,
    said text,
    executor text,
    revoked integer not null default 0,
    ready_at integer,
    owners integer not null default 0,
    recoveries integer not null default 0,
    recoveries_max integer not null,
    recovered_seq integer,
    parent_key blob,
    parent_position integer,
    created_at integer not null,
    updated_at integer not null,
    started_at integer,
    finished_at integer,
    timeout integer,
    deadline integer,
    input_hash integer not null,
    identity text,
    attributes text,
    input text,
    output text,
    error text
) without rowid;

create unique index runs_id on runs (id);

-- What may be claimed now or later. Finished and owned runs are not in it.
create index runs_ready on runs (ready_at) where executor is null and ready_at is not null;

-- What an executor has, and which of it was taken from it.
create index runs_owned on runs (executor, revoked) where executor is not null;

create index runs_parent on runs (parent_key) where parent_key is not null;

-- Deadlines that can still strike.
create index runs_deadline on runs (deadline) where deadline is not null and finished_at is null;

-- Inputs, outputs and errors over 1 KiB lie beside the run, so that moving a run does not rewrite them.
create table payloads (
    run_key blob not null,
    kind text not null,
    body text not null,
    primary key (run_key, kind)
) without rowid;

create table checkpoints (
    run_key blob not null,
    position integer not null,
    seq integer not null,
    kind text not null,
    name text not null,
    output text,
    error text,
    started_at integer not null,
    finished_at integer not null,
    primary key (run_key, position)
) without rowid;

create table attempts (
    run_key blob not null,
    position integer not null,
    attempt integer not null,
    name text not null,
    started_at integer not null,
    finished_at integer,
    error text,
    primary key (run_key, position, attempt)
) without rowid;

create table waits (
    run_key blob not null,
    position integer not null,
    kind text not null,
    name text not null,
    due_at integer,
    child_key blob,
    since integer not null,
    primary key (run_key, position)
) without rowid;

create index waits_child on waits (child_key) where child_key is not null;

create table executors (
    executor text primary key,
    beat integer not null,
    dead integer not null default 0,
    host text not null,
    pid integer not null,
    workflows text not null,
    started_at integer not null
) without rowid;

create table fences (
    executor text not null,
    shard integer not null,
    batch integer not null,
    dead integer not null default 0,
    primary key (executor, shard)
) without rowid;
