-- Find a run that has not ended and may still need this one's outcome: it waits for it, or started it and has not recorded its
-- result in its current generation. A child that was started without waiting is awaited at a position that is not known in advance.
select waiting.id
from waits
join runs as waiting on waiting.run_key = waits.run_key
where waits.child_key = $1 and waiting.finished_at is null
union all
select parent.id
from runs as child
join runs as parent on parent.run_key = child.parent_key
where child.run_key = $1 and parent.finished_at is null
    and child.parent_position >= coalesce(parent.first_position, 0) and not exists (
    select 1
    from checkpoints
    where checkpoints.run_key = child.parent_key and checkpoints.position = child.parent_position
        and checkpoints.kind = 'child'
)
limit 1
