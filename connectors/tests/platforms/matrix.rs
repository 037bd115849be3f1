use connectors::channel::{Incoming, SendError, What};
use connectors::matrix::{Matrix, Settings};
use url::Url;

use super::fakes::Fake;
use super::fakes::matrix::{self as fake, HS_TOKEN, OWN, TOKEN, room};
use super::{Platform, talk};

fn bot(token: &str, hook_token: &str) -> Matrix {
    Matrix::new(Settings {
        homeserver: Url::parse("https://matrix.example.org").unwrap(),
        token: token.to_owned(),
        hook_token: hook_token.to_owned(),
        user: OWN.to_owned(),
        servers: Vec::new(),
        in_groups: false,
        cannot_read: None,
    })
}

fn is_said(events: &[Incoming], words: &str) -> bool {
    matches!(events, [Incoming { what: What::Message { text, .. }, .. }] if text == words)
}

#[test]
fn customers_of_an_account_are_answered() {
    talk(
        Platform::new(fake::Matrix::default(), bot(TOKEN, "")),
        "ana",
    );
}

#[test]
fn customers_of_an_application_service_are_answered() {
    talk(
        Platform::new(fake::Matrix::by_hook(), bot(TOKEN, HS_TOKEN)),
        "ana",
    );
}

#[test]
fn who_writes_with_their_invitation_is_heard() {
    for (fake, hook_token) in [
        (fake::Matrix::default(), ""),
        (fake::Matrix::by_hook(), HS_TOKEN),
    ] {
        let mut platform = Platform::new(fake, bot(TOKEN, hook_token));
        let told = platform.fake.invites("ana");
        platform.fake.says("ana", "Where is my order?");
        let events = platform.told(told);
        assert!(
            matches!(&events[..], [Incoming { what: What::Start, thread, .. }] if *thread == room("ana"))
        );
        let told = platform.fake.has_come("ana");
        let events = platform.told(told);
        assert!(is_said(&events, "Where is my order?"), "{events:?}");
        let told = platform.fake.says("ana", "Hello?");
        let events = platform.told(told);
        assert!(is_said(&events, "Hello?"), "{events:?}");
    }
}

#[test]
fn a_wrong_token_is_told() {
    let mut platform = Platform::new(fake::Matrix::default(), bot("another", ""));
    let probe = platform.connector.probe().unwrap();
    assert_eq!(platform.accepted(&probe), Err(SendError::Unauthorized));
    let mut platform = Platform::new(fake::Matrix::default(), bot(TOKEN, ""));
    assert!(platform.accepted(&probe).is_err());
    let probe = platform.connector.probe().unwrap();
    assert!(platform.accepted(&probe).is_ok());
}
