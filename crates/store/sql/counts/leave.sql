-- Take runs that were counted out of the counts, because they are about to be deleted or to leave their state. Only states in
-- $2; with $3 only runs without an owner. The lock keeps them from being counted until that is committed.
insert into run_counts (workflow, status, runs)
select workflow, status, -count(*)
from runs
where run_key = any($1) and status = any($2) and (not $3 or executor is null)
    and finished_at + 0 < (select until from run_counts_until for share)
group by workflow, status
