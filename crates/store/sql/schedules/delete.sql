-- Delete a schedule. The runs that it started stay.
delete from schedules
where id = $1
