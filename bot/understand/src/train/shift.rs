//! Labels that cost more where they are wrong than where they are missed, held back by a bias.

use super::mixture::Judged;
use crate::heads::{INJECTION, UNANSWERED};

/// A label, and the share of the held-out examples without it that may get it: of ordinary messages that are
/// taken for an injection, and of answers that are doubted.
const HELD_BACK: [(&str, f32); 2] = [(INJECTION, 0.002), (UNANSWERED, 0.08)];

/// What is taken from the logit of one label.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Shift {
    label: usize,
    by: f32,
}

impl Shift {
    /// Takes it from numbers by label.
    pub(super) fn apply(self, logits: &mut [f32]) {
        if let Some(logit) = logits.get_mut(self.label) {
            *logit -= self.by;
        }
    }
}

/// How much less a label of [`HELD_BACK`] must be believed than the examples say, for no more than its share
/// of those without it to get it (the bias is corrected for the prior, King and Zeng, 2001). Nothing for
/// heads without such a label.
pub(super) fn shift(judged: &[Judged], labels: &[String]) -> Shift {
    let of_label = |(name, share): &(&str, f32)| {
        let label = labels.iter().position(|label| label == name)?;
        Some((label, *share))
    };
    let Some((label, share)) = HELD_BACK.iter().find_map(of_label) else {
        return Shift::default();
    };
    let margin = |row: &Judged| {
        let others = row.frozen.iter().enumerate().filter(|(at, _)| *at != label);
        let best = others
            .map(|(_, logit)| *logit)
            .fold(f32::NEG_INFINITY, f32::max);
        row.frozen.get(label).map(|own| own - best)
    };
    let without = judged.iter().filter(|row| row.label != label);
    let mut margins: Vec<f32> = without.filter_map(margin).collect();
    margins.sort_by(|a, b| b.total_cmp(a));
    let allowed = (margins.len() as f32 * share) as usize;
    let by = margins.get(allowed).map_or(0.0, |margin| margin.max(0.0));
    Shift { label, by }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::Part;

    #[test]
    fn ordinary_messages_are_spared() {
        let labels = [INJECTION.to_owned(), "none".to_owned()];
        let row = |logit: f32, label: usize| Judged {
            frozen: vec![logit, 0.0],
            tuned: Vec::new(),
            label,
            part: Part::Test,
        };
        let mut judged: Vec<Judged> = (0..1000).map(|n| row(n as f32 / 500.0, 1)).collect();
        judged.push(row(9.0, 0));
        let shift = shift(&judged, &labels);
        let flagged = judged.iter_mut().filter_map(|row| {
            shift.apply(&mut row.frozen);
            (row.frozen[0] > 0.0).then_some(row.label)
        });
        let flagged: Vec<usize> = flagged.collect();
        assert_eq!(flagged.iter().filter(|label| **label == 1).count(), 2);
        assert!(flagged.contains(&0), "the attack is still one");
        let other = super::shift(&judged, &["fraud".to_owned(), "none".to_owned()]);
        assert_eq!(other, Shift::default());
    }
}
