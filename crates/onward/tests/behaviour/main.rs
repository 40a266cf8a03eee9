//! What Onward promises to somebody who writes workflows, on every database. One module a feature.

mod archive;
mod children;
mod concurrency;
mod diverged;
mod durability;
mod errors;
mod events;
mod executors;
mod forking;
mod house;
mod life_cycle;
mod listing;
mod managing;
mod messages;
mod metrics;
mod parking;
mod retention;
mod schedules;
mod spans;
mod starting;
mod steering;
mod steps;
mod streams;
mod time;
mod transactions;
mod versions;
