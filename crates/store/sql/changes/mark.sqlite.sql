-- Note the number of the last change, unless somebody did a moment ago ($2).
insert into change_marks (at, upto, seq)
select $1, cast(coalesce(max(seq), 0) as text), coalesce(max(seq), 0)
from changes
where not exists (select 1 from change_marks where at > $2)
