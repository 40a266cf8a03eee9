-- Close a hook, which frees its token.
delete from hooks
where run_key = $1 and position = $2
