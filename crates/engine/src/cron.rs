//! Cron expressions, and when their next tick is. croner knows the calendar; which instant a time of the clock is, is said here.
//!
//! What is written goes by the clocks of a place, and those are set twice a year. A cron that names hours of the day ticks
//! once for each time that it names: at the first of two, and at the end of the gap for one that the clocks leap over. A cron
//! whose hours are `*` or `*/n` goes by the time that passes: it ticks in both of two equal hours, and in none that is left
//! out.

mod parse;

use std::collections::VecDeque;

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use jiff::tz::TimeZone;
use onward_types::{Code, Error, Timestamp};

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// A cron expression and the place by whose clocks it goes.
#[derive(Clone, Debug)]
pub(crate) struct Cron {
    /// The times that it means, whatever the zone: croner has other rules for a change of clocks, and never meets one.
    times: croner::Cron,
    /// Its hours are `*` or `*/n`.
    hours_open: bool,
    zone: TimeZone,
}

impl Cron {
    /// Understand an expression of five fields, or of six that begin with seconds, and the name of a time zone.
    pub(crate) fn new(expression: &str, zone: &str) -> Result<Cron, Error> {
        let unknown = |_| {
            let message = format!("`{zone}` is no time zone: take one as `UTC` or `Europe/Zurich`");
            Error::new(Code::Invalid, message)
        };
        let zone = TimeZone::get(zone).map_err(unknown)?;
        let (times, hours_open) = parse::parse(expression)?;
        let cron = Cron { times, hours_open, zone };
        // croner gives up in the year 5000, and the calendar repeats itself every 400 years.
        if cron.civil_from(date(4600, 1, 1).at(0, 0, 0, 0)).is_none() {
            let message = format!("the cron expression `{expression}` never comes: there is no such day");
            return Err(Error::new(Code::Invalid, message));
        }
        Ok(cron)
    }

    /// The first tick after an instant; none if there never is one.
    pub(crate) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        if self.hours_open { self.next_by_time(after) } else { self.next_by_clock(after) }
    }

    /// The next ticks after an instant.
    pub(crate) fn upcoming(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(self.next(after), |tick| self.next(*tick))
    }

    /// The last ticks, at most `most` of them, after one instant and up to another, in order.
    pub(crate) fn last(&self, after: Timestamp, until: Timestamp, most: usize) -> Vec<Timestamp> {
        const DAY: u64 = 86_400;
        let mut last = VecDeque::new();
        // An executor that comes back after a year must not count every second of it.
        for span in [60, 3_600, DAY, 32 * DAY, 366 * DAY, 3_660 * DAY, u64::MAX / 2] {
            let span = i64::try_from(span).map_or(SignedDuration::MAX, SignedDuration::from_secs);
            let from = until.checked_sub(span).map_or(after, |from| from.max(after));
            last.clear();
            for tick in self.upcoming(from).take_while(|tick| *tick <= until) {
                if last.len() == most {
                    last.pop_front();
                }
                last.push_back(tick);
            }
            if last.len() == most || from == after {
                break;
            }
        }
        last.into()
    }

    /// By the clock: each time that is named is one tick.
    fn next_by_clock(&self, after: Timestamp) -> Option<Timestamp> {
        let mut civil = self.zone.to_datetime(after);
        loop {
            civil = self.civil_from(second_after(civil)?)?;
            let ambiguous = self.zone.to_ambiguous_timestamp(civil);
            let tick = match ambiguous.offset() {
                jiff::tz::AmbiguousOffset::Gap { before, .. } => self.end_of_gap(before.to_timestamp(civil).ok()?)?,
                _ => ambiguous.earlier().ok()?,
            };
            if tick > after {
                return Some(tick);
            }
        }
    }

    /// When the clocks leaped last, at an instant that is not long after it.
    fn end_of_gap(&self, behind: Timestamp) -> Option<Timestamp> {
        let leap = self.zone.preceding(behind.checked_add(SECOND).ok()?).next();
        leap.map(|leap| leap.timestamp())
    }

    /// By the time that passes: between two settings of the clocks, each of them is as good as any other.
    fn next_by_time(&self, after: Timestamp) -> Option<Timestamp> {
        let mut offset = self.zone.to_offset(after);
        let mut from = second_after(offset.to_datetime(after))?;
        for setting in self.zone.following(after) {
            let tick = offset.to_timestamp(self.civil_from(from)?).ok()?;
            if tick < setting.timestamp() {
                return Some(tick);
            }
            offset = setting.offset();
            from = offset.to_datetime(setting.timestamp());
        }
        offset.to_timestamp(self.civil_from(from)?).ok()
    }

    /// The first time that is meant, no sooner than this one.
    fn civil_from(&self, from: DateTime) -> Option<DateTime> {
        self.times.find_next_occurrence(&from, true).ok()
    }
}

/// The next whole second.
fn second_after(civil: DateTime) -> Option<DateTime> {
    let whole = civil.with().subsec_nanosecond(0).build().ok()?;
    whole.checked_add(SECOND).ok()
}

#[cfg(test)]
mod tests;
