//! What training the head for prompt injections has of its own: attacks that hide behind a question.

use std::borrow::Cow;

use crate::examples::Example;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
