//! The room that a queue's limits leave while runs are chosen from it. Pure arithmetic: it takes counts, and answers which runs
//! fit.

use onward_types::Timestamp;

/// How many more runs each limit allows; `None` for a limit that is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) queue: Option<u32>,
    pub(super) here: Option<u32>,
    pub(super) rate: Option<u32>,
    pub(super) claim: u32,
}

impl Room {
    /// Room limited only by the claim.
    pub(super) fn of_claim(claim: u32) -> Room {
        Room { queue: None, here: None, rate: None, claim }
    }

    /// How many more runs may start that need a slot everywhere.
    pub(super) fn least(&self) -> u32 {
        [self.queue, self.here, self.rate].into_iter().flatten().fold(self.claim, u32::min)
    }

    /// The fair share of each of these partitions.
    pub(super) fn share(&self, partitions: u32) -> u32 {
        self.least().div_ceil(partitions)
    }

    /// Whether a child fits that uses its parent's slot in the queue and, with `lent_here`, on this executor.
    pub(super) fn admits_lent(&self, lent_here: bool) -> bool {
        self.claim > 0 && self.rate != Some(0) && (lent_here || self.here != Some(0))
    }

    /// Count a started run. If it uses a slot of its parent, it takes none.
    pub(super) fn start(&mut self, lent: bool, lent_here: bool) {
        if !lent {
            less(&mut self.queue);
        }
        if !lent_here {
            less(&mut self.here);
        }
        less(&mut self.rate);
        self.claim = self.claim.saturating_sub(1);
    }

    /// Count a woken run: it has its slot in the queue already, and was counted when it started.
    pub(super) fn wake(&mut self) {
        less(&mut self.here);
        self.claim = self.claim.saturating_sub(1);
    }
}

/// How many more runs of one partition may start, and when its rate limit allows the next one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PartitionRoom {
    pub(super) slots: Option<u32>,
    pub(super) rate: Option<u32>,
    pub(super) next: Option<Timestamp>,
}

impl PartitionRoom {
    pub(super) fn least(&self) -> u32 {
        self.slots.into_iter().chain(self.rate).min().unwrap_or(u32::MAX)
    }

    /// Whether a run fits; with `lent`, it uses a slot that its parent has in this partition.
    pub(super) fn admits(&self, lent: bool) -> bool {
        self.rate != Some(0) && (lent || self.slots != Some(0))
    }

    pub(super) fn start(&mut self, lent: bool) {
        if !lent {
            less(&mut self.slots);
        }
        less(&mut self.rate);
    }
}

fn less(room: &mut Option<u32>) {
    *room = room.map(|it| it.saturating_sub(1));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_limit_counts() {
        assert_eq!(Room::of_claim(7).least(), 7);
        assert_eq!(Room { queue: Some(5), here: Some(3), rate: Some(4), claim: 7 }.least(), 3);
        assert_eq!(Room { rate: Some(0), ..Room::of_claim(7) }.least(), 0);
    }

    #[test]
    fn a_start_takes_a_place_of_every_limit_and_one_that_is_lent_a_slot_only_of_the_rate_and_the_claim() {
        let all = Room { queue: Some(2), here: Some(2), rate: Some(2), claim: 2 };
        let after = |lent, lent_here| {
            let mut room = all;
            room.start(lent, lent_here);
            room
        };
        assert_eq!(after(false, false), Room { queue: Some(1), here: Some(1), rate: Some(1), claim: 1 });
        assert_eq!(after(true, false), Room { queue: Some(2), here: Some(1), rate: Some(1), claim: 1 });
        assert_eq!(after(true, true), Room { queue: Some(2), here: Some(2), rate: Some(1), claim: 1 });
    }

    #[test]
    fn a_run_that_is_woken_has_its_slot_and_is_no_start() {
        let mut room = Room { queue: Some(0), here: Some(1), rate: Some(0), claim: 3 };
        room.wake();
        assert_eq!(room, Room { queue: Some(0), here: Some(0), rate: Some(0), claim: 2 });
    }

    #[test]
    fn what_is_used_up_never_becomes_more() {
        let mut room = Room { queue: Some(0), here: None, rate: None, claim: 0 };
        room.start(false, false);
        assert_eq!(room, Room { queue: Some(0), here: None, rate: None, claim: 0 });
    }

    #[test]
    fn a_child_fits_into_a_full_queue_and_not_into_a_rate_that_is_used_up() {
        let full = Room { queue: Some(0), here: Some(0), rate: Some(1), claim: 1 };
        assert!(full.admits_lent(true) && !full.admits_lent(false));
        assert!(!Room { rate: Some(0), ..full }.admits_lent(true));
        assert!(!Room { claim: 0, ..full }.admits_lent(true));
        let partition = PartitionRoom { slots: Some(0), rate: None, next: None };
        assert!(partition.admits(true) && !partition.admits(false));
        assert!(!PartitionRoom { rate: Some(0), ..partition }.admits(true));
    }

    #[test]
    fn partitions_share_what_there_is_and_none_gets_nothing() {
        let room = Room { queue: Some(10), ..Room::of_claim(100) };
        assert_eq!([room.share(1), room.share(3), room.share(10), room.share(64)], [10, 4, 1, 1]);
    }

    #[test]
    fn a_partition_without_limits_takes_any_number() {
        let mut partition = PartitionRoom::default();
        partition.start(false);
        assert_eq!(partition.least(), u32::MAX);
        let mut both = PartitionRoom { slots: Some(3), rate: Some(2), next: None };
        both.start(true);
        assert_eq!((both.slots, both.rate, both.least()), (Some(3), Some(1), 1));
    }
}
