//! Handles an open run of the queue with the same dedup key.

use onward_store::{Existing, Store};
use onward_types::{Code, Deduplicated, Error, RunId, RunOptions, RunRecord, Taken};

/// The run that has the key, if it may be returned instead of a new one; otherwise the error that names it.
pub(crate) async fn holder_of_dedup(
    store: &Store,
    options: &RunOptions,
    workflow: &str,
    holder: &Existing,
) -> Result<RunId, Error> {
    if !options.dedup_or_existing {
        let instead = "Wait for it, cancel it, or request the existing run instead of an error";
        return Err(is_taken(store, options, holder, instead).await);
    }
    if holder.workflow != workflow {
        let (queue, dedup) = names(options);
        let message = format!(
            "the open run {:?} of queue `{queue}` with dedup key `{dedup}` has workflow `{}`, not `{workflow}`",
            holder.id, holder.workflow
        );
        return Err(Taken::by(&holder.id).refused(Code::KeyReused, message));
    }
    Ok(holder.id.clone())
}

/// The error that names the run with the key and says what to do.
pub(crate) async fn is_taken(store: &Store, options: &RunOptions, holder: &Existing, instead: &str) -> Error {
    let (queue, dedup) = names(options);
    let (queue, dedup, run) = (queue.to_owned(), dedup.to_owned(), holder.id.clone());
    match store.describe(&run).await {
        Ok(RunRecord { status, reason, .. }) => Deduplicated { queue, dedup, run, status, reason }.refused(instead),
        // The run has been deleted since.
        Err(error) => error,
    }
}

/// A run that collects inputs cannot use an existing run: that may have started and would not get them.
pub(crate) fn check_gathering(options: &RunOptions) -> Result<(), Error> {
    if options.dedup_or_existing {
        let message = "an existing run would not get this input: use a dedup key that refuses the second run";
        return Err(Error::new(Code::Invalid, message));
    }
    Ok(())
}

fn names(options: &RunOptions) -> (&str, &str) {
    (options.queue.as_deref().unwrap_or_default(), options.dedup.as_deref().unwrap_or_default())
}
