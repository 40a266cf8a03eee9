//! Executes Onward runs: context, durable calls, replay, handles, client and background tasks.
