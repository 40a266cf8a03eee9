//! What a round of a job measures.

/// One number of one round.
pub(crate) struct Sample {
    pub(crate) metric: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) value: f64,
    /// What the hand-written loop reached, in the same unit.
    pub(crate) raw: Option<f64>,
}
