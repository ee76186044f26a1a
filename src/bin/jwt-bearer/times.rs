//! Times and spans of time in words.

use std::time::{Duration, SystemTime};

/// Seconds of the units of spans, largest first, with the least span that is written in each.
const UNITS: &[(u64, u64, &str)] = &[
    (365 * DAY, 2 * 365 * DAY, "year"),
    (DAY, 2 * DAY, "day"),
    (3600, 2 * 3600, "hour"),
    (60, 2 * 60, "minute"),
    (1, 0, "second"),
];
/// A day in seconds.
pub(crate) const DAY: u64 = 24 * 3600;

/// Returns the seconds since 1970.
pub(crate) fn now() -> i64 {
    unix(SystemTime::now())
}

/// Returns the seconds since 1970 of a time.
pub(crate) fn unix(time: SystemTime) -> i64 {
    let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => seconds(since),
        Err(before) => seconds(before.duration()).saturating_neg(),
    }
}

/// Returns a time as `2026-01-31 23:59:59 UTC`.
pub(crate) fn utc(seconds: i64) -> String {
    let (date, time) = date_and_time(seconds);
    format!("{date} {time} UTC")
}

/// Returns a time as `2026-01-31T23:59:59Z` (RFC 3339).
pub(crate) fn rfc3339(seconds: i64) -> String {
    let (date, time) = date_and_time(seconds);
    format!("{date}T{time}Z")
}

/// Returns date and time of day in UTC.
fn date_and_time(seconds: i64) -> (String, String) {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since the first of March of the year 0, in eras of 400 years, so that leap days end a year.
    let days = days.saturating_add(719_468);
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    (
        format!("{year:04}-{month:02}-{day:02}"),
        format!("{hour:02}:{minute:02}:{second:02}"),
    )
}

/// Returns a span in its largest fitting unit, rounded down: `23 days`.
pub(crate) fn span(seconds: u64) -> String {
    let fitting = UNITS.iter().find(|(_, least, _)| seconds >= *least);
    let (unit, _, name) = fitting.unwrap_or(&(1, 0, "second"));
    let count = seconds / unit;
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {name}{plural}")
}

/// Returns how far a time is from now: `in 5 minutes`, `3 days ago` or `now`.
pub(crate) fn relative(seconds: i64, now: i64) -> String {
    let distance = span(seconds.abs_diff(now));
    match seconds.cmp(&now) {
        std::cmp::Ordering::Less => format!("{distance} ago"),
        std::cmp::Ordering::Equal => "now".to_owned(),
        std::cmp::Ordering::Greater => format!("in {distance}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The right sides are those of `date -u -d @N`.
    #[test]
    fn time_in_utc_is_what_date_prints() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_300_819_380, "2011-03-22 18:43:00 UTC"), // RFC 7519 §3.1
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
            (253_402_300_799, "9999-12-31 23:59:59 UTC"),
        ] {
            assert_eq!(utc(seconds), text);
            let text = text.replacen(' ', "T", 1).replace(" UTC", "Z");
            assert_eq!(rfc3339(seconds), text);
        }
    }

    #[test]
    fn span_has_its_largest_fitting_unit() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (119, "119 seconds"),
            (300, "5 minutes"),
            (7199, "119 minutes"),
            (7200, "2 hours"),
            (23 * DAY + 5, "23 days"),
            (729 * DAY, "729 days"),
            (10 * 365 * DAY, "10 years"),
        ] {
            assert_eq!(span(seconds), text);
        }
        assert_eq!(relative(0, 300), "5 minutes ago");
        assert_eq!(relative(300, 0), "in 5 minutes");
        assert_eq!(
            relative(i64::MIN, i64::MAX).split(' ').next_back(),
            Some("ago")
        );
    }
}
