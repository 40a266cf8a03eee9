-- List the executors that were not declared dead.
select executor
from executors
where not dead
