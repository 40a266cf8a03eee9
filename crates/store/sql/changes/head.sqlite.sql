-- Read the epoch, and the number of the last change.
select epoch, cast(coalesce((select seq from sqlite_sequence where name = 'changes'), 0) as text) as upto
from feed
