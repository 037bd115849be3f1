//! The desk as a customer meets it: a sentence in, the record's words out.

use crm::{Customer, Order, Product};
use serde_json::json;

use super::*;
use crate::currency::Currency;
use crate::turn::Follow;

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

    /// Asks as Ada, going on from `focus`.
    fn ask<'a>(&self, text: &str, intent: impl Into<Option<&'a str>>, focus: &Focus) -> DeskAnswer {
        self.look_up(
            text,
            intent.into(),
            focus,
            Some(&self.customer),
            &self.orders,
        )
    }

    fn ask_as_visitor(&self, text: &str) -> DeskAnswer {
        self.look_up(text, None, &Focus::default(), None, &[])
    }

    fn look_up(
        &self,
        text: &str,
        intent: Option<&str>,
        focus: &Focus,
        customer: Option<&Customer>,
        orders: &[Order],
    ) -> DeskAnswer {
        let follow = Follow::of(text, self.prompts.pack("en"));
        let enquiry = Enquiry {
            text,
            intent,
            leaning: intent,
            is_ellipsis: follow.is_ellipsis(),
            points_back: follow.points_back(),
            customer,
            orders,
            focus,
        };
        self.desk().look_up(&enquiry).unwrap()
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
    let finding = found(Shop::new().ask("wheres my desk lamp??", "track_order", &Focus::default()));
    assert_eq!(finding.completeness, Completeness::Whole);
    assert!(words(&finding).contains("#T20002"), "{finding:?}");
    assert!(words(&finding).contains("pending"), "{finding:?}");
    assert!(!words(&finding).contains("#T20001"), "{finding:?}");
}

#[test]
fn what_the_company_does_is_not_in_the_order_alone() {
    let text = "I asked to swap my yoga mat. Do you wait until the old one is back?";
    let finding = found(Shop::new().ask(text, "track_order", &Focus::default()));
    assert_eq!(finding.completeness, Completeness::Partial);
}

#[test]
fn it_points_to_the_order_last_talked_about() {
    let shop = Shop::new();
    let first = found(shop.ask("where is my yoga mat", "track_order", &Focus::default()));
    let next = found(shop.ask("and what did i pay for it in total?", None, &first.focus));
    assert!(words(&next).contains("$30.00"), "{next:?}");
}

#[test]
fn how_the_company_delivers_is_no_matter_of_the_order_talked_about() {
    let shop = Shop::new();
    let first = found(shop.ask("where is my yoga mat", "track_order", &Focus::default()));
    let text = "do u ship to norway and whats it cost";
    assert_eq!(
        shop.ask(text, "delivery_options", &first.focus),
        DeskAnswer::Nothing
    );
}

#[test]
fn a_wish_to_cancel_is_told_the_status_and_left_open_for_the_rule() {
    let shop = Shop::new();
    let first = found(shop.ask("where is my desk lamp", "track_order", &Focus::default()));
    let next = found(shop.ask(
        "omg so slow. can i still cancel it",
        "cancel_order",
        &first.focus,
    ));
    assert_eq!(next.completeness, Completeness::Partial);
    assert!(words(&next).contains("pending"), "{next:?}");
}

#[test]
fn an_ellipsis_asks_the_same_of_something_else() {
    let shop = Shop::new();
    let first = found(shop.ask(
        "what did my yoga mat cost in total?",
        None,
        &Focus::default(),
    ));
    let next = found(shop.ask("And the desk lamp?", None, &first.focus));
    assert!(words(&next).contains("#T20002"), "{next:?}");
    assert!(words(&next).contains("$45.00"), "{next:?}");
}

#[test]
fn an_own_thing_and_a_leaning_are_enough() {
    let shop = Shop::new();
    let enquiry = Enquiry {
        text: "Morning. Has the mat for my mother left yet?",
        intent: None,
        leaning: Some("track_order"),
        is_ellipsis: false,
        points_back: false,
        customer: Some(&shop.customer),
        orders: &shop.orders,
        focus: &Focus::default(),
    };
    let finding = found(shop.desk().look_up(&enquiry).unwrap());
    assert!(words(&finding).contains("delivered"), "{finding:?}");
}

#[test]
fn a_rule_that_anybody_may_know_needs_no_signing_in() {
    let shop = Shop::new();
    let text = "Can I change the color of something I ordered but that isn't shipped yet?";
    let focus = Focus::default();
    let answer = shop.look_up(text, Some("change_order"), &focus, None, &[]);
    assert_eq!(answer, DeskAnswer::Nothing);
}

#[test]
fn a_number_that_is_not_the_customers_is_declined_whether_or_not_it_exists() {
    let shop = Shop::new();
    for text in ["where is order #T20003?", "status of T99999 please"] {
        assert_eq!(
            shop.ask(text, "track_order", &Focus::default()),
            DeskAnswer::Declined(Declined::NotYourOrder),
            "{text}"
        );
    }
}

#[test]
fn orders_are_no_matter_for_visitors() {
    let shop = Shop::new();
    assert_eq!(
        shop.ask_as_visitor("where is my order #T20002?"),
        DeskAnswer::Declined(Declined::SignInFirst)
    );
    let price = found(shop.ask_as_visitor("how much is the desk lamp in white?"));
    assert!(words(&price).contains("$52.00"), "{price:?}");
}

#[test]
fn prices_and_stock_come_from_the_catalogue() {
    let shop = Shop::new();
    let ask = |text| words(&found(shop.ask_as_visitor(text)));
    assert!(ask("what's the cheapest desk lamp?").contains("$45.00"));
    assert!(ask("do you have the desk lamp in red?").contains("out of stock"));
    let kinds = ask("which colors does the desk lamp come in?");
    assert!(
        ["black", "white", "red"].iter().all(|c| kinds.contains(c)),
        "{kinds}"
    );
}

#[test]
fn a_price_asked_by_somebody_who_wants_to_buy_is_told_at_once() {
    let text = "I'd like a green yoga mat, is there one available and for how much?";
    let finding = found(Shop::new().ask(text, "place_order", &Focus::default()));
    assert_eq!(finding.completeness, Completeness::Partial);
    assert!(words(&finding).contains("$30.00"), "{finding:?}");
}

#[test]
fn the_profile_is_the_customers_own() {
    let shop = Shop::new();
    let card = found(shop.ask("how much is left on my gift card?", None, &Focus::default()));
    assert!(words(&card).contains("$12.50"), "{card:?}");
    let mail = found(shop.ask(
        "which email do you have for me on file",
        None,
        &Focus::default(),
    ));
    assert!(words(&mail).contains("ada@example.com"), "{mail:?}");
}

#[test]
fn a_question_of_knowledge_is_not_the_desks() {
    let answer = Shop::new().ask("how do I clean a wool blanket?", None, &Focus::default());
    assert_eq!(answer, DeskAnswer::Nothing);
}
