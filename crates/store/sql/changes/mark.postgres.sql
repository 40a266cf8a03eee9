-- Note what can be seen now, unless somebody did a moment ago ($2).
insert into change_marks (at, upto, seq)
select $1, pg_current_snapshot()::text, (select coalesce(max(seq), 0) from changes)
where not exists (select 1 from change_marks where at > $2)
