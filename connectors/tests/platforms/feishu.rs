use connectors::channel::{Choice, Connector, Outgoing, SendError, Sending};
use connectors::feishu::{Feishu, Settings};
use url::Url;

use super::fakes::Fake;
use super::fakes::feishu::{self as fake, APP_ID, APP_SECRET, ENCRYPT_KEY, VERIFICATION_TOKEN};
use super::{Platform, talk};

const CUSTOMER: &str = "ou_ana";

fn bot(secret: &str) -> Feishu {
    Feishu::new(Settings {
        base: Url::parse("https://open.feishu.cn").unwrap(),
        app_id: APP_ID.to_owned(),
        app_secret: secret.to_owned(),
        encrypt_key: ENCRYPT_KEY.to_owned(),
        verification_token: VERIFICATION_TOKEN.to_owned(),
        in_groups: None,
    })
}

#[test]
fn customers_are_answered() {
    talk(
        Platform::new(fake::Feishu::default(), bot(APP_SECRET)),
        CUSTOMER,
    );
}

#[test]
fn a_message_is_sent_once_and_changed_in_its_place() {
    let mut platform = Platform::new(fake::Feishu::default(), bot(APP_SECRET));
    let mut outgoing = Outgoing {
        thread: CUSTOMER,
        key: "m-1",
        context: Some("p2p"),
        text: "It comes on Monday.",
        ..Outgoing::default()
    };
    let choices = vec![Choice {
        id: "q:1",
        label: "Thanks",
    }];
    for (key, choices) in [("m-1", Vec::new()), ("m-2", choices)] {
        outgoing.key = key;
        outgoing.quick_replies = choices;
        outgoing.text = "It comes on Monday.";
        let call = bot(APP_SECRET).send(&Sending::Message(&outgoing)).remove(0);
        let sent = platform.accepted(&call).unwrap();
        assert_eq!(platform.accepted(&call), Ok(sent.clone()));
        outgoing.text = "It comes on Tuesday.";
        let message = &sent.message.unwrap();
        let outgoing = &outgoing;
        let call = bot(APP_SECRET)
            .send(&Sending::Edit { message, outgoing })
            .remove(0);
        platform.accepted(&call).unwrap();
    }
    let seen = platform.fake.seen(CUSTOMER);
    let texts: Vec<&str> = seen.iter().map(|shown| shown.text.as_str()).collect();
    assert_eq!(texts, ["It comes on Tuesday.", "It comes on Tuesday."]);
}

#[test]
fn an_account_is_probed_and_an_old_token_told_from_a_wrong_secret() {
    let mut platform = Platform::new(fake::Feishu::default(), bot(APP_SECRET));
    let probe = bot(APP_SECRET).probe().unwrap();
    platform.accepted(&probe).unwrap();
    platform.fake.has_expired = true;
    assert_eq!(platform.accepted(&probe), Err(SendError::Expired));
    platform.token = None;
    platform.accepted(&probe).unwrap();

    let wrong = bot("another secret");
    let mut platform = Platform::new(fake::Feishu::default(), bot("another secret"));
    let (status, headers, body) = platform.call(&wrong.tokens().unwrap().request());
    let token = wrong.tokens().unwrap().token(&connectors::channel::Answer {
        status,
        headers: &headers,
        body: &body,
    });
    assert_eq!(token.err(), Some(SendError::Unauthorized));
}
