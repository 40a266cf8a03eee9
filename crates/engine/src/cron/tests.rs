//! What cron expressions mean, day by day and when the clocks are set.

use jiff::civil::Date;
use jiff::civil::Weekday::{Saturday, Sunday};

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The next ticks after an instant, as one text.
fn ticks(expression: &str, zone: &str, after: &str, count: usize) -> String {
    let cron = Cron::new(expression, zone).unwrap();
    let ticks: Vec<String> = cron.upcoming(at(after)).take(count).map(|tick| tick.to_string()).collect();
    ticks.join(" ")
}

fn utc(expression: &str, after: &str, count: usize) -> String {
    ticks(expression, "UTC", after, count)
}

#[test]
fn fields_are_numbers_names_lists_ranges_and_steps() {
    let cases = [
        ("*/20 * * * *", "2026-01-01T00:00:00Z 2026-01-01T00:20:00Z 2026-01-01T00:40:00Z"),
        ("*/25 * * * * *", "2025-12-31T23:59:50Z 2026-01-01T00:00:00Z 2026-01-01T00:00:25Z"),
        ("0 0 8 * * Mon-Fri", "2026-01-01T08:00:00Z 2026-01-02T08:00:00Z 2026-01-05T08:00:00Z"),
        ("5,10-12 3 * * *", "2026-01-01T03:05:00Z 2026-01-01T03:10:00Z 2026-01-01T03:11:00Z"),
        ("10/25 3 * * *", "2026-01-01T03:10:00Z 2026-01-01T03:35:00Z 2026-01-02T03:10:00Z"),
        ("0 0 1 feb,JUN *", "2026-02-01T00:00:00Z 2026-06-01T00:00:00Z 2027-02-01T00:00:00Z"),
        ("0 0 29 2 *", "2028-02-29T00:00:00Z 2032-02-29T00:00:00Z 2036-02-29T00:00:00Z"),
        ("0 0 L * *", "2026-01-31T00:00:00Z 2026-02-28T00:00:00Z 2026-03-31T00:00:00Z"),
        ("0 0 * * fri#2", "2026-01-09T00:00:00Z 2026-02-13T00:00:00Z 2026-03-13T00:00:00Z"),
        ("0 0 * * 5L", "2026-01-30T00:00:00Z 2026-02-27T00:00:00Z 2026-03-27T00:00:00Z"),
        ("0 0 * * 0", "2026-01-04T00:00:00Z 2026-01-11T00:00:00Z 2026-01-18T00:00:00Z"),
        ("0 0 * * 7", "2026-01-04T00:00:00Z 2026-01-11T00:00:00Z 2026-01-18T00:00:00Z"),
        ("0 0 * * Sat-Sun", "2026-01-03T00:00:00Z 2026-01-04T00:00:00Z 2026-01-10T00:00:00Z"),
        // Days and weekdays that are both named mean either.
        ("0 0 3 * Mon", "2026-01-03T00:00:00Z 2026-01-05T00:00:00Z 2026-01-12T00:00:00Z"),
        ("@monthly", "2026-01-01T00:00:00Z 2026-02-01T00:00:00Z 2026-03-01T00:00:00Z"),
        ("59 59 23 31 12 ?", "2025-12-31T23:59:59Z 2026-12-31T23:59:59Z 2027-12-31T23:59:59Z"),
    ];
    for (expression, expected) in cases {
        assert_eq!(utc(expression, "2025-12-31T23:59:49.5Z", 3), expected, "{expression}");
    }
}

#[test]
fn a_tick_is_not_its_own_next_one() {
    assert_eq!(utc("* * * * * *", "2026-01-01T00:00:00Z", 2), "2026-01-01T00:00:01Z 2026-01-01T00:00:02Z");
    assert_eq!(utc("0 * * * *", "2026-01-01T01:00:00Z", 1), "2026-01-01T02:00:00Z");
}

#[test]
fn a_time_in_the_gap_ticks_once_at_its_end() {
    // In Zurich 02:00 becomes 03:00 on 29 March 2026, at 01:00 UTC.
    let zurich = |expression| ticks(expression, "Europe/Zurich", "2026-03-28T12:00:00Z", 2);
    assert_eq!(zurich("30 2 * * *"), "2026-03-29T01:00:00Z 2026-03-30T00:30:00Z");
    assert_eq!(zurich("*/10 2 * * *"), "2026-03-29T01:00:00Z 2026-03-30T00:00:00Z", "six times, and one tick");
    assert_eq!(zurich("0 2,3 * * *"), "2026-03-29T01:00:00Z 2026-03-30T00:00:00Z");
    assert_eq!(zurich("0 0 * * *"), "2026-03-28T23:00:00Z 2026-03-29T22:00:00Z");
    // Beirut leaps at midnight, Lord Howe by half an hour.
    assert_eq!(ticks("30 0 * * *", "Asia/Beirut", "2026-03-28T12:00:00Z", 1), "2026-03-28T22:00:00Z");
    assert_eq!(ticks("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", 1), "2026-10-03T15:30:00Z");
}

#[test]
fn a_time_that_comes_twice_ticks_at_the_first_of_them() {
    // In Zurich 03:00 becomes 02:00 on 25 October 2026, at 01:00 UTC.
    let zurich = |expression, after| ticks(expression, "Europe/Zurich", after, 2);
    assert_eq!(zurich("30 2 * * *", "2026-10-24T12:00:00Z"), "2026-10-25T00:30:00Z 2026-10-26T01:30:00Z");
    assert_eq!(zurich("30 2 * * *", "2026-10-25T01:10:00Z"), "2026-10-26T01:30:00Z 2026-10-27T01:30:00Z");
    assert_eq!(zurich("0 3 * * *", "2026-10-24T12:00:00Z"), "2026-10-25T02:00:00Z 2026-10-26T02:00:00Z");
}

#[test]
fn intervals_go_by_the_time_that_passes() {
    let zurich = |expression, after, count| ticks(expression, "Europe/Zurich", after, count);
    let spring = zurich("0 * * * *", "2026-03-28T23:30:00Z", 3);
    assert_eq!(spring, "2026-03-29T00:00:00Z 2026-03-29T01:00:00Z 2026-03-29T02:00:00Z");
    let autumn = zurich("30 * * * *", "2026-10-24T23:45:00Z", 3);
    assert_eq!(autumn, "2026-10-25T00:30:00Z 2026-10-25T01:30:00Z 2026-10-25T02:30:00Z");
    let twice = zurich("0 */2 * * *", "2026-10-24T23:45:00Z", 3);
    assert_eq!(twice, "2026-10-25T00:00:00Z 2026-10-25T01:00:00Z 2026-10-25T03:00:00Z", "both 02:00");
}

#[test]
fn the_last_ticks_are_found_from_the_end_however_long_ago_the_first_was() {
    let last = |expression, after, most| {
        let cron = Cron::new(expression, "UTC").unwrap();
        let last = cron.last(at(after), at("2026-01-01T00:00:02.5Z"), most);
        last.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(last("* * * * * *", "1970-01-01T00:00:00Z", 2), "2026-01-01T00:00:01Z 2026-01-01T00:00:02Z");
    assert_eq!(last("0 0 29 2 *", "1970-01-01T00:00:00Z", 2), "2020-02-29T00:00:00Z 2024-02-29T00:00:00Z");
    assert_eq!(last("@yearly", "2025-12-31T23:59:59Z", 9), "2026-01-01T00:00:00Z");
    assert_eq!(last("@yearly", "2026-01-01T00:00:00Z", 9), "");
    assert_eq!(last("* * * * * *", "2025-12-31T23:00:00Z", 1_000).split(' ').count(), 1_000);
}

#[test]
fn what_cannot_be_understood_is_refused_with_the_reason() {
    let refused = [
        ("* * * *", "neither five fields"),
        ("60 * * * *", "`60` as its minute: it goes from 0 to 59"),
        ("0 0 * * Fry", "`Fry` as its weekday"),
        ("0 9-5 * * *", "`9-5` as its hour: it goes from 0 to 23, never backwards"),
        (
            "*/0 * * * *",
            "`*/0` as its minute: it goes from 0 to 59, never backwards, with `/` and a number from 1 to 59",
        ),
        ("0 0 31 2 *", "never comes"),
        ("0 0 * * 5#6", "`Fri#1` to `Fri#5`"),
        ("0 0 , * *", "day of the month"),
        ("+5 * * * *", "minute"),
        ("@often", "neither five fields"),
    ];
    for (expression, why) in refused {
        let error = Cron::new(expression, "UTC").unwrap_err();
        assert!(error.code() == "invalid" && error.message().contains(why), "{expression}: {error}");
    }
    let error = Cron::new("@daily", "Europe/Zuerich").unwrap_err();
    assert!(error.message().contains("`Europe/Zuerich` is no time zone"), "{error}");
}

/// croner by itself gives each of these a meaning that nobody had in mind.
#[test]
fn what_croner_would_take_for_something_else_is_refused() {
    let refused = [
        "Jan 0 * * *",
        "0 0 Mon * *",
        "0 0 Feb5 * *",
        "0 0 * * SunMon",
        "0 0 * * \u{17f}un",
        "5,,6 * * * *",
        "/5 * * * *",
        "*/90 * * * *",
        "0 0 * * +Mon",
        "0 0 * * L",
        "0 0 * * Mon-Fri#2",
        "0 0 * * 5#L",
        "0 0 * * 5#2L",
        "0 0 15W3 * *",
        "0 0 L,LW * *",
        "0 0 0 1 1 * 2027",
    ];
    for expression in refused {
        let error = Cron::new(expression, "UTC").unwrap_err();
        assert!(error.code() == "invalid" && error.message().contains(expression), "{expression}: {error}");
    }
}

/// Each of these was accepted before croner was asked, so it may be that of a schedule; croner by itself refuses it or takes it
/// for something else.
#[test]
fn a_schedule_that_is_in_a_database_keeps_its_meaning() {
    let kept = [
        ("? ? ? ? ?", "2026-01-01T00:00:00Z 2026-01-01T00:01:00Z"),
        ("?/30 ?/12 * * *", "2026-01-01T00:00:00Z 2026-01-01T00:30:00Z"),
        ("*,5 3 * * *", "2026-01-01T03:00:00Z 2026-01-01T03:01:00Z"),
        ("0 0 5,? * *", "2026-01-01T00:00:00Z 2026-01-02T00:00:00Z"),
        ("0 0 L,* * Mon", "2026-01-05T00:00:00Z 2026-01-12T00:00:00Z"),
        ("59/1 23 * * *", "2026-01-01T23:59:00Z 2026-01-02T23:59:00Z"),
        ("007 0 * * *", "2026-01-01T00:07:00Z 2026-01-02T00:07:00Z"),
        ("*/+30 0 * * *", "2026-01-01T00:00:00Z 2026-01-01T00:30:00Z"),
        ("@midnight", "2026-01-01T00:00:00Z 2026-01-02T00:00:00Z"),
        // Days that begin with `*` are no choice of their own.
        ("0 0 */2 * Mon", "2026-01-05T00:00:00Z 2026-01-19T00:00:00Z"),
        ("0 0 1 * */2", "2026-01-01T00:00:00Z 2026-02-01T00:00:00Z"),
        // Sunday is 0 and 7.
        ("0 0 * * Sun-Sun", "2026-01-04T00:00:00Z 2026-01-11T00:00:00Z"),
        ("0 0 * * Fri-0", "2026-01-02T00:00:00Z 2026-01-03T00:00:00Z"),
        ("0 0 * * 6-0/1", "2026-01-03T00:00:00Z 2026-01-04T00:00:00Z"),
        ("0 0 * * 7/2", "2026-01-04T00:00:00Z 2026-01-11T00:00:00Z"),
        ("0 0 * * 7#2", "2026-01-11T00:00:00Z 2026-02-08T00:00:00Z"),
        ("0 0 * * 7L", "2026-01-25T00:00:00Z 2026-02-22T00:00:00Z"),
        ("0 0 * * 5#+2,5#05", "2026-01-09T00:00:00Z 2026-01-30T00:00:00Z"),
        ("0 0 * 2 1#5", "2044-02-29T00:00:00Z 2072-02-29T00:00:00Z"),
        ("0 0 l jan-FEB fril", "2026-01-30T00:00:00Z 2026-01-31T00:00:00Z"),
    ];
    for (expression, expected) in kept {
        assert_eq!(utc(expression, "2025-12-31T23:59:59Z", 2), expected, "{expression}");
    }
}

/// The working day that is nearest to each day of ten years is looked for by hand.
#[test]
fn the_nearest_working_day_is_one_of_the_same_month() {
    let first = date(2026, 1, 1);
    for (day, expression) in (1..=31).map(|day| (day, format!("0 0 {day}W * *"))) {
        let days = first.series(jiff::Span::new().days(1)).take_while(|date| date.year() < 2036);
        let named = days.filter(|date| date.day() == day);
        let expected: Vec<String> = named.map(|named| format!("{}T00:00:00Z", nearest_working_day(named))).collect();
        assert_eq!(utc(&expression, "2025-12-31T23:59:59Z", expected.len()), expected.join(" "), "{expression}");
    }
    let last =
        "2026-01-30T00:00:00Z 2026-02-27T00:00:00Z 2026-03-31T00:00:00Z 2026-04-30T00:00:00Z 2026-05-29T00:00:00Z";
    assert_eq!(utc("0 0 LW * *", "2025-12-31T23:59:59Z", 5), last);
    let both = "2026-01-01T00:00:00Z 2026-01-30T00:00:00Z 2026-01-31T00:00:00Z 2026-02-02T00:00:00Z";
    assert_eq!(utc("0 0 1w,l * 5l", "2025-12-31T23:59:59Z", 4), both);
}

fn nearest_working_day(named: Date) -> Date {
    let is_meant = |date: &Date| date.month() == named.month() && !matches!(date.weekday(), Saturday | Sunday);
    let by_distance = [0, -1, 1, -2, 2].map(|days| named.checked_add(jiff::Span::new().days(days)).unwrap());
    by_distance.into_iter().find(is_meant).unwrap()
}

#[test]
fn no_expression_takes_long_or_ends_the_process() {
    let long = [
        format!("{}1 * * * *", "1,".repeat(100_000)),
        format!("{} * * * *", "9".repeat(100_000)),
        format!("0 0 1 {} *", "Jan".repeat(100_000)),
        format!("0 0 * * {}", "é#".repeat(100_000)),
        "* ".repeat(100_000),
    ];
    let hostile = [
        "0 0 30 2 *",
        "0 0 31W 2,4 *",
        "0 0 30,31 2 *",
        "0 0 */31 2 5#1",
        "0 0 31 */2 *",
        "65535 * * * *",
        "0-65535 * * * *",
        "*/65535 * * * *",
        "* * * * 99999999999999999999#2",
        "\0 * * * *",
        "# # # # #",
        "- - - - -",
        "L L L L L",
        "W W W W W",
        "0 0 W * L",
        "",
        "@",
    ];
    for expression in hostile.into_iter().chain(long.iter().map(String::as_str)) {
        if let Ok(cron) = Cron::new(expression, "UTC") {
            assert!(cron.next(at("2026-01-01T00:00:00Z")).is_some(), "{expression}");
        }
    }
    let cron = Cron::new("59 59 23 31 12 *", "Europe/Zurich").unwrap();
    for after in [Timestamp::MIN, Timestamp::MAX] {
        cron.next(after);
    }
}

/// Each minute of some days is looked at by itself, and the search has to find just those that are meant.
#[test]
fn the_search_agrees_with_a_look_at_every_minute() {
    let expressions = [
        "* * * * *",
        "*/7 * * * *",
        "30 * * * *",
        "15,45 */2 * * *",
        "30 2 * * *",
        "*/20 0-3 * * *",
        "0 0 * * *",
        "59 23 * * *",
        "5 1,2,3 * * Sat,Sun",
        "30 0 L * *",
    ];
    let days = ["2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31", "2026-06-29"];
    for zone in ["UTC", "Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "America/St_Johns"] {
        for (expression, day) in expressions.iter().flat_map(|it| days.map(|day| (*it, day))) {
            let cron = Cron::new(expression, zone).unwrap();
            let (from, until) = (at(&format!("{day}T00:00:30Z")), at(&format!("{day}T00:00:30Z")) + DAYS);
            let found: Vec<Timestamp> = cron.upcoming(from).take_while(|tick| *tick <= until).collect();
            assert_eq!(found, minutes(&cron, from, until), "{expression} in {zone} from {day} on");
        }
    }
}

const DAYS: SignedDuration = SignedDuration::from_hours(3 * 24);

/// The ticks of a cron without seconds, found by looking at each minute.
fn minutes(cron: &Cron, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let minute = SignedDuration::from_mins(1);
    let is_meant = |civil: DateTime| {
        // Asked of croner for this one time, without a search.
        cron.times.is_time_matching(&civil.with().second(0).build().unwrap()).unwrap()
    };
    // On the clock more is to be looked at: what is named may lie in a gap before the first instant.
    let begin = from - SignedDuration::from_hours(3) + SignedDuration::from_secs(30);
    let shown: Vec<(Timestamp, DateTime)> = std::iter::successors(Some(begin), |at| Some(*at + minute))
        .take_while(|at| *at <= until + SignedDuration::from_hours(3))
        .map(|at| (at, cron.zone.to_datetime(at)))
        .collect();
    let mut ticks: Vec<Timestamp> = if cron.hours_open {
        shown.iter().filter(|(_, civil)| is_meant(*civil)).map(|(at, _)| *at).collect()
    } else {
        let last = shown.last().unwrap().1;
        let named = std::iter::successors(Some(shown[0].1), |civil| civil.checked_add(minute).ok());
        let named = named.take_while(|civil| *civil <= last).filter(|civil| is_meant(*civil));
        // The first instant at which a clock shows it, or has leaped over it.
        named.filter_map(|named| shown.iter().find(|(_, civil)| *civil >= named).map(|(at, _)| *at)).collect()
    };
    ticks.retain(|at| *at > from && *at <= until);
    ticks.dedup();
    ticks
}
