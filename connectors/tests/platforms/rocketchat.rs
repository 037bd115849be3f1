use connectors::rocketchat::{RocketChat, Settings};
use url::Url;

use super::fakes::rocketchat::{self as fake, BOT, SECRET, TOKEN};
use super::{Platform, talk};

#[test]
fn customers_are_answered() {
    let bot = RocketChat::new(Settings {
        base: Url::parse("https://chat.example").unwrap(),
        token: TOKEN.to_owned(),
        user: BOT.to_owned(),
        secret: SECRET.to_owned(),
        in_groups: None,
    });
    talk(Platform::new(fake::RocketChat::default(), bot), "room5001");
}
