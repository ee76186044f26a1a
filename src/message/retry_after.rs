//! When a server may be asked again, by the headers of its response.

use std::time::{Duration, SystemTime};

use super::Response;

/// The longest `Retry-After` that is reported, a year: callers add it to a clock, which overflows.
const MAX_REPORTED_RETRY_AFTER: Duration = Duration::from_secs(365 * 24 * 3600);

/// A rate limit is reset within a year: a larger number of seconds is a Unix time.
const MAX_RESET_IN: u64 = MAX_REPORTED_RETRY_AFTER.as_secs();
/// The first Unix time that is not read, in the year 5138: so large a number is in another unit.
const MAX_RESET_AT: u64 = 100_000_000_000;

impl Response {
    /// Returns how long the server asks to wait: `Retry-After` (RFC 9110 §10.2.3), else until its rate limit is reset.
    pub(crate) fn retry_after(&self, now: Option<SystemTime>) -> Option<Duration> {
        // A date is compared with the server's clock, else with ours.
        let now = self.date().or(now);
        let read = |value: &str| {
            number(value).map(Duration::from_secs).or_else(|| {
                let date = httpdate::parse_http_date(value).ok()?;
                Some(date.duration_since(now?).unwrap_or_default()) // the date may have passed
            })
        };
        let header = self.header("Retry-After").map(str::trim);
        let asked = header.and_then(read).or_else(|| self.rate_limit_reset(now));
        asked.map(|asked| asked.min(MAX_REPORTED_RETRY_AFTER))
    }

    /// Returns the time until the rate limits that caused this response are reset.
    fn rate_limit_reset(&self, now: Option<SystemTime>) -> Option<Duration> {
        if !matches!(self.status, 429 | 503) {
            return None;
        }
        let is_field = |name: &str| name.eq_ignore_ascii_case("RateLimit");
        let lines = self.headers().filter(|(name, _)| is_field(name));
        let in_lines = lines.flat_map(|(_, line)| {
            // draft-ietf-httpapi-ratelimit-headers lists policies and what remains of each: `"day";r=0;t=30`.
            let policies = split_unquoted(line, ',').map(|policy| Quota {
                remaining: parameter(policy, ';', "r"),
                reset: parameter(policy, ';', "t"),
            });
            let policies = policies.filter(|quota| quota.remaining.is_some());
            // Its older versions have one policy: `limit=9, remaining=0, reset=30`, or a field for each of these.
            policies.chain([Quota {
                remaining: parameter(line, ',', "remaining"),
                reset: parameter(line, ',', "reset"),
            }])
        });
        let in_fields = ["RateLimit", "X-RateLimit", "X-Rate-Limit"].map(|name| {
            let value = |suffix| number(self.header(&[name, suffix].concat())?.trim());
            Quota {
                remaining: value("-Remaining"),
                reset: value("-Reset"),
            }
        });
        let exhausted = in_lines.chain(in_fields).filter(|quota| {
            // If a server does not say what remains, the status says that it is nothing.
            quota.remaining.map_or(self.status == 429, |left| left == 0)
        });
        exhausted.filter_map(|quota| quota.reset_in(now)).max()
    }
}

/// What a server says of one of its rate limits.
struct Quota {
    /// How many requests are left.
    remaining: Option<u64>,
    /// In how many seconds the limit is reset, or the Unix time of that (Okta, GitHub).
    reset: Option<u64>,
}

impl Quota {
    fn reset_in(&self, now: Option<SystemTime>) -> Option<Duration> {
        let reset = self.reset.filter(|reset| *reset < MAX_RESET_AT)?;
        let seconds = Duration::from_secs(reset);
        if reset <= MAX_RESET_IN {
            return Some(seconds);
        }
        let at = SystemTime::UNIX_EPOCH.checked_add(seconds)?;
        Some(at.duration_since(now?).unwrap_or_default())
    }
}

/// Splits a structured field (RFC 9651) at `separator`, but not in quoted texts.
fn split_unquoted(field: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    field.split(move |c| {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            c => return c == separator && !is_quoted,
        }
        false
    })
}

/// Returns the number in the parameter `name` of a structured field.
fn parameter(field: &str, separator: char, name: &str) -> Option<u64> {
    split_unquoted(field, separator).find_map(|parameter| {
        let (found, value) = parameter.split_once('=')?;
        (found.trim() == name).then(|| number(value.trim()))?
    })
}

/// Parses a whole number; one that is too large is the largest.
#[inline(never)] // each of its callers would have a copy
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_the_rate_limit_reset_where_a_server_sends_that_alone() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let wait = |status: u16, headers: &[(&str, &str)]| {
            let response = headers
                .iter()
                .fold(Response::new(status, ""), |r, (n, v)| r.with_header(*n, *v));
            response.retry_after(Some(now)).map(|wait| wait.as_secs())
        };
        for (header, value, expected) in [
            ("X-Rate-Limit-Reset", "1700000042", Some(42)), // Okta
            ("X-RateLimit-Reset", "1700000042", Some(42)),  // GitHub
            ("x-ratelimit-reset", "1699999999", Some(0)),
            ("RateLimit-Reset", "30", Some(30)),
            ("RateLimit", r#""default";r=0;t=17"#, Some(17)),
            ("RateLimit", "limit=100, remaining=0, reset=50", Some(50)),
            ("RateLimit", "limit=100", None),
            ("RateLimit-Reset", "soon", None),
            ("X-RateLimit-Reset", "1700000001000", None), // milliseconds
            ("X-RateLimit-Reset", "99999999999999999999999", None), // no time that a clock has
        ] {
            assert_eq!(wait(429, &[(header, value)]), expected, "{header}: {value}");
            assert_eq!(wait(400, &[(header, value)]), None, "{header}");
        }
        let both = [("Retry-After", "5"), ("RateLimit-Reset", "30")];
        assert_eq!(wait(429, &both), Some(5));
    }

    /// draft-ietf-httpapi-ratelimit-headers: each policy has its own quota, and `r` is what is left of it.
    #[test]
    fn rate_limit_counts_where_a_policy_is_exhausted_and_the_longest_of_several_counts() {
        for (headers, on_429, on_503) in [
            (
                &[("RateLimit", r#""burst";r=0;t=17, "daily";r=95;t=3600"#)][..],
                Some(17),
                Some(17),
            ),
            (
                &[("RateLimit", r#""daily";r=95;t=3600, "burst";r=0;t=17"#)],
                Some(17),
                Some(17),
            ),
            (
                &[("RateLimit", r#""burst";r=0;t=17,"daily";r=0;t=3600"#)],
                Some(3600),
                Some(3600),
            ),
            (
                &[
                    ("RateLimit", r#""burst";r=0;t=17"#),
                    ("ratelimit", r#""daily";r=0;t=60"#),
                ],
                Some(60),
                Some(60),
            ),
            (&[("RateLimit", r#""daily";r=95;t=3600"#)], None, None),
            // Names and partition keys are quoted, and may contain separators.
            (
                &[("RateLimit", r#""a,b;t=9\"";t=5;pk=:cHs9O3Q9OQ==:; r=0"#)],
                Some(5),
                Some(5),
            ),
            (&[("RateLimit", r#""a;r=0;t=9";r=1;t=5"#)], None, None),
            // The reset time is optional, what is left is not.
            (&[("RateLimit", r#""burst";r=0"#)], None, None),
            (&[("RateLimit", r#""burst";t=5"#)], None, None),
            (&[("RateLimit", r#""burst";r=0;t="5""#)], None, None),
            // Older drafts have one policy, in one field or in three.
            (
                &[("RateLimit", "limit=100, remaining=0, reset=50")],
                Some(50),
                Some(50),
            ),
            (
                &[("RateLimit", "limit=100, remaining=7, reset=50")],
                None,
                None,
            ),
            (&[("RateLimit", "limit=100, reset=50")], Some(50), None),
            (
                &[("RateLimit-Remaining", "0"), ("RateLimit-Reset", "5")],
                Some(5),
                Some(5),
            ),
            (
                &[("X-RateLimit-Remaining", "7"), ("X-RateLimit-Reset", "5")],
                None,
                None,
            ),
            (
                &[("X-Rate-Limit-Remaining", "7"), ("X-RateLimit-Reset", "5")],
                Some(5),
                None,
            ),
            (&[("X-Rate-Limit-Reset", "5")], Some(5), None),
        ] {
            for (status, expected) in [(429, on_429), (503, on_503), (401, None), (200, None)] {
                let response = headers
                    .iter()
                    .fold(Response::new(status, ""), |r, (n, v)| r.with_header(*n, *v));
                let pause = response.retry_after(None).map(|pause| pause.as_secs());
                assert_eq!(pause, expected, "{status} {headers:?}");
            }
        }
    }
}
