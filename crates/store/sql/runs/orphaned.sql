-- Runs whose executor is dead or gone, and how they fared: the highest completion they recorded, whether they wait, and
-- whether a step was announced that never ended.
select r.run_key, r.id, r.status, r.revoked, r.recoveries, r.recoveries_max, r.recovered_seq, r.parent_key,
    (select max(seq) from checkpoints where run_key = r.run_key) as seq,
    exists (select 1 from waits where run_key = r.run_key) as waiting,
    exists (select 1 from attempts where run_key = r.run_key and finished_at is null) as announced
from runs r
where r.executor is not null
    and not exists (select 1 from executors e where e.executor = r.executor and not e.dead)
order by r.run_key
limit $1
for no key update skip locked
