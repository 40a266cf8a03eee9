-- The options of a schedule's runs are one JSON value, so that a run of a schedule can have every option that a run can have.
alter table schedules add column options text not null default '{}';

update schedules
set options = '{"queue":' || case when queue is null then 'null' else json_quote(queue) end
    || ',"priority":' || case when priority = 0 then 'null' else priority end
    || ',"timeout_ms":' || coalesce((timeout + 999) / 1000, 'null')
    || ',"attributes":' || coalesce(attributes, 'null') || '}';

alter table schedules drop column queue;
alter table schedules drop column priority;
alter table schedules drop column timeout;
alter table schedules drop column attributes;
