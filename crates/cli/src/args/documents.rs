//! The arguments of `onward documents …`.

use clap::{Args as Arguments, Subcommand};

use super::Common;
use crate::exit;

/// Show and change documents: JSON values by kind and id, beside the runs
#[derive(Debug, Arguments)]
pub(crate) struct Documents {
    #[command(flatten)]
    pub(crate) common: Common,

    /// Mask fields with these names in what is shown: password,card.number
    #[arg(
        long,
        value_name = "FIELDS",
        env = "ONWARD_MASK",
        hide_env_values = true,
        global = true,
        value_delimiter = ','
    )]
    pub(crate) mask: Vec<String>,

    #[command(subcommand)]
    pub(crate) verb: DocumentVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DocumentVerb {
    List(ListDocuments),
    /// Print a document; with --json, also its version and times
    #[command(after_help = exit::CODES)]
    Get(OneDocument),
    Put(PutDocument),
    Delete(DeleteDocument),
}

#[derive(Debug, Arguments)]
pub(crate) struct OneDocument {
    /// The kind of the document
    #[arg(value_name = "KIND")]
    pub(crate) kind: String,

    /// The id of the document
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}

/// List the documents of a kind, by id
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct ListDocuments {
    /// The kind of the documents
    #[arg(value_name = "KIND")]
    pub(crate) kind: String,

    /// Only documents whose id begins with this text
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,

    /// The maximum number of documents
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,

    /// Continue after this id: the last one of the previous page
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    pub(crate) after: String,
}

/// Write a document, whether it exists or not, and print its version
///
/// To change a document that others may change too, read it with --json and write it with --if-version: of several writers with
/// the same version, one succeeds.
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct PutDocument {
    #[command(flatten)]
    pub(crate) document: OneDocument,

    /// The value: JSON, or else a string; - reads it from standard input
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    pub(crate) value: String,

    /// Write it only if the document has this version; 0 means that it must not exist
    #[arg(long, value_name = "VERSION")]
    pub(crate) if_version: Option<u64>,
}

/// Delete a document
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct DeleteDocument {
    #[command(flatten)]
    pub(crate) document: OneDocument,

    /// Delete it only if it has this version
    #[arg(long, value_name = "VERSION")]
    pub(crate) if_version: Option<u64>,
}
