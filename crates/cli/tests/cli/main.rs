//! Tests of the command as people and programs use it: its output and its exit codes.

mod changes;
mod demo;
mod documents;
mod executors;
mod harness;
mod help;
mod inbox;
mod list;
mod manage;
mod mask;
mod messages;
mod moving;
mod queues;
mod readme;
mod refusals;
mod schedules;
mod show;
mod start;
mod steer;
mod steps;
mod story;
mod talk;
mod watch;
mod workflows;
