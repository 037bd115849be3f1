//! For every template, samples of the context it is rendered with: the list of what a template may
//! name, and what it is tried on at start.

use minijinja::{Value, context};

/// Template names, each with its samples.
pub(super) fn samples() -> Vec<(&'static str, Vec<Value>)> {
    let visitor = || {
        vec![
            context! { company => "Shop", name => "Ada Lovelace", hours => "9-5", contact => "help@example.com" },
            context! { company => "Shop", name => (), hours => (), contact => () },
        ]
    };
    let reasons = |all: &[&str]| -> Vec<Value> {
        let one = |reason: &str| context! { company => "Shop", reason => reason, hours => "9-5", contact => "help@example.com" };
        let bare = context! { company => "Shop", reason => "", hours => (), contact => () };
        all.iter().map(|reason| one(reason)).chain([bare]).collect()
    };
    vec![
        (
            "system",
            vec![context! { company => "Shop", language => "English", today => "2026-11-20" }],
        ),
        (
            "turn",
            vec![
                context! { facts => ["One fact."], told => "Told.", message => "Why?", asked => "Why?", language => "English" },
                context! { facts => Vec::<String>::new(), told => (), message => "Why?", asked => (), language => "English" },
            ],
        ),
        (
            "translate",
            vec![context! { text => "Hello", language => "Deutsch" }],
        ),
        ("hello", visitor()),
        ("greeting", visitor()),
        ("thanks", visitor()),
        ("goodbye", visitor()),
        ("about", visitor()),
        ("off_topic", visitor()),
        ("no_answer", visitor()),
        ("nothing_new", visitor()),
        ("busy", visitor()),
        ("failed", visitor()),
        ("sorry", visitor()),
        ("perhaps", quotations()),
        ("quote", quotations()),
        ("ended", visitor()),
        ("button_human", visitor()),
        (
            "handover",
            reasons(&[
                "requested",
                "fraud",
                "legal",
                "bereavement",
                "safety",
                "frustrated",
            ]),
        ),
        (
            "refuse",
            reasons(&["injection", "privacy", "not_your_order", "sign_in"]),
        ),
        (
            "details",
            vec![
                context! { of_order => true, details => ["placed on: 2026-11-02", "gift: yes"] },
                context! { of_order => false, details => ["It is made of brass."] },
            ],
        ),
        ("order", orders()),
        (
            "orders",
            vec![
                context! { status => "pending", orders => [order("pending")] },
                context! { status => (), orders => [order("delivered"), order("pending")] },
                context! { status => "pending", orders => Vec::<Value>::new() },
            ],
        ),
        ("product", products()),
        (
            "suggest",
            vec![
                context! { name => "Lamp", price => "$4.00", from => true, available => true, about => "It shines." },
                context! { name => "Lamp", price => "$4.00", from => false, available => false, about => () },
            ],
        ),
        (
            "suggestions",
            vec![context! { count => 1 }, context! { count => 3 }],
        ),
        ("profile", profiles()),
    ]
}

fn method() -> Value {
    context! { kind => "credit_card", brand => "visa", last_four => "1234", balance => () }
}

fn item() -> Value {
    context! { name => "Lamp", quantity => 2, price => "$4.00", options => "color: red" }
}

fn order(status: &str) -> Value {
    let payment = || context! { amount => "$8.00", method => method() };
    context! {
        id => "#A1", status => status, placed_on => "2026-11-01", items => [item()],
        tally => [("Lamp", 2)], total => "$8.00", address => "1 Road, Town",
        payments => [payment()], refunds => [payment()],
        carrier => "DHL", tracking => ["123"], expected => "2026-11-24",
    }
}

fn bare_order() -> Value {
    context! {
        id => "#A1", status => "on_hold", placed_on => (), items => Vec::<Value>::new(),
        tally => Vec::<Value>::new(), total => "$8.00", address => (),
        payments => Vec::<Value>::new(), refunds => Vec::<Value>::new(),
        carrier => (), tracking => Vec::<String>::new(), expected => (),
    }
}

fn quotations() -> Vec<Value> {
    let quotation =
        |translated: bool| context! { excerpt => "Returns are free.", translated => translated };
    vec![quotation(true), quotation(false)]
}

fn orders() -> Vec<Value> {
    let asked = |on: bool| {
        context! {
            status => on, tracking => on, arrival => on, address => on, total => on, price => on,
            contents => on, payment => on, refund => on, dearest => on, cheapest => on,
        }
    };
    let statuses = [
        "pending",
        "processed",
        "shipped",
        "delivered",
        "cancelled",
        "return_requested",
        "exchange_requested",
        "on_hold",
    ];
    let full = statuses
        .iter()
        .map(|status| context! { order => order(status), asked => asked(true), items => [item()] });
    full.chain([
        context! { order => bare_order(), asked => asked(true), items => Vec::<Value>::new() },
        context! { order => order("pending"), asked => asked(false), items => [item()] },
    ])
    .collect()
}

fn products() -> Vec<Value> {
    let variant = || context! { options => "size: M", price => "$4.00", available => true };
    vec![
        context! {
            name => "Lamp", description => "A lamp.", wanted => "red",
            options => [context! { name => "size", values => ["S", "M"] }],
            in_stock => [variant()], more => 2, sold_out => 1, cheapest => variant(), dearest => variant(),
            this_one => variant(), asked_price => true,
        },
        context! {
            name => "Lamp", description => (), wanted => "", options => Vec::<Value>::new(),
            in_stock => Vec::<Value>::new(), more => 0, sold_out => 1, cheapest => (), dearest => (),
            this_one => (), asked_price => false,
        },
    ]
}

fn profiles() -> Vec<Value> {
    vec![
        context! {
            name => "Ada", email => "ada@example.com", phone => "1", address => "1 Road",
            methods => [method(), context! { kind => "gift_card", brand => (), last_four => (), balance => "$5.00" }],
            attributes => context! { tier => "gold" }, asked_methods => true, asked_gift_card => true, asked_attributes => true,
        },
        context! {
            name => (), email => (), phone => (), address => (), methods => Vec::<Value>::new(),
            attributes => context! {}, asked_methods => false, asked_gift_card => false, asked_attributes => false,
        },
    ]
}
