//! The language packs that evaluation uses.

use std::sync::LazyLock;

use language::Packs;
use language::sentences::Boundaries;

/// Language of the documents and replies that are judged by their words.
pub(crate) const JUDGED: &str = "en";

#[expect(
    clippy::expect_used,
    reason = "the packs are part of the binary, and tests read them"
)]
static PACKS: LazyLock<Packs> =
    LazyLock::new(|| frontdesk::packs().expect("the packs in the binary are valid"));

/// The language packs that come with the product.
pub(crate) fn packs() -> &'static Packs {
    &PACKS
}

/// How the sentences end that are judged.
pub(crate) fn boundaries() -> &'static Boundaries {
    let pack = PACKS.get(JUDGED);
    pack.map_or(PACKS.boundaries(), language::Pack::boundaries)
}
