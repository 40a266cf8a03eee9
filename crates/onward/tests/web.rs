//! A web server with open streams ends when it is told to: the example `web`, as a process of its own.
#![cfg(unix)]

use std::process::Stdio;
use std::time::Duration;

use onward::Filter;
use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

#[path = "../examples/web.rs"]
mod web;

const URL: &str = "ONWARD_TEST_WEB";

/// Not a test: the server.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the tests beside it"]
async fn server() {
    web::run(&std::env::var(URL).unwrap(), "127.0.0.1:0").await.unwrap();
}

/// The process of a server, and where it listens.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    async fn start(db: &TestDatabase) -> Server {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["server", "--exact", "--ignored", "--nocapture"])
            .env(URL, &db.url)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        loop {
            let line = said.next_line().await.unwrap().expect("it says where it listens");
            if let Some((_, address)) = line.split_once("http://") {
                let address = address.to_owned();
                // Its output is read to its end: a full pipe would stop it.
                tokio::spawn(async move { while said.next_line().await.is_ok_and(|line| line.is_some()) {} });
                return Server { process, address };
            }
        }
    }

    async fn send(&self, head: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let length = body.len();
        let request = format!(
            "{head} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n",
            self.address
        );
        stream.write_all(format!("{request}\r\n{body}").as_bytes()).await.unwrap();
        stream
    }

    /// The whole response.
    async fn answer(&self, head: &str, body: &str) -> String {
        let mut said = String::new();
        self.send(head, body).await.read_to_string(&mut said).await.unwrap();
        said
    }

    /// The lines of a response that goes on.
    async fn open(&self, path: &str) -> Lines<BufReader<TcpStream>> {
        BufReader::new(self.send(&format!("GET {path}"), "").await).lines()
    }

    /// Sends SIGTERM, and returns the code with which the process ends.
    async fn terminate(&mut self) -> Option<i32> {
        let pid = self.process.id().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
        let limit = Duration::from_secs(60);
        tokio::time::timeout(limit, self.process.wait()).await.expect("it ends").unwrap().code()
    }
}

/// Reads on until a line contains this.
async fn until(lines: &mut Lines<BufReader<TcpStream>>, text: &str) {
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains(text) {
            return;
        }
    }
    panic!("the response ended before {text:?}");
}

async fn rest(mut lines: Lines<BufReader<TcpStream>>) -> String {
    let mut rest = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        rest.push_str(&line);
        rest.push('\n');
    }
    rest
}

#[on_every_database]
async fn a_server_with_open_streams_drains_and_exits_on_sigterm(db: TestDatabase) {
    let mut server = Server::start(&db).await;
    assert!(server.answer("GET /ready", "").await.starts_with("HTTP/1.1 200 "));
    assert!(server.answer("GET /runs/tale", "").await.starts_with("HTTP/1.1 404 "));
    let mut changes = server.open("/changes").await;
    until(&mut changes, "HTTP/1.1 200").await;

    let made = server.answer("POST /runs", r#"{"id": "tale", "words": 100000}"#).await;
    assert!(made.starts_with("HTTP/1.1 201 "), "{made}");
    let mut words = server.open("/runs/tale/words").await;
    until(&mut words, r#"data: "word 3""#).await;
    assert!(server.answer("GET /runs", "").await.contains(r#""id":"tale""#));

    let (code, last) = tokio::join!(server.terminate(), rest(words));
    assert_eq!(code, Some(0));
    assert!(!last.contains("event: end") && !last.contains("event: trouble"), "a browser connects again: {last}");
    rest(changes).await;

    // Nothing is lost: the run was released, and the next process goes on where this one was.
    let client = Client::connect(&db.url).await.unwrap();
    assert!(client.executors().await.unwrap().is_empty(), "it has left");
    assert_eq!(client.list(Filter::default()).await.unwrap().items[0].status, Status::Running);
    drop(client);
    let mut next = Server::start(&db).await;
    let mut words = next.open("/runs/tale/words").await;
    until(&mut words, r#"data: "word 5""#).await;
    assert_eq!(next.terminate().await, Some(0));
}
