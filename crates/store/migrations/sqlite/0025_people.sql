-- What a person has to do for a call: kept with the run, so that the time that people took can be added up later. The open ones
-- are the waits of kind `person`.
create table person_requests (
    run_key blob not null,
    position integer not null,
    title text not null,
    schema text,
    primary key (run_key, position)
) without rowid;

-- The inbox: what people have to do, by when it began.
create index waits_people on waits (since, run_key, position) where kind = 'person';

-- Runs by what they wait for. Waits for a child have an index of their own.
create index waits_kind on waits (kind, topic, run_key) where child_key is null;

-- What a person has to do at a hook, as JSON; and whether its run has ended without closing it, so that it is not listed as open.
alter table hooks add column person text;
alter table hooks add column ended integer not null default 0;

update hooks
set ended = true
where run_key in (select run_key from runs where finished_at is not null);

create index hooks_open on hooks (opened_at, token) where ended = false;
create index hooks_people on hooks (opened_at, token) where ended = false and person is not null;
