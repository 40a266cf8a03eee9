-- The options of a schedule's runs are one JSON value, so that a run of a schedule can have every option that a run can have.
alter table schedules add column options text not null default '{}';

update schedules
set options = '{"queue":' || coalesce(to_json(queue)::text, 'null')
    || ',"priority":' || case when priority = 0 then 'null' else priority::text end
    || ',"timeout_ms":' || coalesce(((timeout + 999) / 1000)::text, 'null')
    || ',"attributes":' || coalesce(attributes, 'null') || '}';

alter table schedules
    drop column queue,
    drop column priority,
    drop column timeout,
    drop column attributes;
