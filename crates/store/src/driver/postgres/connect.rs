//! How PostgreSQL is reached: the URL, the sessions' settings, and the clocks that notice a dead peer.

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

/// How long a session may take to be there.
const CONNECT: Duration = Duration::from_secs(5);
/// What was sent and not acknowledged for so long says that the peer is gone.
const PEER_SILENT: Duration = Duration::from_secs(5);

/// A server, and how to get in.
#[derive(Clone)]
pub(super) struct Server {
    config: Config,
    tls: Tls,
    schema: Option<Schema>,
}

/// A connection that is read by whoever made it.
pub(super) type Wire = tokio_postgres::Connection<Socket, <Tls as MakeTlsConnect<Socket>>::Stream>;

/// A session of its own, which ends when it is dropped.
pub(super) struct Session {
    client: Client,
    reader: JoinHandle<()>,
}

impl Server {
    /// Read a URL. Nothing is reached yet.
    pub(super) fn parse(url: &str) -> Result<Server, Fault> {
        let (url, schema) = Schema::parse(url)?;
        let (url, tls) = tls::parse(&url)?;
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            let message = format!("the PostgreSQL URL is not understood: {}", super::fault::sentence(&error));
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
        // After a failover the old primary may still answer, as a standby: what it shows is old.
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

    /// The schema that the URL names.
    pub(super) fn schema(&self) -> Option<&Schema> {
        self.schema.as_ref()
    }

    /// A session that the caller reads itself.
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
        let late = |_| Fault::try_again(format!("PostgreSQL at {} lets nobody in", self.place()));
        crate::real_time::timeout(2 * CONNECT, connecting).await.map_err(late)?
    }

    /// A session that is read by a task of its own.
    pub(super) async fn session(&self, name: &str, settings: &str) -> Result<Session, Fault> {
        let (client, wire) = self.connect(name, settings).await?;
        let reader = tokio::spawn(async move {
            // Whoever waits for an answer is told so itself; this is for the log.
            if let Err(error) = wire.await {
                tracing::debug!(%error, "a connection to PostgreSQL has ended");
            }
        });
        Ok(Session { client, reader })
    }

    /// Sessions for many, made when they are needed.
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
        let pool = pool.map_err(|error| Fault::from(Error::new(Code::Database, format!("no pool: {error}"))))?;
        Ok(Sessions::new(pool, size))
    }

    /// Where it is, for messages: never with the password.
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

/// Ask a session whether it is there: one that lost its server would take a call with it.
async fn is_there(client: &ClientWrapper) -> Result<(), HookError> {
    match crate::real_time::timeout(limit::IS_THERE, client.simple_query("")).await {
        Ok(answer) => answer.map(drop).map_err(HookError::Backend),
        Err(_) => Err(HookError::message("the session does not answer")),
    }
}

/// The settings that each kind of session begins with.
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
/// What the session of a user's transaction is brought back to after it.
pub(super) const RESET: &str =
    concat!(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/sessions/reset.sql")), settings!("transaction"));
pub(super) const OF_TRANSACTION: &str = settings!("transaction");

/// What the session that writes for an executor is called. Whoever ends it knows it by this name.
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
        // Left alone, the reader would first send whatever is still to be sent.
        self.reader.abort();
    }
}
