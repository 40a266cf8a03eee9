-- Find the heartbeats of the steps in progress of these runs, the last one of each run last.
select a.run_key, a.name, a.beat_at
from attempts a
where a.run_key = any($1) and a.beat_at is not null and a.finished_at is null
    and not exists (select 1 from checkpoints c where c.run_key = a.run_key and c.position = a.position)
order by a.run_key, a.beat_at
