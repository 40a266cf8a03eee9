//! Restate: its server with its own log, started here, and a service of ours that it calls.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use onward_contest::{Engine, Ready, Result, enter_step};
use restate_sdk::ingress::{Client, RequestExecutor};
use restate_sdk::prelude::*;
use serde_json::json;
use tokio::process::{Child, Command};

/// Where its server program is.
const SERVER: &str = "RESTATE_SERVER";
/// As long as it may take to be ready.
const PATIENCE: Duration = Duration::from_secs(60);
const OPEN_RUNS: &str = "select count(1) as open from sys_invocation where status <> 'completed'";

struct Steps;

#[restate_sdk::service]
impl Steps {
    #[handler]
    async fn run(&self, ctx: Context<'_>, count: u32) -> HandlerResult<u32> {
        for number in 0..count {
            let body = || async move {
                enter_step();
                Ok(number)
            };
            ctx.run(body).await?;
        }
        Ok(count)
    }

    #[handler]
    async fn echo(&self, ctx: Context<'_>, payload: String) -> HandlerResult<String> {
        let body = || async move {
            enter_step();
            Ok(payload)
        };
        Ok(ctx.run(body).await?)
    }
}

pub struct Restate {
    // Killed when it is dropped.
    server: Child,
    steps: StepsIngressClient<Http>,
    http: reqwest::Client,
    admin: String,
}

pub async fn open(url: String) -> Result<(Restate, Ready)> {
    let program = std::env::var(SERVER).map_err(|_| format!("{SERVER} does not say where restate-server is"))?;
    let folder = url.trim_start_matches("folder:");
    std::fs::create_dir_all(folder)?;
    let [node, ingress, admin, service] = free_ports()?;
    let log = std::fs::File::create(Path::new(folder).with_extension("log"))?;
    let server = Command::new(program)
        .args(["--no-logo", "--base-dir", folder])
        .env("RESTATE_NODE_NAME", "contest")
        .env("RESTATE_LISTEN_MODE", "tcp")
        .env("RESTATE_BIND_IP", "127.0.0.1")
        .env("RESTATE_BIND_PORT", node.to_string())
        .env("RESTATE_INGRESS__BIND_PORT", ingress.to_string())
        .env("RESTATE_ADMIN__BIND_PORT", admin.to_string())
        .env("RESTATE_DISABLE_TELEMETRY", "true")
        .env("RESTATE_LOG_FILTER", "warn")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()?;
    tokio::spawn(async move {
        let address = ([127, 0, 0, 1], service).into();
        HttpServer::new(Endpoint::builder().bind(Steps).build()).listen_and_serve(address).await;
    });
    let http = reqwest::Client::new();
    let admin = format!("http://127.0.0.1:{admin}");
    let client = Client::new(format!("http://127.0.0.1:{ingress}").parse()?, Http(http.clone()))?;
    let restate = Restate { server, steps: StepsIngressClient::from_client(client), http, admin };
    tokio::time::timeout(PATIENCE, restate.register(service))
        .await
        .map_err(|_| "restate-server does not become ready")?;
    let settings = "defaults (24 partitions, replicated loglet on one node), telemetry off".to_owned();
    Ok((restate, Ready { durability: None, settings }))
}

/// The way to the server's ingress, as the SDK's own client of this kind goes it.
struct Http(reqwest::Client);

impl RequestExecutor for Http {
    type Error = reqwest::Error;

    async fn execute(&self, request: Request<Bytes>) -> std::result::Result<Response<Bytes>, reqwest::Error> {
        let answer = self.0.execute(request.try_into()?).await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut response = Response::new(answer.bytes().await?);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

impl Restate {
    /// Tell the server of our service, and go on when both answer.
    async fn register(&self, service: u16) {
        let service = json!({"uri": format!("http://127.0.0.1:{service}")});
        let deployments = format!("{}/deployments", self.admin);
        loop {
            let answer = self.http.post(&deployments).json(&service).send().await;
            let registered = answer.is_ok_and(|answer| answer.status().is_success());
            if registered && self.run(1).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn open_runs(&self) -> Result<u64> {
        let query = json!({"query": OPEN_RUNS});
        let request = self.http.post(format!("{}/query", self.admin)).header("accept", "application/json").json(&query);
        let answer: serde_json::Value = request.send().await?.error_for_status()?.json().await?;
        answer["rows"][0]["open"].as_u64().ok_or_else(|| format!("no number of open runs in {answer}").into())
    }
}

impl Engine for Restate {
    type Queued = ();

    async fn run(&self, count: u32) -> Result<()> {
        self.steps.run(count).call().await?.into_body()?;
        Ok(())
    }

    async fn echo(&self, payload: String) -> Result<String> {
        Ok(self.steps.echo(payload).call().await?.into_body()?)
    }

    async fn enqueue(&self) -> Result<()> {
        self.steps.run(1).send().await?;
        Ok(())
    }

    async fn result(&self, (): ()) -> Result<()> {
        self.all_ended(Vec::new()).await
    }

    async fn all_ended(&self, _: Vec<()>) -> Result<()> {
        while self.open_runs().await? > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    async fn close(mut self) -> Result<()> {
        Ok(self.server.kill().await?)
    }
}

/// Ports that nobody listens on.
fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut listeners = Vec::new();
    for _ in 0..N {
        listeners.push(TcpListener::bind(("127.0.0.1", 0))?);
    }
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}
