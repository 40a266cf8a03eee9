//! What the store promises, on every database.

mod behaviour {
    mod lock;
    mod proxy;
    mod world;

    mod contention;
    mod creates;
    mod fence;
    mod journal;
    mod load;
    mod ownership;
    mod schema;
    mod signals;
    mod waits;
}
