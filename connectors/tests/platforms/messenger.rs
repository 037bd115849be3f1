use connectors::channel::{Sending, What};
use connectors::messenger::{Messenger, Service, Settings};

use super::fakes::Fake;
use super::fakes::messenger::{self as fake, ACCOUNT, APP};
use super::meta::{app, is_registered};
use super::{Platform, talk};

const SERVICES: [Service; 2] = [Service::Messenger, Service::Instagram];

fn platform(service: Service) -> Platform<fake::Messenger> {
    let page = Messenger::new(Settings {
        service,
        app: app(),
        app_id: APP.to_owned(),
        account: ACCOUNT.to_owned(),
        start: "begin".to_owned(),
        human_agent: false,
        media_hosts: vec!["fbcdn.net".to_owned()],
    });
    let fake = fake::Messenger::new(service == Service::Instagram);
    Platform::new(fake, page)
}

#[test]
fn customers_are_answered() {
    for service in SERVICES {
        talk(platform(service), "PSID-24601");
    }
}

#[test]
fn the_hook_is_registered_and_the_account_can_be_used() {
    for service in SERVICES {
        let mut platform = platform(service);
        assert!(is_registered(platform.connector.as_ref()));
        let probe = platform.connector.probe().unwrap();
        platform.accepted(&probe).unwrap();
        let typing = Sending::Typing {
            thread: "PSID-24601",
            context: None,
        };
        let typing = platform.connector.send(&typing);
        platform.accepted(&typing[0]).unwrap();
    }
}

#[test]
fn our_echoes_are_silent_and_a_person_takes_over() {
    for service in SERVICES {
        let mut platform = platform(service);
        let told = platform.fake.says("PSID-24601", "Hello");
        let event = platform.told(told).remove(0);
        platform.reply(&event, "How can we help you?", &[]);
        let echo = platform.fake.echo("PSID-24601").unwrap();
        assert_eq!(platform.told(echo), []);
        let told = platform.fake.person_says("PSID-24601", "Let me look");
        let taken = platform.told(told).remove(0);
        assert_eq!(taken.thread, event.thread);
        assert!(matches!(taken.what, What::Takeover { text, .. } if text == "Let me look"));
    }
}
