//! `onward runs stream`: reads a stream of a run until it ends, or lists the run's streams.

use onward::records::{Chunk, ChunkBody, StreamRecord};
use onward_types::Json;

use super::Handle;
use crate::args::Stream;
use crate::exit::{Exit, Failure};
use crate::output;

pub(super) async fn stream(handle: &Handle, stream: Stream, json: bool) -> Result<Exit, Failure> {
    if stream.list {
        return list(&handle.streams().await?, json);
    }
    let last = if stream.now { Some(tail(handle, &stream.key).await?) } else { None };
    let mut reading = handle.read_stream::<Json>(&stream.key).from(stream.from);
    if stream.committed {
        reading = reading.committed();
    }
    let mut chunks = reading.chunks();
    if last == Some(-1) {
        return Ok(Exit::Done);
    }
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        if last.is_some_and(|last| chunk.index > last) {
            break;
        }
        show(&chunk, stream.raw, json)?;
        if last == Some(chunk.index) {
            break;
        }
    }
    Ok(Exit::Done)
}

async fn tail(handle: &Handle, key: &str) -> Result<i64, Failure> {
    Ok(handle.streams().await?.iter().find(|info| info.key == key).map_or(-1, |info| info.tail))
}

fn show(chunk: &Chunk, raw: bool, json: bool) -> Result<(), Failure> {
    let value = match &chunk.body {
        ChunkBody::Close => return Ok(()),
        _ if json => return output::json(chunk),
        ChunkBody::Bytes(bytes) if raw => return output::raw(bytes),
        ChunkBody::Bytes(bytes) => return output::say(format!("{} bytes", bytes.len())),
        ChunkBody::Json(value) => value,
    };
    match value.decode::<String>() {
        Ok(text) if raw => output::raw(text.as_bytes()),
        Err(_) if raw => output::raw(value.as_str().as_bytes()),
        _ => output::json(value),
    }
}

fn list(streams: &[StreamRecord], json: bool) -> Result<Exit, Failure> {
    if json {
        output::json(&streams)?;
    } else if streams.is_empty() {
        output::say("no streams yet")?;
    } else {
        let mut table = output::table(&["key", "chunks", "closed"]);
        for StreamRecord { key, tail, closed } in streams {
            let closed = if *closed { "yes" } else { "no" };
            table.add_row([output::cell(key), (tail + 1).to_string(), closed.to_owned()]);
        }
        output::say(output::rows(&table))?;
    }
    Ok(Exit::Done)
}
