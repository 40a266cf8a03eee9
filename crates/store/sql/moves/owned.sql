-- How many runs an executor has.
select count(*) as many
from runs
where executor is not null
