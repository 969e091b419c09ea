//! `enrol`: keeps the node's answer to the enrolment.

use hallmark_schemas::enrolment::EnrolmentError;
use hallmark_schemas::exit::Exit;

use crate::cli::{EnrolArgs, Output};
use crate::config::Config;
use crate::enrol::{self, EnrolError};
use crate::failure::Failure;
use crate::layout::Layout;
use crate::trust::TrustError;

pub(super) fn run(args: &EnrolArgs, out: &Output) -> Result<Exit, Failure> {
    let layout = Layout::new(&args.dir);
    let config = Config::load(&layout)?;
    let accepted = enrol::accept(&args.enrolled, &layout.enrolled(), &config.device);
    let trust = accepted.map_err(|fault| failure(&fault))?;
    let enrolled = trust.enrolled();
    out.verdict(
        "enrolled",
        format_args!(
            "{} publishes to {} and trusts the log {}",
            enrolled.device, enrolled.broker, enrolled.origin
        ),
    );
    Ok(Exit::Done)
}

fn failure(fault: &EnrolError) -> Failure {
    let message = "the answer to the enrolment is not kept";
    let failure = match fault {
        EnrolError::Trust(TrustError::Refused { source, .. }) => {
            let unread =
                matches!(**source, EnrolmentError::Content(_) | EnrolmentError::TooLong { .. });
            let exit = if unread { Exit::Input } else { Exit::Broken };
            Failure::new(exit, message).help("ask the node for a new enrolled.cbor")
        }
        EnrolError::Write { .. } => Failure::fault(message),
        EnrolError::OtherDevice { .. } => {
            Failure::input(message).help("give each device the enrolled.cbor of its own enrol.cbor")
        }
        _ => Failure::input(message).help("give the file that `hallmark-node enrol` wrote"),
    };
    failure.because(fault)
}
