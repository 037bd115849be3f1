mod sending;

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use proptest::prelude::*;

use super::*;
use crate::channel::{Incoming, Keys, Receipt, What};

const NOW: i64 = 1_767_225_601;
const ISSUER: &str = "https://api.botframework.com";
const APP: &str = "c9e8c047-0000-4000-8000-000000000002";
const SERVICE: &str = "https://smba.trafficmanager.net/emea/";
const THREAD: &str = "19:abc@thread.tacv2;messageid=17";

/// The key that signs what the tests send: of no use elsewhere.
static KEY: LazyLock<EncodingKey> = LazyLock::new(|| {
    let text = include_str!("../../tests/fakes/teams.key").replace('\n', "");
    EncodingKey::from_rsa_der(&STANDARD.decode(text).unwrap())
});
static TOKEN: LazyLock<String> = LazyLock::new(|| signed("k1", &claims()));
static BOT_OF_TESTS: LazyLock<Teams> = LazyLock::new(|| bot(APP));

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": APP, "serviceurl": SERVICE,
        "nbf": NOW - 60, "exp": NOW + 3600,
    })
}

fn signed(kid: &str, claims: &Value) -> String {
    let header = Header {
        kid: Some(kid.to_owned()),
        ..Header::new(Algorithm::RS256)
    };
    encode(&header, claims, &KEY).unwrap()
}

fn key_set() -> Value {
    let jwk = Jwk::from_encoding_key(&KEY, Algorithm::RS256).unwrap();
    let key = |kid: &str, endorsements: Value| {
        let mut key = serde_json::to_value(&jwk).unwrap();
        key["kid"] = kid.into();
        key["endorsements"] = endorsements;
        key
    };
    json!({ "keys": [
        key("k1", json!(["msteams", "webchat"])),
        key("k2", json!(["webchat"])),
        key("k3", json!([])),
        { "kty": "EC", "kid": "k4", "crv": "P-256" },
    ] })
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn without_keys(app_id: &str) -> Teams {
    Teams::new(Settings {
        openid: url("https://login.botframework.com/v1/.well-known/openidconfiguration"),
        issuer: ISSUER.into(),
        login: url("https://login.microsoftonline.com"),
        tenant: "botframework.com".into(),
        app_id: app_id.into(),
        app_secret: "the secret & more".into(),
        services: vec![url("https://smba.trafficmanager.net")],
        file_domains: vec!["sharepoint.com".into()],
        in_groups: true,
    })
}

fn bot(app_id: &str) -> Teams {
    let bot = without_keys(app_id);
    let until = Duration::from_secs(24 * 60 * 60);
    assert_eq!(take_in(&bot, 200, &key_set()), Ok(Keys::Set { until }));
    bot
}

fn take_in(bot: &Teams, status: u16, body: &Value) -> Result<Keys, SendError> {
    bot.keys().unwrap().keys(&Answer {
        status,
        headers: &HeaderMap::new(),
        body: body.to_string().as_bytes(),
    })
}

fn receive(bot: &Teams, token: Option<&str>, body: &[u8]) -> Result<Received, HookError> {
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        headers.insert("authorization", HeaderValue::from_str(token).unwrap());
    }
    bot.receive(&Hook {
        method: &Method::POST,
        url: "https://shop.example/hooks/teams",
        headers: &headers,
        body,
        at: NOW,
    })
}

fn received(activity: &Value) -> Received {
    let token = format!("Bearer {}", *TOKEN);
    receive(&BOT_OF_TESTS, Some(&token), activity.to_string().as_bytes()).unwrap()
}

fn read(activity: &Value) -> Option<Incoming> {
    let mut events = received(activity).events;
    assert!(events.len() < 2);
    events.pop()
}

/// `with` in place of what a customer's message holds.
fn activity(with: &Value) -> Value {
    let mut activity = json!({
        "type": "message", "id": "17", "timestamp": "2026-01-01T00:00:00.123Z",
        "serviceUrl": SERVICE, "channelId": "msteams", "locale": "es-ES", "textFormat": "plain",
        "from": { "id": "29:1abc", "name": "Ana", "aadObjectId": "7faf" },
        "recipient": { "id": "28:c9e8", "name": "Frontdesk" },
        "conversation": { "conversationType": "personal", "tenantId": "72f9", "id": "a:17I0" },
        "text": "Where is my order?",
        "attachments": [{ "contentType": "text/html", "content": "<div>Where is my order?</div>" }],
        "entities": [{ "type": "clientInfo", "locale": "en-US" }],
        "channelData": { "tenant": { "id": "72f9" } },
    });
    for (name, value) in with.as_object().unwrap() {
        activity[name] = value.clone();
    }
    activity
}

fn what(with: &Value) -> Option<What> {
    read(&activity(with)).map(|event| event.what)
}

fn text_of(what: Option<What>) -> Option<String> {
    let What::Message { text, .. } = what? else {
        panic!("no message");
    };
    Some(text)
}

#[test]
fn a_message_is_read_with_the_way_back() {
    let event = read(&activity(&json!({}))).unwrap();
    let context: Value = serde_json::from_str(event.context.as_deref().unwrap()).unwrap();
    let way = json!({
        "service": SERVICE, "bot": "28:c9e8", "user": "29:1abc", "tenant": "72f9", "activity": "17",
    });
    assert_eq!(context, way);
    assert_eq!((event.thread.as_str(), event.private), ("a:17I0", true));
    assert_eq!(event.at, Some(NOW - 1));
    assert_eq!(event.sender.name.as_deref(), Some("Ana"));
    assert_eq!(event.sender.language.as_deref(), Some("es-ES"));
    let (message, text) = ("17".to_owned(), "Where is my order?".to_owned());
    let media = Vec::new();
    assert_eq!(
        event.what,
        What::Message {
            message,
            text,
            media
        }
    );
}

#[test]
fn only_a_token_of_microsofts_for_us_is_taken() {
    let body = activity(&json!({})).to_string();
    let by = |authorization: Option<&str>| {
        let received = receive(&BOT_OF_TESTS, authorization, body.as_bytes());
        received.map(|received| received.events.len())
    };
    let with = |kid: &str, name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        by(Some(&format!("Bearer {}", signed(kid, &claims))))
    };
    assert_eq!(with("k1", "sub", json!("anybody")), Ok(1));
    assert_eq!(
        with("k3", "sub", json!("of a key without endorsements")),
        Ok(1)
    );
    let refused = Err(HookError::BadSignature);
    for header in [
        None,
        Some(""),
        Some("Bearer"),
        Some("Bearer "),
        Some("Bearer a.b.c"),
    ] {
        assert_eq!(by(header), refused, "{header:?}");
    }
    assert_eq!(by(Some(&format!("Basic {}", *TOKEN))), refused);
    assert_eq!(by(Some(&format!("Bearer {}x", *TOKEN))), refused);
    let no_claim = json!(null);
    for (name, value) in [
        ("iss", json!("https://sts.windows.net/72f9/")),
        ("iss", no_claim.clone()),
        ("aud", json!("another app")),
        ("aud", no_claim.clone()),
        ("serviceurl", json!("https://smba.trafficmanager.net/amer/")),
        ("serviceurl", no_claim.clone()),
        ("exp", no_claim),
    ] {
        assert_eq!(with("k1", name, value.clone()), refused, "{name} {value}");
    }
    assert_eq!(
        with("k2", "sub", json!("of a key for other channels")),
        refused
    );
    assert_eq!(
        with("k4", "sub", json!("of a key of another kind")),
        Err(HookError::UnknownKey)
    );
    let at_another_time = Err(HookError::WrongTime);
    assert_eq!(with("k1", "exp", json!(NOW - 299)), Ok(1));
    assert_eq!(with("k1", "exp", json!(NOW - 301)), at_another_time);
    assert_eq!(with("k1", "nbf", json!(NOW + 299)), Ok(1));
    assert_eq!(with("k1", "nbf", json!(NOW + 301)), at_another_time);
    assert_eq!(with("k1", "exp", json!(i64::MAX)), Ok(1));
}

#[test]
fn the_token_is_asked_for_before_anything_is_read() {
    assert_eq!(
        receive(&BOT_OF_TESTS, None, b"{"),
        Err(HookError::BadSignature)
    );
    let token = format!("bearer {}", *TOKEN);
    assert_eq!(
        receive(&BOT_OF_TESTS, Some(&token), b"{"),
        Err(HookError::Malformed)
    );
    let mut of_nobody = claims();
    of_nobody["aud"] = "".into();
    let token = format!("Bearer {}", signed("k1", &of_nobody));
    let body = activity(&json!({})).to_string();
    assert_eq!(
        receive(&bot(""), Some(&token), body.as_bytes()),
        Err(HookError::BadSignature)
    );
}

#[test]
fn a_service_that_is_not_listed_is_neither_heard_nor_written_to() {
    for service in [
        "https://evil.example/",
        "http://smba.trafficmanager.net/emea/",
        "none",
        "",
    ] {
        let mut claims = claims();
        claims["serviceurl"] = service.into();
        let token = format!("Bearer {}", signed("k1", &claims));
        let body = activity(&json!({ "serviceUrl": service })).to_string();
        assert_eq!(
            receive(&BOT_OF_TESTS, Some(&token), body.as_bytes()),
            Err(HookError::BadSignature)
        );
        let context =
            json!({ "service": service, "bot": "28:c9e8", "user": "29:1abc" }).to_string();
        let (thread, context) = (THREAD, Some(context.as_str()));
        assert_eq!(BOT_OF_TESTS.send(&Sending::Typing { thread, context }), []);
    }
}

#[test]
fn keys_are_where_the_openid_document_says() {
    let bot = without_keys(APP);
    let source = Connector::keys(&bot).unwrap();
    assert_eq!(
        source.request().url.path(),
        "/v1/.well-known/openidconfiguration"
    );
    let token = format!("Bearer {}", *TOKEN);
    let body = activity(&json!({})).to_string();
    let received = || receive(&bot, Some(&token), body.as_bytes()).map(|_| ());
    assert_eq!(received(), Err(HookError::UnknownKey));
    let place = "https://login.botframework.com/v1/.well-known/keys";
    let document = json!({ "issuer": ISSUER, "jwks_uri": place });
    let at = Keys::At(Box::new(Call::get(url(place))));
    assert_eq!(take_in(&bot, 200, &document), Ok(at));
    let unguarded = json!({ "jwks_uri": "http://login.botframework.com/keys" });
    assert!(matches!(
        take_in(&bot, 200, &unguarded),
        Err(SendError::Refused { .. })
    ));
    assert!(matches!(
        take_in(&bot, 200, &key_set()),
        Ok(Keys::Set { .. })
    ));
    assert_eq!(received(), Ok(()));
    // What is no set of keys leaves those from before.
    for (status, body) in [
        (503, key_set()),
        (200, json!({ "keys": [] })),
        (200, json!("?")),
    ] {
        assert!(matches!(
            take_in(&bot, status, &body),
            Err(SendError::Later { .. })
        ));
    }
    assert_eq!(received(), Ok(()));
}

#[test]
fn in_a_group_only_those_who_name_the_bot_are_heard() {
    let group = |text: &str, entities: Value| {
        json!({
            "text": text, "entities": entities,
            "conversation": { "conversationType": "channel", "id": THREAD },
        })
    };
    let mention = |id: &str, name: &str| {
        let mentioned = json!({ "id": id, "name": name });
        json!({ "type": "mention", "text": format!("<at>{name}</at>"), "mentioned": mentioned })
    };
    let (ours, other) = (mention("28:c9e8", "Frontdesk"), mention("29:2", "Bo"));
    assert_eq!(what(&group("hello", json!([]))), None);
    assert_eq!(what(&group("<at>Bo</at> hello", json!([other]))), None);
    let text = "<at>Frontdesk</at>&nbsp;does <at>Bo</at> know?\n";
    let named = group(text, json!([ours, other]));
    let event = read(&activity(&named)).unwrap();
    assert_eq!((event.thread.as_str(), event.private), (THREAD, false));
    assert_eq!(text_of(Some(event.what)).as_deref(), Some("does Bo know?"));
    assert_eq!(what(&group("<at>Frontdesk</at> ", json!([ours]))), None);
    let mut deaf = bot(APP);
    deaf.settings.in_groups = false;
    let token = format!("Bearer {}", *TOKEN);
    let body = activity(&named).to_string();
    let received = receive(&deaf, Some(&token), body.as_bytes()).unwrap();
    assert_eq!(received.events, []);
    // Of Teams each conversation says what it is.
    assert_eq!(what(&json!({ "conversation": { "id": "a:1" } })), None);
}

#[test]
fn presses_are_read_of_submitted_and_executed_cards() {
    let press = What::Press {
        reply: "q:7".to_owned(),
        receipt: None,
    };
    let submitted = json!({ "value": { "reply": "q:7" }, "text": "Track", "replyToId": "16" });
    assert_eq!(what(&submitted), Some(press.clone()));
    let executed = json!({
        "type": "invoke", "name": "adaptiveCard/action",
        "value": { "action": { "type": "Action.Execute", "data": { "reply": "q:7" } } },
    });
    assert_eq!(what(&executed), Some(press));
    let of_another = json!({ "value": { "size": "M" }, "text": null });
    assert_eq!(what(&of_another), None);
}

#[test]
fn files_edits_deletions_and_installations_are_read() {
    let files = json!({ "text": "", "attachments": [
        { "contentType": "text/html", "content": "<div></div>" },
        { "contentType": "application/vnd.microsoft.card.adaptive", "content": {} },
        { "contentType": "application/vnd.microsoft.teams.file.download.info", "name": "a.pdf",
          "contentUrl": "https://shop-my.sharepoint.com/a.pdf",
          "content": { "downloadUrl": "https://shop-my.sharepoint.com/get?a", "fileType": "pdf" } },
        { "contentType": "image/*", "contentUrl": "https://smba.trafficmanager.net/emea/v3/a/views/o" },
    ] });
    let Some(What::Message { media, .. }) = what(&files) else {
        panic!()
    };
    let places: Vec<_> = media.iter().map(|media| media.place.as_str()).collect();
    let image = "https://smba.trafficmanager.net/emea/v3/a/views/o";
    assert_eq!(places, ["https://shop-my.sharepoint.com/get?a", image]);
    assert_eq!(media[0].name.as_deref(), Some("a.pdf"));

    let edit = |at: &str| {
        json!({
            "type": "messageUpdate", "text": "in blue", "timestamp": at,
            "channelData": { "eventType": "editMessage" },
        })
    };
    let first = read(&activity(&edit("2026-01-01T00:00:01Z"))).unwrap();
    let second = read(&activity(&edit("2026-01-01T00:00:02Z"))).unwrap();
    assert_ne!(first.id, second.id);
    let (message, text) = ("17".to_owned(), "in blue".to_owned());
    assert_eq!(first.what, What::Edit { message, text });
    let deleted =
        json!({ "type": "messageDelete", "channelData": { "eventType": "softDeleteMessage" } });
    let message = "17".to_owned();
    assert_eq!(what(&deleted), Some(What::Deletion { message }));

    let added = |id: &str| json!({ "type": "conversationUpdate", "membersAdded": [{ "id": id }] });
    assert_eq!(what(&added("28:c9e8")), Some(What::Start));
    assert_eq!(what(&added("29:1abc")), None);
    let installed = |action: &str| what(&json!({ "type": "installationUpdate", "action": action }));
    assert_eq!(installed("add"), Some(What::Unblocked));
    assert_eq!(installed("remove"), Some(What::Blocked));
    assert_eq!(installed("remove-upgrade"), None);
    let seen = what(&json!({
        "type": "event", "name": "application/vnd.microsoft.readReceipt",
        "value": { "lastReadMessageId": "16" },
    }));
    let (message, receipt) = ("16".to_owned(), Receipt::Read);
    assert_eq!(seen, Some(What::Receipt { message, receipt }));
}

#[test]
fn what_nobody_said_to_the_bot_is_passed_over() {
    for other in [
        json!({ "from": { "id": "28:another" } }),
        json!({ "from": { "id": "x", "role": "bot" } }),
        json!({ "from": { "id": "28:c9e8" } }),
        json!({ "from": 5 }),
        json!({ "conversation": null }),
        json!({ "type": "messageReaction", "reactionsAdded": [{ "type": "like" }] }),
        json!({ "type": "typing" }),
        json!({ "type": "endOfConversation" }),
        json!({ "type": "trace" }),
        json!({ "type": null }),
        json!({ "text": " ", "attachments": null, "entities": [3] }),
    ] {
        assert_eq!(what(&other), None, "{other}");
    }
}

#[test]
fn an_invoke_is_answered() {
    let reply = |name: &str| received(&activity(&json!({ "type": "invoke", "name": name }))).reply;
    let body = |name: &str| serde_json::from_str::<Value>(&reply(name).unwrap().body).unwrap();
    assert_eq!(body("adaptiveCard/action")["statusCode"], 200);
    assert_eq!(body("message/submitAction"), json!({}));
    assert_eq!(received(&activity(&json!({}))).reply, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn malformed_bodies_are_refused(
        start in 0_usize..900,
        junk in prop::collection::vec(any::<u8>(), 0..40),
        length in 0_usize..300,
    ) {
        let mut body = activity(&json!({})).to_string().into_bytes();
        let start = start.min(body.len());
        let end = (start + length).min(body.len());
        body.splice(start..end, junk);
        let token = format!("Bearer {}", *TOKEN);
        // Whatever it is: read, or refused with a reason.
        let _ = receive(&BOT_OF_TESTS, Some(&token), &body);
    }
}

proptest! {
    #[test]
    fn no_token_is_taken_but_a_whole_one(junk in "\\PC{0,80}", cut in 0_usize..400) {
        for token in [junk.clone(), TOKEN.chars().take(cut).collect(), format!("{junk}.{junk}.{junk}")] {
            let Ok(header) = HeaderValue::from_str(&format!("Bearer {token}")) else { continue };
            let Ok(header) = header.to_str() else { continue };
            if token != *TOKEN {
                prop_assert!(BOT_OF_TESTS.gate.token(Some(header), NOW).is_err());
            }
        }
    }
}
