-- For each of these pairs of a queue and a dedup, at its place in the lists, the open run that has it. Where that has ended since
-- it kept another from being created, the last one that had it.
-- Each is looked up by its queue and its dedup: `limit` keeps a plan that was made while the table was empty from reading all open
-- runs that have one, and `queue` in the order one that goes through all runs by their keys.
select given.place, run.run_key, run.id, run.workflow, run.input_hash, run.parent_key, run.parent_position
from unnest($1::text[], $2::text[]) with ordinality as given (queue, dedup, place)
left join lateral (
    select runs.run_key
    from runs
    where runs.queue = given.queue and runs.dedup = given.dedup
        and runs.status in ('delayed', 'enqueued', 'running', 'paused')
    limit 1
) as holder on true
left join lateral (
    select runs.run_key
    from runs
    where holder.run_key is null and runs.queue = given.queue and runs.dedup = given.dedup
    order by runs.queue desc, runs.run_key desc
    limit 1
) as last on true
join runs as run on run.run_key = coalesce(holder.run_key, last.run_key)
