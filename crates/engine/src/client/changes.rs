//! Follow runs: a stream of the runs that changed.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::Stream;
use onward_store::{ChangePage, Noted, Position, Seen};
use onward_types::{Change, ChangeCursor, ChangedRun, Code, Error, Filter, RunKey, SortBy, Timestamp};
use tokio::sync::broadcast;

use super::Client;
use super::feed::{Feed, News, PAGE};
use super::handle::WorkflowHandle;
use crate::data::Data;
use crate::future::BoxFuture;

/// How many runs of the snapshot one query reads.
const SNAPSHOT_PAGE: u32 = 500;
/// How often a follower without changes gets a newer cursor.
const CURRENT: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

/// The runs that change, as they change. Made by [`Client::changes`] and [`WorkflowHandle::changes`](crate::WorkflowHandle::changes).
///
/// It is a `futures::Stream`; [`next`](Changes::next) works without that crate. It ends only after the errors `invalid`, if the cursor
/// or the filter is not valid, and `stopped`, if the client is [closed](Client::close). After any other error it can be read on, and
/// misses nothing.
#[must_use = "a stream is read when it is polled"]
pub struct Changes {
    /// `None` while `reading` holds it.
    follower: Option<Box<Follower>>,
    reading: Option<BoxFuture<'static, Read>>,
    feed: Arc<Feed>,
    /// The client was closed, or the cursor or the filter is wrong, and always will be.
    is_over: bool,
}

/// The follower is returned together with what it read.
type Read = (Box<Follower>, Result<Change, Error>);

struct Follower {
    client: Client,
    filter: Filter,
    begin: Begin,
    news: Option<broadcast::Receiver<News>>,
    place: Option<Place>,
    ready: VecDeque<Change>,
    /// Whether the log has to be read before there is news.
    is_behind: bool,
    /// When the last item was made.
    told_at: Timestamp,
}

/// Where a follower begins.
enum Begin {
    Snapshot,
    Now,
    After(ChangeCursor),
}

/// Where a follower is.
#[derive(Clone)]
enum Place {
    /// In the snapshot, after this run. What changes meanwhile is read from the position on.
    Snapshot(Position, Option<RunKey>),
    Log(Position),
}

impl Client {
    /// Follow the runs that match a filter, in all processes: an item for each run that changed. It begins with a snapshot, which is
    /// every matching run once. After the last change of a run, the follower has seen its last state.
    ///
    /// A run changes when it is created or deleted; when its state, owner, attributes or queue change; when a step ends, fails or
    /// begins to wait; when a message is sent to it or taken, an event is set, or a hook is opened or closed. Chunks of streams are
    /// not changes of a run. An item says which run changed, not what: read what you need of it.
    ///
    /// ```
    /// # use onward_engine::{Change, Filter, Onward, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let onward = Onward::open("sqlite::memory:").launch().await?;
    /// let mut changes = onward.changes(Filter::all());
    /// let mut runs = std::collections::HashMap::new();
    /// while let Some(change) = changes.next().await.transpose()? {
    ///     match &change {
    ///         Change::Snapshot { .. } => runs.clear(),
    ///         Change::Run(run) if run.deleted => drop(runs.remove(&run.key)),
    ///         Change::Run(run) => drop(runs.insert(run.key, run.status)),
    ///         _ => break, // everything is known; go on to follow what happens
    ///     }
    ///     let keep_for_a_restart = change.cursor().as_str();
    /// }
    /// # changes.close().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// Every condition of the filter counts; its order, its limit and its cursors do not. A run that no longer matches is reported
    /// with `matches: false`, and so may be runs that never matched: all that have a wanted id, workflow, user, origin and creation
    /// time. Whether a run matches is judged when it changes: one that only grows older, past a `duration`, is not reported. Of a
    /// deleted run only its id and its workflow are known.
    ///
    /// While nobody follows, changes are not recorded and cost nothing. All followers of a client share one query a second, and one
    /// more soon after each signal. To begin and to end the recording, triggers are created and removed, which waits a moment for
    /// transactions in progress. A slow follower slows nobody.
    ///
    /// # Errors
    /// Items of the stream: `invalid` if the filter or the cursor is not valid; `busy` if a table is locked for too long; `database`
    /// if the database cannot be reached; `stopped` if the client is [closed](Client::close).
    pub fn changes(&self, filter: Filter) -> Changes {
        Changes::new(self, filter)
    }
}

impl<T: Data> WorkflowHandle<T> {
    /// Follow this run: an item each time it changed, first its state now. A run need not exist yet. The stream goes on after the end
    /// of the run, which may be resumed or deleted, and after its deletion with a later run of the same id.
    ///
    /// ```no_run
    /// # use onward_engine::{Client, Result};
    /// # async fn demo(client: Client) -> Result<()> {
    /// let run = client.handle_named("order-17");
    /// let mut changes = run.changes();
    /// while let Some(change) = changes.next().await.transpose()? {
    ///     let Some(seen) = change.run() else { continue };
    ///     println!("{} is {}, with {} calls", seen.run, seen.status, run.steps().await?.len());
    ///     if seen.status.is_terminal() {
    ///         break;
    ///     }
    /// }
    /// changes.close().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Items of the stream: see [`Client::changes`].
    pub fn changes(&self) -> Changes {
        Changes::new(&self.client, Filter { ids: vec![self.id.clone()], ..Filter::default() })
    }
}

impl Changes {
    pub(crate) fn new(client: &Client, filter: Filter) -> Changes {
        let follower = Follower {
            told_at: client.store.clock().now(),
            client: client.clone(),
            // Every condition counts; the order and the limits of a list do not.
            filter: Filter {
                limit: None,
                after: None,
                before: None,
                sort: SortBy::Created,
                oldest_first: false,
                ..filter
            },
            begin: Begin::Snapshot,
            news: None,
            place: None,
            ready: VecDeque::new(),
            is_behind: false,
        };
        Changes { follower: Some(Box::new(follower)), reading: None, feed: client.feed.clone(), is_over: false }
    }

    /// Go on after this cursor. Every run that changed since is reported. If changes since then may be gone, a snapshot comes first:
    /// changes are kept for ten minutes after a follower vanished, but not more than about a million of them.
    pub fn after(self, cursor: impl Into<ChangeCursor>) -> Self {
        self.begin(Begin::After(cursor.into()))
    }

    /// Begin with what changes from now on, without a snapshot. The first item is [`Change::Current`]: whatever is changed after it
    /// was received is reported.
    ///
    /// ```
    /// # use onward_engine::{Change, Client, Filter, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let client = Client::connect("sqlite::memory:").await?;
    /// # client.start_named("order", 16).id("order-16").await?;
    /// let mut changes = client.changes(Filter::all()).from_now();
    /// assert!(matches!(changes.next().await.transpose()?, Some(Change::Current { .. })));
    /// client.start_named("order", 17).id("order-17").await?;
    /// let change = changes.next().await.transpose()?.expect("it goes on");
    /// assert_eq!(change.run().expect("a run").run.as_str(), "order-17");
    /// # changes.close().await?;
    /// # Ok(()) }
    /// ```
    pub fn from_now(self) -> Self {
        self.begin(Begin::Now)
    }

    fn begin(mut self, begin: Begin) -> Self {
        if let Some(follower) = &mut self.follower {
            follower.begin = begin;
        }
        self
    }

    /// The next item. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Change, Error>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Follow no longer, and do not come back to one of the cursors. If nobody else follows, changes are no longer recorded from now
    /// on. A stream that is only dropped counts as a follower for up to ten minutes more.
    ///
    /// # Errors
    /// `database` if the database cannot be reached; `busy` if a table is locked. Executors then end the recording later.
    pub async fn close(self) -> Result<(), Error> {
        let Changes { follower, reading, feed, .. } = self;
        drop((follower, reading));
        feed.leave().await
    }
}

impl Stream for Changes {
    type Item = Result<Change, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        if let Some(mut follower) = self.follower.take() {
            if let Some(change) = follower.ready.pop_front() {
                self.follower = Some(follower);
                return Poll::Ready(Some(Ok(change)));
            }
            self.reading = Some(Box::pin(async move {
                let waiters = follower.client.waiters.clone();
                let change = tokio::select! {
                    // First: in a busy database there are always more changes.
                    biased;
                    () = waiters.closed() => Err(super::closed("changes of runs")),
                    change = follower.next() => change,
                };
                (follower, change)
            }));
        }
        let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
        let (follower, change) = std::task::ready!(reading.as_mut().poll(cx));
        self.reading = None;
        self.follower = Some(follower);
        self.is_over = change.as_ref().is_err_and(|error| matches!(error.kind(), Code::Invalid | Code::Stopped));
        Poll::Ready(Some(change))
    }
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Changes").finish_non_exhaustive()
    }
}

impl Follower {
    async fn next(&mut self) -> Result<Change, Error> {
        loop {
            if let Some(change) = self.ready.pop_front() {
                return Ok(change);
            }
            let Some(mut news) = self.news.take() else {
                // Register first, then read: what changes after the read is told.
                self.news = Some(self.client.feed.subscribe().await?);
                self.is_behind = true;
                continue;
            };
            let filled = self.fill(&mut news).await;
            // A task that ended is started again by the next subscription.
            self.news = filled.as_ref().map_or(true, |is_open| *is_open).then_some(news);
            filled?;
        }
    }

    /// Reads the next items. Returns `false` if the channel was closed.
    async fn fill(&mut self, news: &mut broadcast::Receiver<News>) -> Result<bool, Error> {
        match self.place.clone() {
            None => self.open().await?,
            Some(Place::Snapshot(base, after)) => self.snapshot(base, after).await?,
            Some(Place::Log(at)) if self.is_behind => match self.client.store.changes_since(&at, PAGE).await? {
                Some(page) => {
                    self.report(&page).await?;
                    if !page.more {
                        self.is_behind = false;
                        self.current(&page.next);
                    }
                }
                None => self.begin_snapshot().await?,
            },
            Some(Place::Log(_)) => match news.recv().await {
                Ok(News::Changes(page)) => {
                    let none = page.changes.is_empty();
                    self.report(&page).await?;
                    if none && self.client.store.clock().now().duration_since(self.told_at) > CURRENT {
                        self.current(&page.next);
                    }
                }
                Ok(News::Look) | Err(broadcast::error::RecvError::Lagged(_)) => self.is_behind = true,
                Err(broadcast::error::RecvError::Closed) => return Ok(false),
            },
        }
        Ok(true)
    }

    async fn open(&mut self) -> Result<(), Error> {
        match &self.begin {
            Begin::Snapshot => self.begin_snapshot().await?,
            Begin::Now => {
                if let Some(head) = self.client.store.changes_head().await? {
                    self.current(&head);
                    self.is_behind = false;
                    self.place = Some(Place::Log(head));
                } else {
                    self.wait_for_registration().await;
                }
            }
            Begin::After(cursor) => {
                self.place = Some(Place::read(cursor)?);
                self.is_behind = true;
            }
        }
        Ok(())
    }

    async fn begin_snapshot(&mut self) -> Result<(), Error> {
        let Some(head) = self.client.store.changes_head().await? else {
            self.wait_for_registration().await;
            return Ok(());
        };
        let place = Place::Snapshot(head, None);
        self.ready.push_back(Change::Snapshot { cursor: place.cursor() });
        self.place = Some(place);
        Ok(())
    }

    /// The registration had expired, so nothing is recorded; the task that reads registers again.
    async fn wait_for_registration(&self) {
        self.client.store.clock().rest(std::time::Duration::from_secs(1)).await;
    }

    async fn snapshot(&mut self, base: Position, after: Option<RunKey>) -> Result<(), Error> {
        let seen = self.client.store.matching_runs(&self.filter, after, SNAPSHOT_PAGE).await?;
        let is_last = seen.len() < SNAPSHOT_PAGE as usize;
        let last = seen.last().map(|run| run.key);
        for run in seen {
            let cursor = Place::Snapshot(base.clone(), Some(run.key)).cursor();
            self.ready.push_back(Change::Run(changed(run, cursor)));
        }
        self.is_behind = true;
        self.place = Some(if is_last { Place::Log(base) } else { Place::Snapshot(base, last) });
        Ok(())
    }

    /// The runs of a page as the filter selects them, in the order of their changes.
    async fn report(&mut self, page: &ChangePage) -> Result<(), Error> {
        if !page.changes.is_empty() {
            let noted: Vec<Noted> = page.changes.iter().map(|(_, noted)| noted.clone()).collect();
            let seen = self.client.store.changed_runs(&self.filter, noted).await?;
            let mut seen: HashMap<RunKey, Seen> = seen.into_iter().map(|run| (run.key, run)).collect();
            for (position, noted) in &page.changes {
                if let Some(run) = seen.remove(&noted.key) {
                    let cursor = Place::Log(position.clone()).cursor();
                    self.ready.push_back(Change::Run(changed(run, cursor)));
                    self.told_at = self.client.store.clock().now();
                }
            }
        }
        self.place = Some(Place::Log(page.next.clone()));
        Ok(())
    }

    fn current(&mut self, at: &Position) {
        self.told_at = self.client.store.clock().now();
        self.ready.push_back(Change::Current { cursor: Place::Log(at.clone()).cursor() });
    }
}

fn changed(seen: Seen, cursor: ChangeCursor) -> ChangedRun {
    let Seen { key, id, workflow, version, status, executor, updated_at, matches, deleted } = seen;
    let mut run = ChangedRun::new(cursor, (key, id), (workflow, version), status, updated_at);
    run.executor = executor;
    run.matches = matches;
    run.deleted = deleted;
    run
}

impl Place {
    fn cursor(&self) -> ChangeCursor {
        let text = match self {
            Place::Snapshot(base, None) => format!("{base}/"),
            Place::Snapshot(base, Some(after)) => format!("{base}/{after}"),
            Place::Log(at) => at.to_string(),
        };
        URL_SAFE_NO_PAD.encode(text).into()
    }

    fn read(cursor: &ChangeCursor) -> Result<Place, Error> {
        let wrong = || {
            let message = "the cursor was not made by a feed of changes: use one that a change had, unchanged";
            Error::new(Code::Invalid, message)
        };
        let bytes = URL_SAFE_NO_PAD.decode(cursor.as_str()).map_err(|_| wrong())?;
        let text = String::from_utf8(bytes).map_err(|_| wrong())?;
        match text.split_once('/') {
            None => Ok(Place::Log(text.parse()?)),
            Some((base, "")) => Ok(Place::Snapshot(base.parse()?, None)),
            Some((base, after)) => {
                let after = after.parse().map(RunKey).map_err(|_| wrong())?;
                Ok(Place::Snapshot(base.parse()?, Some(after)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_from_its_text() {
        let key = RunKey(uuid::Uuid::from_u128(7));
        let base: Position = "e1;10:20:11".parse().unwrap();
        for place in [
            Place::Log(base.clone()),
            Place::Snapshot(base.clone(), None),
            Place::Snapshot(base.clone(), Some(key)),
            Place::Log("e1;7".parse().unwrap()),
        ] {
            let cursor = place.cursor();
            assert_eq!(Place::read(&cursor).unwrap().cursor(), cursor);
        }
        assert_eq!(Place::read(&"no cursor".into()).err().unwrap().code(), "invalid");
        assert_eq!(Place::read(&"AAAA".into()).err().unwrap().code(), "invalid");
    }
}
