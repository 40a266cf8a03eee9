//! An order service: what a shop does with an order, from the reservation to the parcel at the door.
//!
//! `shop.rs` has the workflows and their steps, `world.rs` what they reach (stock, bank, printer, carrier), and `web.rs` the HTTP API.
//! `main.rs` puts them together. The tests show how three days of it are tested in milliseconds, and what nine lives are like.

#![allow(missing_docs, reason = "the fields of an example say what they are")]

pub mod shop;
pub mod web;
pub mod world;
