//! 64 threads on sources whose server fails one request in five, with tokens of two seconds: no token
//! is served past its end, no more is asked than the rules allow, and nothing is left behind.
//!
//! Some seconds by default. `STRESS_SECONDS=60 cargo test --features cli --test stress` is the run
//! of a minute, with all threads on one source; a shorter one sees as many requests by more sources.
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
/// Seconds of the whole run, and of one that holds nobody up.
const WHOLE: usize = 60;
const DEFAULT: usize = 8;
const LIFETIME: Duration = Duration::from_secs(2);
/// However short it lives, a token is held so long after its receipt.
const HOLD: Duration = Duration::from_secs(1);
/// One request in so many fails.
const NTH: usize = 5;
/// In so many ways, by turns.
const WAYS: usize = 5;

/// One request of a source.
struct Trip {
    sent: Instant,
    back: Instant,
    came: Came,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Came {
    Token,
    Html,
    Busy(u16),
    Broken,
    Late,
}

impl Came {
    fn of(outcome: &io::Result<Response>) -> Self {
        match outcome {
            Ok(answer) if answer.body().starts_with(b"{") => Self::Token,
            Ok(answer) if answer.status() == 200 => Self::Html,
            Ok(answer) => Self::Busy(answer.status()),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Self::Late,
            Err(_) => Self::Broken,
        }
    }
    /// How long the source then sends nothing, by its rules. So many requests in a time are the most.
    fn rest(self) -> Duration {
        Duration::from_millis(match self {
            Self::Token => 1_000,     // it is held so long at least
            Self::Html => 10_000,     // a verdict
            Self::Busy(429) => 1_000, // as `Retry-After` says
            // A second but a fifth: the first pause, within a call or after it.
            Self::Busy(_) | Self::Broken => 800,
            // The time may have been up for one caller only, and another has more.
            Self::Late => 0,
        })
    }
}

/// All ways to fail, and none.
const ALL: [Came; 6] = [
    Came::Token,
    Came::Html,
    Came::Busy(429),
    Came::Busy(503),
    Came::Broken,
    Came::Late,
];

/// What one caller saw.
#[derive(Default)]
struct Seen {
    calls: usize,
    spent: usize,
    refused: usize,
    errors: usize,
}

struct World {
    server: Server,
    sources: Vec<(TokenSource, Arc<Mutex<Vec<Trip>>>)>,
    /// For the resource.
    agent: Agent,
    /// When a caller first held a token: no earlier than its source did.
    first: Mutex<HashMap<String, Instant>>,
}

fn agent() -> Agent {
    let agent = Agent::config_builder()
        .proxy(None)
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(10)));
    agent.build().into()
}

impl World {
    fn new(sources: usize) -> Self {
        let server = Server::start().unwrap();
        server.register(Client::new("client-1", Key::secret("secret")));
        server.set_lifetime(LIFETIME);
        let endpoint = Endpoint::token(server.token_endpoint()).unwrap();
        let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
        let source = |_| {
            let trips = Arc::<Mutex<Vec<Trip>>>::default();
            let (seen, agent) = (trips.clone(), agent());
            let transport = move |request: &Request, timeout: Duration| {
                let sent = Instant::now();
                let outcome = agent.send(request, timeout);
                let (back, came) = (Instant::now(), Came::of(&outcome));
                seen.lock().unwrap().push(Trip { sent, back, came });
                outcome
            };
            let key = HmacKey::new("secret").unwrap();
            let source = TokenSource::with_transport(transport, profile.clone(), key).unwrap();
            (source.with_timeout(Duration::from_secs(4)), trips)
        };
        Self {
            sources: (0..sources).map(source).collect(),
            agent: agent(),
            first: Mutex::default(),
            server,
        }
    }

    /// Asks and now and then spends: to the end, and until it failed in every way.
    fn caller(&self, number: usize, end: Instant) -> Seen {
        let (source, _) = &self.sources[number % self.sources.len()];
        let mut seen = Seen::default();
        while Instant::now() < end || self.server.requests() < self.sources.len() + NTH * WAYS {
            let asked = Instant::now();
            seen.calls += 1;
            match source.token() {
                Ok(token) => {
                    let secret = token.secret().to_owned();
                    let first = *(self.first.lock().unwrap())
                        .entry(secret)
                        .or_insert_with(Instant::now);
                    if seen.calls % 16 == number % 16 {
                        seen.spent += 1;
                        let ended = self.spend(token.authorization());
                        seen.refused += usize::from(ended.is_some());
                        // It was dead when it was asked for, and not even held for its second.
                        let past = ended.is_some_and(|ended| asked > ended && asked > first + HOLD);
                        assert!(!past, "a token was served past its end");
                    }
                }
                Err(error) => {
                    assert!(
                        matches!(error.kind(), Network | Unavailable | Protocol),
                        "{error:?}"
                    );
                    seen.errors += 1;
                }
            }
            thread::sleep(Duration::from_millis(20));
        }
        seen
    }

    /// `None` where the resource opens; else a time at which the token had ended already, by the server
    /// that handed it out.
    fn spend(&self, authorization: &str) -> Option<Instant> {
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

/// What this process holds.
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

/// Growth that is no leak: arenas of the allocator fill up for a while. A kilobyte kept by every call to
/// the resource, or by every thread of the server, would be more.
const GROWTH: usize = 8 * 1024 * 1024 / 4096;

#[test]
fn nothing_dead_is_served_no_more_is_asked_than_allowed_and_nothing_is_left() {
    let seconds = std::env::var("STRESS_SECONDS").map_or(DEFAULT, |text| text.parse().unwrap());
    let sources = (WHOLE / seconds).clamp(1, 8);
    let world = World::new(sources);
    for (source, _) in &world.sources {
        let token = source.token().unwrap();
        assert_eq!(world.spend(token.authorization()), None);
    }
    let before = Process::now();

    world.server.fail_every(NTH);
    let begin = Instant::now();
    let whole = Duration::from_secs(seconds.try_into().unwrap());
    let callers = &world;
    let (seen, warm, end) = thread::scope(|scope| {
        let end = begin + whole;
        let callers = (0..THREADS).map(|number| scope.spawn(move || callers.caller(number, end)));
        let callers: Vec<_> = callers.collect();
        thread::sleep(whole / 4);
        let warm = Process::now();
        thread::sleep(end.saturating_duration_since(Instant::now()));
        let end = Process::now();
        let seen = callers.into_iter().map(|caller| caller.join().unwrap());
        (seen.collect::<Vec<_>>(), warm, end)
    });

    let mut came = BTreeMap::<_, usize>::new();
    for (_, trips) in &world.sources {
        let trips = trips.lock().unwrap();
        for trip in &*trips {
            *came.entry(trip.came).or_default() += 1;
        }
        for two in trips.windows(2) {
            let rest = two[1].sent.saturating_duration_since(two[0].back);
            assert!(
                rest >= two[0].came.rest(),
                "{rest:?} after {:?}",
                two[0].came
            );
        }
    }
    let sum = |of: fn(&Seen) -> usize| seen.iter().map(of).sum::<usize>();
    println!(
        "{seconds} s, {sources} sources: {} calls, {} errors, {} spent, {} refused\nrequests: {came:?}\n\
        before {before:?}\nwarm   {warm:?}\nend    {end:?}",
        sum(|seen| seen.calls),
        sum(|seen| seen.errors),
        sum(|seen| seen.spent),
        sum(|seen| seen.refused),
    );
    assert_eq!(came.values().sum::<usize>(), world.server.requests());
    assert!(
        ALL.iter().all(|way| came.contains_key(way)),
        "too short: {came:?}"
    );
    let jtis = world.server.jtis();
    assert_eq!(BTreeSet::from_iter(&jtis).len(), jtis.len());
    assert!(end.resident <= warm.resident + GROWTH, "{warm:?} {end:?}");

    // Threads and connections of the last calls come to their end.
    let patience = Instant::now() + Duration::from_secs(10);
    let is_left =
        |now: Process| now.threads > before.threads || now.descriptors > before.descriptors;
    while is_left(Process::now()) && Instant::now() < patience {
        thread::sleep(Duration::from_millis(50));
    }
    let after = Process::now();
    assert!(!is_left(after), "{before:?} {after:?}");
}
