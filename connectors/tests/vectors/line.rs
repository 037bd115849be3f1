use connectors::channel::{Connector, Hook, HookError};
use connectors::line::{Access, Line, Settings};
use http::{HeaderMap, HeaderValue, Method};
use url::Url;

use super::vectors;

#[test]
fn hooks_are_checked_as_line_says() {
    let Some(file) = vectors("line.json") else {
        return;
    };
    for case in file["cases"].as_array().unwrap() {
        let text = |field: &str| case[field].as_str().unwrap();
        let line = Line::new(Settings {
            base: Url::parse("https://api.line.me").unwrap(),
            data_base: Url::parse("https://api-data.line.me").unwrap(),
            access: Access::Token(String::new()),
            secret: text("secret").to_owned(),
            in_groups: false,
        });
        let mut headers = HeaderMap::new();
        let signature = HeaderValue::from_str(text("signature")).unwrap();
        headers.insert("x-line-signature", signature);
        let received = line.receive(&Hook {
            method: &Method::POST,
            url: "https://shop.example/hooks",
            headers: &headers,
            body: text("body").as_bytes(),
            at: 0,
        });
        // One of the bodies is no JSON.
        let is_genuine = matches!(received, Ok(_) | Err(HookError::Malformed));
        assert_eq!(
            Some(is_genuine),
            case["valid"].as_bool(),
            "{}",
            case["name"]
        );
    }
}
