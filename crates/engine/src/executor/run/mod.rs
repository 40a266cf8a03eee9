//! A run in memory: its recorded history, its pending changes, and the future of the workflow.

pub(crate) mod about;
mod children;
pub(crate) mod core;
mod creations;
pub(crate) mod ctx;
pub(crate) mod drive;
pub(crate) mod end;
pub(crate) mod inbox;
pub(crate) mod judge;
pub(crate) mod leaving;
mod pace;
pub(crate) mod retry;
pub(crate) mod state;
pub(crate) mod tails;
