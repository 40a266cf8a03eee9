-- The runs of this batch, in $2, that were taken from their owner. They stand in a setting that ends with the transaction:
-- every later statement leaves out exactly these, whoever is taken meanwhile, and the client learns which they were.
with revoked as materialized (
    select run_key
    from runs
    where executor = $1 and revoked
),
refused as (
    select coalesce(array_agg(run_key), '{}') as run_keys
    from revoked
    where run_key = any($2::uuid[])
)
select run_keys, set_config('onward.refused', run_keys::text, true) as setting
from refused
