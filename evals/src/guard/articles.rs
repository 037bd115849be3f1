//! Articles with all that is said of them, true and false.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{About, Case};
use crate::jsonl;

/// Kind of a sentence that an article supports.
const SUPPORTED: &str = "supported";

/// An article of an invented company, with sentences that a bot may say and sentences that it must
/// not.
#[derive(Debug, Deserialize)]
struct Article {
    article: String,
    question: String,
    #[serde(rename = "true")]
    supported: Vec<String>,
    #[serde(rename = "false")]
    unsupported: Vec<Unsupported>,
}

#[derive(Debug, Deserialize)]
struct Unsupported {
    says: String,
    kind: String,
}

/// The cases of a line: one case, or an article's.
pub(super) fn cases(line: &str) -> Result<Vec<Case>, String> {
    let fields: Map<String, Value> = jsonl::json(line)?;
    if fields.contains_key("says") {
        return Ok(vec![jsonl::json(line)?]);
    }
    let article: Article = jsonl::json(line)?;
    let case = |says: String, supported: bool, kind: String| Case {
        about: About::Article(article.article.clone()),
        question: article.question.clone(),
        says,
        supported,
        kind,
    };
    let supported = article.supported.into_iter();
    let supported = supported.map(|says| case(says, true, SUPPORTED.to_owned()));
    let unsupported = article.unsupported.into_iter();
    let unsupported = unsupported.map(|Unsupported { says, kind }| case(says, false, kind));
    Ok(supported.chain(unsupported).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_article_is_as_many_cases_as_are_said_of_it() {
        let line = r#"{"article": "Fees\nA card is $5.", "question": "how much", "true": ["It is $5."],
            "false": [{"says": "It is free.", "kind": "negation"}]}"#;
        let cases = cases(line).unwrap();
        let found: Vec<_> = cases
            .iter()
            .map(|case| (case.says.as_str(), case.supported, case.kind.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("It is $5.", true, "supported"),
                ("It is free.", false, "negation")
            ]
        );
        assert_eq!(cases[1].about.to_string(), "Fees A card is $5. …");
    }

    #[test]
    fn what_is_neither_is_told() {
        let error = cases(r#"{"article": "A card is $5."}"#).unwrap_err();
        assert!(error.contains("question"), "{error}");
    }
}
