-- Sort by end, those that finished last before the others, and continue after the run $68 that finished at $67.
    and r.finished_at is not null
    and ($67::bigint is null or r.finished_at <= $67)
    and ($68::uuid is null or (r.finished_at <> $67 or r.run_key < $68))
order by r.finished_at desc, r.run_key desc
limit $69
