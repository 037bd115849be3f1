use connectors::channel::{Connector, Hook, HookError};
use connectors::dingtalk::{DingTalk, Settings};
use http::{HeaderMap, HeaderValue};
use url::Url;

use super::vectors;

#[test]
fn requests_are_checked_as_dingtalk_signs_them() {
    let Some(file) = vectors("dingtalk.json") else {
        return;
    };
    for case in file["cases"].as_array().unwrap() {
        let field = |name: &str| case[name].as_str().unwrap();
        let url = |url| Url::parse(url).unwrap();
        let bot = DingTalk::new(Settings {
            base: url("https://api.dingtalk.com"),
            sessions: url("https://oapi.dingtalk.com"),
            client_id: String::new(),
            client_secret: field("app_secret").to_owned(),
            robot_code: String::new(),
            stream: false,
            in_groups: false,
        });
        let mut headers = HeaderMap::new();
        for name in ["timestamp", "sign"] {
            headers.insert(name, HeaderValue::from_str(field(name)).unwrap());
        }
        // What is made for another direction is signed in the same way, and has no time of arrival.
        let now = case["now_ms"].as_i64();
        let now = now.unwrap_or_else(|| field("timestamp").parse().unwrap());
        let received = bot.receive(&Hook {
            method: &http::Method::POST,
            url: "",
            headers: &headers,
            body: b"{}",
            at: now / 1000,
        });
        let genuine = !matches!(
            received,
            Err(HookError::BadSignature | HookError::WrongTime)
        );
        assert_eq!(
            genuine,
            case["valid"].as_bool().unwrap(),
            "{}",
            case["name"]
        );
    }
}
