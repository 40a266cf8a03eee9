//! The server as a process: killed six times, moved from SQLite to PostgreSQL, and told to stop.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use onward::Filter;
use onward::prelude::*;
use onward_testkit::{TestDatabase, between_looks};

const ORDERS: usize = 20;
const PARCELS: usize = 50;
/// What takes longer hangs.
const GIVE_UP: Duration = Duration::from_secs(90);

/// A server, from outside. It is killed when this is dropped.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(url: &str, world: &Path) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orders"));
        command.args([url, "127.0.0.1:0"]).arg(world).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the server starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("it is piped")).read_line(&mut line).expect("it says its address");
        let address = line.trim().trim_start_matches("http://").to_owned();
        assert!(!address.is_empty(), "the server ended before it listened");
        Server { process, address }
    }

    /// The status of the answer and what follows it, read to its end.
    fn request(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\ncontent-type: application/json\r\n"
        );
        write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, answer)
    }

    fn kill(mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it was killed");
    }

    /// SIGTERM, and the exit code.
    fn stop(mut self) -> Option<i32> {
        let told = Command::new("kill").arg(self.process.id().to_string()).status().expect("there is `kill`");
        assert!(told.success());
        self.process.wait().expect("it ends").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail if it has ended, which is what they are for.
        drop((self.process.kill(), self.process.wait()));
    }
}

fn lines(world: &Path) -> usize {
    std::fs::read_to_string(world).map_or(0, |text| text.lines().count())
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < GIVE_UP, "it never came to be that {what}");
        between_looks().await;
    }
}

/// The command, which a build of the whole workspace puts beside the server.
fn onward() -> PathBuf {
    let command = Path::new(env!("CARGO_BIN_EXE_orders")).with_file_name("onward");
    assert!(command.exists(), "build the command first: cargo build -p onward-cli");
    command
}

#[tokio::test]
async fn killed_six_times_and_moved_the_shop_does_everything_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (world, sqlite) =
        (folder.path().join("world.log"), format!("sqlite:{}", folder.path().join("shop.db").display()));
    let new = format!(r#"{{"customer": "ada", "item": "lamp", "parcels": {PARCELS}, "cents": 4200}}"#);
    let mut server = Server::start(&sqlite, &world);
    for n in 0..ORDERS {
        assert_eq!(server.request("PUT", &format!("/orders/order-{n}"), &new).0, 201);
    }
    let printed = async || common::acts(&world, "label").is_ok_and(|labels| labels.len() == ORDERS * PARCELS);
    for _ in 0..6 {
        let before = lines(&world);
        until("it does something", async || lines(&world) > before + 60 || printed().await).await;
        server.kill();
        server = Server::start(&sqlite, &world);
    }
    until("all labels are printed", printed).await;
    server.kill();

    let postgres = TestDatabase::postgres();
    let moved = Command::new(onward()).args(["move", "--from", &sqlite, "--to", &postgres.url]).output()?;
    assert!(moved.status.success(), "{}", String::from_utf8_lossy(&moved.stderr));

    let server = Server::start(&postgres.url, &world);
    let client = Client::connect(&postgres.url).await?;
    let deliveries = || Filter { workflows: vec!["deliver".to_owned()], ..Filter::default() };
    let orders = || Filter { workflows: vec!["order".to_owned()], ..Filter::default() };
    until("all orders are delivered", async || {
        client.wake_up_all(deliveries()).await.expect("the database answers"); // the carrier is early
        let succeeded = Filter { statuses: vec![Status::Succeeded], ..orders() };
        client.count(succeeded).await.expect("the database answers").runs == ORDERS as u64
    })
    .await;
    for (what, count) in [("reserve", ORDERS), ("charge", ORDERS), ("label", ORDERS * PARCELS), ("hand over", ORDERS)] {
        assert_eq!(common::acts(&world, what)?.len(), count, "{what}");
    }
    let (status, shown) = server.request("GET", "/orders/order-7", "");
    assert!(status == 200 && shown.contains(r#""status":"succeeded""#), "{shown}");
    let (_, progress) = server.request("GET", "/orders/order-7/progress", "");
    assert!(progress.contains("data: reserved") && progress.contains("data: delivered"), "{progress}");
    Ok(())
}

#[test]
fn told_to_stop_it_ends_the_open_streams_and_exits_with_0() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (world, sqlite) =
        (folder.path().join("world.log"), format!("sqlite:{}", folder.path().join("shop.db").display()));
    let server = Server::start(&sqlite, &world);
    let large = r#"{"customer": "ada", "item": "lamp", "parcels": 1, "cents": 100000}"#;
    assert_eq!(server.request("PUT", "/orders/large", large).0, 201);
    assert_eq!(server.request("GET", "/orders/nobody/progress", "").0, 404);
    assert_eq!(server.request("PUT", "/orders/large", &large.replace("lamp", "sofa")).0, 409);

    let mut stream = TcpStream::connect(&server.address)?;
    stream.set_read_timeout(Some(GIVE_UP))?;
    write!(stream, "GET /orders/large/progress HTTP/1.1\r\nhost: shop\r\n\r\n")?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while !line.contains("waits for approval") {
        line.clear();
        assert!(reader.read_line(&mut line)? > 0, "the stream ended too soon");
    }
    let reads = std::thread::spawn(move || reader.read_to_end(&mut Vec::new()));
    assert_eq!(server.stop(), Some(0));
    reads.join().expect("it does not panic")?;
    Ok(())
}
