//! What the attributes write, and what they refuse. They run here as functions on tokens, without a compiler around them.

mod expansions;
mod options;
mod sentences;
