//! What can be recorded, and how it is encoded.

use onward_types::{Error, Json};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What can be recorded: anything that serde can write and read back, and that may move between threads.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be recorded",
    label = "not durable data",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, and let it own what it holds"
)]
pub trait Data: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> Data for T {}

/// Encode a value that is to be recorded. What no database would take is refused; `what` names the value in the error.
pub(crate) fn encode<T: Serialize + ?Sized>(what: &str, value: &T) -> Result<Json, Error> {
    let json = Json::encode(value)?;
    onward_store::check_payload(what, &json)?;
    Ok(json)
}
