//! The environment that users test their workflows in.

mod crash;
mod mocks;
mod replay;
mod time;
