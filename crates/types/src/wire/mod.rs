//! The one form in which values leave the process as JSON: over HTTP, from the command line, in feeds and in files.
//!
//! * A field without a value is left out. `null` is only ever a value that a program recorded: `payload`. In a record a list is
//!   always there, and so are counts and flags; in options and filters everything may be left out.
//! * An instant is RFC 3339 in UTC with six digits after the second: [`instant`].
//! * A duration is whole milliseconds under a name that ends in `_ms`: `millis`.
//! * Names of fields and of the values of enums are in snake case.
//!
//! `docs/decisions/0036-one-json-form.md` has the reasons, and `tests/json/` an example of every type.

pub mod instant;
pub(crate) mod millis;
pub(crate) mod payload;
