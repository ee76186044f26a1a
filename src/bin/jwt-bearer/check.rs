//! The `check` command: everything between the arguments and a token, one step after the other.
//!
//! A failed step does not stop the steps that do not depend on it. The order is that of the data: files, key,
//! certificate, assertion, then the network, then the server.

mod assertion;
mod material;
mod metadata;
mod network;
mod report;
mod server;

use std::time::Instant;

use clap::Args;

use self::material::Material;
use self::network::Network;
use self::report::{Report, ReportFormat, Step};
use crate::chosen::Chosen;
use crate::failure::Failure;

const CHECK_OPTIONS: &str = "Check options";

#[derive(Args)]
pub(crate) struct CheckOptions {
    /// Stops before the network: nothing is looked up and nothing is sent.
    #[arg(long, global = true, help_heading = CHECK_OPTIONS)]
    offline: bool,
    /// Output format. With json each line is an object: step, outcome (ok, warn, fail, skip), detail, hints (a list), and
    /// what the step found; milliseconds if it took time, and status, the exit status, if it failed.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text, global = true, help_heading = CHECK_OPTIONS)]
    format: ReportFormat,
}

/// Runs all steps, and prints each.
///
/// # Errors
/// The first failure of a step, which is already printed; a usage error; or closed standard output.
pub(crate) fn run(options: &CheckOptions, chosen: Chosen) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut report = Report::new(options.format);
    steps(&mut report, options, chosen, begun)?;
    report.finish()
}

fn steps(
    report: &mut Report,
    options: &CheckOptions,
    chosen: Chosen,
    begun: Instant,
) -> Result<(), Failure> {
    let common = chosen.common.clone();
    let Material { built, profile } = material::check(report, chosen)?;
    let can_sign = assertion::check(report, built.as_ref(), profile.as_ref())?;
    let profile = match profile {
        _ if options.offline => return report.skip(&["network"], "--offline"),
        Some(Ok(profile)) if profile.is_self_signed() => {
            let why = "nothing is exchanged: the assertion itself is the access token";
            return report.skip(&["network"], why);
        }
        Some(Ok(profile)) => profile,
        Some(Err(_)) | None => {
            return report.skip(&["network"], "the server is not known: see above");
        }
    };
    let network = match Network::new(&common, begun) {
        Ok(network) => network,
        Err(failure) => {
            report.add(Step::fail("tls", failure))?;
            return report.skip(&["network"], "the root certificates cannot be read");
        }
    };
    let built = built.filter(|_| can_sign);
    server::check(report, network, &profile, built, common.correct_clock)
}
