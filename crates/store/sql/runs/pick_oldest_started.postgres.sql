-- Sort by start, those that started first before the others, and continue after the run $68 that started at $67.
    and r.started_at is not null
    and ($67::bigint is null or r.started_at >= $67)
    and ($68::uuid is null or (r.started_at <> $67 or r.run_key > $68))
order by r.started_at, r.run_key
limit $69
