-- List up to $2 children after run $1 that are to be cancelled because the run that started them has ended, or an attempt of it that
-- started them has failed.
select child.run_key
from runs as child
join runs as parent on parent.run_key = child.parent_key
where child.on_parent_end = 'cancel' and child.finished_at is null and child.run_key > $1 and (
    parent.finished_at is not null or (parent.retrying is not null and child.parent_position < parent.first_position)
)
order by child.run_key
limit $2
