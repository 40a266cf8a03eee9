-- List the columns of a table with their types.
select name, lower(type) as type
from pragma_table_info($1)
