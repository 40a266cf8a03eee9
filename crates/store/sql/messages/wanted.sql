-- What the calls of a run take that wait for messages on a topic, and how many that were not refused are there for them. A form is
-- known while the executor is up that wrote it down. All of it as of one moment: between two, a call may take what was there.
select case when executors.executor is not null then waits.form end as form,
    (
        select count(*)
        from messages
        where messages.run_key = $1 and messages.topic = $2 and messages.consumed_by is null and messages.refused is null
    ) as waiting
from waits
left join executors on executors.executor = waits.form_by and executors.dead = false
where waits.run_key = $1 and waits.topic = $2 and waits.kind = 'message'
