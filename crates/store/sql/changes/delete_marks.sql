-- Delete the marks up to a time.
delete from change_marks
where at <= $1
