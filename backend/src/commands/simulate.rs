//! `backend simulate`.

use anyhow::bail;
use backend::{
    simulation::{BAD_MODEL, BEAT, Fleet, NEW_IN_B, Plan, Share, Story, WORSE_IN_B, fingerprint, measure},
    store::{FleetTables, Store},
};
use clap::Args;
use serde_json::json;
use tokio::time::MissedTickBehavior;

use super::say;

/// What is to be made up.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// URL of a PostgreSQL database without hosts, best one of its own; it is migrated first.
    #[arg(
        long,
        value_name = "URL",
        env = "BACKEND_DATABASE_URL",
        hide_env_values = true
    )]
    database: String,
    /// How many hosts.
    #[arg(long, value_name = "NUMBER", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    hosts: u32,
    /// For how many days they were watched; a fleet that is not measured goes on until now.
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(4..=366))]
    days: u32,
    /// The same seed makes the same fleet.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Make fleets with so many seeds one after the other, tell how much of their faults is found and how much is found that is
    /// none, and leave the database empty.
    #[arg(long, value_name = "SEEDS", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    measure: Option<u64>,
    /// Stay, and let its hosts send a heartbeat every five minutes until SIGINT or SIGTERM. A fleet that was made up before goes on.
    #[arg(long, conflicts_with = "measure")]
    live: bool,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Names that are told on a line.
const NAMES: usize = 10;
const NOT_EMPTY: &str = "the database has hosts or records: make a new one for this (createdb), what is made up must not be among what is true";

pub(crate) async fn simulate(options: Simulate) -> anyhow::Result<()> {
    let store = Store::new(&options.database)?;
    store.migrate().await?;
    if let Some(seeds) = options.measure {
        return say(&measured(&options, &store, seeds).await?);
    }
    let plan = Plan {
        hosts: options.hosts,
        days: options.days,
        seed: options.seed,
        story: Story::Release,
    };
    let fleet = plan.fleet_until_now();
    if store.write_fleet(&fleet.tables).await? {
        store.count_population().await?;
        say(&truth(&options, &fleet))?;
    } else if !options.live {
        bail!(NOT_EMPTY);
    }
    if options.live {
        live(&store, fleet.tables).await?;
    }
    Ok(())
}

/// Lets the hosts send heartbeats until it is told to end.
async fn live(store: &Store, tables: FleetTables) -> anyhow::Result<()> {
    let Some(mut fleet) = store.live_fleet(tables, BEAT).await? else {
        bail!(NOT_EMPTY);
    };
    let ended = crate::on_signal()?;
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while ended.run_until_cancelled(beat.tick()).await.is_some() {
        fleet.beat().await?;
    }
    Ok(())
}

/// What was made up, in words or as JSON.
fn truth(options: &Simulate, fleet: &Fleet) -> String {
    let (bad_hosts, bad_modules) = (fleet.bad_host_names(), fleet.bad_module_names());
    if options.json {
        let truth = json!({
            "hosts": options.hosts, "days": options.days, "seed": options.seed, "from": "A", "to": "B",
            "worse": [fingerprint(WORSE_IN_B), fingerprint(NEW_IN_B)], "bad_model": format!("model {BAD_MODEL}"), "bad_hosts": bad_hosts, "bad_modules": bad_modules,
        });
        return truth.to_string();
    }
    format!(
        "{} hosts over {} days, {} sightings\n  worse in build B than in A: {} and {}\n  bad model: model {BAD_MODEL}\n  bad hosts: {}\n  bad memory modules: {}",
        options.hosts,
        options.days,
        fleet.tables.host.len(),
        fingerprint(WORSE_IN_B),
        fingerprint(NEW_IN_B),
        few(&bad_hosts),
        few(&bad_modules)
    )
}

/// Those that fit on a line; `--json` has all.
fn few(names: &[String]) -> String {
    let told = names.iter().take(NAMES).map(String::as_str);
    let told = told.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES) {
        0 => told,
        more => format!("{told} and {more} more (--json has them)"),
    }
}

async fn measured(options: &Simulate, store: &Store, seeds: u64) -> anyhow::Result<String> {
    let Some(found) = measure(store, options.hosts, options.days, seeds).await? else {
        bail!(NOT_EMPTY);
    };
    let kinds = [
        ("regressions", found.regressions),
        ("bad models", found.models),
        ("bad hosts", found.hosts),
        ("bad modules", found.modules),
        ("rises", found.rises),
    ];
    if options.json {
        let kind = |share: Share| {
            json!({
                "there": share.there, "found": share.found, "false": share.false_ones, "power": share.power(),
                "false_discovery_rate": share.false_discovery_rate(),
            })
        };
        let all = kinds.map(|(name, share)| (name.replace(' ', "_"), kind(share)));
        let kinds: serde_json::Map<_, _> = all.into_iter().collect();
        return Ok(
            json!({ "seeds": found.seeds, "false_alarms": found.false_alarms, "kinds": kinds }).to_string(),
        );
    }
    let mut text = format!(
        "{:<12} {:>6} {:>6} {:>6} {:>7} {:>6}",
        "", "there", "found", "false", "power", "FDR"
    );
    for (name, share) in kinds {
        text.push_str(&row(name, share));
    }
    let quiet = format!(
        "\n{} of {} fleets with nothing wrong were called worse",
        found.false_alarms, found.seeds
    );
    Ok(text + &quiet)
}

fn row(name: &str, share: Share) -> String {
    format!(
        "\n{name:<12} {:>6} {:>6} {:>6} {:>7.3} {:>6.3}",
        share.there,
        share.found,
        share.false_ones,
        share.power(),
        share.false_discovery_rate()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_few_names_and_says_how_many_more_there_are() {
        let names: Vec<String> = (1..=12).map(|number| number.to_string()).collect();
        assert_eq!(few(&names[..2]), "1, 2");
        assert_eq!(
            few(&names),
            "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more (--json has them)"
        );
        assert_eq!(few(&[]), "");
    }
}
