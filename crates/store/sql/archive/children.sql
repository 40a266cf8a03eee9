-- List the children of these runs, and whether each must be exported with its family: it has not ended, it is resumed together
-- with another run, or its parent has not recorded its outcome and may still need it.
select child.run_key, (
        child.finished_at is null or child.steered_with is not null
        or (parent.status not in ('succeeded', 'failed') and not exists (
            select 1
            from checkpoints
            where checkpoints.run_key = child.parent_key and checkpoints.position = child.parent_position
                and checkpoints.kind = 'child'
        ))
    ) as needed
from runs as child
join runs as parent on parent.run_key = child.parent_key
where child.parent_key = any($1)
order by child.run_key
