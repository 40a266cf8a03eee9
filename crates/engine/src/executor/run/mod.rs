//! A run in memory: what it recorded, what it is about to record, and the future that is the workflow itself.

pub(crate) mod about;
mod births;
pub(crate) mod core;
pub(crate) mod ctx;
pub(crate) mod drive;
pub(crate) mod end;
pub(crate) mod inbox;
pub(crate) mod judge;
pub(crate) mod leaving;
mod pace;
pub(crate) mod state;
pub(crate) mod tails;
