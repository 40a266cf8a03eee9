//! Reads the feed of changes once for all followers of this client, and tells them.

use std::sync::{Arc, Weak};
use std::time::Duration;

use onward_store::{ChangePage, Clock, Position, Signal, Store, add, real_time};
use onward_types::Error;
use tokio::sync::{Mutex, broadcast};

/// How often the feed is read, whatever the signals say.
const SWEEP: Duration = Duration::from_secs(1);
/// How long signals are gathered before the feed is read.
const GATHER: Duration = Duration::from_millis(100);
/// How often the registration is renewed and the feed tidied up.
const TEND: Duration = Duration::from_secs(30);
/// How many changes one query reads.
pub(super) const PAGE: u32 = 5_000;
/// How many pages a slow follower may fall behind before it has to read the feed by itself.
const PAGES: usize = 32;

/// What the followers of this client are told.
#[derive(Clone, Debug)]
pub(super) enum News {
    /// These changes were made.
    Changes(Arc<ChangePage>),
    /// Changes may have been missed: go on from the last known position.
    Look,
}

/// The followers of one client.
pub(crate) struct Feed {
    store: Store,
    /// Under this name the client is registered as a follower.
    follower: String,
    /// The channel of the task that reads. It is closed when the task has ended.
    told: Mutex<Option<broadcast::WeakSender<News>>>,
}

impl Feed {
    pub(crate) fn new(store: Store) -> Arc<Feed> {
        let follower = store.clock().uuid().simple().to_string();
        Arc::new(Feed { store, follower, told: Mutex::default() })
    }

    /// Be told of every change from now on.
    pub(super) async fn subscribe(self: &Arc<Feed>) -> Result<broadcast::Receiver<News>, Error> {
        let mut told = self.told.lock().await;
        if let Some(sender) = told.as_ref().and_then(broadcast::WeakSender::upgrade) {
            return Ok(sender.subscribe());
        }
        let head = self.store.follow(&self.follower).await?;
        let (sender, receiver) = broadcast::channel(PAGES);
        *told = Some(sender.downgrade());
        drop(told);
        let clock = self.store.clock().clone();
        let signals = self.store.signals();
        tokio::spawn(read_for_ever(Reader { feed: Arc::downgrade(self), sender, clock, signals }, head));
        Ok(receiver)
    }

    /// Give up the registration, unless others of this client follow.
    pub(super) async fn leave(&self) -> Result<(), Error> {
        let mut told = self.told.lock().await;
        let sender = told.as_ref().and_then(broadcast::WeakSender::upgrade);
        if sender.is_some_and(|sender| sender.receiver_count() > 0) {
            return Ok(());
        }
        *told = None;
        self.store.unfollow(&self.follower).await
    }

    /// Whether the task with this channel is no longer needed. Then it is forgotten, so that the next follower starts another.
    async fn is_over(&self, sender: &broadcast::Sender<News>) -> bool {
        let mut told = self.told.lock().await;
        let own = told.as_ref().and_then(broadcast::WeakSender::upgrade);
        if !own.is_some_and(|own| own.same_channel(sender)) {
            return true;
        }
        if sender.receiver_count() > 0 {
            return false;
        }
        *told = None;
        true
    }
}

/// The task that reads. It ends with the last follower.
struct Reader {
    feed: Weak<Feed>,
    sender: broadcast::Sender<News>,
    clock: Clock,
    signals: broadcast::Receiver<Signal>,
}

async fn read_for_ever(mut reader: Reader, head: Position) {
    let mut at = head;
    let mut tend_at = add(reader.clock.now(), TEND);
    while reader.wait().await {
        let Some(feed) = reader.feed.upgrade() else { return };
        if feed.is_over(&reader.sender).await {
            return;
        }
        let is_due = reader.clock.now() >= tend_at;
        if is_due {
            tend_at = add(reader.clock.now(), TEND);
        }
        // Only reports trouble: the followers wait, and the next turn tries again.
        if let Err(error) = reader.turn(&feed, &mut at, is_due).await {
            let error = error.message();
            tracing::debug!(target: "onward::database", error, "could not read the feed of changes: trying again");
        }
    }
}

impl Reader {
    /// Until there may be changes. `false` if the store is gone.
    async fn wait(&mut self) -> bool {
        let sweep = add(self.clock.now(), SWEEP);
        tokio::select! {
            signal = self.signals.recv() => {
                if matches!(signal, Err(broadcast::error::RecvError::Closed)) {
                    return false;
                }
            }
            () = self.clock.rest_until(sweep, None) => return true,
        }
        real_time::sleep(GATHER).await;
        // What was signalled until now is read at once.
        while !matches!(self.signals.try_recv(), Err(broadcast::error::TryRecvError::Empty)) {
            if self.signals.is_closed() {
                return false;
            }
        }
        true
    }

    async fn turn(&self, feed: &Feed, at: &mut Position, is_due: bool) -> Result<(), Error> {
        let store = &feed.store;
        if is_due && !store.tend_changes(&feed.follower).await? {
            *at = store.follow(&feed.follower).await?;
            self.tell(News::Look);
        }
        let mut is_told = !is_due;
        loop {
            let Some(page) = store.changes_since(at, PAGE).await? else {
                *at = store.follow(&feed.follower).await?;
                self.tell(News::Look);
                return Ok(());
            };
            let more = page.more;
            *at = page.next.clone();
            // Now and then without changes too, so that the cursors of the followers do not grow old.
            if !page.changes.is_empty() || !is_told {
                self.tell(News::Changes(Arc::new(page)));
                is_told = true;
            }
            if !more {
                return Ok(());
            }
        }
    }

    fn tell(&self, news: News) {
        // Sending fails if there are no followers, which ends the task soon.
        self.sender.send(news).ok();
    }
}
