-- Sort by end, those that finished first before the others, and continue after the run $68 that finished at $67.
    and r.finished_at is not null
    and ($67 is null or r.finished_at >= $67)
    and ($68 is null or (r.finished_at <> $67 or r.run_key > $68))
order by r.finished_at, r.run_key
limit $69
