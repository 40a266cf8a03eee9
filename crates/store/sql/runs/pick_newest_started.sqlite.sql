-- Sort by start, those that started last before the others, and continue after the run $68 that started at $67.
    and r.started_at is not null
    and ($67 is null or r.started_at <= $67)
    and ($68 is null or (r.started_at <> $67 or r.run_key < $68))
order by r.started_at desc, r.run_key desc
limit $69
