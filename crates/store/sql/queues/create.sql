-- Create a queue without limits, unless it exists.
insert into queues (name, declared, created_at, updated_at)
values ($1, '{}', $2, $2)
on conflict (name) do nothing
