//! Reads how long a token lives from the member of a response that says it.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::json::JsonValue;
use crate::jwt;

/// The latest time that is read, in seconds: the year 5138. No token lives longer.
const MAX_SECONDS: f64 = 1e11;

/// How a lifetime is written.
#[derive(Clone)]
pub(crate) struct LifetimeUnit {
    pub(crate) name: &'static str,
    /// Returns what remains of the lifetime at a time, or `None` if it cannot be read or has expired. It is a function
    /// so that a program contains only the units that it names.
    pub(crate) read: fn(&Value, SystemTime) -> Option<Duration>,
    /// Says what a value is that cannot be read.
    pub(crate) problem: &'static str,
}

/// Seconds from now on.
pub(crate) const SECONDS: LifetimeUnit = LifetimeUnit {
    name: "seconds",
    read: |value, _| seconds(value),
    problem: "no number of seconds above zero",
};

/// Milliseconds from now on.
pub(crate) const MILLISECONDS: LifetimeUnit = LifetimeUnit {
    name: "milliseconds",
    read: |value, _| {
        let lifetime = seconds(value)?.checked_div(1000)?;
        Some(lifetime).filter(|lifetime| !lifetime.is_zero())
    },
    problem: "no number of milliseconds above zero",
};

/// The expiry time: an RFC 3339 date, or seconds since 1970.
pub(crate) const TIMESTAMP: LifetimeUnit = LifetimeUnit {
    name: "timestamp",
    read: |value, now| {
        let unix_time = || {
            // A larger number is in another unit, and is not read.
            let seconds = seconds(value).filter(|seconds| seconds.as_secs_f64() < MAX_SECONDS);
            SystemTime::UNIX_EPOCH.checked_add(seconds?)
        };
        let end = value.as_str().and_then(rfc3339).or_else(unix_time)?;
        let lifetime = end.duration_since(now).ok();
        lifetime.filter(|lifetime| !lifetime.is_zero())
    },
    problem: "no time in the future, as a date of RFC 3339 or in seconds since 1970",
};

/// Returns the lifetime of a JWT, which ends at its `exp`. `date` is the server's time, if known.
///
/// A server may hand out a token that is some minutes old, and its own clock says how old. Ours may be wrong, so it is
/// used last:
///
/// | the token has `iat` | `date` is known | the lifetime begins at |
/// |---|---|---|
/// | yes | yes | the later of both |
/// | yes | no | `iat` |
/// | no | yes | `date` |
/// | no | no | `now` |
///
/// No server grants an expired token, so a time that is not before `exp` is wrong and does not count.
pub(crate) fn of_jwt(token: &str, now: SystemTime, date: Option<SystemTime>) -> Option<Duration> {
    let claims = jwt::unverified_claims(token)?;
    let exp = claims.get("exp").and_then(|exp| seconds(&exp))?;
    let iat = claims.get("iat").and_then(|iat| seconds(&iat));
    let reference = date.or(iat.is_none().then_some(now));
    let reference = reference.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    let beginnings = [iat, reference].into_iter().flatten();
    let lifetimes = beginnings.filter_map(|beginning| exp.checked_sub(beginning));
    lifetimes.filter(|lifetime| !lifetime.is_zero()).min()
}

/// Reads seconds, which servers write as a number, a string or a float. Zero, a negative number and anything unreadable
/// count as missing.
pub(crate) fn seconds(value: &Value) -> Option<Duration> {
    let parse = |text: &str| {
        // JSON has no plus sign, and no zeros before a digit.
        let mut number = text.trim_ascii();
        number = number.strip_prefix('+').unwrap_or(number);
        while let [b'0', b'0'..=b'9', ..] = number.as_bytes() {
            number = number.get(1..).unwrap_or_default();
        }
        JsonValue::parse(number)?.as_f64()
    };
    let number = value.as_f64().or_else(|| parse(value.as_str()?))?;
    let seconds = Duration::try_from_secs_f64(number.min(MAX_SECONDS)).ok();
    seconds.filter(|seconds| !seconds.is_zero())
}

/// Reads a date such as `2016-07-11T22:14:10.123Z` or `2016-07-11T22:14:10+02:00` (RFC 3339 §5.6), to the second.
fn rfc3339(text: &str) -> Option<SystemTime> {
    const MONTHS: &str = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";
    const WEEKDAYS: &str = "Mon Tue Wed Thu Fri Sat Sun";
    let (date, rest) = text.split_at_checked(10)?;
    let (time, rest) = rest.strip_prefix(['T', 't', ' '])?.split_at_checked(8)?;
    let (year, month_and_day) = date.split_once('-')?;
    let (month, day) = month_and_day.split_once('-')?;
    let month = MONTHS
        .split(' ')
        .nth(month.parse::<usize>().ok()?.checked_sub(1)?)?;
    // `httpdate` knows the calendar. It accepts a date only with the right day of the week.
    let local = WEEKDAYS.split(' ').find_map(|weekday| {
        let date = format!("{weekday}, {day} {month} {year} {time} GMT");
        httpdate::parse_http_date(&date).ok()
    })?;
    let zone = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let offset = |zone: &str| {
        let (hours, minutes) = zone.split_once(':')?;
        let hours: u64 = hours.parse().ok()?;
        let minutes = hours.checked_mul(60)?.checked_add(minutes.parse().ok()?)?;
        Some(Duration::from_secs(minutes.checked_mul(60)?))
    };
    match zone.split_at_checked(1)? {
        ("Z" | "z", "") => Some(local),
        ("+", zone) => local.checked_sub(offset(zone)?),
        ("-", zone) => local.checked_add(offset(zone)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lifetime(unit: LifetimeUnit, value: &Value) -> Option<u64> {
        // date -u -d 2016-07-11T22:00:00Z +%s
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_468_274_400);
        (unit.read)(value, now).map(|lifetime| lifetime.as_secs())
    }

    #[test]
    fn lifetime_is_read_in_its_unit() {
        for (unit, value, expected) in [
            (SECONDS, json!(3600), Some(3600)),
            (SECONDS, json!("3600"), Some(3600)),
            (SECONDS, json!("2016-07-11T22:10:00Z"), None),
            (MILLISECONDS, json!(86_399_992_u64), Some(86_399)),
            (MILLISECONDS, json!(0), None),
            (TIMESTAMP, json!(1_468_275_000), Some(600)),
            (TIMESTAMP, json!("1468275000"), Some(600)),
            (TIMESTAMP, json!(1_468_274_400), None),
            (TIMESTAMP, json!(1_468_275_000_000_u64), None),
        ] {
            assert_eq!(lifetime(unit, &value), expected, "{value}");
        }
    }

    /// The numbers come from `date -u -d ... +%s`.
    #[test]
    fn timestamp_is_a_date_of_rfc_3339() {
        for (date, expected) in [
            ("2016-07-11T22:14:10Z", Some(850)),
            ("2016-07-11t22:14:10.123456789z", Some(850)),
            ("2016-07-12T00:14:10+02:00", Some(850)),
            ("2016-07-11 16:44:10.5-05:30", Some(850)),
            ("2017-03-01T00:00:00Z", Some(20_052_000)),
            ("2020-02-29T12:00:00Z", Some(114_703_200)),
            ("2016-07-11T22:00:00Z", None),
            ("2015-01-01T00:00:00Z", None),
            ("2016-07-11T22:14:10", None),
            ("2017-02-29T22:14:10Z", None),
            ("2016-13-11T22:14:10Z", None),
            ("2016-00-11T22:14:10Z", None),
            ("2016-07-11T25:14:10Z", None),
            ("2016-07-11T22:14:10+2", None),
            ("11.07.2016 22:14:10 Z", None),
            (
                "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
                None,
            ),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(lifetime(TIMESTAMP, &json!(date)), expected, "{date}");
        }
    }
}
