-- Begin the next generation of runs: each has a new input and nothing recorded. Only for runs that have just left with this batch;
-- one whose row was busy leaves with the next batch. Progress in earlier generations is progress, so recoveries are counted from 0.
-- With `retrying` it is the next attempt, which keeps the input and gets back the messages that the failed attempt took from
-- position `failed_from` on.
-- What stays: events with their latest values, streams with the attempts that say which chunks count, hooks, messages that were
-- not taken, and messages with a key of their sender, because the key keeps a repeat from being delivered.
-- The state is compared as an expression: through the index of states, a plan made while there were few runs would read them all.
with given as materialized (
    select run_key, at, first_position, input, long_input, retrying, failed_from
    from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $7::text[], $8::bigint[])
        as new (run_key, at, first_position, input, long_input, retrying, failed_from)
),
continued as (
    update runs
    set generation = coalesce(runs.generation, 1) + 1, first_position = given.first_position,
        input = case when given.retrying is null then given.input else runs.input end, retrying = given.retrying,
        status = case when given.retrying is null then runs.status else 'delayed' end, gather = null, recoveries = 0, recovered_seq = null
    from given
    where runs.run_key = given.run_key and runs.executor is null and runs.status || '' = 'running'
    returning runs.run_key, given.at, given.first_position, given.long_input, given.failed_from
),
checkpoints_gone as (
    delete from checkpoints
    using continued
    where checkpoints.run_key = continued.run_key
),
waits_gone as (
    delete from waits
    using continued
    where waits.run_key = continued.run_key
),
people_gone as (
    delete from person_requests
    using continued
    where person_requests.run_key = continued.run_key
),
attempts_gone as (
    delete from attempts
    using continued
    where attempts.run_key = continued.run_key
        and not exists (select 1 from streams s where s.run_key = attempts.run_key and s.position = attempts.position)
),
attempts_ended as (
    update attempts
    set finished_at = continued.at, error = $6
    from continued
    where attempts.run_key = continued.run_key and attempts.finished_at is null
        and exists (select 1 from streams s where s.run_key = attempts.run_key and s.position = attempts.position)
),
messages_gone as (
    delete from messages
    using continued
    where messages.run_key = continued.run_key and messages.consumed_by is not null and continued.failed_from is null
        and (messages.key is null or messages.key like 'onward:%')
),
messages_back as (
    update messages
    set consumed_by = null
    from continued
    where messages.run_key = continued.run_key and messages.consumed_by >= continued.failed_from
),
history_gone as (
    delete from event_history
    using continued
    where event_history.run_key = continued.run_key
),
events_kept as (
    insert into event_history (run_key, position, key, value, set_at)
    select events.run_key, continued.first_position - 1, events.key, events.value, events.updated_at
    from events
    join continued on continued.run_key = events.run_key
    on conflict (run_key, position, key) do nothing
),
input_gone as (
    delete from payloads
    using continued
    where payloads.run_key = continued.run_key and payloads.kind = 'input' and continued.long_input is null
        and continued.failed_from is null
)
insert into payloads (run_key, kind, body)
select run_key, 'input', long_input
from continued
where long_input is not null
on conflict (run_key, kind) do update set body = excluded.body
