use connectors::channel::{SendError, Sending, What};
use connectors::wecom::{Settings, WeCom};
use url::Url;

use super::fakes::wechat::{AES_KEY, HOOK_TOKEN};
use super::fakes::wecom::{self as fake, ACCOUNT, CORP};
use super::fakes::{Fake, NOW};
use super::{Outgoing, Platform, talk};

const CUSTOMER: &str = "wmAna";

fn platform(fake: fake::WeCom) -> Platform<fake::WeCom> {
    let account = WeCom::new(Settings {
        base: Url::parse("https://qyapi.weixin.qq.com").unwrap(),
        corp_id: CORP.0.to_owned(),
        secret: CORP.1.to_owned(),
        token: HOOK_TOKEN.to_owned(),
        encoding_aes_key: AES_KEY.to_owned(),
        open_kfid: ACCOUNT.to_owned(),
    });
    Platform::new(fake, account)
}

#[test]
fn customers_are_answered() {
    talk(platform(fake::WeCom::default()), CUSTOMER);
}

/// Sends a message: what became of its last part.
fn sent(platform: &mut Platform<fake::WeCom>, context: Option<&str>) -> Result<(), SendError> {
    let outgoing = Outgoing {
        thread: CUSTOMER,
        key: "1",
        context,
        text: "It comes on Tuesday.",
        at: NOW + 1,
        ..Outgoing::default()
    };
    let calls = platform.connector.send(&Sending::Message(&outgoing));
    let results = calls.iter().map(|call| platform.accepted(call).map(|_| ()));
    results.last().unwrap()
}

#[test]
fn who_opens_the_conversation_is_welcomed_once() {
    let mut platform = platform(fake::WeCom::default());
    let told = platform.fake.enters(CUSTOMER);
    let events = platform.told(told);
    assert_eq!(events[0].what, What::Start);
    let context = events[0].context.as_deref();
    assert_eq!(sent(&mut platform, context), Ok(()));
    assert_eq!(platform.fake.seen(CUSTOMER).len(), 1);
    let unasked = sent(&mut platform, None);
    assert!(
        matches!(unasked, Err(SendError::Unreachable { .. })),
        "{unasked:?}"
    );
}

#[test]
fn who_talks_to_a_person_is_not_spoken_to() {
    let mut platform = platform(fake::WeCom::default());
    let told = platform.fake.says(CUSTOMER, "Where is my order?");
    platform.told(told);
    let told = platform.fake.is_answered(CUSTOMER, "Here.");
    let events = platform.told(told);
    assert!(
        matches!(&events[..], [event] if matches!(&event.what, What::Takeover { text, .. } if text == "Here."))
    );
    let refused = sent(&mut platform, None);
    assert!(
        matches!(refused, Err(SendError::Refused { .. })),
        "{refused:?}"
    );
}

#[test]
fn every_page_is_read_and_the_sixth_message_waits() {
    let mut platform = platform(fake::WeCom::default());
    platform.fake.page = Some(1);
    platform.fake.allowance = Some(5);
    platform.fake.says(CUSTOMER, "Where is my order?");
    platform.fake.says(CUSTOMER, "It is late.");
    let ids: Vec<String> = (0..3)
        .flat_map(|_| platform.poll(None))
        .map(|event| event.id)
        .collect();
    assert_eq!(ids, ["msg-0", "msg-1"]);
    for _ in 0..5 {
        assert_eq!(sent(&mut platform, None), Ok(()));
    }
    let sixth = sent(&mut platform, None);
    assert!(
        matches!(sixth, Err(SendError::Unreachable { .. })),
        "{sixth:?}"
    );
    let probe = platform.connector.probe().unwrap();
    platform.accepted(&probe).unwrap();
}
