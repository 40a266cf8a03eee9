//! Many runs that are enqueued in one call.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use onward_testkit::crash::{expected, mix};

use crate::generate;
use crate::insist::insist;
use crate::random::Random;
use crate::suite::Suite;

impl Suite {
    /// Enqueue some runs, each in a queue of its own choice. An answer that was lost is asked for again: the same ids start once.
    pub(crate) async fn start_many(self: &Arc<Self>, random: &mut Random) {
        let mut runs = Vec::new();
        for _ in 0..random.between(2, 12) {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            let seed = mix(self.seed, number + 1_000);
            let Some(ticket) = random.pick(&self.queues).map(|queue| queue.ticket(random)) else { return };
            let options = ticket.options("program", format!("m{number}"));
            runs.push((number, options, seed, generate::program(seed)));
        }
        let all = || runs.iter().map(|(_, options, _, input)| (options.clone(), input.clone()));
        let came = match insist(|| self.client.enqueue_all(all())).await {
            Ok(came) => came,
            Err(error) => return self.book.fault(format!("{} runs cannot be enqueued: {error}", runs.len())),
        };
        for ((number, _, seed, input), run) in runs.iter().zip(came) {
            let id = format!("m{number}");
            match run {
                Ok(run) if run.id() == id => {
                    self.book.note("enqueued with others");
                    self.accept(&id, *seed, expected(input));
                    self.send_letters(&id, input);
                }
                Ok(run) => self.book.fault(format!("{id} was enqueued as {}", run.id())),
                Err(error) => self.book.fault(format!("run {id} was not enqueued: {error}")),
            }
        }
    }
}
