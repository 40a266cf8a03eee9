-- List the hooks that a run has or had: those whose opening it recorded, each with its token unless another run has taken that
-- since, and one whose opening is not recorded yet.
select c.position, c.output, coalesce(h.opened_at, c.finished_at) as opened_at, h.token, h.person, r.status
from runs r
join checkpoints c on c.run_key = r.run_key and c.kind = 'hook' and c.output is not null
left join hooks h on h.run_key = c.run_key and h.position = c.position
where r.run_key = $1
union all
select h.position, null as output, h.opened_at, h.token, h.person, r.status
from runs r
join hooks h on h.run_key = r.run_key
where r.run_key = $1
    and not exists (select 1 from checkpoints c where c.run_key = h.run_key and c.position = h.position)
order by position
