//! Answers in the pages' own words, and what is said once they have been.

use super::*;

#[tokio::test]
async fn the_pages_answer_in_their_own_words() {
    let outcome = shop().quoting().ask("How long is the warranty?").await;
    assert_eq!(outcome.rule(), "the pages answer");
    assert!(outcome.text().contains(WARRANTY), "{}", outcome.text());
    let mut unsure = shop().quoting();
    unsure.hits.truncate(1);
    unsure.hits[0].similarity = 0.25;
    unsure.hits[0].blocks[0].lines = vec![0.25];
    unsure.meaning.answered = None;
    let outcome = unsure.ask("How long is the warranty?").await;
    assert_eq!(outcome.action(), "no_answer");
    assert!(outcome.text().contains(WARRANTY), "{}", outcome.text());
}

#[tokio::test]
async fn what_is_near_and_does_not_answer_is_told_with_a_caution() {
    let mut shop = shop().quoting();
    shop.meaning.answered = Some(false);
    let outcome = shop.ask("Is the warranty longer for museums?").await;
    assert_eq!(outcome.action(), "no_answer");
    assert!(outcome.text().contains(WARRANTY), "{}", outcome.text());
    assert!(
        outcome.text().contains("certain answer"),
        "{}",
        outcome.text()
    );
    // Without a head for it, nearness decides.
    shop.meaning.answered = None;
    let outcome = shop.ask("Is the warranty longer for museums?").await;
    assert_eq!(outcome.action(), "answer");
}

#[tokio::test]
async fn the_pages_words_are_translated_and_marked_so() {
    let translation = "Jede Lampe hat 5 Jahre Garantie auf Material und Verarbeitung.";
    let ask = async |translation: &str, into: &[&str]| {
        let mut shop = Shop::new().with_page("Warranty", WARRANTY, 0.7);
        shop.meaning.language = "de";
        let mut shop = shop.writing(translation).quoting();
        shop.config.generate.translate = into.iter().map(|tag| (*tag).to_owned()).collect();
        shop.ask("Wie lange gilt die Garantie?").await
    };
    // A model translates only where it is told to.
    for into in [&[][..], &["fr"]] {
        let outcome = ask(translation, into).await;
        assert!(outcome.text().contains(WARRANTY), "{}", outcome.text());
    }
    let outcome = ask(translation, &["*"]).await;
    assert!(outcome.text().contains(translation), "{}", outcome.text());
    let outcome = ask(translation, &["de"]).await;
    assert!(outcome.text().contains(translation), "{}", outcome.text());
    assert!(outcome.text().contains("übersetzt"), "{}", outcome.text());
    let record = &outcome.finished.as_ref().unwrap().outcome.record;
    assert_eq!(record["translation"], translation);
    assert_eq!(record["quoted"], WARRANTY);
    // A value that is lost costs the translation.
    let outcome = ask("Jede Lampe hat eine lange Garantie.", &["de"]).await;
    assert!(outcome.text().contains(WARRANTY), "{}", outcome.text());
    assert!(!outcome.text().contains("übersetzt"), "{}", outcome.text());
}

#[tokio::test]
async fn a_page_is_quoted_behind_a_record_unless_the_record_is_what_is_asked_for() {
    let ask = async |asks: &'static [&'static str], acts: &'static [&'static str]| {
        let mut shop = Shop::new().with_ada().quoting();
        shop.records_are_near = 0.5;
        shop.meaning = Meaning {
            asks,
            acts,
            ..meaning("general_question")
        };
        let shop = shop.with_page("Warranty", WARRANTY, 0.7);
        let outcome = shop.ask("is there a warranty on #H1001?").await;
        assert!(outcome.text().contains("#H1001"), "{}", outcome.text());
        outcome.text().contains(WARRANTY)
    };
    assert!(ask(&[], &[]).await);
    assert!(!ask(&["status"], &[]).await);
    assert!(ask(&["status"], &[understand::act::SEVERAL]).await);
}

#[tokio::test]
async fn the_same_words_are_not_said_twice() {
    let mut shop = shop().quoting();
    let first = shop.ask("How long is the warranty?").await;
    shop = shop.after(&first);
    let again = shop.ask("How long is the warranty?").await;
    assert_eq!(again.rule(), "said already");
    assert_eq!(again.quick_replies(), ["human"]);
    assert!(!again.text().contains(WARRANTY), "{}", again.text());
    // It has told what it knows: it must not say that it knows nothing.
    assert!(again.text().contains("than I have"), "{}", again.text());
}

#[tokio::test]
async fn who_is_not_helped_is_offered_a_person_and_in_the_end_gets_one() {
    let mut shop = shop().quoting();
    shop.meaning.acts = &[understand::act::UNHELPED];
    let first = shop.ask("That does not help me.").await;
    assert_eq!(first.action(), "no_answer");
    shop = shop.after(&first);
    let second = shop.ask("No, still not.").await;
    assert_eq!(second.rule(), "said already");
    assert_ne!(second.text(), first.text());
    shop = shop.after(&second);
    let third = shop.ask("Useless.").await;
    assert_eq!(
        (third.action(), third.rule()),
        ("hand_over", "nothing helped")
    );
}

#[tokio::test]
async fn what_is_not_known_of_another_matter_is_owned_up_to_as_at_first() {
    let mut shop = Shop::new().quoting();
    let first = shop.ask("Do you rent out kayaks?").await;
    assert_eq!(first.action(), "no_answer");
    shop = shop.after(&first);
    let other = shop.ask("Is there a car park?").await;
    assert_eq!(other.text(), first.text());
    shop = shop.after(&other);
    let again = shop.ask("Is there a car park?").await;
    assert_eq!(again.rule(), "said already");
}

#[tokio::test]
async fn questions_with_one_answer_are_not_handed_over() {
    let mut shop = shop().quoting();
    for lamp in 1..=6 {
        let outcome = shop
            .ask(&format!("How long is the warranty of lamp {lamp}?"))
            .await;
        assert_ne!(outcome.action(), "hand_over");
        shop = shop.after(&outcome);
    }
}

#[tokio::test]
async fn a_product_that_was_told_is_not_quoted_as_well() {
    let mut shop = Shop::new().quoting().with_page("Warranty", WARRANTY, 0.7);
    shop.products = ship_lamp();
    shop.records_are_near = 0.5;
    shop.meaning = meaning("product_question");
    let outcome = shop.ask("How long will the Ship Lamp last?").await;
    let text = outcome.text();
    assert!(text.contains(WARRANTY), "{text}");
    assert_eq!(text.matches("A brass lamp.").count(), 1, "{text}");
}
