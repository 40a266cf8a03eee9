-- Find the run and the call that hold a token, and the form that the call accepts. The form is valid only while the executor
-- that wrote it is alive.
select hooks.run_key, hooks.position, case when executors.executor is not null then hooks.form end as form
from hooks
left join executors on executors.executor = hooks.form_by and executors.dead = false
where hooks.token = $1
