-- Runs that went on as if the child that they made had to be new, and its id is taken: what else they made is left out of this
-- batch, as that of runs which were taken from their owner. Each is looked up by its key: `not exists` would read the whole table,
-- where the statement was planned while that was small.
select set_config('onward.refused', (current_setting('onward.refused')::uuid[] || conflicting.run_keys)::text, true) as setting
from (
    select array_agg(new.by) as run_keys
    from unnest($1::uuid[], $2::uuid[]) as new (by, run_key)
    where (select 1 from runs where runs.run_key = new.run_key limit 1) is null
) as conflicting
where conflicting.run_keys is not null
