//! Runs commands in turn, A B C, B A C, ..., and prints what each run took.
//!
//! ```sh
//! alternate ROUNDS EXPECTED <<END
//! name<TAB>command and its arguments<TAB>VARIABLE=value ...
//! END
//! ```
//!
//! A row of output is `round name wall user system peak`: microseconds and kilobytes, as the system
//! counts them for a process that ended. A run whose output is not EXPECTED ends everything. The
//! first round only warms up. This program stays small: Linux lets a process's peak begin with its
//! parent's size.

use std::error::Error;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::Instant;
use std::{env, io};

use wait4::Wait4 as _;

struct Row {
    name: String,
    command: Command,
}

impl Row {
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
        let begun = Instant::now();
        let mut child = self
            .command
            .spawn()
            .map_err(|error| format!("{}: {error}", self.name))?;
        let mut printed = String::new();
        child
            .stdout
            .take()
            .ok_or("no pipe")?
            .read_to_string(&mut printed)?;
        let used = child.wait4()?;
        let wall = begun.elapsed();
        if printed.trim_end() != expected || !used.status.success() {
            return Err(format!("{}: {}, printed {printed:?}", self.name, used.status).into());
        }
        let peak = u128::from(used.rusage.maxrss / 1024);
        let [user, system] = [used.rusage.utime, used.rusage.stime].map(|time| time.as_micros());
        Ok([wall.as_micros(), user, system, peak])
    }
}

/// Another order every round, the same ones in every run: nobody is always behind the same neighbour,
/// who may leave the caches cold and the system busy.
fn shuffle(rows: &mut [Row], random: &mut u64) {
    for last in (1..rows.len()).rev() {
        // Knuth's generator; its upper half is the better one.
        *random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        rows.swap(last, (*random >> 33) as usize % (last + 1));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().collect();
    let [_, rounds, expected] = arguments.as_slice() else {
        return Err("give rounds and the expected output".into());
    };
    let rounds: usize = rounds.parse()?;
    let mut rows: Vec<_> = io::stdin()
        .lines()
        .map(|line| {
            Row::parse(&line?).ok_or_else(|| io::Error::other("a row is a name and a command"))
        })
        .collect::<Result<_, _>>()?;
    let mut random = 1;
    for round in 0..=rounds {
        shuffle(&mut rows, &mut random);
        for row in &mut rows {
            let [wall, user, system, peak] = row.run(expected)?;
            if round > 0 {
                println!("{round}\t{}\t{wall}\t{user}\t{system}\t{peak}", row.name);
            }
        }
    }
    Ok(())
}
