-- The newest of them first.
order by r.run_key desc
limit $31
