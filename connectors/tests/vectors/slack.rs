use connectors::channel::{Connector, Hook, HookError};
use connectors::slack::{Settings, Slack};
use http::{HeaderMap, HeaderValue};
use url::Url;

use super::vectors;

fn bot(secret: &str) -> Slack {
    let url = |url| Url::parse(url).unwrap();
    Slack::new(Settings {
        base: url("https://slack.com/api"),
        files: url("https://files.slack.com"),
        responses: url("https://hooks.slack.com"),
        token: String::new(),
        secret: secret.to_owned(),
        app_token: None,
        status: None,
        in_groups: false,
    })
}

#[test]
fn requests_are_checked_as_slack_signs_them() {
    let Some(file) = vectors("slack.json") else {
        return;
    };
    for case in file["cases"].as_array().unwrap() {
        let field = |name: &str| case[name].as_str().unwrap();
        let body = field("body");
        let is_form = body.starts_with("token=") || body.starts_with("payload=");
        let kind = match is_form {
            true => "application/x-www-form-urlencoded",
            false => "application/json",
        };
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", kind),
            ("x-slack-request-timestamp", field("timestamp")),
            ("x-slack-signature", field("signature")),
        ] {
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        }
        let received = bot(field("secret")).receive(&Hook {
            method: &http::Method::POST,
            url: "",
            headers: &headers,
            body: body.as_bytes(),
            at: case["now"].as_i64().unwrap(),
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
        assert_ne!(received, Err(HookError::Malformed), "{}", case["name"]);
    }
}
