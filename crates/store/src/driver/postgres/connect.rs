//! Connecting to PostgreSQL: the URL, the sessions' settings, and the timeouts that detect a dead peer.

use std::ops::Deref;
use std::time::Duration;

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Metrics, Pool, RecyclingMethod, Runtime, Timeouts,
};
use onward_types::{Code, Error, ExecutorId};
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, TargetSessionAttrs};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Socket};

use super::fault::{fault, unreachable};
use super::limit;
use super::pool::Sessions;
use super::schema::Schema;
use super::tls::{self, Tls};
use crate::fault::Fault;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// After this long without an acknowledgement for sent data, the peer is considered gone.
const PEER_SILENT: Duration = Duration::from_secs(5);

/// A server, and how to connect to it.
#[derive(Clone)]
pub(super) struct Server {
    config: Config,
    tls: Tls,
    schema: Option<Schema>,
}

/// A connection that its creator has to poll.
pub(super) type Wire = tokio_postgres::Connection<Socket, <Tls as MakeTlsConnect<Socket>>::Stream>;

/// A single session, which ends when it is dropped.
pub(super) struct Session {
    client: Client,
    reader: JoinHandle<()>,
}

impl Server {
    /// Parse a URL, without connecting.
    pub(super) fn parse(url: &str) -> Result<Server, Fault> {
        let (url, schema) = Schema::parse(url)?;
        let (url, tls) = tls::parse(&url)?;
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            let message = format!("the PostgreSQL URL is not valid: {}", super::fault::sentence(&error));
            Fault::from(Error::new(Code::Invalid, message))
        })?;
        let is_named = |host: &Host| !matches!(host, Host::Tcp(name) if name.is_empty());
        if config.get_hostaddrs().is_empty() && !config.get_hosts().iter().any(is_named) {
            let message = "the PostgreSQL URL names no host: write postgres://user@host/database";
            return Err(Error::new(Code::Invalid, message).into());
        }
        if let Some(schema) = &schema {
            let options = schema.options(config.get_options());
            config.options(options);
        }
        // After a failover the old primary may still answer as a standby, with outdated data.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(PEER_SILENT);
        }
        config.keepalives(true);
        config
            .keepalives_idle(Duration::from_secs(2))
            .keepalives_interval(Duration::from_secs(1))
            .keepalives_retries(3);
        Ok(Server { config, tls, schema })
    }

    /// The schema named in the URL.
    pub(super) fn schema(&self) -> Option<&Schema> {
        self.schema.as_ref()
    }

    /// Open a session whose connection the caller polls.
    pub(super) async fn connect(&self, name: &str, settings: &str) -> Result<(Client, Wire), Fault> {
        let mut config = self.config.clone();
        config.application_name(name);
        let connecting = async {
            let (client, mut wire) =
                config.connect(self.tls.clone()).await.map_err(|error| unreachable(&self.place(), &error))?;
            tokio::select! {
                set = client.batch_execute(settings) => set.map_err(fault)?,
                ended = &mut wire => ended.map_err(fault)?,
            }
            Ok((client, wire))
        };
        let late =
            |_| Fault::try_again(format!("PostgreSQL at {} did not accept the connection in time", self.place()));
        crate::real_time::timeout(2 * CONNECT, connecting).await.map_err(late)?
    }

    /// Open a session whose connection is polled by a task of its own.
    pub(super) async fn session(&self, name: &str, settings: &str) -> Result<Session, Fault> {
        let (client, wire) = self.connect(name, settings).await?;
        let reader = tokio::spawn(async move {
            // Everyone who awaits an answer gets this error too; this is only for the log.
            if let Err(error) = wire.await {
                let error = error.to_string();
                tracing::debug!(target: "onward::database", error, "a connection to PostgreSQL has ended");
            }
        });
        Ok(Session { client, reader })
    }

    /// A pool of sessions, which are opened on demand.
    pub(super) fn pool(&self, name: &str, size: usize, settings: &'static str) -> Result<Sessions, Fault> {
        let mut config = self.config.clone();
        config.application_name(name);
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, self.tls.clone(), recycling);
        let set = Hook::async_fn(move |client: &mut ClientWrapper, _| {
            Box::pin(async move { client.batch_execute(settings).await.map_err(HookError::Backend) })
        });
        let look = Hook::async_fn(|client: &mut ClientWrapper, metrics: &Metrics| {
            let was_idle = metrics.last_used() > limit::IDLE;
            Box::pin(async move { if was_idle { is_there(client).await } else { Ok(()) } })
        });
        let timeouts = Timeouts { wait: None, create: Some(2 * CONNECT), recycle: Some(CONNECT) };
        let pool = Pool::builder(manager).max_size(size).timeouts(timeouts).runtime(Runtime::Tokio1);
        let pool = pool.post_create(set).pre_recycle(look).build();
        let pool = pool.map_err(|error| {
            let message = format!("the connection pool cannot be created: {error}");
            Fault::from(Error::new(Code::Database, message))
        })?;
        Ok(Sessions::new(pool, size))
    }

    /// The location of the server for messages, without the password.
    pub(super) fn place(&self) -> String {
        let hosts = self.config.get_hosts().iter().enumerate().map(|(at, host)| {
            let ports = self.config.get_ports();
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) => format!("{name}:{port}"),
                #[cfg(unix)]
                Host::Unix(path) => format!("{}:{port}", path.display()),
            }
        });
        let hosts: Vec<String> = hosts.collect();
        let database = self.config.get_dbname().or(self.config.get_user()).unwrap_or("postgres");
        let schema = self.schema.as_ref().map(|schema| format!("?schema={schema}")).unwrap_or_default();
        format!("{}/{database}{schema}", hosts.join(","))
    }
}

/// Check that a session still works: one that lost its server would fail the next call.
async fn is_there(client: &ClientWrapper) -> Result<(), HookError> {
    match crate::real_time::timeout(limit::IS_THERE, client.simple_query("")).await {
        Ok(answer) => answer.map(drop).map_err(HookError::Backend),
        Err(_) => Err(HookError::message("the session does not answer")),
    }
}

/// The initial settings of each kind of session.
macro_rules! settings {
    ($kind:literal) => {
        concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/sessions/every.sql")),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/sessions/", $kind, ".sql"))
        )
    };
}
pub(super) const OF_WRITER: &str = settings!("writer");
pub(super) const OF_POOL: &str = settings!("pool");
pub(super) const OF_SIGNALS: &str = settings!("signals");
pub(super) const OF_MIGRATION: &str = settings!("migration");
/// Resets a session after a user transaction.
pub(super) const RESET: &str =
    concat!(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/sessions/reset.sql")), settings!("transaction"));
pub(super) const OF_TRANSACTION: &str = settings!("transaction");

/// The application name of the session that writes for an executor. It identifies the session when it has to be terminated.
pub(super) fn writer_name(executor: &ExecutorId) -> String {
    format!("onward-writer-{executor}")
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Otherwise the reader would first send everything that is still queued.
        self.reader.abort();
    }
}
