-- The columns of a table and their types.
select name, lower(type) as type
from pragma_table_info($1)
