//! What is written in a cron expression.

use jiff::tz::TimeZone;
use onward_types::{Code, Error};

use super::{Cron, Field};

/// What a field may hold.
struct Kind {
    name: &'static str,
    least: u8,
    most: u8,
    names: &'static [&'static str],
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const SECOND: Kind = Kind { name: "second", least: 0, most: 59, names: &[] };
const MINUTE: Kind = Kind { name: "minute", least: 0, most: 59, names: &[] };
const HOUR: Kind = Kind { name: "hour", least: 0, most: 23, names: &[] };
const DAY: Kind = Kind { name: "day of the month", least: 1, most: 31, names: &[] };
const MONTH: Kind = Kind { name: "month", least: 1, most: 12, names: MONTHS };
/// Sunday is 0 or 7.
const WEEKDAY: Kind = Kind { name: "weekday", least: 0, most: 7, names: WEEKDAYS };

/// Understand a whole expression.
pub(super) fn parse(expression: &str, zone: TimeZone) -> Result<Cron, Error> {
    let refuse = |why: String| Error::new(Code::Invalid, format!("the cron expression `{expression}` {why}"));
    let written = match expression.trim() {
        "@hourly" => "0 0 * * * *",
        "@daily" | "@midnight" => "0 0 0 * * *",
        "@weekly" => "0 0 0 * * 0",
        "@monthly" => "0 0 0 1 * *",
        "@yearly" | "@annually" => "0 0 0 1 1 *",
        written => written,
    };
    let mut fields: Vec<&str> = written.split_whitespace().collect();
    if fields.len() == 5 {
        fields.insert(0, "0");
    }
    let Ok([second, minute, hour, day, month, weekday]) = <[&str; 6]>::try_from(fields) else {
        let why = "has neither five fields (minute, hour, day, month, weekday) nor six (second before them)";
        return Err(refuse(why.to_owned()));
    };
    let (day, last_day) = last_day(day);
    let (weekday, nth) = nth(weekday).map_err(refuse)?;
    let field = |text: &str, kind: &Kind| field(text, kind).map_err(refuse);
    let cron = Cron {
        seconds: field(second, &SECOND)?,
        minutes: field(minute, &MINUTE)?,
        hours: field(hour, &HOUR)?,
        days: if day.is_empty() { NONE } else { field(&day, &DAY)? },
        months: field(month, &MONTH)?,
        weekdays: sunday(if weekday.is_empty() { NONE } else { field(&weekday, &WEEKDAY)? }),
        last_day,
        nth,
        zone,
    };
    debug_assert!(!cron.seconds.is_empty() && !cron.minutes.is_empty() && !cron.hours.is_empty());
    if cron.civil_from(jiff::civil::date(2000, 1, 1).at(0, 0, 0, 0)).is_none() {
        return Err(refuse("never comes: there is no such day".to_owned()));
    }
    Ok(cron)
}

const NONE: Field = Field { bits: 0, open: false };

/// Take `L`, the last day of the month, out of the days.
fn last_day(text: &str) -> (String, bool) {
    let is_last = |item: &&str| item.eq_ignore_ascii_case("l");
    let rest: Vec<&str> = text.split(',').filter(|item| !is_last(item)).collect();
    (rest.join(","), text.split(',').any(|item| is_last(&item)))
}

/// Take `5#2`, the second Friday of the month, and `5L`, the last one, out of the weekdays.
fn nth(text: &str) -> Result<(String, Vec<(u8, u8)>), String> {
    let mut rest = Vec::new();
    let mut all = Vec::new();
    for item in text.split(',') {
        let last = item.strip_suffix(['l', 'L']).filter(|day| !day.is_empty());
        if let Some((day, nth)) = item.split_once('#') {
            let nth = nth.parse().ok().filter(|nth| (1..=5).contains(nth));
            let nth = nth.ok_or_else(|| format!("has `{item}`: a month has its 1st to its 5th of a weekday"))?;
            all.push((value(day, &WEEKDAY)? % 7, nth));
        } else if let Some(day) = last {
            all.push((value(day, &WEEKDAY)? % 7, 0));
        } else {
            rest.push(item);
        }
    }
    Ok((rest.join(","), all))
}

/// Sunday is bit 0, whichever of its two numbers was written.
fn sunday(field: Field) -> Field {
    Field { bits: (field.bits | field.bits >> 7) & 0x7f, ..field }
}

fn field(text: &str, kind: &Kind) -> Result<Field, String> {
    let mut bits = 0;
    for item in text.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        let by = match step {
            None => 1,
            Some(step) => step.parse().ok().filter(|by| (1..=kind.most).contains(by)).ok_or_else(|| {
                format!("has `{item}` as its {}: after `/` stands a number from 1 to {}", kind.name, kind.most)
            })?,
        };
        let (from, to) = match range.split_once('-') {
            _ if matches!(range, "*" | "?") => (kind.least, kind.most),
            Some((from, to)) => (value(from, kind)?, value(to, kind)?),
            // `5/15` is every 15 from 5 on.
            None if step.is_some() => (value(range, kind)?, kind.most),
            None => (value(range, kind)?, value(range, kind)?),
        };
        // Sunday ends a range of weekdays that begins later.
        let to = if kind.least == 0 && kind.most == 7 && to == 0 && from > 0 { 7 } else { to };
        if from > to {
            return Err(format!("has `{item}` as its {}: the range goes backwards", kind.name));
        }
        for at in (from..=to).step_by(usize::from(by)) {
            bits |= 1 << at;
        }
    }
    Ok(Field { bits, open: text.starts_with(['*', '?']) })
}

/// A number or a name.
fn value(text: &str, kind: &Kind) -> Result<u8, String> {
    let named = kind.names.iter().position(|name| text.eq_ignore_ascii_case(name));
    let number = match named {
        Some(at) => u8::try_from(at).ok().map(|at| at + kind.least),
        None => text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit())),
    };
    number.filter(|number| (kind.least..=kind.most).contains(number)).ok_or_else(|| {
        let Kind { name, least, most, .. } = kind;
        format!("has `{text}` as its {name}: it goes from {least} to {most}")
    })
}
