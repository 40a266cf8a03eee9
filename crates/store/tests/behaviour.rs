//! What the store promises, on every database.
#![allow(clippy::disallowed_methods, reason = "a test may watch the clock of the machine for what hangs")]

mod behaviour {
    mod lock;
    mod proxy;
    #[allow(dead_code, reason = "this suite and the one beside it use a part each")]
    mod world;

    mod batches;
    mod changes;
    mod columns;
    mod contention;
    mod counts;
    mod creates;
    mod dedups;
    mod fence;
    mod forks;
    mod holds;
    mod hooks;
    mod inside;
    mod journal;
    mod load;
    mod locked;
    mod messages;
    mod old_databases;
    mod ownership;
    mod pauses;
    mod plans;
    mod poison;
    mod rates;
    mod recovery;
    mod refused;
    mod schedules;
    mod schema;
    mod searches;
    mod signals;
    mod silence;
    mod spans;
    mod sqlite_file;
    mod sqlite_volume;
    mod sweeps;
    mod transactions;
    mod waits;
}
