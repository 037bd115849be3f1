use connectors::channel::Connector;
use connectors::meta::App;
use http::HeaderMap;
use url::Url;

use super::fakes::meta::{SECRET, TOKEN, VERIFY_TOKEN, VERSION, handshake};
use super::fakes::{HOOK, NOW, Told};

/// An app that its platform asks for proofs.
pub(super) fn app() -> App {
    App {
        base: Url::parse("https://graph.facebook.com").unwrap(),
        version: VERSION.to_owned(),
        token: TOKEN.to_owned(),
        secrets: vec![SECRET.to_owned()],
        verify_token: VERIFY_TOKEN.to_owned(),
        proves: true,
    }
}

/// That the registration of the hook's address is answered.
pub(super) fn is_registered(connector: &dyn Connector) -> bool {
    let Told::Hook {
        method,
        query,
        body,
        ..
    } = handshake()
    else {
        return false;
    };
    let received = connector.receive(&connectors::channel::Hook {
        method: &method,
        url: &format!("{HOOK}{query}"),
        headers: &HeaderMap::new(),
        body: &body,
        at: NOW,
    });
    let reply = received.unwrap().reply;
    reply.is_some_and(|reply| reply.body == "1158201444")
}
