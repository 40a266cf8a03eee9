-- Who steered a run, how and why. A run that nobody steers has nothing here.

-- What stopped the run, while it is cancelled or paused: a `Steering` as JSON, the newest of those that stop it in `steerings`.
-- In the row, so that a list reads no other table.
alter table runs add column steered text;

-- The run that was paused with its descendants, of which this is one, or this run itself: it comes back with that one. It stays
-- while the run is cancelled, so that a family that was paused and cancelled comes back as it was.
alter table runs add column paused_with blob;

create index runs_paused_with on runs (paused_with) where paused_with is not null;

-- The history: one row for each act that changed the run, in their order.
create table steerings (
    run_key blob not null,
    seq integer not null,
    steering text not null,
    primary key (run_key, seq)
) without rowid;
