-- Find up to $2 runs that have one of these attributes, each a JSON object of one field. Each is looked up in the index.
select run_key
from (
    select r.run_key
    from unnest($1::text[]) as one (attribute)
    join runs as r on r.attributes is not null and r.attributes::jsonb @> one.attribute::jsonb
    limit $2
) as found
