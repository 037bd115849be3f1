use connectors::channel::What;
use connectors::mail::{Mail, Settings};
use url::Url;

use super::fakes::Fake;
use super::fakes::mail::{self as fake, ADDRESS, SERVER};
use super::{Platform, talk};

fn account() -> Mail {
    Mail::new(Settings {
        smtp: Url::parse("smtp://smtp.example.com:587").unwrap(),
        imap: Url::parse("imaps://imap.example.com:993").unwrap(),
        user: ADDRESS.to_owned(),
        folder: "INBOX".to_owned(),
        addresses: vec![ADDRESS.to_owned()],
        name: "Example Support".to_owned(),
        domain: "bot.example.com".to_owned(),
        secret: "the secret of the account".to_owned(),
        authserv_id: Some(SERVER.to_owned()),
        plus_addresses: true,
        bounces: None,
    })
}

#[test]
fn customers_are_answered() {
    talk(
        Platform::new(fake::Mail::default(), account()),
        "ana@customer.example",
    );
}

#[test]
fn a_conversation_goes_on_and_two_mailboxes_of_ours_fall_silent() {
    let ana = "ana@customer.example";
    let mut platform = Platform::new(fake::Mail::default(), account());
    let told = platform.fake.says(ana, "Where is my order?");
    let first = platform.told(told).remove(0);
    platform.reply(&first, "Which number has it?", &[]);
    let told = platform.fake.says(ana, "It is 1001.");
    let second = platform.told(told).remove(0);
    assert_eq!(second.thread, first.thread);
    assert_eq!(second.sender.id, ana);
    assert!(matches!(second.what, What::Message { text, .. } if text == "It is 1001."));
    let ours = platform.fake.last(ana).unwrap();
    assert_eq!(platform.told(super::Told::Letter(ours)), []);
}
