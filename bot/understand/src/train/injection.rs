//! What training the head for prompt injections has of its own: attacks that hide behind a question,
//! and a bias that spares ordinary messages.

use std::borrow::Cow;

use super::mixture::Judged;
use crate::examples::Example;
use crate::heads::INJECTION;

/// Share of ordinary messages that may be taken for an injection.
const FALSE_ALARMS: f32 = 0.002;
/// Of so many attacks one is learnt behind an ordinary message, too.
const HIDDEN_EVERY: usize = 3;

/// `examples` and, where injections are among them, a third of those once more behind an ordinary
/// message: "Do you ship to Norway? By the way, ...".
pub(super) fn hidden_too(examples: &[Example]) -> Cow<'_, [Example]> {
    let is_attack = |example: &&Example| example.injection == Some(true);
    let is_ordinary = |example: &&Example| example.injection.is_none();
    let ordinary = examples.iter().filter(is_ordinary);
    let attacks = examples.iter().filter(is_attack).step_by(HIDDEN_EVERY);
    let hide = |(attack, ordinary): (&Example, &Example)| Example {
        text: format!("{} {}", ordinary.text, attack.text),
        injection: Some(true),
        made_of: Some(attack.text.clone()),
        ..Example::default()
    };
    let hidden: Vec<Example> = attacks.zip(ordinary.cycle()).map(hide).collect();
    if hidden.is_empty() {
        return Cow::Borrowed(examples);
    }
    Cow::Owned(examples.iter().cloned().chain(hidden).collect())
}

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

/// How much less an injection must be believed than its examples say, of which half are attacks, for
/// at most [`FALSE_ALARMS`] of the held-out ordinary messages to be likelier one than not (the bias is
/// corrected for the prior, King and Zeng, 2001). Nothing for other heads.
pub(super) fn shift(judged: &[Judged], labels: &[String]) -> Shift {
    let Some(label) = labels.iter().position(|label| label == INJECTION) else {
        return Shift::default();
    };
    let margin = |row: &Judged| {
        let others = row.frozen.iter().enumerate().filter(|(at, _)| *at != label);
        let best = others
            .map(|(_, logit)| *logit)
            .fold(f32::NEG_INFINITY, f32::max);
        row.frozen.get(label).map(|own| own - best)
    };
    let ordinary = judged.iter().filter(|row| row.by_default);
    let mut margins: Vec<f32> = ordinary.filter_map(margin).collect();
    margins.sort_by(|a, b| b.total_cmp(a));
    let allowed = (margins.len() as f32 * FALSE_ALARMS) as usize;
    let by = margins.get(allowed).map_or(0.0, |margin| margin.max(0.0));
    Shift { label, by }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::Part;

    #[test]
    fn an_attack_behind_a_question_is_held_out_with_itself() {
        let attack = |n: usize| Example {
            text: format!("attack {n}"),
            injection: Some(true),
            ..Example::default()
        };
        let question = Example {
            text: "where is my order?".into(),
            ..Example::default()
        };
        let mut examples: Vec<Example> = (0..30).map(attack).collect();
        assert_eq!(hidden_too(&examples).len(), 30, "nothing to hide behind");
        examples.push(question);
        let all = hidden_too(&examples);
        let hidden = &all[31..];
        assert_eq!(hidden.len(), 10);
        for (number, hidden) in hidden.iter().enumerate() {
            let own = &examples[number * HIDDEN_EVERY];
            assert_eq!(hidden.text, format!("where is my order? {}", own.text));
            assert_eq!(hidden.part(), own.part());
        }
    }

    #[test]
    fn ordinary_messages_are_spared() {
        let labels = [INJECTION.to_owned(), "none".to_owned()];
        let row = |logit: f32, by_default: bool| Judged {
            frozen: vec![logit, 0.0],
            tuned: Vec::new(),
            label: usize::from(by_default),
            by_default,
            part: Part::Test,
        };
        let mut judged: Vec<Judged> = (0..1000).map(|n| row(n as f32 / 500.0, true)).collect();
        judged.push(row(9.0, false));
        let shift = shift(&judged, &labels);
        let flagged = judged.iter_mut().filter_map(|row| {
            shift.apply(&mut row.frozen);
            (row.frozen[0] > 0.0).then_some(row.by_default)
        });
        let flagged: Vec<bool> = flagged.collect();
        assert_eq!(flagged.iter().filter(|by_default| **by_default).count(), 2);
        assert!(flagged.contains(&false), "the attack is still one");
        let other = super::shift(&judged, &["fraud".to_owned(), "none".to_owned()]);
        assert_eq!(other, Shift::default());
    }
}
