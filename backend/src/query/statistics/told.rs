//! Findings of the analysis as messages.

use proto::v1::{
    CompareResponse, ComparedIssue, ComparedSide, Escalation, FleetDay, ListOutliersResponse,
    ListUnusualResponse, Outlier, PopulationOfDay, Rate, RateRatio, Survival, SurvivalStep, UnusualFact,
    UpdatePath, Verdict,
};

use crate::{analysis, store};

/// Issues of a comparison.
const ISSUES: usize = 500;

pub(super) fn all<Found, Told: From<Found>>(found: Vec<Found>) -> Vec<Told> {
    found.into_iter().map(Told::from).collect()
}

impl From<analysis::Comparison> for CompareResponse {
    fn from(found: analysis::Comparison) -> Self {
        let verdict = match found.verdict {
            analysis::Verdict::Fine => Verdict::Fine,
            analysis::Verdict::Worse => Verdict::Worse,
            analysis::Verdict::Unsure => Verdict::Unsure,
        };
        Self {
            verdict: verdict.into(),
            from: Some(found.from.into()),
            to: Some(found.to.into()),
            ratio: Some(found.ratio.into()),
            issues: found
                .issues
                .into_iter()
                .take(ISSUES)
                .map(ComparedIssue::from)
                .collect(),
            max_ratio: found.max_ratio,
            confidence: found.confidence,
        }
    }
}

impl From<analysis::ComparisonOfIssue> for ComparedIssue {
    fn from(found: analysis::ComparisonOfIssue) -> Self {
        Self {
            ratio: Some(found.ratio.into()),
            issue: found.issue,
            class: found.class,
            title: found.title,
            severity: found.severity.into(),
            worse: found.worse,
            from_affected: found.from_affected,
            to_affected: found.to_affected,
            q_worse: found.q_worse,
        }
    }
}

impl From<analysis::SideSum> for ComparedSide {
    fn from(side: analysis::SideSum) -> Self {
        Self {
            name: side.name,
            hosts: side.hosts,
            host_hours: side.host_hours,
            affected: side.affected,
            hours_at_risk: side.hours_at_risk,
        }
    }
}

impl From<analysis::RateRatio> for RateRatio {
    fn from(found: analysis::RateRatio) -> Self {
        Self {
            estimate: found.estimate,
            low: found.bounds.low,
            high: found.bounds.high,
            p_worse: found.p_worse,
            p_better: found.p_better,
        }
    }
}

impl From<analysis::Rate> for Rate {
    fn from(found: analysis::Rate) -> Self {
        Self {
            name: found.name,
            hosts: found.hosts,
            host_hours: found.host_hours,
            affected: found.affected,
            fault_days: found.fault_days,
            faults: found.faults,
            rate: found.rate,
            low: found.bounds.low,
            high: found.bounds.high,
        }
    }
}

impl From<analysis::FleetDay> for FleetDay {
    fn from(found: analysis::FleetDay) -> Self {
        Self {
            day: found.day,
            host_hours: found.host_hours,
            affected: found.affected,
            rate: found.rate,
            low: found.bounds.low,
            high: found.bounds.high,
        }
    }
}

impl From<store::Population> for PopulationOfDay {
    fn from(found: store::Population) -> Self {
        Self {
            day: found.day,
            name: found.name,
            hosts: found.hosts,
            host_hours: found.host_hours,
        }
    }
}

impl From<store::UpdatePath> for UpdatePath {
    fn from(found: store::UpdatePath) -> Self {
        Self {
            from: found.from,
            to: found.to,
            tried: found.tried,
            succeeded: found.succeeded,
            failed: found.failed,
            went_back: found.went_back,
        }
    }
}

impl From<analysis::Escalation> for Escalation {
    fn from(found: analysis::Escalation) -> Self {
        Self {
            issue: found.issue,
            class: found.class,
            title: found.title,
            days: found.days,
            ratio: found.ratio,
            p_value: found.p_value,
            q_value: found.q_value,
            hosts: found.hosts,
        }
    }
}

impl From<analysis::Survival> for Survival {
    fn from(found: analysis::Survival) -> Self {
        Self {
            name: found.name,
            hosts: found.hosts,
            affected: found.affected,
            steps: all(found.steps),
        }
    }
}

impl From<analysis::SurvivalStep> for SurvivalStep {
    fn from(step: analysis::SurvivalStep) -> Self {
        Self {
            hours: step.hours,
            at_risk: step.at_risk,
            survival: step.survival,
            low: step.bounds.low,
            // A part of a whole is bounded by it.
            high: step.bounds.high.unwrap_or(1.0),
        }
    }
}

impl From<analysis::Outliers> for ListOutliersResponse {
    fn from(found: analysis::Outliers) -> Self {
        Self {
            builds: all(found.builds),
            models: all(found.models),
            hosts: all(found.hosts),
        }
    }
}

impl From<analysis::Outlier> for Outlier {
    fn from(found: analysis::Outlier) -> Self {
        Self {
            name: found.name,
            agent_id: found.agent_id,
            beginnings: found.beginnings,
            expected: found.expected,
            ratio: found.ratio,
            sure: found.sure,
        }
    }
}

impl From<analysis::Unusual> for ListUnusualResponse {
    fn from(found: analysis::Unusual) -> Self {
        Self {
            hosts: found.hosts,
            affected: found.affected,
            facts: all(found.facts),
        }
    }
}

impl From<analysis::UnusualFact> for UnusualFact {
    fn from(found: analysis::UnusualFact) -> Self {
        Self {
            key: found.key,
            value: found.value,
            share_of_affected: found.share_of_affected,
            share_of_others: found.share_of_others,
            p_value: found.p_value,
            q_value: found.q_value,
        }
    }
}
