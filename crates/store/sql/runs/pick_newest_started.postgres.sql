-- Sort by start, those that started last before the others, and continue after the run $61 that started at $60.
    and r.started_at is not null
    and ($60::bigint is null or r.started_at <= $60)
    and ($61::uuid is null or (r.started_at <> $60 or r.run_key < $61))
order by r.started_at desc, r.run_key desc
limit $62
