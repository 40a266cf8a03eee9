-- Choose and lock those of these runs that ended by $2, have no owner and are not needed any more: no child of theirs is open,
-- no open run waits for them, and no open parent has yet to record their result in its current generation. A run that another session has locked is left
-- for the next time.
select r.run_key
from runs r
where r.run_key = any($1) and r.finished_at is not null and r.finished_at <= $2 and r.executor is null
    and not exists (select 1 from runs child where child.parent_key = r.run_key and child.finished_at is null)
    and not exists (
        select 1
        from waits
        join runs waiting on waiting.run_key = waits.run_key
        where waits.child_key = r.run_key and waiting.finished_at is null
    )
    and not exists (
        select 1
        from runs parent
        where parent.run_key = r.parent_key and parent.finished_at is null
            and r.parent_position >= coalesce(parent.first_position, 0) and not exists (
            select 1
            from checkpoints
            where checkpoints.run_key = r.parent_key and checkpoints.position = r.parent_position
                and checkpoints.kind = 'child'
        )
    )
order by r.run_key
for no key update of r skip locked
