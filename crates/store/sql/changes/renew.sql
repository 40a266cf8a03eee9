-- Note until when a follower follows now, if it is still known.
update followers
set expires_at = $2
where follower = $1
