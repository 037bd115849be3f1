//! What the model is told to do, which is nobody else's business.

use std::collections::HashSet;
use std::sync::Arc;

use language::words::plain;

/// Words in a row by which a text is told to come from the instructions.
const RUN: usize = 6;

/// The instructions of the prompts, as runs of words. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub struct Instructions(Arc<HashSet<String>>);

impl Instructions {
    /// Takes in the instructions of `prompts`, rendered. What they were rendered with (the
    /// company's name, the date, the language) stands in `parameters`: it is no secret, and a run
    /// does not go across it.
    #[must_use]
    pub fn new(prompts: &[&str], parameters: &[&str]) -> Self {
        let mut runs = HashSet::new();
        for prompt in prompts {
            for part in parts(prompt, parameters) {
                let words = plain(&part);
                runs.extend(words.windows(RUN).map(|run| run.join(" ")));
            }
        }
        Self(Arc::new(runs))
    }

    /// Whether `text` holds some of them word for word, or a mark of a chat template.
    pub(crate) fn are_repeated_in(&self, text: &str) -> bool {
        // `<|im_start|>` and its kin part the turns of a prompt.
        let mark = text
            .split_once("<|")
            .is_some_and(|(_, rest)| rest.contains("|>"));
        let words = plain(text);
        mark || words
            .windows(RUN)
            .any(|run| self.0.contains(&run.join(" ")))
    }
}

/// The lines of the prompt, cut where parameters stand.
fn parts(prompt: &str, parameters: &[&str]) -> Vec<String> {
    let mut parts: Vec<String> = prompt.lines().map(str::to_owned).collect();
    for parameter in parameters.iter().filter(|parameter| !parameter.is_empty()) {
        parts = parts
            .iter()
            .flat_map(|part| part.split(parameter).map(str::to_owned))
            .collect();
    }
    parts
}
