//! What cron expressions mean, day by day and when the clocks are set.

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
        ("0 9-5 * * *", "backwards"),
        ("*/0 * * * *", "after `/` stands a number from 1 to 59"),
        ("0 0 31 2 *", "never comes"),
        ("0 0 * * 5#6", "its 1st to its 5th"),
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
        cron.has_day(civil.date()) && cron.hours.has(civil.hour()) && cron.minutes.has(civil.minute())
    };
    // On the clock more is to be looked at: what is named may lie in a gap before the first instant.
    let begin = from - SignedDuration::from_hours(3) + SignedDuration::from_secs(30);
    let shown: Vec<(Timestamp, DateTime)> = std::iter::successors(Some(begin), |at| Some(*at + minute))
        .take_while(|at| *at <= until + SignedDuration::from_hours(3))
        .map(|at| (at, cron.zone.to_datetime(at)))
        .collect();
    let mut ticks: Vec<Timestamp> = if cron.hours.open {
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
