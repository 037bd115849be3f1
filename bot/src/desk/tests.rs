//! The desk as a customer meets it: a sentence in, the record's words out.

use crm::{Customer, Order, Product};
use serde_json::json;
use understand::act;

use super::*;
use crate::currency::Currency;

struct Shop {
    catalogue: Catalogue,
    prompts: Prompts,
    currency: Currency,
    customer: Customer,
    orders: Vec<Order>,
}

fn read<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).unwrap()
}

impl Shop {
    fn new() -> Self {
        let lamp: Product = read(json!({
        "id": "lamp", "name": "Desk Lamp", "variants": [
            {"sku": "l1", "options": {"color": "black"}, "price": 4500, "available": true},
            {"sku": "l2", "options": {"color": "white"}, "price": 5200, "available": true},
            {"sku": "l3", "options": {"color": "red"}, "price": 4700, "available": false},
        ]}));
        let mat: Product = read(json!({
        "id": "mat", "name": "Yoga Mat", "description": "Rolls up small.", "variants": [
            {"sku": "m1", "options": {"color": "green"}, "price": 3000, "available": true},
        ]}));
        let prompts = Prompts::builtin().unwrap();
        Self {
            catalogue: Catalogue::new(vec![lamp, mat], prompts.own_pack()),
            prompts,
            currency: Currency::default(),
            customer: read(json!({
            "id": "ada", "name": "Ada Moss", "email": "ada@example.com",
            "payment_methods": [
                {"id": "p1", "kind": "credit_card", "brand": "visa", "last_four": "4242"},
                {"id": "p2", "kind": "gift_card", "balance": 1250},
            ]})),
            orders: vec![
                read(json!({
                    "id": "#T20002", "customer": "ada", "status": "pending", "total": 4500,
                    "items": [{"product": "lamp", "sku": "l1", "name": "Desk Lamp",
                               "price": 4500, "options": {"color": "black"}}],
                    "payments": [{"kind": "payment", "amount": 4500, "method": "p1"}]})),
                read(json!({
                    "id": "#T20001", "customer": "ada", "status": "delivered", "total": 3000,
                    "items": [{"product": "mat", "sku": "m1", "name": "Yoga Mat",
                               "price": 3000, "options": {"color": "green"}}],
                    "shipments": [{"carrier": "Fleet", "tracking": ["881122"]}]})),
            ],
        }
    }

    fn desk(&self) -> Desk<'_> {
        Desk {
            catalogue: &self.catalogue,
            currency: &self.currency,
            prompts: &self.prompts,
            language: "en",
        }
    }

    fn ask(&self, asked: &Asked<'_>) -> DeskAnswer {
        let scored = asked.asks.iter().map(|label| Scored {
            label: (*label).to_owned(),
            probability: 0.9,
        });
        let enquiry = Enquiry {
            text: asked.text,
            intent: asked.intent,
            leaning: asked.leaning.or(asked.intent),
            asks: &scored.collect::<Vec<_>>(),
            same_again: asked.acts.contains(&act::SAME_AGAIN),
            follows: asked.acts.contains(&act::FOLLOWS),
            hypothetical: asked.acts.contains(&act::HYPOTHETICAL),
            wish: asked.acts.contains(&act::WISH),
            customer: (!asked.visitor).then_some(&self.customer),
            orders: if asked.visitor { &[] } else { &self.orders },
            focus: &asked.focus,
            meant: asked.meant.as_ref(),
        };
        self.desk().look_up(&enquiry).unwrap()
    }
}

/// A message, and what the heads make of it.
#[derive(Default)]
struct Asked<'a> {
    text: &'a str,
    asks: &'a [&'a str],
    acts: &'a [&'a str],
    intent: Option<&'a str>,
    leaning: Option<&'a str>,
    /// What it goes on from.
    focus: Focus,
    /// The order whose things it means.
    meant: Option<OrderId>,
    /// Whether nobody is signed in, else it is Ada.
    visitor: bool,
}

fn asked<'a>(text: &'a str, asks: &'a [&'a str]) -> Asked<'a> {
    Asked {
        text,
        asks,
        ..Asked::default()
    }
}

fn found(answer: DeskAnswer) -> Finding {
    match answer {
        DeskAnswer::Found(finding) => finding,
        other @ (DeskAnswer::Nothing | DeskAnswer::Declined(_)) => panic!("{other:?}"),
    }
}

fn words(finding: &Finding) -> String {
    let texts: Vec<&str> = finding
        .facts
        .iter()
        .map(|fact| fact.text.as_str())
        .collect();
    texts.join(" ")
}

#[test]
fn an_order_is_found_by_what_is_in_it() {
    let finding = found(Shop::new().ask(&asked("wheres my desk lamp??", &["status"])));
    assert_eq!(finding.completeness, Completeness::Whole);
    assert!(words(&finding).contains("#T20002"), "{finding:?}");
    assert!(words(&finding).contains("pending"), "{finding:?}");
    assert!(!words(&finding).contains("#T20001"), "{finding:?}");
}

#[test]
fn what_would_be_is_not_in_the_order_alone() {
    let finding = found(Shop::new().ask(&Asked {
        acts: &[act::HYPOTHETICAL],
        ..asked("what happens if my yoga mat does not arrive", &["arrival"])
    }));
    assert_eq!(finding.completeness, Completeness::Background);
}

#[test]
fn a_message_goes_on_from_the_order_last_talked_about() {
    let shop = Shop::new();
    let first = found(shop.ask(&asked("where is my yoga mat", &["status"])));
    let next = found(shop.ask(&Asked {
        acts: &[act::FOLLOWS],
        focus: first.focus,
        ..asked("and what did i pay for it?", &["total"])
    }));
    assert!(words(&next).contains("$30.00"), "{next:?}");
    assert!(!words(&next).contains("#T20002"), "{next:?}");
}

#[test]
fn how_the_company_delivers_is_no_matter_of_the_order_talked_about() {
    let shop = Shop::new();
    let first = found(shop.ask(&asked("where is my yoga mat", &["status"])));
    let answer = shop.ask(&Asked {
        intent: Some("delivery_options"),
        focus: first.focus,
        ..asked("do u ship to norway and whats it cost", &["price"])
    });
    assert_eq!(answer, DeskAnswer::Nothing);
}

#[test]
fn a_wish_to_cancel_is_told_the_status_and_left_open_for_the_rule() {
    let shop = Shop::new();
    let first = found(shop.ask(&asked("where is my desk lamp", &["status"])));
    let next = found(shop.ask(&Asked {
        intent: Some("cancel_order"),
        acts: &[act::FOLLOWS],
        focus: first.focus,
        ..asked("omg so slow. can i still cancel it", &[])
    }));
    assert_eq!(next.completeness, Completeness::Partial);
    assert!(words(&next).contains("pending"), "{next:?}");
}

#[test]
fn the_same_is_asked_of_something_else() {
    let shop = Shop::new();
    let first = found(shop.ask(&asked("what did my yoga mat cost in total?", &["total"])));
    let next = found(shop.ask(&Asked {
        acts: &[act::FOLLOWS, act::SAME_AGAIN],
        focus: first.focus,
        ..asked("And the desk lamp?", &[])
    }));
    assert!(words(&next).contains("#T20002"), "{next:?}");
    assert!(words(&next).contains("$45.00"), "{next:?}");
}

#[test]
fn an_own_thing_and_a_leaning_are_enough() {
    let finding = found(Shop::new().ask(&Asked {
        leaning: Some("track_order"),
        ..asked("Morning. Has the mat for my mother left yet?", &[])
    }));
    assert!(words(&finding).contains("delivered"), "{finding:?}");
}

#[test]
fn all_orders_are_meant_where_none_is_named() {
    let finding = found(Shop::new().ask(&asked("what have i got coming", &["status"])));
    assert!(words(&finding).contains("#T20001"), "{finding:?}");
    assert!(words(&finding).contains("#T20002"), "{finding:?}");
    assert!(finding.of_all_orders);
    let meant = found(Shop::new().ask(&Asked {
        meant: Some("#T20001".into()),
        ..asked("wo bleibt meine Gymnastikmatte", &["status"])
    }));
    assert!(words(&meant).contains("#T20001"), "{meant:?}");
    assert!(!words(&meant).contains("#T20002"), "{meant:?}");
    assert!(!meant.of_all_orders);
    let pending = found(Shop::new().ask(&asked("what did my pending order cost", &["total"])));
    assert!(!words(&pending).contains("#T20001"), "{pending:?}");
}

#[test]
fn a_rule_that_anybody_may_know_needs_no_signing_in() {
    let answer = Shop::new().ask(&Asked {
        intent: Some("change_order"),
        acts: &[act::HYPOTHETICAL],
        visitor: true,
        ..asked(
            "Can I change the color of something I ordered?",
            &["options"],
        )
    });
    assert_eq!(answer, DeskAnswer::Nothing);
}

#[test]
fn a_number_that_is_not_the_customers_is_declined_whether_or_not_it_exists() {
    for text in ["where is order #T20003?", "status of T99999 please"] {
        assert_eq!(
            Shop::new().ask(&asked(text, &["status"])),
            DeskAnswer::Declined(Declined::NotYourOrder),
            "{text}"
        );
    }
}

#[test]
fn orders_are_no_matter_for_visitors() {
    let shop = Shop::new();
    for (text, intent) in [
        ("where is my order #T20002?", None),
        ("where is my parcel", Some("track_order")),
    ] {
        let answer = shop.ask(&Asked {
            intent,
            visitor: true,
            ..asked(text, &["status"])
        });
        assert_eq!(
            answer,
            DeskAnswer::Declined(Declined::SignInFirst),
            "{text}"
        );
    }
    let price = found(shop.ask(&Asked {
        visitor: true,
        ..asked("how much is the desk lamp in white?", &["price"])
    }));
    assert!(words(&price).contains("$52.00"), "{price:?}");
}

#[test]
fn prices_and_stock_come_from_the_catalogue() {
    let shop = Shop::new();
    let ask = |text, asks| {
        let asked = Asked {
            visitor: true,
            ..asked(text, asks)
        };
        words(&found(shop.ask(&asked)))
    };
    assert!(ask("what's the cheapest desk lamp?", &["cheapest"]).contains("$45.00"));
    assert!(ask("do you have the desk lamp in red?", &["stock"]).contains("out of stock"));
    let kinds = ask("which colors does the desk lamp come in?", &["options"]);
    assert!(
        ["black", "white", "red"].iter().all(|c| kinds.contains(c)),
        "{kinds}"
    );
}

#[test]
fn a_price_asked_by_somebody_who_wants_to_buy_is_told_at_once() {
    let finding = found(Shop::new().ask(&Asked {
        intent: Some("place_order"),
        ..asked(
            "I'd like a green yoga mat, is there one available and for how much?",
            &["stock", "price"],
        )
    }));
    assert_eq!(finding.completeness, Completeness::Partial);
    assert!(words(&finding).contains("$30.00"), "{finding:?}");
}

#[test]
fn the_profile_is_the_customers_own() {
    let shop = Shop::new();
    let card = found(shop.ask(&asked("how much is left on it?", &["gift_card"])));
    assert!(words(&card).contains("$12.50"), "{card:?}");
    let mail = found(shop.ask(&asked("which email do you have", &["profile"])));
    assert!(words(&mail).contains("ada@example.com"), "{mail:?}");
}

#[test]
fn a_question_of_knowledge_is_not_the_desks() {
    let answer = Shop::new().ask(&asked("how do I clean a wool blanket?", &[]));
    assert_eq!(answer, DeskAnswer::Nothing);
}
