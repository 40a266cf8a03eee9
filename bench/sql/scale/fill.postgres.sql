-- A history of ended runs, as a day's work leaves it: most of one workflow, a few of everything that a list can be asked for.
insert into runs (
    run_key, id, workflow, version, status, recoveries_max, parent_key, parent_position, created_at, updated_at, started_at,
    finished_at, owners, input_hash, input, output, error, identity, attributes, forked_from, fork_position, queue, partition_key,
    seq, origin, error_code, last_executor
)
select
    key, replace(key::text, '-', ''),
    case when n % 10000 = 1 then 'rare' else 'steps' end,
    case when n % 20000 = 2 then '2' else '1' end,
    case when n % 1000 = 3 then 'failed' when n % 5000 = 4 then 'cancelled' else 'succeeded' end,
    100,
    case when n % 5000 = 5 then first.key_of_first end, case when n % 5000 = 5 then 0 end,
    at, at + case n % 5000 when 11 then 90000000 when 13 then 500000 when 14 then 600 else 2000 end, at + 100,
    at + case n % 5000 when 11 then 90000000 when 13 then 500000 when 14 then 600 else 2000 end, 1, 7, '5',
    case when n % 1000 = 3 then null else '5' end,
    case when n % 1000 = 3 then '{"code":"failed","message":"no"}' end,
    case when n % 2000 = 6 then '{"user":"ann"}' end,
    case when n % 5000 = 7 then '{"team":"a","cost":7}' when n % 2 = 0 then '{"team":"z","cost":0.01}' end,
    case when n % 10000 = 8 then first.key_of_first end, case when n % 10000 = 8 then 0 end,
    case when n % 100 = 9 then 'mail' end, case when n % 100 = 9 then 'p' || n % 10000 end, case when n % 100 = 9 then n end,
    case when n % 5000 = 5 then 'child' when n % 10000 = 8 then 'restarted' when n % 5000 = 10 then 'scheduled' end,
    case when n % 1000 = 3 then 'failed' end, case when n % 10000 = 12 then 'rare' when n % 3 = 0 then 'few' else 'most' end
from (
    select n, $2::bigint + n * 1000 as at,
        (lpad(to_hex(($2::bigint + n * 1000) / 1000), 12, '0') || '7000' || '8' || lpad(to_hex(n), 15, '0'))::uuid as key
    from generate_series(0, $1::bigint - 1) as numbers (n)
) as made
cross join (
    select (lpad(to_hex($2::bigint / 1000), 12, '0') || '7000' || '8' || lpad('0', 15, '0'))::uuid as key_of_first
) as first
