-- Choose and lock runs whose executor is dead or gone. Says how far each got: the last recorded completion, whether it waits,
-- and whether a step was announced that never ended. Starts from the few executors, so that only their runs are read. Runs
-- that were stopped with their descendants come last: their children are stopped once more, which may have to wait for a lock.
-- Suspects come first: which of them are of one executor matters.
with gone as materialized (
    select distinct executor
    from runs
    where executor is not null
    except
    select executor
    from executors
    where not dead
)
select r.run_key, r.id, r.executor, r.workflow, r.workflow || '@' || r.version as code, r.status, r.revoked, r.recoveries,
    r.recoveries_max, r.recovered_seq, r.parent_key,
    (r.paused_with is not null) as family,
    (select max(seq) from checkpoints where run_key = r.run_key) as seq,
    exists (select 1 from waits where run_key = r.run_key) as waiting,
    exists (
        select 1
        from attempts a
        where a.run_key = r.run_key and a.finished_at is null and not exists (
            select 1
            from checkpoints c
            where c.run_key = a.run_key and c.position = a.position
        )
    ) as announced
from runs r
where r.executor is not null and r.executor in (select executor from gone)
order by (r.revoked and (r.status = 'cancelled' or (r.status = 'paused' and r.paused_with is not null))), r.recoveries desc,
    r.run_key
limit $1
for no key update of r skip locked
