//! Durable workflows that survive any crash, on SQLite and PostgreSQL.
