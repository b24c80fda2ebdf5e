use proptest::prelude::*;

use super::*;

fn sign(says: Says, weight: Weight) -> Sign {
    Sign {
        says,
        weight,
        source: "test",
        text: format!("{says:?} {weight:?}"),
        at_unix_ns: 7,
    }
}

fn ended(end: End, weight: Weight) -> Sign {
    sign(Says::Ended(end), weight)
}

fn abruptly(weight: Weight) -> Sign {
    sign(Says::Abruptly, weight)
}

fn conclusion(signs: &[Sign], keeps_dumps: bool) -> (Option<End>, Confidence) {
    let verdict = judge(signs.to_vec(), keeps_dumps);
    (verdict.end, verdict.confidence)
}

/// The rows of the table in `docs/obituary.md`.
#[test]
fn each_row_of_the_documented_table_holds() {
    use Confidence::{High, Low, Medium};
    use End::{Clean, HardHang, HardwareError, OomLivelock, Panic, PowerLoss, Thermal};
    use Weight::{Cause, Fits, Weak};
    let rows: [(&[Sign], bool, Option<End>, Confidence); 14] = [
        (&[ended(Panic, Cause), abruptly(Fits)], true, Some(Panic), High),
        (
            &[ended(Panic, Cause), ended(HardHang, Fits)],
            true,
            Some(Panic),
            High,
        ),
        (
            &[ended(HardwareError, Cause), ended(Panic, Cause)],
            true,
            Some(HardwareError),
            High,
        ),
        (
            &[ended(OomLivelock, Cause), ended(Panic, Cause)],
            true,
            Some(OomLivelock),
            High,
        ),
        (
            &[ended(Thermal, Cause), ended(Clean, Cause)],
            true,
            Some(Thermal),
            High,
        ),
        (
            &[ended(Panic, Cause), ended(Clean, Cause)],
            true,
            Some(Panic),
            Medium,
        ),
        (
            &[ended(Clean, Cause), ended(Clean, Fits), abruptly(Weak)],
            true,
            Some(Clean),
            High,
        ),
        (&[ended(Clean, Fits)], false, Some(Clean), Medium),
        (&[ended(Clean, Cause), abruptly(Fits)], true, Some(Clean), Medium),
        (
            &[ended(HardHang, Fits), abruptly(Fits)],
            true,
            Some(HardHang),
            Medium,
        ),
        (
            &[ended(HardHang, Fits), ended(Clean, Fits)],
            true,
            Some(HardHang),
            Low,
        ),
        (&[ended(Clean, Fits), abruptly(Fits)], true, Some(PowerLoss), Low),
        (&[abruptly(Weak)], false, None, Low),
        (&[], true, None, Low),
    ];
    for (signs, keeps_dumps, end, confidence) in rows {
        assert_eq!(conclusion(signs, keeps_dumps), (end, confidence), "{signs:#?}");
    }
}

#[test]
fn the_record_names_the_end_and_shows_the_strongest_evidence_first() {
    let boot = Boot {
        id: "then".into(),
        kernel_release: "6.1.0".into(),
    };
    let signs = vec![
        ended(End::Clean, Weight::Fits),
        abruptly(Weight::Weak),
        ended(End::Panic, Weight::Cause),
    ];
    let record = judge(signs, true).record(&boot, 3, 9);
    assert_eq!(
        (record.class.as_str(), record.title.as_str()),
        ("boot.end", "previous boot ended: kernel panic")
    );
    assert_eq!(record.severity(), proto::v1::Severity::Critical);
    assert_eq!(
        (record.boot_id.as_str(), record.kernel_release.as_str()),
        ("then", "6.1.0")
    );
    assert_eq!(record.occurred_at_unix_ns, 9);
    let Some(Payload::Obituary(obituary)) = record.payload else {
        panic!("no obituary");
    };
    assert_eq!(
        (obituary.demise(), obituary.confidence()),
        (Demise::Panic, Confidence::Medium)
    );
    let texts: Vec<_> = obituary
        .evidence
        .iter()
        .map(|evidence| evidence.text.as_str())
        .collect();
    assert_eq!(
        texts,
        ["Ended(Panic) Cause", "Abruptly Weak", "Ended(Clean) Fits"]
    );
    assert_eq!((obituary.booted_at_unix_ns, obituary.last_alive_unix_ns), (3, 9));
}

#[test]
fn an_end_in_order_is_no_alarm() {
    let record = judge(vec![ended(End::Clean, Weight::Cause)], true).record(&Boot::default(), 0, 0);
    assert_eq!(record.severity(), proto::v1::Severity::Low);
}

fn any_sign() -> impl Strategy<Value = Sign> {
    let ends = End::ALL.map(Says::Ended);
    let says = prop::sample::select([&ends[..], &[Says::Abruptly]].concat());
    let weight = prop::sample::select(vec![Weight::Weak, Weight::Fits, Weight::Cause]);
    (says, weight, any::<u64>()).prop_map(|(says, weight, at_unix_ns)| Sign {
        at_unix_ns,
        ..sign(says, weight)
    })
}

proptest! {
    #[test]
    fn the_order_of_signs_does_not_matter_and_none_is_lost(
        signs in prop::collection::vec(any_sign(), 0..40),
        keeps_dumps: bool,
    ) {
        let verdict = judge(signs.clone(), keeps_dumps);
        prop_assert_eq!(verdict.signs.len(), signs.len());
        let reversed = judge(signs.iter().rev().cloned().collect(), keeps_dumps);
        prop_assert_eq!(&verdict, &reversed);
        let record = verdict.record(&Boot::default(), 0, 0);
        let Some(Payload::Obituary(obituary)) = record.payload else {
            return Err(TestCaseError::fail("no obituary"));
        };
        prop_assert_eq!(obituary.evidence.len(), signs.len().min(EVIDENCE));
    }

    /// The cause is recorded, and something that it does not explain is as well: nobody can be sure.
    #[test]
    fn contradiction_lowers_confidence(
        signs in prop::collection::vec(any_sign(), 0..10),
        other in prop::sample::select(End::ALL.to_vec()),
        keeps_dumps: bool,
    ) {
        let before = judge(signs.clone(), keeps_dumps);
        let mut more = signs;
        more.push(ended(other, Weight::Fits));
        let after = judge(more, keeps_dumps);
        let explained = before.end.is_none_or(|end| end.explains(other));
        if before.end == after.end && !explained {
            prop_assert!(after.confidence <= before.confidence);
            prop_assert!(after.confidence < Confidence::High);
        }
    }
}
