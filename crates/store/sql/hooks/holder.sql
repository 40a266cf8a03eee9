-- Who has a token, and what its call takes: known while the executor is up that wrote it down.
select hooks.run_key, hooks.position, case when executors.executor is not null then hooks.form end as form
from hooks
left join executors on executors.executor = hooks.form_by and executors.dead = false
where hooks.token = $1
