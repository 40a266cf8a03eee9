-- Nobody joins until this transaction ends, and whoever joins after it sees what it wrote. On SQLite nobody writes meanwhile
-- in any case, and this is not sent.
lock table executors in share mode
