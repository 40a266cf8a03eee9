//! Defines "the same run": a run with the same id, the same workflow and the same input.

use hmac::{Hmac, KeyInit, Mac};
use onward_store::{Existing, Store};
use onward_types::{Code, Error, Json, Taken, Tree};
use sha2::{Digest, Sha256};

/// Checks that an existing run with this id is the same run: it needs the same workflow and input.
pub(crate) fn same_run(workflow: &str, input_hash: i64, existing: &Existing) -> Result<(), Error> {
    if existing.workflow != workflow {
        let message = format!(
            "run {:?} is of workflow `{}`, not `{workflow}`: choose another id",
            existing.id, existing.workflow
        );
        return Err(Taken::by(&existing.id).refused(Code::Conflict, message));
    }
    if existing.input_hash != input_hash {
        let message = format!(
            "run {:?} of workflow `{}` was started with another input: choose another id, or start it with the same input",
            existing.id, existing.workflow
        );
        return Err(Taken::by(&existing.id).refused(Code::Conflict, message));
    }
    Ok(())
}

/// The hash by which inputs are compared. Objects are hashed with sorted keys, because the order of a map is not part of its
/// value, and numbers by every digit. The name of the workflow is included, so that hashes of two workflows say nothing about
/// each other's inputs.
///
/// With a codec the hash is keyed: otherwise a reader of the tables could use it to test guesses of the input.
pub(crate) fn input_hash(store: &Store, workflow: &str, input: &Json) -> i64 {
    let canonical = canonical(workflow, input);
    let digest: [u8; 32] = match store.hash_key() {
        Some(key) => {
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length will do");
            mac.update(&canonical);
            mac.finalize().into_bytes().into()
        }
        None => Sha256::digest(&canonical).into(),
    };
    i64::from_le_bytes(*digest.first_chunk().expect("32 bytes"))
}

fn canonical(workflow: &str, input: &Json) -> Vec<u8> {
    let mut bytes = workflow.as_bytes().to_vec();
    bytes.push(0);
    let tree = if input.as_str().contains('{') { Tree::read(input.as_str()) } else { None };
    match tree {
        Some(tree) => bytes.extend(tree.canonical().into_bytes()),
        None => bytes.extend(input.as_str().as_bytes()),
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_an_objects_keys_is_no_part_of_the_input() {
        let hash = |text: &str| canonical("w", &Json::from(text.to_owned()));
        assert_eq!(hash(r#"{"a":1,"b":2}"#), hash(r#"{"b":2,"a":1}"#));
        assert_ne!(hash(r#"{"a":1,"b":2}"#), hash(r#"{"a":2,"b":1}"#));
        assert_ne!(hash("[1,2]"), hash("[2,1]"));
    }

    #[test]
    fn two_numbers_that_differ_in_any_digit_are_two_inputs() {
        let hash = |text: &str| canonical("w", &Json::from(text.to_owned()));
        assert_ne!(hash(r#"{"amount":1180591620717411303424}"#), hash(r#"{"amount":1180591620717411303425}"#));
        assert_eq!(hash(r#"{"amount":1.50}"#), hash(r#"{"amount":1.5}"#));
    }
}
