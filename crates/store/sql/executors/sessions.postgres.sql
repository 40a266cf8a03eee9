-- Terminate the session that holds a dead executor's fence: its process may be frozen in the middle of a batch. Checking the
-- application name makes sure that the pid has not been reused by another session.
select pg_terminate_backend(activity.pid) as ended
from fences
join pg_stat_activity as activity on activity.pid = fences.backend_pid
where fences.executor = $1 and activity.datname = current_database()
    and activity.application_name = 'onward-writer-' || fences.executor
