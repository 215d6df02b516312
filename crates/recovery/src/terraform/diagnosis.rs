//! What Terraform's errors mean for whoever reads them at 3 a.m.: the kind of failure, the likely cause, the next command.
//!
//! Terraform tells errors as text only. What is recognised here was seen in its output and in that of the providers of AWS and Azure; anything else keeps
//! Terraform's own words and gets the cause of its step.

use std::collections::BTreeSet;

use crate::failure::{Failure, FailureKind};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Init,
    Plan,
    Apply,
    Destroy,
    /// Writing a state to where it is kept.
    Push,
    /// Reading the state, a plan or outputs.
    Show,
}

impl Step {
    pub fn name(self) -> &'static str {
        match self {
            Self::Init => "terraform init",
            Self::Plan => "terraform plan",
            Self::Apply => "terraform apply",
            Self::Destroy => "terraform apply of the destroy plan",
            Self::Push => "terraform state push",
            Self::Show => "terraform show",
        }
    }
}

/// Where Terraform leaves a state that it could not write to where it is kept: in the root.
pub const UNSAVED: &str = "errored.tfstate";

/// Words of an apply after which what it made need not stand in the state: the state could not be written, or a provider died at its work.
const NOT_WRITTEN_DOWN: [&str; 6] = [
    UNSAVED,
    "persist state",
    "save state",
    "saving state",
    "Plugin did not respond",
    "plugin encountered an error, and failed to respond",
];

/// Addresses whose making Terraform has begun: it says so before it asks the provider.
pub fn begun(said: &str) -> BTreeSet<String> {
    said.lines().filter_map(|line| line.strip_suffix(": Creating...")).map(str::to_owned).collect()
}

/// Addresses whose resources Terraform says that it took out, to make others there for example.
pub fn taken_out(said: &str) -> BTreeSet<String> {
    let address = |line: &str| Some(line.split_once(": Destruction complete after ")?.0.to_owned());
    said.lines().filter_map(address).collect()
}

/// Whether an apply told how it ended, and wrote down what it made. One that was killed did not.
pub fn ended_in_order(said: &str) -> bool {
    const END: usize = 40;
    let is_end = |line: &str| line.starts_with("Apply complete!") || bare(line).starts_with("Error:");
    // Sentences are wrapped.
    let words: Vec<&str> = said.lines().flat_map(|line| bare(line).split_whitespace()).collect();
    let text = words.join(" ");
    said.lines().rev().take(END).any(is_end) && !NOT_WRITTEN_DOWN.iter().any(|words| text.contains(words))
}

struct Known {
    kind: FailureKind,
    any_of: &'static [&'static str],
    cause: &'static str,
    next: &'static str,
}

const KNOWN: [Known; 6] = [
    Known {
        kind: FailureKind::Unreachable,
        any_of: &[
            "ExpiredToken",
            "ExpiredAuthenticationToken",
            "security token included in the request is expired",
            "token has expired",
            "SSO session has expired",
            "RequestExpired",
            "AADSTS700082",
            "AADSTS70043",
            "AADSTS50173",
            "InvalidGrantException",
        ],
        cause: "the credentials of the cloud have expired",
        next: "sign in again (aws sso login, az login), then the same command",
    },
    Known {
        kind: FailureKind::Unreachable,
        any_of: &[
            "No valid credential sources found",
            "InvalidClientTokenId",
            "UnrecognizedClientException",
            "AuthFailure",
            "unable to build authorizer",
            "could not configure AzureCli Authorizer",
            "Please run 'az login'",
            "AADSTS",
        ],
        cause: "the cloud does not accept the credentials, or there are none",
        next: "sign in (aws sso login, az login), then the same command",
    },
    Known {
        kind: FailureKind::Unreachable,
        any_of: &["AccessDenied", "UnauthorizedOperation", "AuthorizationFailed", "is not authorized to perform"],
        cause: "the identity may not do this in the account or subscription",
        next: "grant what terraform/README.md names for who runs restores, then the same command",
    },
    Known {
        kind: FailureKind::Unreachable,
        any_of: &[
            "InsufficientInstanceCapacity",
            "UnsupportedAvailabilityZoneException",
            "LocationNotAvailableForResourceType",
            "SkuNotAvailable",
            "AllocationFailed",
            "OverconstrainedAllocationRequest",
            "ServiceUnavailable",
            "InternalServerError",
            "RegionDisabledException",
            "OptInRequired",
        ],
        cause: "the region cannot give what was asked for, or is down",
        next: "another region or zone with --var region=…, then the command anew",
    },
    Known {
        kind: FailureKind::Unreachable,
        any_of: &[
            "no such host",
            "connection refused",
            "i/o timeout",
            "TLS handshake timeout",
            "dial tcp",
            "could not connect to registry",
            "Client.Timeout exceeded",
            "context deadline exceeded",
        ],
        cause: "the cloud, the registry of providers or the store of the state does not answer",
        next: "look at the network, then the same command; another region when that one is lost",
    },
    Known {
        kind: FailureKind::Usage,
        any_of: &["Unsupported Terraform Core version"],
        cause: "the root needs another Terraform",
        next: "install the release that it names, or name it with --terraform-bin",
    },
];

/// The failure that a step ended with. `text` is what Terraform said, without secrets.
pub fn failure(step: Step, text: &str, root: &str) -> Failure {
    if text.contains("Error acquiring the state lock") || text.contains("Error locking state") {
        return locked(step, text, root);
    }
    let said = last_errors(text);
    let what = format!("{} failed: {}", step.name(), said.lines().next().unwrap_or("it gave no reason"));
    let detail =
        |cause: &str| if said.is_empty() { cause.to_owned() } else { format!("{cause}. Terraform said:\n{said}") };
    let known = KNOWN.iter().find(|known| known.any_of.iter().any(|part| said.contains(part)));
    if let Some(known) = known {
        return Failure::new(known.kind, what).at(root).because(detail(known.cause)).then(known.next);
    }
    let (kind, cause, next) = match step {
        Step::Init | Step::Plan => (
            FailureKind::Usage,
            "the root, its variables or its backend are not right",
            "--var NAME=VALUE, --var-file FILE and --backend-config K=V as the root's README.md says",
        ),
        Step::Apply | Step::Destroy | Step::Push | Step::Show => {
            (FailureKind::Unexpected, "a resource could not be made or removed", "")
        }
    };
    Failure::new(kind, what).at(root).because(detail(cause)).then(next)
}

fn locked(step: Step, text: &str, root: &str) -> Failure {
    let field = |name: &str| {
        let line = text.lines().map(bare).find_map(|line| line.strip_prefix(name).map(str::trim).map(str::to_owned));
        line.filter(|value| !value.is_empty())
    };
    let who = field("Who:").map(|who| format!(" by {who}")).unwrap_or_default();
    let since = field("Created:").map(|since| format!(" since {since}")).unwrap_or_default();
    let failure = Failure::new(FailureKind::LeaseHeld, format!("{} cannot lock the state", step.name())).at(root);
    match field("ID:") {
        Some(id) => failure.because(format!("it is locked{who}{since}, lock {id}")).then(format!(
            "wait until that run has ended; when nothing runs any more: terraform -chdir={root} force-unlock {id}"
        )),
        None => failure
            .because(format!("it is locked{who}{since} by another process"))
            .then("wait until that one has ended, then the same command"),
    }
}

/// A line without the frame that Terraform draws around errors.
fn bare(line: &str) -> &str {
    line.trim_start_matches(['│', '╷', '╵', ' ']).trim_end()
}

/// The last errors, without the lines of source that Terraform quotes in full.
fn last_errors(text: &str) -> String {
    const ERRORS: usize = 3;
    const LINES: usize = 14;
    let lines: Vec<&str> = text.lines().map(bare).collect();
    let starts: Vec<usize> =
        lines.iter().enumerate().filter(|(_, line)| line.starts_with("Error:")).map(|(at, _)| at).collect();
    let mut kept = Vec::new();
    for (number, start) in starts.iter().enumerate().skip(starts.len().saturating_sub(ERRORS)) {
        let end = starts.get(number + 1).copied().unwrap_or(lines.len());
        let said = lines[*start..end].iter().copied().filter(|line| !line.is_empty()).take(LINES);
        kept.extend(said.map(|line| line.strip_prefix("Error: ").unwrap_or(line)));
    }
    if kept.is_empty() {
        let all: Vec<&str> = lines.into_iter().filter(|line| !line.is_empty()).collect();
        kept.extend_from_slice(&all[all.len().saturating_sub(5)..]);
    }
    kept.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCKED: &str = "
╷
│ Error: Error acquiring the state lock
│ 
│ Error message: resource temporarily unavailable
│ Lock Info:
│   ID:        7c1f1a53-1b2c-0c21-5c5f-3b4a7cbb6cc2
│   Path:      /runs/x/terraform.tfstate
│   Operation: OperationTypeApply
│   Who:       ops@host
│   Version:   1.11.4
│   Created:   2026-01-02 03:04:05 +0000 UTC
│   Info:      
╵
";

    #[test]
    fn a_lock_is_told_with_its_id_and_the_command_that_removes_it() {
        let failure = failure(Step::Plan, LOCKED, "/roots/x");
        assert_eq!(failure.kind, FailureKind::LeaseHeld);
        assert!(failure.cause.contains("ops@host") && failure.cause.contains("2026-01-02 03:04:05"), "{failure}");
        assert!(
            failure.next.contains("terraform -chdir=/roots/x force-unlock 7c1f1a53-1b2c-0c21-5c5f-3b4a7cbb6cc2"),
            "{failure}"
        );
    }

    #[test]
    fn errors_of_clouds_are_recognised_and_keep_their_own_words() {
        for (text, kind, cause) in [
            (
                "Error: configuring Terraform AWS Provider: validating provider credentials: operation error STS: GetCallerIdentity, https response error StatusCode: 403, api error ExpiredToken: The security token included in the request is expired",
                FailureKind::Unreachable,
                "have expired",
            ),
            (
                "Error: building account: could not acquire access token to parse claims: AADSTS700082: The refresh token has expired due to inactivity.",
                FailureKind::Unreachable,
                "have expired",
            ),
            ("Error: No valid credential sources found", FailureKind::Unreachable, "does not accept the credentials"),
            (
                "Error: creating EKS Cluster: operation error EKS: CreateCluster, exceeded maximum number of attempts, dial tcp: lookup eks.eu-x.amazonaws.com: no such host",
                FailureKind::Unreachable,
                "does not answer",
            ),
            (
                "Error: creating Kubernetes Cluster: unexpected status 409 (409 Conflict) with error: SkuNotAvailable: The requested VM size is not available",
                FailureKind::Unreachable,
                "the region cannot give",
            ),
            (
                "Error: Failed to query available provider packages\n\nCould not retrieve: could not connect to registry.terraform.io: Failed to request discovery document",
                FailureKind::Unreachable,
                "does not answer",
            ),
            (
                "Error: Unsupported Terraform Core version\n\n  on main.tf line 2",
                FailureKind::Usage,
                "another Terraform",
            ),
            ("Error: creating S3 Bucket: AccessDenied", FailureKind::Unreachable, "may not do this"),
        ] {
            let failure = failure(Step::Apply, text, "/roots/x");
            assert_eq!(failure.kind, kind, "{text}");
            assert!(failure.cause.contains(cause), "{cause}: {failure}");
            assert!(failure.cause.contains("Terraform said:") && !failure.next.is_empty(), "{failure}");
        }
    }

    #[test]
    fn what_was_begun_is_known_by_terraforms_words() {
        let said = "module.a[0].t.b[\"x\"]: Creating...\nt.c: Still creating... [10s elapsed]\nt.d: Destroying... [id=1]\nt.e: Creation complete after 1s [id=2]\n";
        assert_eq!(begun(said), [r#"module.a[0].t.b["x"]"#.to_owned()].into());
        assert!(begun("Error: Saved plan is stale\n").is_empty());
        let said = "t.a: Destroying... [id=1]\nt.a: Destruction complete after 2s\nt.b (deposed object 12ab): Destruction complete after 0s\n";
        assert!(taken_out(said).contains("t.a") && !taken_out(said).contains("t.b"));
    }

    #[test]
    fn an_end_is_in_order_when_it_is_told_and_the_state_was_written() {
        let failed = "t.a: Creating...\n\n╷\n│ Error: creating: quota\n│ \n│   with t.a\n╵\n";
        assert!(ended_in_order(failed) && ended_in_order("Apply complete! Resources: 1 added\n"));
        assert!(!ended_in_order("t.a: Creating...\nt.a: Still creating... [10s elapsed]\n") && !ended_in_order(""));
        for lost in [
            "╷\n│ Error: Failed to save state\n│ \n│ Error saving state: HTTP error: 503\n╵\n",
            "│ Error: Failed to persist\n│ state to backend\n",
            "│ written to the file \"errored.tfstate\" in the current\n│ Error: x\n",
            "│ Error: Plugin did not respond\n",
        ] {
            assert!(!ended_in_order(&format!("{failed}{lost}")), "{lost}");
        }
    }

    #[test]
    fn what_is_not_known_keeps_the_last_errors_and_the_kind_of_its_step() {
        let text = "t.a: Creating...\nconnection refused, tried again\n\nError: first\n\n  with t.a,\n\nError: exit status 3. Output:\n\nboom\n";
        let apply = failure(Step::Apply, text, "/r");
        assert_eq!(apply.kind, FailureKind::Unexpected, "what was overcome is no cause: {apply}");
        assert!(
            apply.cause.contains("first") && apply.cause.contains("boom") && !apply.cause.contains("Creating"),
            "{apply}"
        );
        assert_eq!(failure(Step::Plan, text, "/r").kind, FailureKind::Usage);
        let silent = failure(Step::Init, "", "/r");
        assert!(silent.what.contains("gave no reason"), "{silent}");
        assert!(failure(Step::Apply, "signal: killed\n", "/r").cause.contains("signal: killed"));
    }
}
