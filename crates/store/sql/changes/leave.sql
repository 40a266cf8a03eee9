-- Forget a follower.
delete from followers
where follower = $1
