use connectors::channel::{Outgoing, Sending, What};
use connectors::teams::{Settings, Teams};
use url::Url;

use super::fakes::Fake;
use super::fakes::teams::{self as fake, APP, ISSUER, SECRET, TENANT};
use super::{Platform, talk};

const CUSTOMER: &str = "29:1abc";

fn platform() -> Platform<fake::Teams> {
    let url = |text: &str| Url::parse(text).unwrap();
    let bot = Teams::new(Settings {
        openid: url("https://login.botframework.com/v1/.well-known/openidconfiguration"),
        issuer: ISSUER.to_owned(),
        login: url("https://login.microsoftonline.com"),
        tenant: TENANT.to_owned(),
        app_id: APP.to_owned(),
        app_secret: SECRET.to_owned(),
        services: vec![url("https://smba.trafficmanager.net")],
        file_domains: vec!["sharepoint.com".to_owned()],
        in_groups: false,
    });
    Platform::new(fake::Teams::default(), bot)
}

#[test]
fn customers_are_answered() {
    talk(platform(), CUSTOMER);
}

#[test]
fn keys_are_fetched_anew_when_they_have_changed() {
    let mut platform = platform();
    for text in ["one", "two"] {
        let told = platform.fake.says(CUSTOMER, text);
        let events = platform.told(told);
        assert!(matches!(&events[0].what, What::Message { text: read, .. } if read == text));
        platform.fake.turn_keys();
    }
}

#[test]
fn an_answer_is_changed_where_it_stands() {
    let mut platform = platform();
    let told = platform.fake.says(CUSTOMER, "Where is my order?");
    let event = platform.told(told).remove(0);
    let answer = |text| Outgoing {
        thread: &event.thread,
        context: event.context.as_deref(),
        author: "bot",
        text,
        ..Outgoing::default()
    };
    let (thread, context) = (event.thread.as_str(), event.context.as_deref());
    let typing = platform
        .connector
        .send(&Sending::Typing { thread, context });
    assert_eq!(platform.accepted(&typing[0]).unwrap().message, None);
    let sent = platform
        .connector
        .send(&Sending::Message(&answer("On Tuesday")));
    let message = platform.accepted(&sent[0]).unwrap().message.unwrap();
    let (message, outgoing) = (message.as_str(), &answer("On Monday"));
    let edit = platform
        .connector
        .send(&Sending::Edit { message, outgoing });
    platform.accepted(&edit[0]).unwrap();
    let seen = platform.fake.seen(CUSTOMER);
    assert_eq!((seen.len(), seen[0].text.as_str()), (1, "On Monday"));
}

#[test]
fn the_account_is_probed_by_its_secret() {
    let mut platform = platform();
    let probe = platform.connector.probe().unwrap();
    assert!(platform.accepted(&probe).is_ok());
}
