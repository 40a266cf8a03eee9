-- End runs.
update runs
set status = 'succeeded', output = ended.output, finished_at = ended.at, updated_at = ended.at, executor = null
from unnest($1::uuid[], $2::text[], $3::bigint[]) as ended (run_key, output, at)
where runs.run_key = ended.run_key
