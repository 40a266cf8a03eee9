-- Note a follower, or until when it follows now.
insert into followers (follower, expires_at)
values ($1, $2)
on conflict (follower) do update set expires_at = excluded.expires_at
