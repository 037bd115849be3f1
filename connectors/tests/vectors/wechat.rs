use connectors::channel::{Connector, Hook, HookError, Received, What};
use connectors::wechat::{self, WeChat};
use connectors::wecom::{self, WeCom};
use http::{HeaderMap, Method};
use serde_json::Value;
use url::Url;

use super::vectors;

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap()
}

fn base() -> Url {
    Url::parse("https://weixin.example").unwrap()
}

fn official_account(case: &Value) -> WeChat {
    WeChat::new(wechat::Settings {
        base: base(),
        app_id: case["id"].as_str().unwrap_or("wx1").to_owned(),
        app_secret: "a-secret".to_owned(),
        token: text(case, "token").to_owned(),
        encoding_aes_key: case["encoding_aes_key"].as_str().map(str::to_owned),
    })
}

fn customer_service(case: &Value) -> WeCom {
    WeCom::new(wecom::Settings {
        base: base(),
        corp_id: text(case, "id").to_owned(),
        secret: "a-secret".to_owned(),
        token: text(case, "token").to_owned(),
        encoding_aes_key: text(case, "encoding_aes_key").to_owned(),
        open_kfid: "wk1".to_owned(),
    })
}

/// What is read of `case`, with `more` in the query, at the time of its signature.
fn received(
    connector: &dyn Connector,
    method: &Method,
    case: &Value,
    more: &[(&str, &str)],
    body: &str,
) -> Result<Received, HookError> {
    let mut url = base();
    url.query_pairs_mut()
        .append_pair("timestamp", text(case, "timestamp"))
        .append_pair("nonce", text(case, "nonce"))
        .extend_pairs(more);
    connector.receive(&Hook {
        method,
        url: url.as_str(),
        headers: &HeaderMap::new(),
        body: body.as_bytes(),
        at: text(case, "timestamp").parse().unwrap(),
    })
}

#[test]
fn plain_signatures_are_checked() {
    let Some(file) = vectors("wechat.json") else {
        return;
    };
    for case in file["plain"].as_array().unwrap() {
        let more = [("signature", text(case, "signature")), ("echostr", "5927")];
        let received = received(&official_account(case), &Method::GET, case, &more, "");
        let reply = received.map(|received| received.reply.unwrap().body);
        let expected = match case["valid"].as_bool().unwrap() {
            true => Ok("5927".to_owned()),
            false => Err(HookError::BadSignature),
        };
        assert_eq!(reply, expected, "{case}");
    }
}

#[test]
fn what_is_encrypted_is_opened() {
    let Some(file) = vectors("wechat.json") else {
        return;
    };
    for case in file["cases"].as_array().unwrap() {
        let signature = ("msg_signature", text(case, "msg_signature"));
        let hidden = text(case, "encrypt");
        let echo = [signature, ("echostr", hidden)];
        let received_echo = received(&customer_service(case), &Method::GET, case, &echo, "");
        let body =
            format!("<xml><ToUserName>a</ToUserName><Encrypt><![CDATA[{hidden}]]></Encrypt></xml>");
        let account = official_account(case);
        let posted = received(&account, &Method::POST, case, &[signature], &body);
        if !case["valid"].as_bool().unwrap() {
            assert_eq!(received_echo, Err(HookError::BadSignature), "{case}");
            assert_eq!(posted, Err(HookError::BadSignature), "{case}");
            continue;
        }
        let plaintext = text(case, "plaintext");
        assert_eq!(
            received_echo.unwrap().reply.unwrap().body,
            plaintext,
            "{case}"
        );
        // Not all of them are messages.
        assert_ne!(posted, Err(HookError::BadSignature), "{case}");
        // One that was changed is refused.
        let first = if hidden.starts_with('A') { "B" } else { "A" };
        let changed = format!("{first}{}", hidden.get(1..).unwrap());
        let echo = [signature, ("echostr", changed.as_str())];
        let changed = received(&customer_service(case), &Method::GET, case, &echo, "");
        assert_eq!(changed, Err(HookError::BadSignature), "{case}");
        if plaintext.contains("<Content>") {
            let events = posted.unwrap().events;
            assert!(
                matches!(&events[0].what, What::Message { text, .. } if plaintext.contains(text)),
                "{events:?}"
            );
        }
        if plaintext.contains("kf_msg_or_event") {
            let account = customer_service(case);
            let rung = received(&account, &Method::POST, case, &[signature], &body);
            assert_eq!(rung.unwrap().bell.as_deref(), Some("ENC客服"));
        }
    }
}
