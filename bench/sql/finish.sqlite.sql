-- End a run.
update runs
set status = 'succeeded', output = ?2, finished_at = ?3, updated_at = ?3, executor = null
where run_key = ?1
