//! Reads the text of a cron expression, and hands it to croner in numbers.
//!
//! croner by itself gives many mistakes a meaning: `Feb5` is 25 as a day, `5,,6` is `5,6`, and `*/90` is each hour. It refuses forms that
//! schedules in a database may have, as `*,5` and `Fri-0`. And it says neither which field is wrong nor what may be written there.

use croner::parser::{CronParser, Seconds, Year};
use onward_types::{Code, Error};

/// What a field may hold.
struct Kind {
    name: &'static str,
    least: u8,
    most: u8,
    names: &'static [&'static str],
    /// What it may hold beside values, ranges and steps.
    more: &'static str,
}

const SECOND: Kind = Kind { name: "second", least: 0, most: 59, names: &[], more: "" };
const MINUTE: Kind = Kind { name: "minute", least: 0, most: 59, names: &[], more: "" };
const HOUR: Kind = Kind { name: "hour", least: 0, most: 23, names: &[], more: "" };
const DAY: Kind = Kind {
    name: "day of the month",
    least: 1,
    most: 31,
    names: &[],
    more: ", `L` is the last day, `15W` the working day nearest to the 15th, and `LW` the last working day",
};
const MONTH: Kind = Kind {
    name: "month",
    least: 1,
    most: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    more: ", and has names as `Jan`",
};
/// Sunday is 0 or 7.
const WEEKDAY: Kind = Kind {
    name: "weekday",
    least: 0,
    most: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    more: ", has names as `Fri`, and of a month `Fri#1` to `Fri#5` and the last, `FriL`",
};

/// Understand a whole expression: the times that it means, and whether its hours begin with a `*`.
pub(super) fn parse(expression: &str) -> Result<(croner::Cron, bool), Error> {
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
    let field = |text: &str, kind: &Kind| field(text, kind).map_err(refuse);
    let (second, _) = field(second, &SECOND)?;
    let (minute, _) = field(minute, &MINUTE)?;
    let (hour, hours_open) = field(hour, &HOUR)?;
    let (day, days_open) = field(day, &DAY)?;
    let (month, _) = field(month, &MONTH)?;
    let (weekday, weekdays_open) = field(weekday, &WEEKDAY)?;
    let parser = CronParser::builder().seconds(Seconds::Required).year(Year::Disallowed);
    // Days and weekdays that are both named mean either. To croner `*/2` names days, too.
    let parser = parser.dom_and_dow(days_open || weekdays_open).build();
    let times = parser.parse(&format!("{second} {minute} {hour} {day} {month} {weekday}"));
    let times = times.map_err(|error| refuse(format!("cannot be understood: {error}")))?;
    Ok((times, hours_open))
}

/// A field in numbers, and whether it begins with a `*`, so that it is no choice of its own.
fn field(text: &str, kind: &Kind) -> Result<(String, bool), String> {
    let is_open = |item: &str| item.starts_with(['*', '?']);
    if matches!(text, "*" | "?") {
        return Ok(("*".to_owned(), true));
    }
    let mut open = None;
    let mut items = Vec::new();
    for item in text.split(',') {
        let understood = of_month(item, kind).or_else(|| {
            open.get_or_insert(is_open(item));
            range(item, kind)
        });
        items.push(understood.ok_or_else(|| {
            let Kind { name, least, most, more, .. } = kind;
            format!(
                "has `{item}` as its {name}: it goes from {least} to {most}, never backwards, \
                 with `/` and a number from 1 to {most} for steps{more}"
            )
        })?);
    }
    // croner drops `L` where `LW` is written, too.
    if items.iter().any(|item| item == "L") && items.iter().any(|item| item == "LW") {
        return Err(format!("has `{text}` as its {}: take `L` or `LW`", kind.name));
    }
    Ok((items.join(","), open.unwrap_or(false)))
}

/// What falls on another day in each month: the days `L`, `LW` and `15W`, the weekdays `5#2` and `5L`.
fn of_month(item: &str, kind: &Kind) -> Option<String> {
    let item = item.to_ascii_uppercase();
    if kind.name == DAY.name {
        return match item.strip_suffix('W') {
            Some("L") => Some(item),
            Some(day) => Some(format!("{}W", value(day, kind)?)),
            None => (item == "L").then_some(item),
        };
    }
    if kind.name != WEEKDAY.name {
        return None;
    }
    match item.split_once('#') {
        Some((day, nth)) => {
            let nth: u8 = nth.parse().ok().filter(|nth| (1..=5).contains(nth))?;
            Some(format!("{}#{nth}", value(day, kind)?))
        }
        None => Some(format!("{}L", value(item.strip_suffix('L')?, kind)?)),
    }
}

/// A value, a range or a step, written out as `from-to/by`.
fn range(item: &str, kind: &Kind) -> Option<String> {
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(step.parse::<u8>().ok()?)),
        None => (item, None),
    };
    let (from, to) = match range.split_once('-') {
        _ if matches!(range, "*" | "?") => (kind.least, kind.most),
        Some((from, to)) => (value(from, kind)?, value(to, kind)?),
        // `5/15` is every 15 from 5 on.
        None if step.is_some() => (value(range, kind)?, kind.most),
        None => (value(range, kind)?, value(range, kind)?),
    };
    // Sunday ends a range of weekdays that begins later.
    let to = if kind.name == WEEKDAY.name && to == 0 && from > 0 { 7 } else { to };
    let by = step.unwrap_or(1);
    (from <= to && (1..=kind.most).contains(&by)).then(|| format!("{from}-{to}/{by}"))
}

/// A number or a name.
fn value(text: &str, kind: &Kind) -> Option<u8> {
    let named = kind.names.iter().position(|name| text.eq_ignore_ascii_case(name));
    let number = match named {
        Some(at) => u8::try_from(at).ok().map(|at| at + kind.least),
        None => text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit())),
    };
    number.filter(|number| (kind.least..=kind.most).contains(number))
}
