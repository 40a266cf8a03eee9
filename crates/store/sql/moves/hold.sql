-- Keep executors from joining until this transaction ends; one that joins after it sees what it wrote. Not sent on SQLite,
-- where no other session can write meanwhile.
lock table executors in share mode
