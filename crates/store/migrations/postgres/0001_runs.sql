-- Runs, what they recorded, what they wait for, and the executors that have them.
-- Text that is compared only for being equal is collated "C": bytes, not a language.

create table runs (
    run_key uuid primary key,
    id text collate "C" not null,
    workflow text collate "C" not null,
    version text collate "C" not null,
    status text collate "C" not null,
    said text,
    executor text collate "C",
    revoked boolean not null default false,
    ready_at bigint,
    owners bigint not null default 0,
    recoveries bigint not null default 0,
    recoveries_max bigint not null,
    recovered_seq bigint,
    parent_key uuid,
    parent_position bigint,
    created_at bigint not null,
    updated_at bigint not null,
    started_at bigint,
    finished_at bigint,
    timeout bigint,
    deadline bigint,
    input_hash bigint not null,
    identity text,
    attributes text,
    input text,
    output text,
    error text
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);

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
    run_key uuid not null,
    kind text collate "C" not null,
    body text not null,
    primary key (run_key, kind)
);

create table checkpoints (
    run_key uuid not null,
    position bigint not null,
    seq bigint not null,
    kind text collate "C" not null,
    name text collate "C" not null,
    output text,
    error text,
    started_at bigint not null,
    finished_at bigint not null,
    primary key (run_key, position)
);

create table attempts (
    run_key uuid not null,
    position bigint not null,
    attempt bigint not null,
    name text not null,
    started_at bigint not null,
    finished_at bigint,
    error text,
    primary key (run_key, position, attempt)
);

create table waits (
    run_key uuid not null,
    position bigint not null,
    kind text collate "C" not null,
    name text not null,
    due_at bigint,
    child_key uuid,
    since bigint not null,
    primary key (run_key, position)
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);

create index waits_child on waits (child_key) where child_key is not null;

create table executors (
    executor text collate "C" primary key,
    beat bigint not null,
    dead boolean not null default false,
    host text not null,
    pid bigint not null,
    workflows text not null,
    started_at bigint not null
) with (fillfactor = 70);

-- The pid of the backend that writes for the executor stands beside its fence, so that a take-over can end a session
-- that was frozen with the fence locked; and so do the runs that could not leave their owner with the last batch because
-- their rows were locked, for an executor that lost the answer to its commit.
create table fences (
    executor text collate "C" not null,
    shard bigint not null,
    batch bigint not null,
    dead boolean not null default false,
    backend_pid bigint,
    busy uuid[],
    primary key (executor, shard)
) with (fillfactor = 70);
