-- Forget the followers that have not renewed their registration.
delete from followers
where expires_at < $1
