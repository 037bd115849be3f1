//! The checks, in the order in which they are made.

use language::Section;

use crate::sentence::Sentence;
use crate::{Guard, Withheld, claims, names};

/// Share of a sentence's content words that one statement must hold.
pub(crate) const LEAST_IN_ONE: f32 = 0.34;
/// Share that all grounds together must hold, where no one statement holds enough.
const LEAST_IN_ALL: f32 = 0.75;
/// Share of a verdict's content words that the facts must hold: "yes, we sell bicycles" takes its
/// words from the question.
const LEAST_OF_A_VERDICT: f32 = 0.6;
/// Share of a condition's content words that the facts and the conversation must hold.
const LEAST_OF_A_CONDITION: f32 = 0.6;
/// From this share on a sentence says what has been said.
const REPEATS: f32 = 0.85;

/// One of the guard's questions about a sentence.
pub(crate) struct Check {
    /// As outcomes record it.
    pub(crate) name: &'static str,
    /// What the reply's pack must have.
    needs: Option<Section>,
    kind: Kind,
    pub(crate) run: fn(&Guard, &Sentence<'_>) -> Result<(), Withheld>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It looks for phrases or values. Those of all packs count, since a model may fall into
    /// another language: without a pack for the reply's own it still runs, and finds less.
    Exact,
    /// It compares words, which takes reply and facts in one language.
    Compares,
}

/// All checks. Cheap ones and those that forgive nothing come first.
pub(crate) const CHECKS: &[Check] = &[
    exact("leak", None, leak),
    exact("placeholder", Some(Section::Placeholders), placeholder),
    exact("deed", Some(Section::Deeds), deed),
    exact("link", None, link),
    exact("promise", Some(Section::Promises), promise),
    exact("repetition", None, repetition),
    exact("value", Some(Section::Numbers), value),
    compares("measure", Section::Units, measure),
    compares("name", Section::Names, name),
    compares("support", Section::FunctionWords, any_support),
    compares("polarity", Section::Negation, polarity),
    compares("polarity", Section::Negation, denial),
    compares("condition", Section::Conditions, condition),
    compares("verdict", Section::Answers, verdict),
    compares("support", Section::FunctionWords, support),
];

const fn exact(
    name: &'static str,
    needs: Option<Section>,
    run: fn(&Guard, &Sentence<'_>) -> Result<(), Withheld>,
) -> Check {
    Check {
        name,
        needs,
        kind: Kind::Exact,
        run,
    }
}

const fn compares(
    name: &'static str,
    needs: Section,
    run: fn(&Guard, &Sentence<'_>) -> Result<(), Withheld>,
) -> Check {
    Check {
        name,
        needs: Some(needs),
        kind: Kind::Compares,
        run,
    }
}

impl Check {
    /// Whether it is made of the sentences of `guard`.
    pub(crate) fn is_on(&self, guard: &Guard) -> bool {
        self.kind == Kind::Exact || self.is_complete(guard)
    }

    /// Whether it has all that it needs.
    pub(crate) fn is_complete(&self, guard: &Guard) -> bool {
        let pack = match self.kind {
            Kind::Exact => guard.reply.as_ref(),
            Kind::Compares => guard.compared.as_ref(),
        };
        self.needs
            .is_none_or(|section| pack.is_some_and(|pack| pack.has(section)))
    }
}

fn withhold_if(withheld: bool, reason: Withheld) -> Result<(), Withheld> {
    if withheld { Err(reason) } else { Ok(()) }
}

fn leak(guard: &Guard, sentence: &Sentence<'_>) -> Result<(), Withheld> {
    let leaks = guard.instructions.are_repeated_in(sentence.text);
    withhold_if(leaks, Withheld::Leak)
}

fn placeholder(guard: &Guard, sentence: &Sentence<'_>) -> Result<(), Withheld> {
    let has_hole = claims::has_hole(&guard.packs, &sentence.normal);
    withhold_if(has_hole, Withheld::Placeholder)
}

fn deed(guard: &Guard, sentence: &Sentence<'_>) -> Result<(), Withheld> {
    let mut packs = guard.packs.iter();
    let claims = packs.any(|pack| pack.claims_a_deed(&sentence.normal));
    withhold_if(claims, Withheld::Deed)
}

fn link(guard: &Guard, sentence: &Sentence<'_>) -> Result<(), Withheld> {
    let mut links = sentence.links.iter();
    let unknown = links.find(|link| !guard.links.contains(*link));
    unknown.map_or(Ok(()), |link| Err(Withheld::Link(link.clone())))
}

fn promise(guard: &Guard, sentence: &Sentence<'_>) -> Result<(), Withheld> {
    let promises = guard.closed && claims::still_promises(&guard.packs, &sentence.normal);
    withhold_if(promises, Withheld::Polarity)
}

fn repetition(guard: &Guard, sentence: &Sentence<'_>) -> Result<(), Withheld> {
    let said = &sentence.statement;
    let repeats = said.has_content() && said.share_in(&guard.told) >= REPEATS;
    withhold_if(repeats, Withheld::Repeats)
}

fn value(guard: &Guard, sentence: &Sentence<'_>) -> Result<(), Withheld> {
    let mut values = sentence.values.iter();
    let unknown = values.find(|value| !guard.holds_value(value, &sentence.statement));
    unknown.map_or(Ok(()), |value| Err(Withheld::Value(value.clone())))
}

fn measure(guard: &Guard, sentence: &Sentence<'_>) -> Result<(), Withheld> {
    let clauses = sentence.clauses.iter();
    let misplaced = clauses
        .filter_map(|clause| clause.measured.as_ref())
        .find_map(|measured| guard.measures.misplaced(measured, &guard.told_values));
    misplaced.map_or(Ok(()), |value| Err(Withheld::Value(value)))
}

fn name(guard: &Guard, sentence: &Sentence<'_>) -> Result<(), Withheld> {
    let pack = guard.compared.as_ref();
    let unknown = pack
        .map(|pack| names::names(sentence.text, pack))
        .unwrap_or_default()
        .into_iter()
        .find(|name| !guard.holds_name(name));
    let unknown = unknown.or_else(|| {
        let mut lettered = names::lettered(sentence.text).into_iter();
        lettered.find(|name| !guard.lettered.contains(name))
    });
    unknown.map_or(Ok(()), |name| Err(Withheld::Name(name)))
}

fn any_support(guard: &Guard, sentence: &Sentence<'_>) -> Result<(), Withheld> {
    let unsupported = !sentence.is_courtesy && guard.statements.is_empty();
    withhold_if(unsupported, Withheld::Unsupported)
}

fn polarity(guard: &Guard, sentence: &Sentence<'_>) -> Result<(), Withheld> {
    let mut claims = sentence.inner_clauses.iter().chain(sentence.statements());
    let contradicted =
        !sentence.is_courtesy && claims.any(|claim| claim.is_contradicted_by(&guard.statements));
    withhold_if(contradicted, Withheld::Polarity)
}

fn denial(guard: &Guard, sentence: &Sentence<'_>) -> Result<(), Withheld> {
    let mut clauses = sentence.statements();
    let beyond =
        !sentence.is_courtesy && clauses.any(|clause| clause.denies_beyond(&guard.statements));
    withhold_if(beyond, Withheld::Unsupported)
}

/// "If you pay by cheque, it costs $5" ties a true value to a case that nobody spoke of.
fn condition(guard: &Guard, sentence: &Sentence<'_>) -> Result<(), Withheld> {
    let case = sentence.condition.as_ref();
    let unheard = !sentence.is_courtesy
        && case.is_some_and(|case| case.share_in(&guard.words) < LEAST_OF_A_CONDITION);
    withhold_if(unheard, Withheld::Unsupported)
}

fn verdict(guard: &Guard, sentence: &Sentence<'_>) -> Result<(), Withheld> {
    let baseless = !sentence.is_courtesy
        && guard.is_verdict(sentence.text)
        && sentence
            .statement
            .without(&guard.company)
            .share_in(&guard.fact_words)
            < LEAST_OF_A_VERDICT;
    withhold_if(baseless, Withheld::Unsupported)
}

fn support(guard: &Guard, sentence: &Sentence<'_>) -> Result<(), Withheld> {
    if sentence.is_courtesy {
        return Ok(());
    }
    let in_one = sentence.statement.best_support(&guard.statements);
    let in_all = sentence.statement.share_in(&guard.fact_words);
    let unsupported = in_one < LEAST_IN_ONE && in_all < LEAST_IN_ALL;
    withhold_if(unsupported, Withheld::Unsupported)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_check_forgives_what_another_of_its_name_does_not() {
        for check in CHECKS {
            let same = CHECKS.iter().filter(|other| other.name == check.name);
            assert!(
                same.clone().all(|other| other.needs == check.needs),
                "{}",
                check.name
            );
        }
    }
}
