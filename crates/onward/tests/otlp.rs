//! Spans arrive at a collector, in the trace in which the run was started.
//!
//! `cargo test -p onward --features otlp --test otlp`

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use onward::otlp::Exporter;
use onward::prelude::*;

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[onward::step]
async fn pack() -> Result<()> {
    Ok(())
}

#[onward::workflow]
async fn trip(ctx: &Ctx) -> Result<()> {
    Ok(pack(ctx).await?)
}

type Kept = Arc<Mutex<Vec<u8>>>;

/// A collector that keeps what is sent to it.
fn collector() -> std::io::Result<(String, Kept)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", listener.local_addr()?);
    let kept = Kept::default();
    let keep = kept.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let keep = keep.clone();
            // The sender hung up.
            std::thread::spawn(move || serve(stream, &keep).ok());
        }
    });
    Ok((address, kept))
}

fn serve(mut stream: TcpStream, keep: &Kept) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let begin = head.len();
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
            if let Some(value) = head[begin..].to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().map_err(std::io::Error::other)?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        keep.lock().unwrap().extend([head.as_bytes(), &body].concat());
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")?;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_arrive_in_the_trace_in_which_the_run_was_started() {
    let (address, kept) = collector().unwrap();
    let exporter = Exporter::to(&address, "the-shop").unwrap();
    exporter.install().unwrap();
    assert!(exporter.install().unwrap_err().to_string().contains("subscriber"), "there is one already");
    let onward = Onward::open("sqlite::memory:").workflow::<trip>().launch().await.unwrap();
    let run = onward.start::<trip>(()).id("trip-1").traceparent(TRACE).await.unwrap();
    run.result().await.unwrap();
    onward.shutdown(secs(5)).await.unwrap();
    tokio::task::spawn_blocking(move || exporter.shutdown()).await.unwrap().unwrap();

    let kept = kept.lock().unwrap();
    let has = |wanted: &[u8]| kept.windows(wanted.len()).any(|found| found == wanted);
    for text in ["POST /v1/traces", "the-shop", "onward.run", "onward.step", "trip-1", "pack"] {
        assert!(has(text.as_bytes()), "no {text}");
    }
    let trace = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();
    let parent = 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes();
    assert!(has(&trace) && has(&parent), "the run is a child of the span that started it");
}

#[test]
fn an_address_that_is_none_is_refused() {
    let error = Exporter::to("not an address", "the-shop").unwrap_err();
    assert!(error.to_string().contains("not an address"), "{error}");
}
