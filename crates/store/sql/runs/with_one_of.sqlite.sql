-- Find up to $2 runs that may have one of these attributes, each a JSON object of one field.
select a.run_key
from rarray($1) as one
cross join json_each(one.value) as field
cross join run_attributes as a
where a.name = field.key
    and a.value = case field.type when 'text' then substr(field.atom, 1, 100) when 'null' then x'' else field.atom end
limit $2
