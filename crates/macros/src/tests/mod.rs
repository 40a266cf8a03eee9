//! Tests of what the attributes generate and what they refuse. They run as functions on tokens, without the compiler.

mod expansions;
mod options;
mod sentences;
