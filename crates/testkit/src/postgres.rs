//! A PostgreSQL server of one's own: in a temporary folder, on a free loopback port, gone when its owner is.
//!
//! Made from std alone, so that the repository's tasks, tests and benchmarks can all start one cheaply. Databases on it
//! are the business of `databases.rs`.

mod account;
mod binaries;
mod guard;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use account::Account;
pub use binaries::{Binaries, find_binaries};
use guard::Guard;

use crate::{Error, Result};

/// As durable as the defaults are: what a test learns about a crash must hold for a real server.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
shared_buffers = 64MB
";

/// A free port can be taken before the server listens on it.
const PORT_ATTEMPTS: u32 = 5;

/// A running PostgreSQL that only its owner knows about.
///
/// It is stopped, and its folder removed, when this value is dropped, and also when the process ends in any other way.
#[derive(Debug)]
pub struct PrivatePostgres {
    // Dropped first: it needs the folder, and removes it.
    _guard: Guard,
    binaries: Binaries,
    account: Account,
    home: PathBuf,
    port: u16,
}

impl PrivatePostgres {
    /// Create an empty cluster and start a server on it. Takes about a second.
    pub fn start() -> Result<Self> {
        Self::start_in(&env::temp_dir())
    }

    /// The same, in a folder of its own inside of this one.
    pub fn start_in(parent: &Path) -> Result<Self> {
        let binaries = find_binaries()?;
        let home = new_folder(parent)?;
        let account = Account::owning(&home)?;
        let _guard = Guard::over(&home, &binaries.tool("pg_ctl"), account)?;
        let mut server = Self { _guard, binaries, account, home, port: 0 };
        server.create_cluster()?;
        server.start_on_a_free_port()?;
        Ok(server)
    }

    /// The URL of a database on this server, for its superuser. `postgres` is there from the beginning.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@{}/{database}", self.address())
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Stop in good order: sessions are ended, what is committed is written out.
    pub fn stop(&self) -> Result<()> {
        self.pg_ctl(&["stop", "-m", "fast"])
    }

    /// Stop as a crash would: nothing is written out, and the next start recovers from the log.
    pub fn stop_immediately(&self) -> Result<()> {
        self.pg_ctl(&["stop", "-m", "immediate"])
    }

    /// Start again after a stop, at the same port with the same data.
    pub fn start_again(&self) -> Result<()> {
        let log = self.home.join("server.log");
        self.pg_ctl(&["start", "-l", &log.to_string_lossy()])
            .map_err(|error| Error::new(format!("{error}\nthe server's log ends:\n{}", last_lines(&log))))
    }

    /// The programs that belong to this server, such as its `psql` and `pgbench`.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    fn create_cluster(&self) -> Result<()> {
        // Locale C: text is ordered by bytes, as in SQLite, whatever the machine's language. No sync here: the files
        // initdb writes are at risk only when the machine itself dies, and then nobody needs them.
        let arguments = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"];
        self.run(self.tool("initdb").arg("--pgdata").arg(self.data()).args(arguments))?;
        self.configure(SETTINGS)
    }

    fn start_on_a_free_port(&mut self) -> Result<()> {
        let mut attempts = 1;
        loop {
            self.port = free_port()?;
            self.configure(&format!("port = {}\n", self.port))?;
            match self.start_again() {
                Err(error) if attempts < PORT_ATTEMPTS && error.to_string().contains("Address already in use") => {
                    attempts += 1;
                }
                done => return done,
            }
        }
    }

    /// Append to the configuration; of two lines with one name the later counts.
    fn configure(&self, lines: &str) -> Result<()> {
        let path = self.data().join("postgresql.conf");
        let file = fs::OpenOptions::new().append(true).open(&path);
        file.and_then(|mut file| file.write_all(lines.as_bytes()))
            .map_err(Error::io(format!("write {}", path.display())))
    }

    fn pg_ctl(&self, arguments: &[&str]) -> Result<()> {
        self.run(self.tool("pg_ctl").arg("-D").arg(self.data()).args(["-w", "-t", "60"]).args(arguments))
    }

    fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(self.binaries.tool(name));
        command.current_dir(&self.home).env("LC_ALL", "C").stdin(Stdio::null());
        self.account.apply(&mut command);
        command
    }

    fn run(&self, command: &mut Command) -> Result<()> {
        let program = command.get_program().to_string_lossy().into_owned();
        let output = command.output().map_err(Error::io(format!("run {program}")))?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(Error::new(format!("{program} ended with {}: {}", output.status, String::from_utf8_lossy(&said).trim())))
    }

    fn data(&self) -> PathBuf {
        self.home.join("data")
    }
}

fn new_folder(parent: &Path) -> Result<PathBuf> {
    let name = format!("onward-postgres-{}-{:x}", std::process::id(), random());
    let home = parent.join(name);
    fs::create_dir(&home).map_err(Error::io(format!("create the folder {}", home.display())))?;
    Ok(home)
}

/// A port below those that outgoing connections are given. Among them, a client that knocks while the server is down
/// can be given the server's own port, connect to itself, and keep the server from coming back.
fn free_port() -> Result<u16> {
    (0..100)
        .map(|_| 15_000 + (random() % 17_000) as u16)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .ok_or_else(|| Error::new("no free port found on 127.0.0.1 between 15000 and 32000"))
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_else(|error| format!("(cannot be read: {error})"));
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}

/// std's only source of randomness: the seed of its hash maps, which is another one each time.
fn random() -> u64 {
    RandomState::new().hash_one(())
}
