use connectors::channel::{Call, Connector, SendError, Sending};
use connectors::wechat::{Settings, WeChat};
use url::Url;

use super::fakes::Fake;
use super::fakes::wechat::{self as fake, AES_KEY, APP, HOOK_TOKEN};
use super::{Outgoing, Platform, talk};

const CUSTOMER: &str = "oAna";

fn platform(fake: fake::WeChat) -> Platform<fake::WeChat> {
    let account = WeChat::new(Settings {
        base: Url::parse("https://api.weixin.qq.com").unwrap(),
        app_id: APP.0.to_owned(),
        app_secret: APP.1.to_owned(),
        token: HOOK_TOKEN.to_owned(),
        encoding_aes_key: fake.is_sealed.then(|| AES_KEY.to_owned()),
    });
    Platform::new(fake, account)
}

#[test]
fn customers_are_answered() {
    for is_sealed in [false, true] {
        let mut fake = fake::WeChat::default();
        fake.is_sealed = is_sealed;
        talk(platform(fake), CUSTOMER);
    }
}

fn call(connector: &dyn Connector, text: &str) -> Call {
    let outgoing = Outgoing {
        thread: CUSTOMER,
        text,
        ..Outgoing::default()
    };
    connector.send(&Sending::Message(&outgoing)).remove(0)
}

#[test]
fn the_sixth_message_waits_until_the_customer_writes() {
    let mut platform = platform(fake::WeChat::default());
    platform.fake.allowance = Some(5);
    let told = platform.fake.says(CUSTOMER, "Where is my order?");
    platform.told(told);
    let call = call(platform.connector.as_ref(), "It comes on Tuesday.");
    for _ in 0..5 {
        platform.accepted(&call).unwrap();
    }
    let sixth = platform.accepted(&call);
    assert!(
        matches!(sixth, Err(SendError::Unreachable { .. })),
        "{sixth:?}"
    );
    platform.fake.says(CUSTOMER, "Hello?");
    platform.accepted(&call).unwrap();
}

#[test]
fn a_token_that_has_expired_is_asked_for_again() {
    let mut platform = platform(fake::WeChat::default());
    let call = call(platform.connector.as_ref(), "It comes on Tuesday.");
    platform.token = Some("of yesterday".to_owned());
    assert_eq!(platform.accepted(&call), Err(SendError::Expired));
    platform.token = None;
    platform.accepted(&call).unwrap();
    let typing = Sending::Typing {
        thread: CUSTOMER,
        context: None,
    };
    let mut calls = platform.connector.send(&typing);
    calls.extend(platform.connector.probe());
    assert_eq!(calls.len(), 2);
    for call in calls {
        platform.accepted(&call).unwrap();
    }
}
