-- When the next waiting run of these workflows will be ready.
select min(ready_at) as ready_at
from runs
where executor is null and ready_at is not null and ready_at > $1 and (workflow || '@' || version) = any($2)
