//! Cron expressions: what they mean, and when their next tick is.
//!
//! What is written goes by the clocks of a place, and those are set twice a year. A cron that names hours of the day ticks
//! once for each time that it names: at the first of two, and at the end of the gap for one that the clocks leap over. A cron
//! whose hours are `*` or `*/n` goes by the time that passes: it ticks in both of two equal hours, and in none that is left
//! out.

mod parse;

use std::collections::VecDeque;

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use onward_types::{Code, Error, Timestamp};

/// So far ahead a next tick is looked for: 29 February falls on a certain weekday every 40 years at the least.
const YEARS_MAX: i16 = 60;
const SEARCH_MAX: SignedDuration = SignedDuration::from_hours(YEARS_MAX as i64 * 366 * 24);
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// A cron expression and the place by whose clocks it goes.
#[derive(Clone, Debug)]
pub(crate) struct Cron {
    seconds: Field,
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
    /// The last day of the month is meant, too.
    last_day: bool,
    /// Weekdays, 0 for Sunday, and which of the month: 1 to 5, or 0 for the last.
    nth: Vec<(u8, u8)>,
    zone: TimeZone,
}

/// The values that a field means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    bits: u64,
    /// It begins with a `*`, so it is no choice of its own.
    open: bool,
}

impl Field {
    fn has(self, value: i8) -> bool {
        self.from(value) == Some(value)
    }

    /// The first of its values that is no less than this one.
    fn from(self, value: i8) -> Option<i8> {
        let rest = self.bits.checked_shr(u32::from(value.unsigned_abs())).unwrap_or(0);
        (rest != 0).then(|| value + i8::try_from(rest.trailing_zeros()).unwrap_or(i8::MAX))
    }

    const fn is_empty(self) -> bool {
        self.bits == 0
    }
}

impl Cron {
    /// Understand an expression of five fields, or of six that begin with seconds, and the name of a time zone.
    pub(crate) fn new(expression: &str, zone: &str) -> Result<Cron, Error> {
        let unknown = |_| {
            let message = format!("`{zone}` is no time zone: take one as `UTC` or `Europe/Zurich`");
            Error::new(Code::Invalid, message)
        };
        let zone = TimeZone::get(zone).map_err(unknown)?;
        parse::parse(expression, zone)
    }

    /// The first tick after an instant; none if there never is one.
    pub(crate) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        if self.hours.open { self.next_by_time(after) } else { self.next_by_clock(after) }
    }

    /// The next ticks after an instant.
    pub(crate) fn upcoming(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(self.next(after), |tick| self.next(*tick))
    }

    /// The last ticks, `most` of them at the most, after an instant and up to another, in order.
    pub(crate) fn last(&self, after: Timestamp, until: Timestamp, most: usize) -> Vec<Timestamp> {
        const DAY: u64 = 86_400;
        let mut last = VecDeque::new();
        // Whoever comes back after a year must not count every second of it.
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
        let mut settings = self.zone.following(after);
        loop {
            let setting = settings.next();
            let tick = self.civil_from(from).and_then(|civil| offset.to_timestamp(civil).ok());
            match (tick, setting) {
                (Some(tick), Some(setting)) if tick < setting.timestamp() => return Some(tick),
                (tick, None) => return tick,
                (_, Some(setting)) => {
                    if setting.timestamp().duration_since(after) > SEARCH_MAX {
                        return None;
                    }
                    offset = setting.offset();
                    from = offset.to_datetime(setting.timestamp());
                }
            }
        }
    }

    /// The first time that is meant, no sooner than this one.
    fn civil_from(&self, from: DateTime) -> Option<DateTime> {
        let mut date = from.date();
        let mut time = Some((from.hour(), from.minute(), from.second()));
        loop {
            if self.has_day(date) {
                let (hour, minute, second) = time.unwrap_or((0, 0, 0));
                if let Some((hour, minute, second)) = self.time_from(hour, minute, second) {
                    return Some(date.at(hour, minute, second, 0));
                }
            }
            time = None;
            date = if self.months.has(date.month()) { date.tomorrow().ok()? } else { next_month(date)? };
            if date.year() - from.year() > YEARS_MAX {
                return None;
            }
        }
    }

    fn has_day(&self, date: Date) -> bool {
        let day = self.days.has(date.day()) || (self.last_day && date.day() == date.days_in_month());
        let weekday = date.weekday().to_sunday_zero_offset();
        let nth = |&(of, nth): &(u8, u8)| {
            let is_it = if nth == 0 {
                date.day() + 7 > date.days_in_month()
            } else {
                (date.day() + 6) / 7 == nth.cast_signed()
            };
            of.cast_signed() == weekday && is_it
        };
        let weekday = self.weekdays.has(weekday) || self.nth.iter().any(nth);
        // Who names days and weekdays means either.
        let either = !self.days.open && !self.weekdays.open;
        self.months.has(date.month()) && if either { day || weekday } else { day && weekday }
    }

    /// The first time of a day that is meant, no sooner than this one.
    fn time_from(&self, hour: i8, minute: i8, second: i8) -> Option<(i8, i8, i8)> {
        let in_hour = |hour, minute, second| {
            let at = self.minutes.from(minute)?;
            let from = if at == minute { second } else { 0 };
            match self.seconds.from(from) {
                Some(second) => Some((hour, at, second)),
                None => Some((hour, self.minutes.from(at + 1)?, self.seconds.from(0)?)),
            }
        };
        let first = self.hours.from(hour)?;
        let in_first = if first == hour { in_hour(hour, minute, second) } else { in_hour(first, 0, 0) };
        in_first.or_else(|| in_hour(self.hours.from(first + 1)?, 0, 0))
    }
}

/// The next whole second.
fn second_after(civil: DateTime) -> Option<DateTime> {
    let whole = civil.with().subsec_nanosecond(0).build().ok()?;
    whole.checked_add(SECOND).ok()
}

fn next_month(date: Date) -> Option<Date> {
    date.last_of_month().tomorrow().ok()
}

#[cfg(test)]
mod tests;
