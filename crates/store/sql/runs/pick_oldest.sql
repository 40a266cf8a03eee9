-- The oldest of them first.
order by r.run_key
limit $31
