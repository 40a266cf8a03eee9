-- What a user's transaction left in its session goes, whatever function it was set by: the next one is somebody else's.
set session authorization default;
reset all;
unlisten *;
select pg_advisory_unlock_all();
discard temporary;
discard sequences;
