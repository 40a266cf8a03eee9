//! Tests of the clocks.

use super::*;

#[tokio::test]
async fn a_sleeper_wakes_when_its_time_was_passed() {
    let clock = Clock::virtual_at(Timestamp::UNIX_EPOCH);
    let sleeper = tokio::spawn({
        let clock = clock.clone();
        async move { clock.sleep(Duration::from_secs(86_400)).await }
    });
    while clock.next_sleeper().is_none() {
        tokio::task::yield_now().await;
    }
    clock.advance(Duration::from_secs(86_399));
    assert!(!sleeper.is_finished());
    clock.advance(Duration::from_secs(1));
    sleeper.await.unwrap();
}

/// A machine whose uptime and realtime clock are set by the test.
struct Laptop {
    skew: Skew,
    clock: Clock,
}

const SECOND: i64 = 1_000_000;

impl Laptop {
    fn new() -> Laptop {
        let skew = Skew { micros: Arc::default(), uptime: Some(Arc::new(AtomicI64::new(1_000 * SECOND))) };
        Laptop { clock: Clock::skewed(&skew), skew }
    }

    /// Let this many seconds pass.
    fn pass(&self, seconds: i64) {
        let up = self.skew.uptime.as_ref().expect("the test sets it");
        up.fetch_add(seconds * SECOND, Ordering::SeqCst);
    }

    /// The offset of the clock from uptime, in seconds.
    fn ahead(&self) -> f64 {
        let up = i64::try_from(self.clock.uptime().as_micros()).unwrap();
        (micros(self.clock.now()) - up) as f64 / SECOND as f64
    }

    /// The server answers after `answer` microseconds; its clock is `server` seconds ahead of our uptime.
    fn hears(&self, server: i64, answer: u64) {
        let up = self.clock.uptime();
        let half = Duration::from_micros(answer / 2);
        let at = from_micros(i64::try_from(up.as_micros()).unwrap() + server * SECOND);
        self.clock.learn(at, up.saturating_sub(half), up + half);
    }
}

#[test]
fn a_clock_that_was_ahead_comes_back_to_the_truth_and_never_goes_back() {
    let machine = Laptop::new();
    machine.skew.set(7_200 * SECOND);
    assert_eq!(machine.ahead(), 7_200.0);
    machine.skew.set(0);
    let mut before = machine.clock.now();
    for _ in 0..=14_400 {
        machine.pass(1);
        let now = machine.clock.now();
        assert!(now > before, "it goes on");
        before = now;
    }
    assert!(machine.ahead() < 0.06, "at half pace two hours are made up for in four: {}", machine.ahead());
    // From here on it runs at normal speed.
    let ahead = machine.ahead();
    machine.pass(1_000);
    assert_eq!(machine.ahead(), ahead);
}

#[test]
fn a_clock_that_was_behind_is_set_right_at_once() {
    let machine = Laptop::new();
    assert_eq!(machine.ahead(), 0.0);
    machine.skew.set(3_600 * SECOND);
    assert_eq!(machine.ahead(), 3_600.0);
}

#[test]
fn what_time_it_is_says_the_server_once_it_was_heard() {
    let (fast, slow) = (Laptop::new(), Laptop::new());
    fast.skew.set(86_400 * SECOND);
    slow.skew.set(-86_400 * SECOND);
    fast.hears(50, 2_000);
    slow.hears(50, 2_000);
    assert_eq!((fast.ahead(), slow.ahead()), (50.0, 50.0), "neither was asked before");
    slow.skew.set(7 * SECOND);
    slow.pass(60);
    assert_eq!(slow.ahead(), 50.0, "the machine's own clock counts no more");
}

#[test]
fn an_answer_that_took_its_time_moves_the_clock_no_further_than_it_proves() {
    let machine = Laptop::new();
    machine.hears(50, 2_000);
    // Requested ten seconds ago: the true time may differ by five seconds either way, which includes the known offset.
    machine.hears(53, 10 * 1_000_000);
    assert_eq!(machine.ahead(), 50.0);
    // This answer proves that the server's clock is at least a second further ahead.
    machine.hears(52, 2 * 1_000_000);
    assert_eq!(machine.ahead(), 51.0);
}

#[test]
fn a_server_that_was_not_heard_for_a_minute_is_asked_once() {
    let machine = Laptop::new();
    machine.hears(50, 2_000);
    machine.pass(60);
    assert!(!machine.clock.is_stale());
    machine.pass(1);
    assert!(machine.clock.is_stale());
    assert!(!machine.clock.is_stale(), "somebody asks already");
    assert!(!Clock::virtual_at(Timestamp::UNIX_EPOCH).is_stale());
}

#[test]
fn a_time_that_was_told_is_never_told_again_by_threads_that_read_it_at_once() {
    let skew = Skew::default();
    let clock = Clock::skewed(&skew);
    skew.set(60 * SECOND);
    let _ = clock.now();
    skew.set(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut before = clock.now();
                for _ in 0..50_000 {
                    let now = clock.now();
                    assert!(now >= before);
                    before = now;
                }
            });
        }
    });
}

#[test]
fn uuids_sort_by_the_order_in_which_they_were_made() {
    let clock = Clock::system();
    let made: Vec<Uuid> = (0..1000).map(|_| clock.uuid()).collect();
    assert!(made.is_sorted());
}
