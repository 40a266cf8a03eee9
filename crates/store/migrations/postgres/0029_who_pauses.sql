-- Who paused or resumed a queue or a schedule last, why and when: a `Steering` as JSON. Null if nobody has since it was created.
alter table queues add column steered text;
alter table schedules add column steered text;
