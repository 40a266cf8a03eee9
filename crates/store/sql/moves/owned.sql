-- Count the runs that an executor owns.
select count(*) as many
from runs
where executor is not null
