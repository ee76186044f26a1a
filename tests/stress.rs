//! Token sources under load: 64 threads, tokens of two seconds, and a server that fails one request in five.
//!
//! No expired token is returned, the number of requests respects backoff and failure TTL, and no thread, descriptor or
//! memory leaks. The test takes 8 seconds by default. `STRESS_SECONDS=60 cargo test --features cli --test stress` runs
//! a minute with all threads on one source. A shorter run makes as many requests with more sources.
#![cfg(all(feature = "sandbox", feature = "ureq", target_os = "linux"))]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, io};

use jwt_bearer::ErrorKind::{Network, Protocol, Unavailable};
use jwt_bearer::sandbox::{Client, Key, Server};
use jwt_bearer::{
    Audience, Endpoint, HmacKey, Profile, Request, Response, TokenSource, Transport as _,
};
use serde_json::Value;
use ureq::Agent;

const THREADS: usize = 64;
/// Seconds of the full run.
const FULL: usize = 60;
/// Seconds of the run without `STRESS_SECONDS`.
const DEFAULT: usize = 8;
const LIFETIME: Duration = Duration::from_secs(2);
/// A token is cached this long after its receipt, however short its lifetime is.
const MIN_CACHED: Duration = Duration::from_secs(1);
/// One in this many requests fails.
const FAIL_EVERY: usize = 5;
/// The number of ways in which the server fails, in turn.
const FAILURES: usize = 5;

/// One request of a source.
struct RoundTrip {
    sent: Instant,
    received: Instant,
    outcome: Outcome,
}

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Token,
    Html,
    Busy(u16),
    Broken,
    Late,
}

impl Outcome {
    fn of(outcome: &io::Result<Response>) -> Self {
        match outcome {
            Ok(answer) if answer.body().starts_with(b"{") => Self::Token,
            Ok(answer) if answer.status() == 200 => Self::Html,
            Ok(answer) => Self::Busy(answer.status()),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Self::Late,
            Err(_) => Self::Broken,
        }
    }
    /// Returns the least time until the next request of the same source.
    fn min_backoff(self) -> Duration {
        Duration::from_millis(match self {
            Self::Token => 1_000,     // `MIN_CACHED`
            Self::Html => 10_000,     // the failure TTL of a malformed response
            Self::Busy(429) => 1_000, // as `Retry-After` says
            // One second less a fifth of jitter: the first backoff within a call, and the first failure TTL after it.
            Self::Busy(_) | Self::Broken => 800,
            // Perhaps only one caller ran out of time: the next caller fetches at once.
            Self::Late => 0,
        })
    }
}

/// Success and every failure.
const OUTCOMES: [Outcome; 6] = [
    Outcome::Token,
    Outcome::Html,
    Outcome::Busy(429),
    Outcome::Busy(503),
    Outcome::Broken,
    Outcome::Late,
];

/// What one caller counted.
#[derive(Default)]
struct Counts {
    calls: usize,
    used: usize,
    refused: usize,
    errors: usize,
}

struct Fixture {
    server: Server,
    sources: Vec<(TokenSource, Arc<Mutex<Vec<RoundTrip>>>)>,
    /// Sends the requests to the resource.
    agent: Agent,
    /// When a caller first received each token, which is never before its source did.
    first_seen: Mutex<HashMap<String, Instant>>,
}

fn agent() -> Agent {
    let agent = Agent::config_builder()
        .proxy(None)
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(10)));
    agent.build().into()
}

impl Fixture {
    fn new(sources: usize) -> Self {
        let server = Server::start().unwrap();
        server.register(Client::new("client-1", Key::secret("secret")));
        server.set_lifetime(LIFETIME);
        let endpoint = Endpoint::token(server.token_endpoint()).unwrap();
        let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
        let source = |_| {
            let trips = Arc::<Mutex<Vec<RoundTrip>>>::default();
            let (recorded, agent) = (trips.clone(), agent());
            let transport = move |request: &Request, timeout: Duration| {
                let sent = Instant::now();
                let outcome = agent.send(request, timeout);
                let (received, result) = (Instant::now(), outcome);
                let outcome = Outcome::of(&result);
                recorded.lock().unwrap().push(RoundTrip {
                    sent,
                    received,
                    outcome,
                });
                result
            };
            let key = HmacKey::new("secret").unwrap();
            let source = TokenSource::with_transport(transport, profile.clone(), key).unwrap();
            (source.with_timeout(Duration::from_secs(4)), trips)
        };
        Self {
            sources: (0..sources).map(source).collect(),
            agent: agent(),
            first_seen: Mutex::default(),
            server,
        }
    }

    /// Calls the source, and uses every 16th token, until `end` and until the server failed in every way.
    fn caller(&self, number: usize, end: Instant) -> Counts {
        let (source, _) = &self.sources[number % self.sources.len()];
        let mut counts = Counts::default();
        while Instant::now() < end
            || self.server.requests() < self.sources.len() + FAIL_EVERY * FAILURES
        {
            let asked = Instant::now();
            counts.calls += 1;
            match source.token() {
                Ok(token) => {
                    let secret = token.secret().to_owned();
                    let first = *(self.first_seen.lock().unwrap())
                        .entry(secret)
                        .or_insert_with(Instant::now);
                    if counts.calls % 16 == number % 16 {
                        counts.used += 1;
                        let expired_at = self.use_token(token.authorization());
                        counts.refused += usize::from(expired_at.is_some());
                        // It had expired before the call, and `MIN_CACHED` was over as well.
                        let past =
                            expired_at.is_some_and(|end| asked > end && asked > first + MIN_CACHED);
                        assert!(!past, "an expired token was returned");
                    }
                }
                Err(error) => {
                    assert!(
                        matches!(error.kind(), Network | Unavailable | Protocol),
                        "{error:?}"
                    );
                    counts.errors += 1;
                }
            }
            thread::sleep(Duration::from_millis(20));
        }
        counts
    }

    /// Calls the resource with a token. Returns when the token expired, by the clock of the server that issued it, or
    /// `None` if the resource accepts it.
    fn use_token(&self, authorization: &str) -> Option<Instant> {
        let request = self.agent.get(self.server.resource());
        let answer = request.header("Authorization", authorization).call();
        let mut answer = answer.expect("the resource does not fail");
        let body = answer.body_mut().read_to_string().unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        if answer.status() == 200 {
            return None;
        }
        let why = body["error_description"].as_str().unwrap();
        let since = why.strip_prefix("the token expired ").expect(why);
        let since = since.strip_suffix(" ms ago").unwrap().parse().unwrap();
        Some(Instant::now() - Duration::from_millis(since))
    }
}

/// The resources of this process.
#[derive(Clone, Copy, Debug)]
struct Process {
    threads: usize,
    descriptors: usize,
    /// Pages of 4 KiB.
    resident: usize,
}

impl Process {
    fn now() -> Self {
        let count = |folder| fs::read_dir(folder).unwrap().count();
        let pages = fs::read_to_string("/proc/self/statm").unwrap();
        Self {
            threads: count("/proc/self/task"),
            descriptors: count("/proc/self/fd"),
            resident: pages.split(' ').nth(1).unwrap().parse().unwrap(),
        }
    }
}

/// Growth that is not a leak: the arenas of the allocator fill up for a while. A kilobyte that leaks from every call to
/// the resource, or from every thread of the server, is more.
const GROWTH: usize = 8 * 1024 * 1024 / 4096;

#[test]
fn token_source_under_load_serves_no_expired_token_and_leaks_nothing() {
    let seconds = std::env::var("STRESS_SECONDS").map_or(DEFAULT, |text| text.parse().unwrap());
    let sources = (FULL / seconds).clamp(1, 8);
    let fixture = Fixture::new(sources);
    for (source, _) in &fixture.sources {
        let token = source.token().unwrap();
        assert_eq!(fixture.use_token(token.authorization()), None);
    }
    let before = Process::now();

    fixture.server.fail_every(FAIL_EVERY);
    let begin = Instant::now();
    let duration = Duration::from_secs(seconds.try_into().unwrap());
    let callers = &fixture;
    let (counts, warm, end) = thread::scope(|scope| {
        let end = begin + duration;
        let callers = (0..THREADS).map(|number| scope.spawn(move || callers.caller(number, end)));
        let callers: Vec<_> = callers.collect();
        thread::sleep(duration / 4);
        let warm = Process::now();
        thread::sleep(end.saturating_duration_since(Instant::now()));
        let end = Process::now();
        let counts = callers.into_iter().map(|caller| caller.join().unwrap());
        (counts.collect::<Vec<_>>(), warm, end)
    });

    let mut outcomes = BTreeMap::<_, usize>::new();
    for (_, trips) in &fixture.sources {
        let trips = trips.lock().unwrap();
        for trip in &*trips {
            *outcomes.entry(trip.outcome).or_default() += 1;
        }
        for two in trips.windows(2) {
            let backoff = two[1].sent.saturating_duration_since(two[0].received);
            assert!(
                backoff >= two[0].outcome.min_backoff(),
                "{backoff:?} after {:?}",
                two[0].outcome
            );
        }
    }
    let sum = |of: fn(&Counts) -> usize| counts.iter().map(of).sum::<usize>();
    println!(
        "{seconds} s, {sources} sources: {} calls, {} errors, {} used, {} refused\nrequests: {outcomes:?}\n\
        before {before:?}\nwarm   {warm:?}\nend    {end:?}",
        sum(|counts| counts.calls),
        sum(|counts| counts.errors),
        sum(|counts| counts.used),
        sum(|counts| counts.refused),
    );
    assert_eq!(outcomes.values().sum::<usize>(), fixture.server.requests());
    assert!(
        OUTCOMES.iter().all(|way| outcomes.contains_key(way)),
        "the run was too short: {outcomes:?}"
    );
    let jtis = fixture.server.jtis();
    assert_eq!(BTreeSet::from_iter(&jtis).len(), jtis.len());
    assert!(end.resident <= warm.resident + GROWTH, "{warm:?} {end:?}");

    // Threads and connections of the last calls end a little later.
    let limit = Instant::now() + Duration::from_secs(10);
    let has_leaked =
        |now: Process| now.threads > before.threads || now.descriptors > before.descriptors;
    while has_leaked(Process::now()) && Instant::now() < limit {
        thread::sleep(Duration::from_millis(50));
    }
    let after = Process::now();
    assert!(!has_leaked(after), "{before:?} {after:?}");
}
