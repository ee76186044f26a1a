//! `Retry-After`, `Date` and `Age`: RFC 9110 §10.2.3 and §5.6.7, RFC 9111 §5.1.

use std::time::Duration;

use jwt_bearer::{Audience, Endpoint, Error, Exchange, Profile, Response};
use time::format_description::parse_borrowed as format;
use time::{Date, OffsetDateTime, PrimitiveDateTime};

use crate::{NOW, key, now};

/// In seconds. The longest `retry_after`.
const YEAR: u64 = 365 * 24 * 3600;
const FIXDATE: &str =
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT";
const RFC_850: &str = "[weekday], [day]-[month repr:short]-[year repr:last_two] \
    [hour]:[minute]:[second] GMT";
const ASCTIME: &str = "[weekday repr:short] [month repr:short] [day padding:space] \
    [hour]:[minute]:[second] [year]";

/// Reads a 503 response with the header lines of `input`.
///
/// A `Retry-After` in seconds is also taken as a date, in seconds after 1970, and written in all three date formats.
pub fn dates(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let headers: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once(": "))
        .collect();
    let header = |name: &str| {
        let mut headers = headers.iter();
        let found = headers.find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        Some(found.1.trim())
    };
    let error = error_of(&headers);
    let (pause, date, age) = (header("Retry-After"), header("Date"), header("Age"));

    assert!(
        error
            .retry_after()
            .is_none_or(|pause| pause.as_secs() <= YEAR)
    );
    match pause {
        Some(pause) if is_digits(pause) => {
            let seconds: u64 =
                pause
                    .trim_start_matches('0')
                    .parse()
                    .unwrap_or(match pause.trim_matches('0') {
                        "" => 0,
                        _ => u64::MAX,
                    });
            assert_eq!(
                error.retry_after(),
                Some(Duration::from_secs(seconds.min(YEAR)))
            );
            assert_all_date_formats(seconds);
        }
        Some(pause) => {
            let from = match date {
                None => Some(NOW),
                Some(date) => parse_fixdate(date),
            };
            if let (Some(until), Some(from)) = (parse_fixdate(pause), from) {
                let pause = until.saturating_sub(from).min(YEAR);
                assert_eq!(error.retry_after(), Some(Duration::from_secs(pause)));
            }
        }
        None => assert_eq!(error.retry_after(), None),
    }

    let is_fresh = age.is_none_or(|age| is_digits(age) && age.trim_matches('0').is_empty());
    match date.map(parse_fixdate) {
        None => assert_eq!(error.clock_offset(), None),
        Some(Some(date)) if is_fresh => {
            let offset = i64::try_from(date).unwrap() - i64::try_from(NOW).unwrap();
            assert_eq!(error.clock_offset(), Some(offset));
        }
        _ if age.is_some_and(|age| is_digits(age) && !is_fresh) => {
            assert_eq!(error.clock_offset(), None);
        }
        _ => {}
    }
}

/// Dates written by `time` are read as the same moment.
fn assert_all_date_formats(seconds: u64) {
    let last = Date::MAX.midnight().assume_utc().unix_timestamp();
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX) % last;
    let moment = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
    let offset = seconds - i64::try_from(NOW).unwrap();
    for date_format in [FIXDATE, RFC_850, ASCTIME] {
        // httpdate reads two digits as one of these years; RFC 9110 §5.6.7 as one within 50 years from now.
        if date_format == RFC_850 && !(1974..2070).contains(&moment.year()) {
            continue;
        }
        let written = moment.format(&format::<2>(date_format).unwrap()).unwrap();
        let error = error_of(&[("Date", &written)]);
        assert_eq!(error.clock_offset(), Some(offset), "{written}");
        let error = error_of(&[("Retry-After", &written)]);
        let pause = u64::try_from(offset).unwrap_or(0).min(YEAR);
        assert_eq!(
            error.retry_after(),
            Some(Duration::from_secs(pause)),
            "{written}"
        );
    }
}

fn error_of(headers: &[(&str, &str)]) -> Error {
    let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::Omit);
    let later = Response::new(503, "");
    let response = (headers.iter()).fold(later, |response, (name, value)| {
        response.with_header(*name, *value)
    });
    let key = key();
    let exchange = Exchange::new(&profile, &key, now()).unwrap();
    exchange.read(response).unwrap_err()
}

/// Parses an IMF-fixdate (RFC 9110 §5.6.7) with the right day of the week to seconds since 1970.
fn parse_fixdate(date: &str) -> Option<u64> {
    let read = PrimitiveDateTime::parse(date, &format::<2>(FIXDATE).unwrap()).ok()?;
    let written = read.format(&format::<2>(FIXDATE).unwrap()).ok()?;
    let is_right = written == date && (1970..=9999).contains(&read.year());
    let seconds = read.assume_utc().unix_timestamp();
    seconds.try_into().ok().filter(|_| is_right)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
