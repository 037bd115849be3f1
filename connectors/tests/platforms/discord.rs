use connectors::channel::{Outgoing, SendError, Sending};
use connectors::discord::{Discord, Settings};
use url::Url;

use super::fakes::discord::{self as fake, TOKEN, public_key};
use super::{Platform, talk};

fn bot(public_key: String, token: &str) -> Discord {
    let url = |url| Url::parse(url).unwrap();
    let settings = Settings {
        base: url("https://discord.com/api/v10"),
        files: url("https://cdn.discordapp.com"),
        token: token.to_owned(),
        public_key,
        about: url("https://shop.example/"),
        in_groups: false,
    };
    Discord::new(settings).unwrap()
}

#[test]
fn customers_are_answered() {
    let bot = bot(String::new(), TOKEN);
    let platform = talk(Platform::new(fake::Discord::default(), bot), "5001");
    assert!(platform.fake.has_all_seen());
}

#[test]
fn customers_who_press_buttons_are_answered_by_the_hook() {
    let bot = bot(public_key(), TOKEN);
    talk(Platform::new(fake::Discord::by_hook(), bot), "5001");
}

#[test]
fn what_is_sent_twice_is_shown_once_and_a_wrong_token_sends_nothing() {
    let outgoing = Outgoing {
        thread: "5001",
        key: "a-1",
        text: "Tuesday.",
        ..Outgoing::default()
    };
    let mut platform = Platform::new(fake::Discord::default(), bot(String::new(), TOKEN));
    let call = platform
        .connector
        .send(&Sending::Message(&outgoing))
        .remove(0);
    let first = platform.accepted(&call).unwrap();
    assert!(first.message.is_some());
    assert_eq!(platform.accepted(&call).unwrap(), first);
    let probe = platform.connector.probe().unwrap();
    platform.accepted(&probe).unwrap();
    let mut wrong = Platform::new(fake::Discord::default(), bot(String::new(), "another"));
    let probe = wrong.connector.probe().unwrap();
    assert_eq!(wrong.accepted(&probe), Err(SendError::Unauthorized));
}
