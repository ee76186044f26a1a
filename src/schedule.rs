//! How long a token is fresh, how long a failure stands: numbers from numbers.

use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// A token is renewed this long before its end, or a quarter of its life if that is shorter: time
/// for one attempt and the clocks between here and the API.
const MARGIN: Duration = Duration::from_secs(60);
/// A token is held this long after its receipt, whatever it says: at most one exchange a second.
pub(crate) const HOLD: Duration = Duration::from_secs(1);
/// A verdict stands this long: the same question gets the same answer.
const VERDICT: Duration = Duration::from_secs(10);
/// The first pause after a failure that may pass; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// As above.
const LAST_PAUSE: Duration = Duration::from_secs(30);
/// A server may ask for a longer pause, up to this; beyond, it is asked again all the same.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// The age at which a token is due, with `u` drawn from 0 to 1 once per token, so that a fleet that
/// was started together does not refresh together.
pub(crate) fn refresh_after(lifetime: Duration, u: f64) -> Duration {
    let margin = lifetime.mul_f64(0.25).min(MARGIN);
    lifetime
        .saturating_sub(margin)
        .saturating_sub(lifetime.mul_f64(u / 10.0))
}

/// The pause after so many failures in a row, varied by a fifth.
pub(crate) fn pause(failures: u32, u: f64) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures));
    doubled.min(LAST_PAUSE).mul_f64(0.8 + 0.4 * u)
}

/// How long a failed flight keeps others from starting; `None` where asking again costs no server
/// anything.
pub(crate) fn stands(error: &Error, failures: u32, u: f64) -> Option<Duration> {
    let own = match error.kind() {
        ErrorKind::Denied | ErrorKind::Protocol => VERDICT,
        ErrorKind::Network | ErrorKind::Unavailable => pause(failures, u),
        ErrorKind::Key | ErrorKind::Config | ErrorKind::Timeout => return None,
    };
    let asked = error.retry_after().unwrap_or_default().min(LONGEST_PAUSE);
    Some(own.max(asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_token_is_due_a_minute_or_a_quarter_before_its_end_and_up_to_a_tenth_earlier() {
        for (lifetime, latest, earliest) in [(300, 240, 210), (7200, 7140, 6420), (60, 45, 39)] {
            assert_eq!(refresh_after(s(lifetime), 0.0), s(latest));
            assert_eq!(refresh_after(s(lifetime), 1.0), s(earliest));
        }
        assert_eq!(refresh_after(Duration::ZERO, 0.5), Duration::ZERO);
    }

    #[test]
    fn pauses_double_from_one_to_thirty_seconds_and_vary_by_a_fifth() {
        let middle: Vec<_> = (0..7)
            .map(|n| pause(n, 0.5).as_secs_f64().round())
            .collect();
        assert_eq!(middle, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        assert_eq!(pause(0, 0.0), Duration::from_millis(800));
        assert_eq!(pause(u32::MAX, 1.0), s(36));
    }

    #[test]
    fn verdicts_stand_ten_seconds_and_signers_failures_not_at_all() {
        let of = |kind| stands(&Error::new(kind, "no"), 0, 0.5);
        assert_eq!(of(ErrorKind::Denied), Some(s(10)));
        assert_eq!(of(ErrorKind::Protocol), Some(s(10)));
        assert_eq!(of(ErrorKind::Network), Some(s(1)));
        assert_eq!(of(ErrorKind::Unavailable), Some(s(1)));
        assert_eq!(of(ErrorKind::Key), None);
        assert_eq!(of(ErrorKind::Config), None);
    }
}
