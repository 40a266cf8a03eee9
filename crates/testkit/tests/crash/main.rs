//! What Onward promises when processes die, freeze or are cut off, told with real processes.
//!
//! The processes are workers of the binary `crash`, which execute programs that are data (see `onward_testkit::crash`).
//! Bodies that wait at the desk tell a test that they have begun, and go on when it says so.

mod durability;
mod following;
mod house;
mod jobs;
mod outage;
mod parked;
mod points;
mod poison;
mod refused;
mod restart;
mod suite;
mod takeover;
