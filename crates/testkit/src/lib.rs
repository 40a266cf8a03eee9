//! Databases, a virtual clock and crash points for testing Onward workflows.
