//! Values that the steps of this executor share: one of each type, given where Onward is opened.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;

use onward_types::{Code, Error};

/// Values by type.
#[derive(Default)]
pub(crate) struct States(HashMap<TypeId, Box<dyn Any + Send + Sync>>);

impl States {
    pub(crate) fn add<S: Send + Sync + 'static>(&mut self, state: S) {
        self.0.insert(TypeId::of::<S>(), Box::new(state));
    }

    pub(crate) fn get<S: Send + Sync + 'static>(&self) -> Option<&S> {
        self.0.get(&TypeId::of::<S>())?.downcast_ref()
    }

    pub(crate) fn missing<S>() -> Error {
        let name = type_name::<S>();
        let message =
            format!("this executor has no state of type `{name}`: add one where Onward is opened, then resume the run");
        Error::new(Code::MissingState, message)
    }
}
