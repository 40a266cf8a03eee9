-- Listen for signals of other processes, and read this session's own process id.
listen onward;
select pg_backend_pid() as pid;
