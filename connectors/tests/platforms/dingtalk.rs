use connectors::channel::{Answer, Connector};
use connectors::dingtalk::{DingTalk, Settings};
use url::Url;

use super::fakes::Fake;
use super::fakes::dingtalk::{self as fake, CLIENT_ID, CLIENT_SECRET, ROBOT};
use super::{Platform, talk};

fn bot(stream: bool) -> DingTalk {
    let url = |url| Url::parse(url).unwrap();
    DingTalk::new(Settings {
        base: url("https://api.dingtalk.com"),
        sessions: url("https://oapi.dingtalk.com"),
        client_id: CLIENT_ID.to_owned(),
        client_secret: CLIENT_SECRET.to_owned(),
        robot_code: ROBOT.to_owned(),
        stream,
        in_groups: false,
    })
}

#[test]
fn customers_are_answered_over_the_hook_and_over_the_socket_at_once_and_later() {
    for (stream, is_late) in [(false, false), (true, false), (true, true)] {
        let mut fake = fake::DingTalk::default();
        (fake.stream, fake.is_late) = (stream, is_late);
        talk(Platform::new(fake, bot(stream)), "manager1");
    }
}

#[test]
fn what_was_heard_is_acknowledged_and_a_socket_has_a_ticket() {
    let mut fake = fake::DingTalk::default();
    fake.stream = true;
    let mut platform = Platform::new(fake, bot(true));
    let bot = bot(true);
    let gateway = bot.gateway().unwrap();
    let (status, headers, body) = platform.call(&gateway.request().unwrap());
    let address = gateway.address(Some(&Answer {
        status,
        headers: &headers,
        body: &body,
    }));
    assert_eq!(
        address.unwrap().as_str(),
        "wss://wss.example/connect?ticket=a+ticket"
    );
    let told = platform.fake.says("manager1", "hello");
    assert_eq!(platform.fake.unacknowledged.len(), 1);
    assert_eq!(platform.told(told).len(), 1);
    assert!(platform.fake.unacknowledged.is_empty());
}
