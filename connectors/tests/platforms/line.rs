use connectors::channel::{Outgoing, Sending, Sent};
use connectors::line::{Access, Line, Settings};
use url::Url;

use super::fakes::line::{self as fake, CHANNEL, SECRET};
use super::fakes::{Fake, NOW};
use super::{Platform, talk};

const CUSTOMER: &str = "U1a00000000000000000000000000000c";

fn platform() -> Platform<fake::Line> {
    let line = Line::new(Settings {
        base: Url::parse("https://api.line.me").unwrap(),
        data_base: Url::parse("https://api-data.line.me").unwrap(),
        access: Access::Channel(CHANNEL.to_owned()),
        secret: SECRET.to_owned(),
        in_groups: false,
    });
    Platform::new(fake::Line::default(), line)
}

#[test]
fn customers_are_answered() {
    talk(platform(), CUSTOMER);
}

#[test]
fn what_is_pushed_again_is_sent_once() {
    let mut platform = platform();
    let told = platform.fake.says(CUSTOMER, "hello");
    platform.told(told);
    let outgoing = Outgoing {
        thread: CUSTOMER,
        key: "01a22f55-2",
        text: "Good morning.",
        at: NOW,
        ..Outgoing::default()
    };
    let calls = platform.connector.send(&Sending::Message(&outgoing));
    assert_ne!(platform.accepted(&calls[0]), Ok(Sent::default()));
    assert_eq!(platform.accepted(&calls[0]), Ok(Sent::default()));
    assert_eq!(platform.fake.seen(CUSTOMER).len(), 1);
    let probe = platform.connector.probe().unwrap();
    assert_eq!(platform.accepted(&probe), Ok(Sent::default()));
}
