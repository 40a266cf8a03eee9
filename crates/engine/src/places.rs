//! How many bodies of steps run at once in an executor. One that finds no place waits, in the order of arrival.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use tokio::sync::Semaphore;

use crate::future::BoxFuture;
use crate::sync::lock;

/// The places of an executor. They are counted by the bodies that have one, so none can be lost.
#[derive(Debug)]
pub(crate) struct Places {
    free: Semaphore,
    max: usize,
    waiting: AtomicUsize,
}

impl Places {
    /// At least one place: without any, no step would ever begin.
    pub(crate) fn new(max: usize) -> Arc<Places> {
        let max = max.clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(Places { free: Semaphore::new(max), max, waiting: AtomicUsize::new(0) })
    }

    /// A place, if one is free and nobody waits for it.
    pub(crate) fn try_take(self: &Arc<Places>) -> Option<Place> {
        self.free.try_acquire().ok()?.forget();
        Some(Place(self.clone()))
    }

    /// Waits for a place.
    pub(crate) fn take(self: &Arc<Places>) -> BoxFuture<'static, Place> {
        let places = self.clone();
        Box::pin(async move {
            let waiting = Waiting::new(&places);
            places.free.acquire().await.expect("the places are never closed").forget();
            drop(waiting);
            Place(places)
        })
    }

    /// How many places are taken.
    pub(crate) fn taken(&self) -> usize {
        self.max - self.free.available_permits()
    }

    /// How many bodies wait for a place.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// Counted as waiting while it lives.
struct Waiting<'p>(&'p Places);

impl Waiting<'_> {
    fn new(places: &Places) -> Waiting<'_> {
        places.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(places)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A place of a body. It is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Places>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.free.add_permits(1);
    }
}

/// The place of one body, from its beginning to its end. While the body waits for other runs the place is free: the steps of those
/// runs may need it.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<Holding>);

#[derive(Debug, Default)]
struct Holding {
    place: Option<Place>,
    /// `None` without a limit, and after the end of the body.
    of: Option<Arc<Places>>,
    /// How many waits for other runs are in progress.
    waits: usize,
}

impl Held {
    pub(crate) fn new(place: Option<Place>) -> Held {
        let of = place.as_ref().map(|place| place.0.clone());
        Held(Mutex::new(Holding { place, of, waits: 0 }))
    }

    /// The body has ended.
    pub(crate) fn end(&self) {
        let mut holding = lock(&self.0);
        (holding.place, holding.of) = (None, None);
    }

    /// Waits for other runs, without the place.
    pub(crate) async fn lent<T>(&self, wait: impl Future<Output = T>) -> T {
        let mut wait = pin!(wait);
        if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx))).await {
            return done;
        }
        let lent = self.lend();
        let done = wait.await;
        drop(lent);
        self.take_back().await;
        done
    }

    fn lend(&self) -> Lent<'_> {
        let mut holding = lock(&self.0);
        holding.waits += 1;
        holding.place = None;
        Lent(self)
    }

    /// Waits for a place again, unless the body has one or still waits for other runs.
    async fn take_back(&self) {
        let Some(places) = self.lacks() else { return };
        let place = places.take().await;
        if self.lacks().is_some() {
            lock(&self.0).place = Some(place);
        }
    }

    /// The places among which the body should have one and has none.
    fn lacks(&self) -> Option<Arc<Places>> {
        let holding = lock(&self.0);
        holding.of.clone().filter(|_| holding.waits == 0 && holding.place.is_none())
    }
}

struct Lent<'h>(&'h Held);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut holding = lock(&self.0.0);
        holding.waits -= 1;
        // The body may have given up the wait. It cannot be stopped here, so without a free place it runs beyond the limit.
        if let (0, Some(places)) = (holding.waits, &holding.of) {
            holding.place = places.try_take();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::pending;

    use super::*;

    #[test]
    fn places_are_given_in_the_order_of_arrival() {
        let places = Places::new(1);
        let first = places.try_take().unwrap();
        let (mut second, mut third) = (places.take(), places.take());
        assert!((&mut second).now_or_never().is_none() && (&mut third).now_or_never().is_none());
        assert_eq!((places.taken(), places.waiting()), (1, 2));
        drop(first);
        assert!(places.try_take().is_none(), "it is for the one that waits");
        assert!((&mut third).now_or_never().is_none());
        let second = second.now_or_never().unwrap();
        assert_eq!((places.taken(), places.waiting()), (1, 1));
        drop(third);
        drop(second);
        assert_eq!((places.taken(), places.waiting()), (0, 0), "one that gives up waiting takes nothing");
    }

    #[test]
    fn the_place_of_a_body_that_waits_for_another_run_is_free() {
        let places = Places::new(1);
        let held = Held::new(places.try_take());
        held.lent(async {}).now_or_never().unwrap();
        assert_eq!(places.taken(), 1, "it did not wait");
        let mut waits = Box::pin(held.lent(pending::<()>()));
        assert!((&mut waits).now_or_never().is_none());
        let other = places.try_take().expect("it is free");
        drop(waits);
        assert_eq!(places.taken(), 1, "the body goes on without a place");
        held.end();
        drop(other);
        assert_eq!(places.taken(), 0);
    }

    #[test]
    fn a_body_takes_its_place_back_when_none_of_its_waits_is_left() {
        let places = Places::new(1);
        let held = Held::new(places.try_take());
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        let mut one = Box::pin(held.lent(told));
        let mut two = Box::pin(held.lent(pending::<()>()));
        assert!((&mut one).now_or_never().is_none() && (&mut two).now_or_never().is_none());
        tell.send(()).unwrap();
        assert!((&mut one).now_or_never().is_some());
        assert_eq!(places.taken(), 0, "it still waits");
        drop(two);
        assert_eq!(places.taken(), 1);
        held.end();
        assert_eq!(places.taken(), 0);
    }
}
