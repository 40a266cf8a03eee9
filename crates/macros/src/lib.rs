//! The attributes #[workflow] and #[step] of Onward.
