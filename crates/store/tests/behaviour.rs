//! What the store promises, on every database.

mod behaviour {
    mod world;

    mod journal;
}
