//! The demo shop's dialogues against the whole product: server, store, index and the default reply
//! model. A figure below its threshold means that an answer has become worse.
//!
//! The model's files must be there; `frontdesk models fetch` fetches them.

use std::path::Path;

use evals::checks::Check;
use evals::dialogue;
use evals::house::{House, Plan};
use evals::replay::{PATIENCE, replay};
use evals::report;
use evals::summary::{Summary, Tally};
use evals::worlds::World;
use frontdesk::Config;

/// Least share of each check that must pass: what was measured, less a turn or two for another
/// processor's rounding.
const THRESHOLDS: [(Check, f64); 8] = [
    (Check::Intent, 0.70),
    (Check::Sentiment, 0.90),
    (Check::Documents, 0.92),
    (Check::Facts, 0.80),
    (Check::Forbid, 0.90),
    (Check::Answerable, 0.50),
    (Check::Handoff, 0.95),
    (Check::Refuse, 0.50),
];

/// Least share of the turns for which the model neither writes nor translates.
const WITHOUT_MODEL: f64 = 0.90;

#[tokio::test(flavor = "multi_thread")]
async fn the_shops_dialogues_are_answered_as_well_as_before() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("worlds");
    let dialogues = dialogue::read(&data.join("shop/dialogues.jsonl")).unwrap();
    let plan = Plan::of_world(World::Shop, Some(&data), Config::default()).unwrap();
    let house = House::open(plan).await.unwrap();
    let turns = replay(&house.desk(PATIENCE), &dialogues, |_| ())
        .await
        .unwrap();
    house.close().await;

    let summary = Summary::of(&turns);
    println!("{}\n{}", report::tables(&summary), report::failures(&turns));
    assert_eq!(summary.endings.broken, 0, "a dialogue broke off");
    let shares = THRESHOLDS.map(|(check, least)| (check.name(), summary.tally(check), least));
    let without_model = (
        "without a model token",
        summary.without_model,
        WITHOUT_MODEL,
    );
    let worse: Vec<_> = shares
        .into_iter()
        .chain([without_model])
        .filter(is_worse)
        .collect();
    assert!(worse.is_empty(), "below their thresholds: {worse:?}");
}

/// Whether a share is below its threshold. A check that was never made is worse, too.
fn is_worse((_, tally, least): &(&str, Tally, f64)) -> bool {
    tally.share().is_none_or(|share| share < *least)
}
