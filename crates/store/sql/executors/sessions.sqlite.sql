-- SQLite has no sessions that could be ended from outside.
select executor
from fences
where executor = $1 and false
