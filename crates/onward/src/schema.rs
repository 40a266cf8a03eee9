//! The JSON Schemas of types, where they have one. What the macros expand to with the feature `schema`. Not for people.
//!
//! Whether a type implements `JsonSchema` is found out by the way in which a method is called (autoref specialisation): on
//! `&Of<T>` the compiler takes the method of [`Known`] if `T` has a schema, and otherwise borrows once more and takes that of
//! [`Unknown`]. So a type without a schema is no error.

use std::marker::PhantomData;

use onward_engine::{Json, Schemas, StepSchemas};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value};

/// A type, to be asked for its schema.
pub struct Of<T: ?Sized>(PhantomData<fn(&T)>);

impl<T: ?Sized> Of<T> {
    /// Names the type.
    #[allow(clippy::new_without_default, reason = "generated code names it")]
    pub const fn new() -> Of<T> {
        Of(PhantomData)
    }
}

/// A type that cannot be named, such as `impl Trait`.
pub enum Unnamed {}

/// The schemas of a type that has one.
pub trait Known {
    /// The schema of a value as it is read.
    fn input(&self) -> Option<Json>;
    /// The schema of a value as it is written.
    fn output(&self) -> Option<Json>;
    /// The schema of an argument, among those of others.
    fn argument(&self, of: &mut Arguments, name: &str);
}

impl<T: JsonSchema + ?Sized> Known for Of<T> {
    fn input(&self) -> Option<Json> {
        text(&reads().into_root_schema_for::<T>())
    }

    fn output(&self) -> Option<Json> {
        text(&SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>())
    }

    fn argument(&self, of: &mut Arguments, name: &str) {
        let schema = of.generator.subschema_for::<T>();
        of.properties.insert(name.to_owned(), schema.to_value());
    }
}

/// What is known of a type that has no schema.
pub trait Unknown {
    /// Nothing.
    fn input(&self) -> Option<Json> {
        None
    }

    /// Nothing.
    fn output(&self) -> Option<Json> {
        None
    }

    /// It may be anything.
    fn argument(&self, of: &mut Arguments, name: &str) {
        of.unknown += 1;
        of.properties.insert(name.to_owned(), Value::Bool(true));
    }
}

impl<T: ?Sized> Unknown for &Of<T> {}

/// The arguments of a step, whose schemas share their definitions.
pub struct Arguments {
    generator: SchemaGenerator,
    properties: Map<String, Value>,
    unknown: usize,
}

impl Arguments {
    /// None yet.
    #[allow(clippy::new_without_default, reason = "generated code names it")]
    pub fn new() -> Arguments {
        Arguments { generator: reads(), properties: Map::new(), unknown: 0 }
    }

    /// The schema of an object with a property for each argument, unless nothing is known of any.
    fn schema(mut self) -> Option<Json> {
        if self.unknown > 0 && self.unknown == self.properties.len() {
            return None;
        }
        let required: Vec<Value> = self.properties.keys().cloned().map(Value::String).collect();
        let definitions = self.generator.take_definitions(true);
        let mut schema = Map::new();
        schema.insert("type".to_owned(), "object".into());
        schema.insert("properties".to_owned(), Value::Object(self.properties));
        schema.insert("required".to_owned(), Value::Array(required));
        if !definitions.is_empty() {
            schema.insert("$defs".to_owned(), Value::Object(definitions));
        }
        text(&Schema::from(schema))
    }
}

fn reads() -> SchemaGenerator {
    SchemaSettings::draft2020_12().into_generator()
}

fn text(schema: &Schema) -> Option<Json> {
    Json::encode(schema).ok()
}

/// What a workflow publishes.
pub fn of_workflow(input: Option<Json>, output: Option<Json>) -> Schemas {
    Schemas { input, output }
}

/// What an executor publishes of a step.
pub fn of_step(name: &str, arguments: Arguments, output: Option<Json>) -> StepSchemas {
    StepSchemas { name: name.to_owned(), schemas: Schemas { input: arguments.schema(), output } }
}

/// The schemas of these types.
#[doc(hidden)]
#[macro_export]
macro_rules! __schemas {
    (workflow $input:ty => $output:ty) => {{
        #[allow(unused_imports)]
        use $crate::__private::schema::{Known as _, Unknown as _};
        let (input, output) =
            ($crate::__private::schema::Of::<$input>::new(), $crate::__private::schema::Of::<$output>::new());
        $crate::__private::schema::of_workflow((&input).input(), (&output).output())
    }};
    (step $step:literal, $($name:literal: $argument:ty,)* => $output:ty) => {{
        #[allow(unused_imports)]
        use $crate::__private::schema::{Known as _, Unknown as _};
        #[allow(unused_mut)]
        let mut arguments = $crate::__private::schema::Arguments::new();
        $((&$crate::__private::schema::Of::<$argument>::new()).argument(&mut arguments, $name);)*
        let output = $crate::__private::schema::Of::<$output>::new();
        $crate::__private::schema::of_step($step, arguments, (&output).output())
    }};
}
