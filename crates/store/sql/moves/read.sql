-- Read where this database is being moved to, what it is being filled from, and the progress of each table.
select part, id, place, done, upto
from moves
