//! The one workflow: it does what its program says.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use onward::BoxFuture;
use onward::calls::Step;
use onward::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::bodies::{self, Gave, Line, Log};
use super::deploys::Build;
use super::op::{Chance, Op, Program, Winner};
use super::{SAID, mix};

/// What bodies share: where they say that they run, and where they ask what to do.
#[derive(Clone, Debug)]
pub struct World {
    /// The log of bodies.
    pub log: Arc<Log>,
    /// The socket of the desk.
    pub desk: Option<PathBuf>,
    /// What is wrong with the code of this worker.
    pub build: Build,
}

/// The typed error of [`Op::Refused`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Oops {
    /// Which of them.
    pub code: u64,
}

impl Oops {
    /// The error of a step.
    #[must_use]
    pub fn of(salt: u64) -> Oops {
        Oops { code: salt % 1_000 }
    }
}

impl std::fmt::Display for Oops {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "oops {}", self.code)
    }
}

impl std::error::Error for Oops {}

/// Do what the program says, and give back the number that all its results were mixed to.
#[onward::workflow]
pub async fn program(ctx: &Ctx, program: Program) -> Result<u64> {
    walk(ctx, &program, 0).await
}

pub(super) fn walk<'a>(ctx: &'a Ctx, program: &'a Program, so_far: u64) -> BoxFuture<'a, Result<u64>> {
    Box::pin(async move {
        let mut so_far = so_far;
        for op in &program.0 {
            so_far = act(ctx, op, so_far).await?;
        }
        Ok(so_far)
    })
}

async fn act(ctx: &Ctx, op: &Op, so_far: u64) -> Result<u64> {
    Ok(match op {
        Op::Step { salt, millis } => value(ctx, "step", mix(so_far, *salt), *millis).await?,
        Op::Compute { salt, millis } => compute(ctx, mix(so_far, *salt), *millis).await?,
        Op::Transaction { salt, fails } => transaction(ctx, mix(so_far, *salt), *fails).await?,
        Op::Flaky { salt, fails, backoff } => {
            let value = mix(so_far, *salt);
            let step = ctx.step(format!("flaky-{fails}"), move || async move {
                begun(ctx, "flaky")?;
                let failed = ctx.attempt() <= *fails;
                ended(ctx, "flaky", if failed { Gave::Error } else { Gave::Value(value) })?;
                if failed { Err(Oops::of(*salt).into()) } else { Ok(value) }
            });
            step.attempts(fails + 1).backoff(pause(*backoff)).await?
        }
        Op::Refused { salt, attempts } => refused(ctx, *salt, *attempts, so_far).await?,
        Op::Sleep { millis } => {
            ctx.sleep(Duration::from_millis(*millis)).await?;
            mix(so_far, 1)
        }
        Op::Child { program: input, apart: false } => mix(so_far, ctx.run::<program>(input.clone()).await?),
        Op::Child { program: input, apart: true } => {
            let child = ctx.start::<program>(input.clone()).await?;
            mix(so_far, child.result(ctx).await?)
        }
        Op::Join(branches) => {
            let branches = branches.iter().zip(0..).map(|(branch, number)| {
                let walk = move |ctx: Ctx| async move { walk(&ctx, branch, mix(so_far, number)).await };
                ctx.branch(format!("b{number}"), walk)
            });
            ctx.all(branches).await?.into_iter().fold(so_far, mix)
        }
        Op::Pair(a, b) => {
            let (a, b) = tokio::join!(walk(ctx, a, mix(so_far, 0)), walk(ctx, b, mix(so_far, 1)));
            mix(a?, b?)
        }
        Op::Race { salt, winner } => race(ctx, *salt, *winner, so_far).await?,
        Op::Dice { salt } => {
            let runners = (value(ctx, "dice", mix(*salt, 0), salt % 7), value(ctx, "dice", mix(*salt, 1), salt % 5));
            let won = ctx.select(runners).await?;
            let won = matches!(won, Either::Left(_)).into();
            kept(ctx, won, mix(so_far, 3)).await?
        }
        Op::All { salt, count, limit } => {
            let steps = (*salt..salt + count).map(|salt| value(ctx, "one", mix(so_far, salt), salt % 4));
            ctx.all(steps).limit(*limit).await?.into_iter().fold(so_far, mix)
        }
        Op::Chance(chance) => {
            let made = match chance {
                Chance::Now => ctx.now().await?.as_microsecond().unsigned_abs(),
                Chance::Random => ctx.random().await?,
                Chance::Uuid => ctx.uuid().await?.as_u64_pair().1,
            };
            kept(ctx, made, mix(so_far, 4)).await?
        }
        Op::Patched(name) => {
            let applies = ctx.patched(name).await?;
            if applies { mix(so_far, 5) } else { return Err(format!("patch `{name}` does not apply").into()) }
        }
        Op::Repeat { times, program } => {
            let mut so_far = so_far;
            for _ in 0..*times {
                so_far = walk(ctx, program, so_far).await?;
            }
            so_far
        }
        Op::Say { salt } => {
            ctx.set_event(SAID, salt).await?;
            ctx.stream(SAID).append(salt).await?;
            mix(so_far, 6)
        }
        Op::Note { salt, count } => note(ctx, *salt, *count, so_far).await?,
        Op::Post { salt } => {
            let child = ctx.start::<program>(Program(vec![Op::Letter { salt: *salt }])).await?;
            ctx.send(child.id(), letter(*salt), salt).await?;
            mix(so_far, child.result(ctx).await?)
        }
        Op::Letter { salt } => mix(so_far, ctx.recv::<u64>(letter(*salt)).await?),
        Op::Silence { millis } => {
            let heard = ctx.recv::<u64>("silence").timeout(Duration::from_millis(*millis)).await?;
            if let Some(heard) = heard {
                return Err(format!("{heard} was heard, and nobody said it").into());
            }
            mix(so_far, 7)
        }
        Op::Hook { salt, millis } => {
            let hook = ctx.hook::<u64>().token(format!("hook-{salt}-{}", ctx.run_id())).await?;
            let heard = hook.recv().timeout(Duration::from_millis(*millis)).await?;
            if let Some(heard) = heard {
                return Err(format!("{heard} came to a hook, and nobody sent it").into());
            }
            mix(so_far, 8)
        }
        Op::Ask { salt } => ask(ctx, mix(so_far, *salt)).await?,
        Op::Die => die(ctx).await?,
    })
}

/// A step with a value that is known beforehand.
pub(super) fn value<'a>(ctx: &'a Ctx, name: &'static str, value: u64, millis: u64) -> Step<'a, u64> {
    ctx.step(name, move || async move {
        begun(ctx, name)?;
        if millis > 0 {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        ended(ctx, name, Gave::Value(value))?;
        Ok(value)
    })
}

/// A step whose body keeps its thread, as a long computation does.
async fn compute(ctx: &Ctx, value: u64, millis: u64) -> Result<u64> {
    let step = ctx.step("compute", move || async move {
        begun(ctx, "compute")?;
        std::thread::sleep(Duration::from_millis(millis));
        ended(ctx, "compute", Gave::Value(value))?;
        Ok(value)
    });
    Ok(step.await?)
}

/// The topic of a letter that says this.
#[must_use]
pub fn letter(salt: u64) -> String {
    format!("letter-{salt}")
}

/// Messages to oneself, on a topic that no other branch uses.
async fn note(ctx: &Ctx, salt: u64, count: u64, so_far: u64) -> Result<u64> {
    let topic = format!("note-{salt}");
    for message in salt..salt + count {
        ctx.send(ctx.run_id(), &topic, message).await?;
    }
    let mut so_far = so_far;
    for _ in 0..count {
        so_far = mix(so_far, ctx.recv::<u64>(&topic).await?);
    }
    Ok(so_far)
}

/// While other bodies keep all threads, a transaction on SQLite may take longer than it may. It is tried again so often.
const LATE_MAX: u32 = 9;

/// A row for each that stands. What a failed or interrupted body wrote is not there.
async fn transaction(ctx: &Ctx, value: u64, fails: u32) -> Result<u64> {
    let write = ctx.transaction(format!("flaky-{fails}"), move |tx| async move {
        begun(ctx, "transaction")?;
        let row = (ctx.idempotency_key(), value.to_string());
        tx.execute("insert into ledger (step, salt) values ($1, $2)", row).await?;
        let failed = ctx.attempt() <= fails;
        ended(ctx, "transaction", if failed { Gave::Error } else { Gave::Value(value) })?;
        if failed { Err(Oops::of(value).into()) } else { Ok(value) }
    });
    Ok(write.attempts(fails + 1 + LATE_MAX).backoff(pause(2)).await?)
}

async fn refused(ctx: &Ctx, salt: u64, attempts: u32, so_far: u64) -> Result<u64> {
    let step = ctx.step(format!("refused-{attempts}"), move || async move {
        begun(ctx, "refused")?;
        ended(ctx, "refused", Gave::Error)?;
        Err::<u64, _>(Oops::of(salt).into())
    });
    let refused = step.attempts(attempts).backoff(pause(2)).errors::<Oops>().await;
    match refused.map_err(|error| error.downcast::<Oops>()) {
        Err(Ok(oops)) => Ok(mix(so_far, oops.code)),
        Err(Err(error)) => Err(error.into()),
        Ok(value) => Err(format!("a step that always fails gave {value}").into()),
    }
}

async fn race(ctx: &Ctx, salt: u64, winner: Winner, so_far: u64) -> Result<u64> {
    let short = Duration::from_millis(salt % 20);
    Ok(match winner {
        Winner::Step => {
            let step = value(ctx, "winner", mix(so_far, salt), salt % 10);
            match ctx.select((step, ctx.sleep(Duration::from_secs(3_600)))).await? {
                Either::Left(value) => value,
                Either::Right(()) => return Err("an hour has passed".into()),
            }
        }
        Winner::Sleep => {
            let step = ctx.step("loser", move || async move {
                begun(ctx, "loser")?;
                std::future::pending::<Result<u64>>().await
            });
            match ctx.select((step, ctx.sleep(short))).await? {
                Either::Left(value) => return Err(format!("a step that never returns gave {value}").into()),
                Either::Right(()) => mix(so_far, 2),
            }
        }
        Winner::SleepAgainstFailures => {
            let step = ctx.step("failing", move || async move {
                begun(ctx, "failing")?;
                ended(ctx, "failing", Gave::Error)?;
                Err::<u64, _>(Oops::of(salt).into())
            });
            let step = step.attempts(u32::MAX).backoff(pause(3));
            match ctx.select((step, ctx.sleep(short))).await? {
                Either::Left(value) => return Err(format!("a step that always fails gave {value}").into()),
                Either::Right(()) => mix(so_far, 2),
            }
        }
    })
}

/// Record a number that chance made, and see whether it is still the same: on every replay what was recorded comes back.
async fn kept(ctx: &Ctx, made: u64, so_far: u64) -> Result<u64> {
    let kept = value(ctx, "kept", made, 0).await?;
    if kept == made { Ok(so_far) } else { Err(format!("{kept} was recorded, and now it is {made}").into()) }
}

/// Ask at the desk, and do as is said: `die`, or anything else to go on.
async fn ask(ctx: &Ctx, value: u64) -> Result<u64> {
    let step = ctx.step("ask", move || async move {
        begun(ctx, "ask")?;
        let desk = ctx.state::<World>().desk.as_ref().ok_or("the worker was given no desk")?;
        let mut stream = UnixStream::connect(desk).await?;
        stream.write_all(format!("{} {}\n", ctx.run_id(), std::process::id()).as_bytes()).await?;
        let mut answer = String::new();
        BufReader::new(&mut stream).read_line(&mut answer).await?;
        match answer.trim() {
            "die" => kill_ourselves()?,
            // The desk is closed: the process that waits for this body is gone too.
            "" => std::future::pending().await,
            _ => {}
        }
        ended(ctx, "ask", Gave::Value(value))?;
        Ok(value)
    });
    Ok(step.await?)
}

async fn die(ctx: &Ctx) -> Result<u64> {
    let step = ctx.step("die", move || async move {
        begun(ctx, "die")?;
        kill_ourselves()?;
        Ok(std::future::pending::<u64>().await)
    });
    Ok(step.await?)
}

fn kill_ourselves() -> io::Result<()> {
    Ok(rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?)
}

fn begun(ctx: &Ctx, step: &str) -> io::Result<()> {
    write(ctx, step, None)
}

fn ended(ctx: &Ctx, step: &str, gave: Gave) -> io::Result<()> {
    write(ctx, step, Some(gave))
}

fn write(ctx: &Ctx, step: &str, gave: Option<Gave>) -> io::Result<()> {
    ctx.state::<World>().log.write(&Line {
        at: bodies::now(),
        key: ctx.idempotency_key(),
        run: ctx.run_id().to_owned(),
        step: step.to_owned(),
        attempt: ctx.attempt(),
        pid: std::process::id(),
        gave,
    })
}

fn pause(millis: u64) -> std::ops::Range<Duration> {
    Duration::from_millis(millis)..Duration::from_millis(millis.max(1) * 2)
}
