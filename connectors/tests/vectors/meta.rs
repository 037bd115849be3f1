use connectors::channel::{Connector, Hook, HookError};
use connectors::messenger::{Messenger, Service, Settings};
use connectors::meta::App;
use connectors::whatsapp::{self, WhatsApp};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;
use url::Url;

use super::vectors;

fn app(secret: &str, token: &str) -> App {
    App {
        base: Url::parse("https://graph.facebook.com").unwrap(),
        version: "v25.0".to_owned(),
        token: token.to_owned(),
        secrets: vec![secret.to_owned()],
        verify_token: "verify".to_owned(),
        proves: true,
    }
}

fn connectors(secret: &str, token: &str) -> [Box<dyn Connector>; 3] {
    let messenger = |service| {
        Box::new(Messenger::new(Settings {
            service,
            app: app(secret, token),
            app_id: "1517776481860111".to_owned(),
            account: "1789000".to_owned(),
            start: "begin".to_owned(),
            human_agent: false,
            media_hosts: Vec::new(),
        }))
    };
    [
        Box::new(WhatsApp::new(whatsapp::Settings {
            app: app(secret, token),
            phone_number: "1060001".to_owned(),
            media_hosts: Vec::new(),
            list_button: "Choose".to_owned(),
            template: None,
            in_groups: false,
        })),
        messenger(Service::Messenger),
        messenger(Service::Instagram),
    ]
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap()
}

#[test]
fn hooks_of_meta_are_checked_by_their_signature() {
    let Some(file) = vectors("meta.json") else {
        return;
    };
    for case in file["cases"].as_array().unwrap() {
        let mut headers = HeaderMap::new();
        let signature = HeaderValue::from_str(text(case, "signature")).unwrap();
        headers.insert("x-hub-signature-256", signature);
        for connector in connectors(text(case, "secret"), "EAAtoken") {
            let received = connector.receive(&Hook {
                method: &Method::POST,
                url: "https://shop.example/hooks",
                headers: &headers,
                body: text(case, "body").as_bytes(),
                at: 1_767_225_600,
            });
            // Not each body is a notification.
            let is_genuine = matches!(received, Ok(_) | Err(HookError::Malformed));
            assert_eq!(
                Some(is_genuine),
                case["valid"].as_bool(),
                "{}",
                case["name"]
            );
        }
    }
}

#[test]
fn requests_to_meta_carry_the_proof_of_the_app() {
    let Some(file) = vectors("meta.json") else {
        return;
    };
    let case = &file["appsecret_proof"];
    for connector in connectors(text(case, "secret"), text(case, "access_token")) {
        let call = connector.probe().unwrap();
        let proof = format!("appsecret_proof={}", text(case, "proof"));
        assert_eq!(call.url.query(), Some(proof.as_str()));
    }
}
