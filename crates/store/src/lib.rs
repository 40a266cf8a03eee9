//! Everything in Onward that touches a database: the journal, queries, claims and migrations.
