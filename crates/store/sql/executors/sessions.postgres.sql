-- End the session that holds a dead executor's fence: its process may be frozen in the middle of a batch.
select pg_terminate_backend(f.backend_pid::int) as ended
from fences f
join pg_stat_activity a on a.pid = f.backend_pid
where f.executor = $1 and f.backend_pid is not null and a.datname = current_database()
