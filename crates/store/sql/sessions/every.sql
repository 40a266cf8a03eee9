-- Set what every session of Onward relies on, whatever the defaults of the server, the database or the user are. A
-- `synchronous_commit` stronger than `on` stays.
set default_transaction_isolation = 'read committed';
set client_min_messages = 'warning';
set jit = off;
select set_config('synchronous_commit', 'on', false)
where current_setting('synchronous_commit') not in ('on', 'remote_apply');
