-- Hear what other processes tell, and know what this session itself is called.
listen onward;
select pg_backend_pid() as pid;
