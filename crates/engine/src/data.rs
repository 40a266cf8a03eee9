//! Data that can be recorded, and its encoding.

use onward_types::{Error, Json};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Data that can be recorded: any type that serde can write and read back, and that can move between threads.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be recorded",
    label = "not durable data",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, and let it own what it holds"
)]
pub trait Data: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> Data for T {}

/// Encodes a value to be recorded. A value that a database would reject is an error, in which `what` names the value.
pub(crate) fn encode<T: Serialize + ?Sized>(what: &str, value: &T) -> Result<Json, Error> {
    let json = Json::encode(value)?;
    onward_store::check_payload(what, &json)?;
    Ok(json)
}
