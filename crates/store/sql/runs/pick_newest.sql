-- Sort the newest runs first.
order by r.run_key desc
limit $67
