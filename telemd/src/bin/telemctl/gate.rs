//! `telemctl gate`.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::builder::NonEmptyStringValueParser;
use proto::v1::statistics_client::StatisticsClient;
use proto::v1::{
    CompareRequest, CompareResponse, ComparedIssue, ComparedSide, Dimension, RateRatio, Severity, Verdict,
};
use serde_json::{Value, json};
use telemd::cli;
use telemd::config::Config;
use telemd::text::chain;
use tonic::Request;

use crate::collector::{self, ANSWER, Failure};
use crate::output::harmless;

/// Exit statuses beside 0 and 64: a pipeline tells a bad build from a collector that is away.
const WORSE: u8 = 1;
const NO_ANSWER: u8 = 2;
const UNSURE: u8 = 3;
/// Issues that are listed for people.
const LISTED: usize = 10;

/// Ask the collector whether one build, kernel or hardware model is worse than another. For release pipelines.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  telemctl gate --from 41 --to 42                      may 42 go on?\n  \
                  telemctl gate --by kernel --from 6.1.120 --to 6.1.128 --class 'kernel.*' --max-ratio 1.2\n  \
                  TELEMCTL_API_TOKEN=tla_... telemctl gate --server https://collector.example:7130 --from 41 --to 42 --json\n\n\
                  Exit codes: 0 it is not worse than allowed, 1 it is, 2 there is no answer, 3 too little is known, 64 wrong command line\n\
                  or configuration. docs/statistics.md says what is counted and how."
)]
pub(crate) struct Options {
    /// What hosts are told apart by: builds and kernels on hosts of the same model, models on hosts of the same build.
    #[arg(long, value_enum, default_value_t = By::Build)]
    by: By,
    /// The one that is compared to.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    from: String,
    /// The one that is compared.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    to: String,
    /// How many times as often it may fail.
    #[arg(long, value_name = "RATIO", default_value_t = 1.5, value_parser = ratio)]
    max_ratio: f64,
    /// How sure the verdict has to be.
    #[arg(long, value_name = "PART", default_value_t = 0.95, value_parser = confidence)]
    confidence: f64,
    /// Look at faults of so many days.
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=366))]
    days: u32,
    /// Only faults of this class, such as kernel.oops, or kernel.* for all of kernel.
    #[arg(long, value_name = "CLASS", default_value = "", hide_default_value = true)]
    class: String,
    /// Only faults that are at least so bad.
    #[arg(long, value_enum, default_value_t = Least::Medium)]
    min_severity: Least,
    #[command(flatten)]
    collector: collector::Asked,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum By {
    Build,
    Kernel,
    Model,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Least {
    Low,
    Medium,
    High,
    Critical,
}

fn ratio(text: &str) -> Result<f64, String> {
    let number: f64 = text
        .parse()
        .map_err(|_no_number| "write a number such as 1.5".to_owned())?;
    let good = number.is_finite() && number > 0.0;
    good.then_some(number)
        .ok_or_else(|| "a ratio is above 0".to_owned())
}

fn confidence(text: &str) -> Result<f64, String> {
    let number: f64 = text
        .parse()
        .map_err(|_no_number| "write a number such as 0.95".to_owned())?;
    let good = number > 0.0 && number < 1.0;
    good.then_some(number)
        .ok_or_else(|| "a confidence is between 0 and 1".to_owned())
}

pub(crate) fn gate(options: &Options, config: &Config, json: bool) -> ExitCode {
    let found = match ask(options, config) {
        Ok(found) => found,
        Err(failure) => {
            cli::complain(&format!("telemctl: {}", chain(&failure)));
            return ExitCode::from(NO_ANSWER);
        }
    };
    cli::say(&if json {
        format!("{:#}", object(&found))
    } else {
        words(&found)
    });
    match found.verdict() {
        Verdict::Fine => ExitCode::SUCCESS,
        Verdict::Worse => ExitCode::from(WORSE),
        Verdict::Unspecified | Verdict::Unsure => ExitCode::from(UNSURE),
    }
}

fn ask(options: &Options, config: &Config) -> Result<CompareResponse, Failure> {
    let server = options.collector.server(config)?;
    let mut request = Request::new(question(options));
    options.collector.authorize(&server, &mut request)?;
    collector::runtime()?.block_on(async {
        let channel = options.collector.connect(config, &server).await?;
        let mut client = StatisticsClient::new(channel);
        let answer = tokio::time::timeout(ANSWER, client.compare(request)).await;
        let answer = answer.map_err(|_elapsed| Failure::Silent)?;
        let answer = answer.map_err(|status| Failure::Refused(Box::new(status)))?;
        Ok(answer.into_inner())
    })
}

fn question(options: &Options) -> CompareRequest {
    let by = match options.by {
        By::Build => Dimension::Build,
        By::Kernel => Dimension::Kernel,
        By::Model => Dimension::Model,
    };
    let min_severity = match options.min_severity {
        Least::Low => Severity::Low,
        Least::Medium => Severity::Medium,
        Least::High => Severity::High,
        Least::Critical => Severity::Critical,
    };
    CompareRequest {
        by: by.into(),
        from: Some(options.from.clone()),
        to: Some(options.to.clone()),
        max_ratio: options.max_ratio,
        confidence: options.confidence,
        days: options.days,
        class: options.class.clone(),
        min_severity: min_severity.into(),
    }
}

fn words(found: &CompareResponse) -> String {
    let (from, to) = (side(found.from.as_ref()), side(found.to.as_ref()));
    let name = |side: &ComparedSide| harmless(&side.name).into_owned();
    let mut text = match found.verdict() {
        Verdict::Fine => format!("fine: {} is not worse than {}", name(&to), name(&from)),
        Verdict::Worse => format!("worse: {} is worse than {}", name(&to), name(&from)),
        Verdict::Unspecified | Verdict::Unsure => {
            format!("unsure: too little is known of {} and {}", name(&to), name(&from))
        }
    };
    let confidence = found.confidence * 100.0;
    // Writing into a String does not fail.
    write!(
        text,
        " (it may fail {} times as often; {confidence} % confidence)\n  faults: {}",
        found.max_ratio,
        times(found.ratio.as_ref())
    )
    .ok();
    for one in [&from, &to] {
        write!(
            text,
            "\n  {}: {} of {} hosts had a first fault, in {:.0} hours without one so far; watched for {:.0} hours",
            name(one),
            one.affected,
            one.hosts,
            one.hours_at_risk,
            one.host_hours
        )
        .ok();
    }
    for issue in found.issues.iter().filter(|issue| issue.worse).take(LISTED) {
        write!(
            text,
            "\n  worse: {} {}\n    {}, {} hosts had it first with {}, {} with {}",
            issue.issue,
            harmless(&issue.title),
            times(issue.ratio.as_ref()),
            issue.to_affected,
            name(&to),
            issue.from_affected,
            name(&from)
        )
        .ok();
    }
    text
}

fn side(side: Option<&ComparedSide>) -> ComparedSide {
    side.cloned().unwrap_or_default()
}

fn times(ratio: Option<&RateRatio>) -> String {
    let ratio = ratio.copied().unwrap_or_default();
    let high = match ratio.high {
        Some(high) => format!("to {high:.2}"),
        None => "or more".to_owned(),
    };
    match ratio.estimate {
        Some(estimate) => format!("{estimate:.2} times as often ({:.2} {high})", ratio.low),
        None if ratio.low > 0.0 => {
            format!("it was not there before ({:.2} times as often {high})", ratio.low)
        }
        None => "none to compare".to_owned(),
    }
}

fn object(found: &CompareResponse) -> Value {
    let verdict = match found.verdict() {
        Verdict::Fine => "fine",
        Verdict::Worse => "worse",
        Verdict::Unspecified | Verdict::Unsure => "unsure",
    };
    let side = |side: Option<&ComparedSide>| {
        let side = side.cloned().unwrap_or_default();
        json!({
            "name": side.name, "hosts": side.hosts, "host_hours": side.host_hours, "affected": side.affected,
            "hours_at_risk": side.hours_at_risk,
        })
    };
    json!({
        "verdict": verdict,
        "max_ratio": found.max_ratio,
        "confidence": found.confidence,
        "from": side(found.from.as_ref()),
        "to": side(found.to.as_ref()),
        "ratio": ratio_object(found.ratio.as_ref()),
        "issues": found.issues.iter().map(issue_object).collect::<Vec<Value>>(),
    })
}

fn issue_object(issue: &ComparedIssue) -> Value {
    json!({
        "issue": issue.issue,
        "class": issue.class,
        "title": issue.title,
        "severity": severity(issue.severity()),
        "worse": issue.worse,
        "from_affected": issue.from_affected,
        "to_affected": issue.to_affected,
        "ratio": ratio_object(issue.ratio.as_ref()),
        "q_worse": issue.q_worse,
    })
}

/// Its word.
fn severity(severity: Severity) -> String {
    let name = severity.as_str_name();
    name.trim_start_matches("SEVERITY_").to_ascii_lowercase()
}

/// An estimate or a bound that is infinite is null.
fn ratio_object(ratio: Option<&RateRatio>) -> Value {
    let ratio = ratio.copied().unwrap_or_default();
    json!({
        "estimate": ratio.estimate,
        "low": ratio.low,
        "high": ratio.high,
        "p_worse": ratio.p_worse,
        "p_better": ratio.p_better,
    })
}
