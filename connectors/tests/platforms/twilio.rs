use connectors::channel::Sent;
use connectors::twilio::{Settings, Twilio, WhatsApp};
use url::Url;

use super::fakes::twilio::{self as fake, ACCOUNT, ANSWERS, TOKEN};
use super::{Platform, talk};

fn platform(whatsapp: Option<WhatsApp>) -> Platform<fake::Twilio> {
    let twilio = Twilio::new(Settings {
        base: Url::parse("https://api.twilio.com").unwrap(),
        messaging_base: Url::parse("https://messaging.twilio.com").unwrap(),
        account: ACCOUNT.to_owned(),
        auth_token: TOKEN.to_owned(),
        key: None,
        hook: None,
        per_second: 1,
        whatsapp,
    });
    Platform::new(fake::Twilio::default(), twilio)
}

#[test]
fn customers_are_answered_by_short_messages() {
    talk(platform(None), "+15550001111");
}

#[test]
fn customers_are_answered_on_whatsapp() {
    let answers = ANSWERS.map(str::to_owned).to_vec();
    let whatsapp = WhatsApp {
        answers,
        reminder: None,
    };
    talk(platform(Some(whatsapp)), "whatsapp:+34600111222");
}

#[test]
fn an_account_is_probed() {
    let mut platform = platform(None);
    let probe = platform.connector.probe().unwrap();
    assert_eq!(platform.accepted(&probe), Ok(Sent::default()));
}
