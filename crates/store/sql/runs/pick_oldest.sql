-- Sort the oldest runs first.
order by r.run_key
limit $67
