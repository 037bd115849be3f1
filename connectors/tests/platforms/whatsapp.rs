use connectors::channel::{Answer, Choice, Fetched, Outgoing, Receipt, Sending, What};
use connectors::whatsapp::{Settings, Template, WhatsApp};

use super::fakes::Fake;
use super::fakes::whatsapp::{self as fake, FILES, NUMBER};
use super::meta::{app, is_registered};
use super::{Platform, talk};

fn platform() -> Platform<fake::WhatsApp> {
    let number = WhatsApp::new(Settings {
        app: app(),
        phone_number: NUMBER.to_owned(),
        media_hosts: vec![FILES.to_owned()],
        list_button: "Choose".to_owned(),
        template: Some(Template {
            name: "we_answered".to_owned(),
            language: "en_US".to_owned(),
        }),
        in_groups: false,
    });
    Platform::new(fake::WhatsApp::default(), number)
}

#[test]
fn customers_are_answered() {
    talk(platform(), "34600111222");
    // Of one who hides their number.
    talk(platform(), "ES.13490001");
}

#[test]
fn the_hook_is_registered_and_the_account_can_be_used() {
    let mut platform = platform();
    assert!(is_registered(platform.connector.as_ref()));
    let probe = platform.connector.probe().unwrap();
    platform.accepted(&probe).unwrap();
}

#[test]
fn a_list_is_chosen_from() {
    let mut platform = platform();
    let told = platform.fake.says("34600111222", "Hello");
    let event = platform.told(told).remove(0);
    let ids = ["q:1", "q:2", "q:3", "q:4", "q:5"];
    let labels = [
        "Where is my order?",
        "Returns",
        "Opening hours",
        "My invoice is wrong, and I would like to have another one",
        "A person",
    ];
    let choices = ids.iter().zip(labels);
    let choices: Vec<Choice<'_>> = choices.map(|(id, label)| Choice { id, label }).collect();
    platform.reply(&event, &"How can we help you? ".repeat(80), &choices);
    let told = platform.fake.presses("34600111222", "Opening hours");
    let pressed = platform.told(told.unwrap()).remove(0);
    assert!(matches!(pressed.what, What::Press { reply, .. } if reply == "q:3"));
}

#[test]
fn typing_and_reminders_are_accepted_and_failures_are_told() {
    let mut platform = platform();
    let told = platform.fake.says("34600111222", "Hello");
    let event = platform.told(told).remove(0);
    let typing = Sending::Typing {
        thread: &event.thread,
        context: event.context.as_deref(),
    };
    let outgoing = Outgoing {
        thread: &event.thread,
        ..Outgoing::default()
    };
    let typing = platform.connector.send(&typing);
    assert_eq!(platform.accepted(&typing[0]).unwrap().message, None);
    let reminder = platform.connector.send(&Sending::Reminder(&outgoing));
    let sent = platform.accepted(&reminder[0]).unwrap().message.unwrap();
    let told = platform.fake.fails(&sent);
    let failed = platform.told(told).remove(0);
    let receipt = Receipt::Failed("Message undeliverable (131026)".to_owned());
    let message = sent;
    assert_eq!(failed.what, What::Receipt { message, receipt });
}

#[test]
fn files_are_fetched() {
    let mut platform = platform();
    let told = platform.fake.shows("34600111222");
    let event = platform.told(told).remove(0);
    let What::Message { media, .. } = event.what else {
        panic!("no message");
    };
    let files = platform.connector.files().unwrap();
    let mut call = files.request(&media[0].place).unwrap();
    let mut steps = 0;
    let file = loop {
        steps += 1;
        let (status, headers, body) = platform.call(&call);
        let answer = Answer {
            status,
            headers: &headers,
            body: &body,
        };
        match platform
            .connector
            .files()
            .unwrap()
            .fetched(&answer)
            .unwrap()
        {
            Fetched::File => break body,
            Fetched::At(next) => call = *next,
        }
    };
    assert_eq!((steps, file.as_slice()), (2, b"\xff\xd8".as_slice()));
}
