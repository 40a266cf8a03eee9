-- Sort by end, those that finished first before the others, and continue after the run $61 that finished at $60.
    and r.finished_at is not null
    and ($60::bigint is null or r.finished_at >= $60)
    and ($61::uuid is null or (r.finished_at <> $60 or r.run_key > $61))
order by r.finished_at, r.run_key
limit $62
