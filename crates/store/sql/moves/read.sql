-- Where this database is moved to, where it is filled from, and how far each table is.
select part, id, place, done, upto
from moves
