use connectors::slack::{Settings, Slack};
use url::Url;

use super::fakes::slack::{self as fake, APP_TOKEN, SECRET, TOKEN};
use super::{Platform, talk};

fn bot(app_token: Option<&str>) -> Slack {
    let url = |url| Url::parse(url).unwrap();
    Slack::new(Settings {
        base: url("https://slack.com/api"),
        files: url("https://files.slack.com"),
        responses: url("https://hooks.slack.com"),
        token: TOKEN.to_owned(),
        secret: SECRET.to_owned(),
        app_token: app_token.map(str::to_owned),
        status: None,
        in_groups: false,
    })
}

#[test]
fn customers_are_answered() {
    talk(Platform::new(fake::Slack::default(), bot(None)), "D5001");
}

#[test]
fn customers_are_answered_over_sockets() {
    let fake = fake::Slack::by_socket();
    talk(Platform::new(fake, bot(Some(APP_TOKEN))), "D5001");
}
