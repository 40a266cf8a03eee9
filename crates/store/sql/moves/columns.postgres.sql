-- List the columns of a table with their types.
select attname::text as name, format_type(atttypid, null) as type
from pg_attribute
where attrelid = to_regclass($1) and attnum > 0 and not attisdropped
