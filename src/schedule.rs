//! How fresh a cached token is, and how long a failure is remembered.

use std::time::Duration;

use crate::clock::Moment;
use crate::error::{Error, ErrorKind};
use crate::token::AccessToken;

/// A token is refreshed this long before its end, or a quarter of its lifetime if that is shorter: time for one
/// attempt, and for the difference between our clock and the API's.
const REFRESH_MARGIN: Duration = Duration::from_secs(60);
/// The part of its lifetime by which a token may be refreshed earlier still, so that a fleet that was started together
/// does not refresh together. A token of an hour is refreshed one to seven minutes before its end.
const REFRESH_JITTER: f64 = 0.1;
/// A token counts as fresh this long after its receipt, even if it has expired: at most one exchange a second.
const MIN_FRESH: Duration = Duration::from_secs(1);
/// A token that was received less than this long ago is not replaced: the next one would be no better, and every call
/// would cost an exchange.
const RECENT: Duration = Duration::from_secs(10);
/// A denial is remembered this long: the same question gets the same answer.
const DENIAL_TTL: Duration = Duration::from_secs(10);
/// The backoff after the first retryable failure; it doubles up to [`MAX_BACKOFF`].
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// The longest backoff of our own, so that a server that is back is noticed soon.
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// The part by which a backoff is longer or shorter, so that a fleet does not come back all at once.
const BACKOFF_JITTER: f64 = 0.2;
/// The longest `Retry-After` that is obeyed; after that the server is asked anyway.
pub(crate) const MAX_OBEYED_RETRY_AFTER: Duration = Duration::from_secs(5 * 60);

/// A token and its times.
#[derive(Clone)]
pub(crate) struct CachedToken {
    pub(crate) token: AccessToken,
    /// Just before the request that brought the token was sent.
    pub(crate) issued: Moment,
    /// Just after its response came.
    pub(crate) received: Moment,
    /// The age from which the token is refreshable.
    pub(crate) refresh_after: Duration,
    /// Whether this source fetched it, and not another process.
    pub(crate) is_own: bool,
}

/// How fresh a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Returned at once.
    Fresh,
    /// Served, while one caller fetches a new one.
    Refreshable,
    /// No longer served.
    Expired,
}

impl CachedToken {
    pub(crate) fn freshness(&self, now: Moment) -> Freshness {
        let age = now.since(self.issued);
        if age < self.refresh_after || now.since(self.received) < MIN_FRESH {
            Freshness::Fresh
        } else if age < self.token.lifetime() {
            Freshness::Refreshable
        } else {
            Freshness::Expired
        }
    }

    pub(crate) fn has_expired(&self, now: Moment) -> bool {
        self.freshness(now) == Freshness::Expired
    }

    /// Returns whether the token was received less than [`RECENT`] ago.
    pub(crate) fn is_recent(&self, now: Moment) -> bool {
        now.since(self.received) < RECENT
    }

    pub(crate) fn remaining_lifetime(&self, now: Moment) -> Duration {
        self.token.lifetime().saturating_sub(now.since(self.issued))
    }

    /// Returns whether this token lives longer than the other, if there is one.
    pub(crate) fn outlives(&self, other: Option<&Self>, now: Moment) -> bool {
        other.is_none_or(|other| self.remaining_lifetime(now) > other.remaining_lifetime(now))
    }
}

/// What a caller wants, from less to more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wanted {
    /// A token that lives at least this long. One that this source fetched less than [`RECENT`] ago is accepted too,
    /// because the server grants none that lives longer.
    Lifetime(Duration),
    /// A token that is fetched for this call, or for another call that wants a new token.
    NewToken,
}

impl Wanted {
    pub(crate) const ANY_TOKEN: Self = Self::Lifetime(Duration::ZERO);

    /// Returns whether a cached token is what the caller wants. Whether it has expired is for the caller to check.
    pub(crate) fn accepts(self, cached: &CachedToken, now: Moment) -> bool {
        match self {
            // Nearly every call accepts any lifetime, which costs nothing here.
            Self::Lifetime(min) => {
                min.is_zero()
                    || cached.remaining_lifetime(now) >= min
                    || (cached.is_own && cached.is_recent(now))
            }
            Self::NewToken => false,
        }
    }
}

/// Returns the age from which a token is refreshable.
///
/// `jitter` is drawn from 0 to 1 once per token.
pub(crate) fn refresh_after(lifetime: Duration, jitter: f64) -> Duration {
    let margin = lifetime.mul_f64(0.25).min(REFRESH_MARGIN);
    lifetime
        .saturating_sub(margin)
        .saturating_sub(lifetime.mul_f64(jitter * REFRESH_JITTER))
}

/// Returns the wait after a failure that follows `earlier_failures` others. `jitter` is drawn from 0 to 1.
pub(crate) fn backoff(earlier_failures: u32, jitter: f64) -> Duration {
    let doubled = FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(earlier_failures));
    let factor = 1.0 - BACKOFF_JITTER + 2.0 * BACKOFF_JITTER * jitter;
    doubled.min(MAX_BACKOFF).mul_f64(factor)
}

/// Returns how long a failed fetch is remembered, and so keeps others from starting.
pub(crate) fn failure_ttl(error: &Error, earlier_failures: u32, jitter: f64) -> Duration {
    let ttl = match error.kind() {
        ErrorKind::Denied | ErrorKind::Protocol | ErrorKind::Config => DENIAL_TTL,
        ErrorKind::Network | ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Key => {
            backoff(earlier_failures, jitter)
        }
    };
    let retry_after = error.retry_after().unwrap_or_default();
    ttl.max(retry_after.min(MAX_OBEYED_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::clock::{Clock as _, ManualClock};
    use crate::json::JsonObject;
    use crate::token::TokenHeader;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn freshness_changes_at_refresh_after_and_at_lifetime() {
        let clock = ManualClock::new(SystemTime::UNIX_EPOCH);
        let token = AccessToken::new(
            "t",
            &TokenHeader::BEARER,
            clock.now(),
            s(300),
            None,
            JsonObject::default(),
        );
        let cached = CachedToken {
            token: token.unwrap(),
            issued: Moment::now(&clock),
            received: Moment::now(&clock),
            refresh_after: s(240),
            is_own: true,
        };
        for (seconds, freshness) in [
            (239, Freshness::Fresh),
            (1, Freshness::Refreshable),
            (59, Freshness::Refreshable),
            (1, Freshness::Expired),
        ] {
            clock.advance(s(seconds));
            assert_eq!(cached.freshness(Moment::now(&clock)), freshness);
        }
    }

    #[test]
    fn refresh_after_is_a_minute_or_a_quarter_before_the_end_and_up_to_a_tenth_earlier() {
        for (lifetime, latest, earliest) in [(300, 240, 210), (7200, 7140, 6420), (60, 45, 39)] {
            assert_eq!(refresh_after(s(lifetime), 0.0), s(latest));
            assert_eq!(refresh_after(s(lifetime), 1.0), s(earliest));
        }
        assert_eq!(refresh_after(Duration::ZERO, 0.5), Duration::ZERO);
    }

    #[test]
    fn backoff_doubles_from_one_to_thirty_seconds_and_varies_by_a_fifth() {
        let middle: Vec<_> = (0..7)
            .map(|n| backoff(n, 0.5).as_secs_f64().round())
            .collect();
        assert_eq!(middle, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        assert_eq!(backoff(0, 0.0), Duration::from_millis(800));
        assert_eq!(backoff(u32::MAX, 1.0), s(36));
    }

    #[test]
    fn failure_ttl_is_ten_seconds_for_denials_and_backoff_for_retryable_errors() {
        let of = |kind| failure_ttl(&Error::new(kind, "no"), 0, 0.5);
        for kind in [ErrorKind::Denied, ErrorKind::Protocol, ErrorKind::Config] {
            assert_eq!(of(kind), s(10));
        }
        for kind in [ErrorKind::Network, ErrorKind::Unavailable, ErrorKind::Key] {
            assert_eq!(of(kind), s(1));
        }
    }
}
