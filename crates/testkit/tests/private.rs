//! A private server is ours to stop, and gone when we are.
//!
//! The tests are called `postgres`, as those of `#[on_every_database]` are, so that `--only sqlite` leaves them out.

use std::io::{self, BufRead, BufReader, Read};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use onward_testkit::PrivatePostgres;
use tokio_postgres::{Client, Connection, NoTls, Socket, tls::NoTlsStream};

mod what_was_committed_survives_a_crash_of_the_server {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let server = PrivatePostgres::start().unwrap();
        let client = session(&server.url("postgres")).await;
        client.batch_execute("create table kept (word text); insert into kept values ('here')").await.unwrap();

        server.stop_immediately().unwrap();
        client.batch_execute("select 1").await.expect_err("the server is gone");
        server.start_again().unwrap();

        let row = session(&server.url("postgres")).await.query_one("select word from kept", &[]).await.unwrap();
        assert_eq!(row.get::<_, String>("word"), "here");
    }
}

mod a_stopped_server_is_still_cleaned_up {
    use super::*;

    #[test]
    fn postgres() {
        let server = PrivatePostgres::start().unwrap();
        let address = server.address();
        server.stop().unwrap();
        drop(server);
        TcpStream::connect(address).expect_err("nobody listens");
    }
}

mod the_server_goes_when_its_owner_is_killed {
    use super::*;

    const OWNER: &str = "the_server_goes_when_its_owner_is_killed::owner";

    #[tokio::test]
    async fn postgres() {
        let this_program = std::env::current_exe().unwrap();
        let mut owner = Command::new(this_program)
            .args([OWNER, "--exact", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(owner.stdout.take().unwrap());
        let url = said.lines().map(Result::unwrap).find(|line| line.starts_with("postgres://")).unwrap();
        let (_client, connection) = connect(&url).await;

        owner.kill().unwrap();
        owner.wait().unwrap();

        // It ends when the server closes it, and would go on for ever if nobody stopped the server.
        connection.await.expect_err("closed by the server");
    }

    /// Not a test: the process that is killed.
    #[test]
    #[ignore = "started by the test beside it"]
    fn owner() {
        let server = PrivatePostgres::start().unwrap();
        println!("\n{}", server.url("postgres"));
        io::stdin().read_to_end(&mut Vec::new()).unwrap();
    }
}

async fn connect(url: &str) -> (Client, Connection<Socket, NoTlsStream>) {
    tokio_postgres::connect(url, NoTls).await.unwrap()
}

async fn session(url: &str) -> Client {
    let (client, connection) = connect(url).await;
    tokio::spawn(connection);
    client
}
