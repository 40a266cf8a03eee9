-- Clear everything that a user's transaction left in its session, however it was set: the next transaction may belong to
-- somebody else.
set session authorization default;
reset all;
unlisten *;
select pg_advisory_unlock_all();
discard temporary;
discard sequences;
