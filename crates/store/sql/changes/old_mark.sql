-- Find the last mark that is older than $1, or that has more than $2 changes after it.
select at, upto
from change_marks
where at <= $1 or seq < (select coalesce(max(seq), 0) from changes) - $2
order by at desc
limit 1
