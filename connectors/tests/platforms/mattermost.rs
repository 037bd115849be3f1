use connectors::mattermost::{Mattermost, Settings};
use url::Url;

use super::fakes::HOOK;
use super::fakes::mattermost::{self as fake, BOT, TOKEN};
use super::{Platform, talk};

fn bot(hook: Option<&str>) -> Mattermost {
    Mattermost::new(Settings {
        base: Url::parse("https://chat.example").unwrap(),
        token: TOKEN.to_owned(),
        user: BOT.to_owned(),
        in_groups: None,
        hook: hook.map(|hook| Url::parse(hook).unwrap()),
        secret: "the-secret-of-the-buttons".to_owned(),
    })
}

#[test]
fn customers_are_answered() {
    let fake = fake::Mattermost::default();
    talk(Platform::new(fake, bot(Some(HOOK))), "channel5001");
}

#[test]
fn customers_are_answered_without_buttons() {
    let fake = fake::Mattermost::default();
    talk(Platform::new(fake, bot(None)), "channel5001");
}
