//! German replies over English and German facts.

use super::*;

pub(super) fn german_guard(facts_language: &str) -> Guard {
    let (card, returns) = if facts_language == "de" {
        (
            "Die Goldkarte kostet 3.359,00 € im Jahr. Barauszahlungen sind nicht erlaubt.",
            "Rückgaben sind innerhalb von dreißig Tagen nach der Lieferung möglich, bis zum 24.11.2026.",
        )
    } else {
        (
            "The Gold card costs €3,359.00 a year. Cash advances are not allowed.",
            "Returns are possible within thirty days of delivery, until 2026-11-24.",
        )
    };
    Case {
        language: "de",
        facts_language,
        passages: &[
            Passage {
                title: "Goldkarte",
                text: card,
            },
            Passage {
                title: "Rückgabe",
                text: returns,
            },
        ],
        conversation: &["Kann ich meine Bestellung #A20417 nach 10 Tagen zurückgeben?".to_owned()],
        closed: true,
        question: "Kann ich sie zurückgeben, und was kostet die Goldkarte?",
        company: "Tern & Teasel",
        ..NOTHING
    }
    .guard()
}

#[test]
fn german_values_are_those_of_english_facts() {
    let guard = german_guard("en");
    for sentence in [
        "Die Goldkarte kostet 3.359 € im Jahr.",
        "Die Goldkarte kostet 3.359,00 Euro im Jahr.",
        "Sie haben dreißig Tage Zeit.",
        "Das geht bis zum 24. November 2026.",
        "Das geht bis zum 24.11.2026.",
        "Ihre Bestellung #A20417 ist unterwegs.",
    ] {
        assert_eq!(guard.check(sentence), Ok(()), "{sentence}");
    }
    for (sentence, value) in [
        ("Die Goldkarte kostet 3.395 € im Jahr.", "3395"),
        ("Die Goldkarte kostet 3,359 € im Jahr.", "3.359"),
        ("Sie haben vierzehn Tage Zeit.", "14"),
        ("Sie haben einundvierzig Tage Zeit.", "41"),
        ("Das geht bis zum 24. Dezember 2026.", "12"),
        ("Das geht bis zum 25.11.2026.", "25"),
    ] {
        let reason = Withheld::Value(value.into());
        assert_eq!(guard.check(sentence), Err(reason), "{sentence}");
    }
}

#[test]
fn values_of_a_german_page_among_english_ones_are_read_as_german() {
    let guard = Case {
        language: "de",
        passages: &[Passage {
            title: "Versand",
            text: "Nach Irland kostet der Versand 4,90 €, ab dem 24.11. nichts.",
        }],
        ..NOTHING
    }
    .guard();
    assert_eq!(guard.check("Der Versand kostet 4,90 €."), Ok(()));
    assert_eq!(guard.check("Am 24. November kostet er nichts."), Ok(()));
    assert_eq!(
        guard.check("Der Versand kostet 4,95 €."),
        Err(Withheld::Value("4.95".into()))
    );
}

#[test]
fn german_deeds_links_and_holes_are_withheld() {
    let guard = german_guard("en");
    for sentence in [
        "Ich habe Ihre Bestellung storniert.",
        "Gute Nachricht: Das Geld habe ich bereits erstattet.",
        "Ich werde Ihre Adresse gleich ändern.",
        "Ich storniere die Bestellung.",
        "Ihre Bestellung wurde wie gewünscht storniert.",
    ] {
        assert_eq!(guard.check(sentence), Err(Withheld::Deed), "{sentence}");
    }
    for sentence in [
        "Sie können die Karte selbst beantragen.",
        "Ich habe keine Angaben dazu, ob die Karte storniert ist.",
        "Ich habe das nicht gefunden.",
    ] {
        assert_eq!(guard.check(sentence), Ok(()), "{sentence}");
    }
    assert_eq!(
        guard.check("Schreiben Sie an hilfe@laden.de."),
        Err(Withheld::Link("hilfe@laden.de".into()))
    );
    assert_eq!(
        guard.check("Die Karte kostet [nicht verfügbar] Euro."),
        Err(Withheld::Placeholder)
    );
    assert_eq!(
        guard.check("Sie können die Bestellung stornieren."),
        Err(Withheld::Polarity)
    );
}

#[test]
fn german_words_are_compared_with_german_facts() {
    let guard = german_guard("de");
    for sentence in [
        "Die Goldkarte kostet 3.359 Euro im Jahr.",
        "Barauszahlungen sind nicht erlaubt.",
        "Nein, Barauszahlungen sind nicht erlaubt.",
        "Sie können innerhalb von 30 Tagen nach der Lieferung zurückgeben.",
        "Wenn Sie die Bestellung zurückgeben, ist das innerhalb von 30 Tagen nach der Lieferung möglich.",
        "Das tut mir leid.",
        "Vielen Dank für Ihre Nachricht.",
    ] {
        assert_eq!(guard.check(sentence), Ok(()), "{sentence}");
    }
    for (sentence, reason) in [
        ("Barauszahlungen sind erlaubt.", Withheld::Polarity),
        ("Ja, Barauszahlungen sind erlaubt.", Withheld::Polarity),
        (
            "Unsere Fahrer jonglieren mit grünen Handschuhen.",
            Withheld::Unsupported,
        ),
        (
            "Wenn Sie mit Muscheln oder Perlen zahlen, kostet die Goldkarte 3.359 € im Jahr.",
            Withheld::Unsupported,
        ),
        (
            "Die Goldkarte kostet 3.359 € im Jahr, und Schecks nehmen wir nicht.",
            Withheld::Unsupported,
        ),
        (
            "Natürlich können Sie mit Muscheln zahlen.",
            Withheld::Unsupported,
        ),
    ] {
        assert_eq!(guard.check(sentence), Err(reason), "{sentence}");
    }
}

#[test]
fn a_german_value_of_another_row_is_misplaced() {
    let guard = Case {
        language: "de",
        facts_language: "de",
        passages: &[Passage {
            title: "Versand > Standard",
            text: "Nach Irland: 4,90 €, 2 bis 4 Werktage\nNach Norwegen: 9,90 €, 5 bis 8 Werktage",
        }],
        question: "Was kostet der Versand nach Norwegen?",
        ..NOTHING
    }
    .guard();
    assert_eq!(
        guard.check("Der Versand nach Norwegen kostet 4,90 €."),
        Err(Withheld::Value("4.9".into()))
    );
    assert_eq!(
        guard.check("Der Versand nach Norwegen kostet 9,90 €."),
        Ok(())
    );
}
