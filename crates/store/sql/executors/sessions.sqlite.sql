-- Do nothing: SQLite has no sessions that another process could terminate.
select executor
from fences
where executor = $1 and false
