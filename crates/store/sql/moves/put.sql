-- Record a move, or the progress of one of its tables.
insert into moves (part, id, place, done, upto, noted_at)
values ($1, $2, $3, $4, $5, $6)
on conflict (part) do update
set id = excluded.id, place = excluded.place, done = excluded.done, upto = excluded.upto, noted_at = excluded.noted_at
