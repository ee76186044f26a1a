//! Runs commands in rounds, each round in another order, and prints what each run took.
//!
//! ```sh
//! alternate ROUNDS EXPECTED <<END
//! name<TAB>command and its arguments<TAB>VARIABLE=value ...
//! END
//! ```
//!
//! A line of output is `round name wall user system peak`: microseconds and kilobytes, as the system
//! counts them for a process that ended. A run whose output is not EXPECTED is an error. The first
//! round warms up and is not printed. This program stays small, because on Linux the peak of a
//! process begins at the size of its parent.

use std::error::Error;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::Instant;
use std::{env, io};

use wait4::Wait4 as _;

struct Program {
    name: String,
    command: Command,
}

impl Program {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split('\t');
        let name = fields.next()?.to_owned();
        let mut words = fields.next()?.split(' ');
        let mut command = Command::new(words.next()?);
        let variables = fields.next().unwrap_or_default().split_whitespace();
        command
            .args(words)
            .envs(variables.filter_map(|pair| pair.split_once('=')))
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        Some(Self { name, command })
    }

    fn run(&mut self, expected: &str) -> Result<[u128; 4], Box<dyn Error>> {
        let began = Instant::now();
        let mut child = self
            .command
            .spawn()
            .map_err(|error| format!("{}: {error}", self.name))?;
        let mut printed = String::new();
        child
            .stdout
            .take()
            .ok_or("the output is no pipe")?
            .read_to_string(&mut printed)?;
        let used = child.wait4()?;
        let wall = began.elapsed();
        if printed.trim_end() != expected || !used.status.success() {
            return Err(format!("{}: {}, printed {printed:?}", self.name, used.status).into());
        }
        let peak = u128::from(used.rusage.maxrss / 1024);
        let [user, system] = [used.rusage.utime, used.rusage.stime].map(|time| time.as_micros());
        Ok([wall.as_micros(), user, system, peak])
    }
}

/// Changes the order in every round, so that no command always runs after the same one, which may leave caches cold
/// and the system busy. All runs of this program have the same orders.
fn shuffle(programs: &mut [Program], random: &mut u64) {
    for last in (1..programs.len()).rev() {
        // The linear congruential generator of Knuth's MMIX. Its upper bits are the better ones.
        *random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        programs.swap(last, (*random >> 33) as usize % (last + 1));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().collect();
    let [_, rounds, expected] = arguments.as_slice() else {
        return Err("usage: alternate ROUNDS EXPECTED".into());
    };
    let rounds: usize = rounds.parse()?;
    let mut programs: Vec<_> = io::stdin()
        .lines()
        .map(|line| {
            Program::parse(&line?)
                .ok_or_else(|| io::Error::other("a line needs a name and a command"))
        })
        .collect::<Result<_, _>>()?;
    let mut random = 1;
    for round in 0..=rounds {
        shuffle(&mut programs, &mut random);
        for program in &mut programs {
            let [wall, user, system, peak] = program.run(expected)?;
            if round > 0 {
                println!(
                    "{round}\t{}\t{wall}\t{user}\t{system}\t{peak}",
                    program.name
                );
            }
        }
    }
    Ok(())
}
