-- Refuse the changes of runs that assumed that their new child's id was free when it was taken. This batch leaves them out,
-- like those of revoked runs. Each run is looked up by key: a `not exists` that was planned while the table was small would
-- scan the whole table.
select set_config('onward.refused', (current_setting('onward.refused')::uuid[] || conflicting.run_keys)::text, true) as setting
from (
    select array_agg(new.by) as run_keys
    from unnest($1::uuid[], $2::uuid[]) as new (by, run_key)
    where (select 1 from runs where runs.run_key = new.run_key limit 1) is null
) as conflicting
where conflicting.run_keys is not null
