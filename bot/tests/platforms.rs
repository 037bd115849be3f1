//! Customers on every platform whose cloud can be stood in for, at one server.

#![expect(clippy::unwrap_used, reason = "a test may fail here")]

#[path = "support/cloud.rs"]
mod cloud;
#[path = "../../connectors/tests/fakes/mod.rs"]
mod fakes;
mod support;

use cloud::Clouds;

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use fakes::{
    Fake, Shown, dingtalk, discord, feishu, line, matrix, mattermost, messenger, meta, rocketchat,
    slack, telegram, twilio, wechat, wecom, whatsapp,
};
use frontdesk::{Answers, Channel, Config};
use serde_json::{Value, json};
use support::{TestServer, start_with};

/// A platform with a fake: its name in the configuration and the hook, its customer, and the account's settings.
struct Case {
    name: &'static str,
    customer: &'static str,
    settings: Value,
}

fn fakes() -> Vec<(&'static str, Box<dyn Fake>)> {
    let mut stream = dingtalk::DingTalk::default();
    (stream.stream, stream.is_late) = (true, true);
    vec![
        ("telegram", Box::new(telegram::Telegram::default())),
        ("whatsapp", Box::new(whatsapp::WhatsApp::default())),
        ("messenger", Box::new(messenger::Messenger::new(false))),
        ("instagram", Box::new(messenger::Messenger::new(true))),
        ("line", Box::new(line::Line::default())),
        ("twilio", Box::new(twilio::Twilio::default())),
        ("slack", Box::new(slack::Slack::by_socket())),
        ("mattermost", Box::new(mattermost::Mattermost::default())),
        ("rocketchat", Box::new(rocketchat::RocketChat::default())),
        ("discord", Box::new(discord::Discord::default())),
        ("matrix", Box::new(matrix::Matrix::default())),
        ("feishu", Box::new(feishu::Feishu::default())),
        ("dingtalk", Box::new(stream)),
        ("wechat", Box::new(wechat::WeChat::default())),
        ("wecom", Box::new(wecom::WeCom::default())),
    ]
}

fn cases(clouds: &Clouds) -> Vec<Case> {
    let case = |name, customer, settings: Value| Case {
        name,
        customer,
        settings,
    };
    let base = |name: &str| clouds.base(name);
    let app = |name: &str| {
        json!({
            "token": meta::TOKEN, "secrets": [meta::SECRET], "verify_token": meta::VERIFY_TOKEN,
            "version": meta::VERSION, "proves": true, "api": base(name),
        })
    };
    let page = |name: &str| json!({ "app": app(name), "app_id": messenger::APP, "account": messenger::ACCOUNT });
    vec![
        case(
            "telegram",
            "5001",
            json!({
                "token": telegram::TOKEN, "secret": telegram::SECRET, "api": base("telegram"),
            }),
        ),
        case(
            "whatsapp",
            "34600111222",
            json!({
                "app": app("whatsapp"), "phone_number": whatsapp::NUMBER, "list_button": "Choose",
            }),
        ),
        case("messenger", "PSID-24601", page("messenger")),
        case("instagram", "PSID-24601", page("instagram")),
        case(
            "line",
            "U1a00000000000000000000000000000c",
            json!({
                "secret": line::SECRET, "channel_id": line::CHANNEL, "api": base("line"),
            }),
        ),
        case(
            "twilio",
            "+15550001111",
            json!({
                "account": twilio::ACCOUNT, "auth_token": twilio::TOKEN, "api": base("twilio"),
            }),
        ),
        case(
            "slack",
            "D5001",
            json!({
                "token": slack::TOKEN, "app_token": slack::APP_TOKEN, "api": base("slack") + "/api",
            }),
        ),
        case(
            "mattermost",
            "channel5001",
            json!({
                "url": base("mattermost"), "token": mattermost::TOKEN, "user": mattermost::BOT,
            }),
        ),
        case(
            "rocketchat",
            "room5001",
            json!({
                "url": base("rocketchat"), "token": rocketchat::TOKEN, "user": rocketchat::BOT,
                "secret": rocketchat::SECRET,
            }),
        ),
        case(
            "discord",
            "5001",
            json!({
                "token": discord::TOKEN, "about": "https://shop.example", "api": base("discord") + "/api/v10",
            }),
        ),
        case(
            "matrix",
            "ana",
            json!({
                "homeserver": base("matrix"), "token": matrix::TOKEN, "user": matrix::OWN,
            }),
        ),
        case(
            "feishu",
            "ou_ana",
            json!({
                "app_id": feishu::APP_ID, "app_secret": feishu::APP_SECRET, "encrypt_key": feishu::ENCRYPT_KEY,
                "verification_token": feishu::VERIFICATION_TOKEN, "api": base("feishu"),
            }),
        ),
        case(
            "dingtalk",
            "manager1",
            json!({
                "client_id": dingtalk::CLIENT_ID, "client_secret": dingtalk::CLIENT_SECRET,
                "robot_code": dingtalk::ROBOT, "api": base("dingtalk"),
            }),
        ),
        case(
            "wechat",
            "oAna",
            json!({
                "app_id": wechat::APP.0, "app_secret": wechat::APP.1, "token": wechat::HOOK_TOKEN,
                "api": base("wechat"),
            }),
        ),
        case(
            "wecom",
            "wmAna",
            json!({
                "corp_id": wecom::CORP.0, "secret": wecom::CORP.1, "token": wechat::HOOK_TOKEN,
                "encoding_aes_key": wechat::AES_KEY, "open_kfid": wecom::ACCOUNT, "api": base("wecom"),
            }),
        ),
    ]
}

/// The pages' own words on all platforms.
fn on_all(config: &mut Config, cases: &[Case]) {
    config.generate.answers = Answers::Extractive;
    config.server.public_url = Some("https://shop.example".parse().unwrap());
    for case in cases {
        let mut settings = case.settings.clone();
        settings["kind"] = case.name.into();
        let account: Channel = serde_json::from_value(settings).unwrap();
        config.channels.insert(case.name.to_owned(), account);
    }
}

/// The time by the server's clock, in seconds of Unix time.
#[expect(clippy::disallowed_methods, reason = "some platforms sign the time")]
fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(now.unwrap().as_secs()).unwrap()
}

fn words(seen: &[Shown]) -> String {
    let texts: Vec<&str> = seen.iter().map(|shown| shown.text.as_str()).collect();
    texts.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_are_greeted_and_answered_once_on_every_platform() {
    let now = now();
    fakes::CLOCK.store(now, Ordering::Relaxed);
    let clouds = Clouds::start(fakes()).await;
    let cases = cases(&clouds);
    let TestServer {
        server,
        folder: _kept,
    } = start_with(|config| on_all(config, &cases)).await;
    for case in &cases {
        let (name, customer) = (case.name, case.customer);
        let told = clouds.with(name, |fake| {
            fake.says(customer, "How long is the warranty?")
        });
        // A platform tells again what it believes to be lost.
        let statuses = clouds.tell(&server, name, told, 5).await;
        assert!(
            statuses.iter().all(|status| *status == 200),
            "{name}: {statuses:?}"
        );
    }
    let mut before = Vec::new();
    for case in &cases {
        let is_answered = |seen: &[Shown]| words(seen).contains("5 years");
        let seen = clouds.seen(case.name, case.customer, is_answered).await;
        assert!(seen[0].text.contains("AI"), "{}: {seen:?}", case.name);
        before.push(seen.len());
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    for (case, before) in cases.iter().zip(before) {
        let seen = clouds.with(case.name, |fake| fake.seen(case.customer));
        assert_eq!(seen.len(), before, "{}: {seen:?}", case.name);
    }
    let dead = server.store().undelivered(99).await.unwrap();
    assert!(dead.is_empty(), "{dead:?}");
    server.stop().await;
}
