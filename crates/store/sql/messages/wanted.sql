-- Read the forms that calls of the run waiting on a topic accept, and how many messages wait for them that were not refused. A
-- form is valid only while the executor that wrote it is alive. It is one statement so that both are of one moment: between
-- two, a call could consume a message.
select case when executors.executor is not null then waits.form end as form,
    (
        select count(*)
        from messages
        where messages.run_key = $1 and messages.topic = $2 and messages.consumed_by is null and messages.refused is null
    ) as waiting
from waits
left join executors on executors.executor = waits.form_by and executors.dead = false
where waits.run_key = $1 and waits.topic = $2 and waits.kind in ('message', 'person')
