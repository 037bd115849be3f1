use super::*;
use crate::channel::{Choice, Link, Outgoing};

const SESSION: &str = "1767231000000 https://oapi.dingtalk.com/robot/sendBySession?session=1";

fn json_of(call: &Call) -> Value {
    serde_json::from_slice(&call.body).unwrap()
}

fn parameters(call: &Call) -> Value {
    serde_json::from_str(json_of(call)["msgParam"].as_str().unwrap()).unwrap()
}

fn choices(count: usize) -> Vec<Choice<'static>> {
    let label = "A person & nobody else, please";
    vec![Choice { id: "q:1", label }; count]
}

fn hello<'a>(thread: &'a str, context: Option<&'a str>) -> Outgoing<'a> {
    Outgoing {
        thread,
        context,
        text: "Hello",
        at: NOW,
        ..Outgoing::default()
    }
}

#[test]
fn the_conversation_is_answered_there_while_its_address_is_valid() {
    let sent = |outgoing: &Outgoing<'_>| bot().send(&Sending::Message(outgoing));
    let thread = "1 cidA== manager1";
    let call = &sent(&hello(thread, Some(SESSION)))[0];
    assert_eq!(call.url.host_str(), Some("oapi.dingtalk.com"));
    assert_eq!(call.auth, Auth::Complete);
    let text = json!({ "msgtype": "text", "text": { "content": "Hello" } });
    assert_eq!(json_of(call), text);
    let group = &sent(&hello("2 cidA== manager1", Some(SESSION)))[0];
    assert_eq!(json_of(group)["at"]["atUserIds"], json!(["manager1"]));
    // Of another host, or at its end.
    let hosts = [
        "https://evil.example/robot/sendBySession",
        "https://oapi.dingtalk.com.evil.example/",
        "https://oapi.dingtalk.com@evil.example/",
        "http://oapi.dingtalk.com/robot/sendBySession",
    ];
    let hosts = hosts.map(|url| format!("1767231000000 {url}"));
    let old = SESSION.replace("1767231", "1767225");
    for context in hosts.iter().chain([&old]) {
        let call = &sent(&hello(thread, Some(context)))[0];
        assert_eq!(
            call.url.as_str(),
            "https://api.dingtalk.com/v1.0/robot/oToMessages/batchSend",
            "{context}"
        );
    }
}

#[test]
fn later_it_is_sent_by_the_api() {
    let sent = |thread| bot().send(&Sending::Message(&hello(thread, None)));
    let call = &sent("1 cidA== manager1")[0];
    assert_eq!(call.auth, AUTH);
    let body = json_of(call);
    assert_eq!(
        (&body["robotCode"], &body["userIds"], &body["msgKey"]),
        (
            &json!("ding-robot"),
            &json!(["manager1"]),
            &json!("sampleText")
        )
    );
    assert_eq!(parameters(call), json!({ "content": "Hello" }));
    let call = &sent("2 cidA== manager1")[0];
    assert_eq!(call.url.path(), "/v1.0/robot/groupMessages/send");
    assert_eq!(json_of(call)["openConversationId"], "cidA==");
    // The API knows nobody outside the company.
    assert!(sent("1 cidA== $:LWCP_v1:$ana").is_empty());
    assert!(sent("another").is_empty());
}

#[test]
fn links_and_choices_are_marked_and_what_looks_like_marks_is_not() {
    let mut outgoing = hello("1 cidA== manager1", Some(SESSION));
    outgoing.text = "*One*\ntwo";
    outgoing.links = vec![
        Link {
            title: "Terms [1]",
            url: Some("https://shop.example/a(b)"),
        },
        Link {
            title: "Odd",
            url: Some("javascript:alert(1)"),
        },
    ];
    let body = json_of(&bot().send(&Sending::Message(&outgoing))[0]);
    assert_eq!(
        (&body["msgtype"], &body["markdown"]["title"]),
        (&json!("markdown"), &json!("*One*"))
    );
    let text = "\\*One\\*  \ntwo\n\n[Terms \\[1\\]](https://shop.example/a%28b%29)";
    assert_eq!(body["markdown"]["text"], text);

    outgoing.quick_replies = choices(2);
    let body = json_of(&bot().send(&Sending::Message(&outgoing))[0]);
    assert_eq!(body["actionCard"]["text"], text);
    let button = &body["actionCard"]["btns"][1];
    assert_eq!(button["title"], "A person & nobody e…");
    assert_eq!(
        button["actionURL"],
        "dtmd://dingtalkclient/sendMessage?content=A%20person%20%26%20nobody%20else%2C%20please"
    );

    outgoing.context = None;
    for (count, key, title) in [
        (1, "sampleActionCard", "singleTitle"),
        (5, "sampleActionCard5", "actionTitle5"),
    ] {
        outgoing.quick_replies = choices(count);
        let call = &bot().send(&Sending::Message(&outgoing))[0];
        assert_eq!(json_of(call)["msgKey"], key);
        assert_eq!(parameters(call)[title], "A person & nobody e…");
    }
    outgoing.quick_replies = choices(6);
    let text = parameters(&bot().send(&Sending::Message(&outgoing))[0])["text"].to_string();
    assert_eq!(text.matches("- A person").count(), 6);
}

#[test]
fn an_answer_says_what_to_do() {
    let said = |status, body: Value| {
        bot().accepted(&Answer {
            status,
            headers: &HeaderMap::new(),
            body: body.to_string().as_bytes(),
        })
    };
    assert_eq!(
        said(200, json!({ "errcode": 0, "errmsg": "ok" })),
        Ok(Sent::default())
    );
    let message = Some("key".to_owned());
    assert_eq!(
        said(200, json!({ "processQueryKey": "key" })),
        Ok(Sent { message })
    );
    for (status, body) in [
        (
            200,
            json!({ "errcode": 130_101, "errmsg": "send too fast" }),
        ),
        (200, json!({ "errcode": 90_018, "errmsg": "slow" })),
        (
            403,
            json!({ "code": "Forbidden.AccessDenied.QpsLimitForApi" }),
        ),
        (
            200,
            json!({ "processQueryKey": "key", "flowControlledStaffIdList": ["manager1"] }),
        ),
        (503, Value::Null),
        (429, json!({})),
        // A proxy's page of errors.
        (200, json!("<html>")),
    ] {
        assert!(
            matches!(said(status, body.clone()), Err(SendError::Later { .. })),
            "{body}"
        );
    }
    assert_eq!(said(401, json!({ "code": "x" })), Err(SendError::Expired));
    assert_eq!(
        said(400, json!({ "code": "InvalidAuthentication" })),
        Err(SendError::Expired)
    );
    assert_eq!(
        said(400, json!({ "code": "invalidClientIdOrSecret" })),
        Err(SendError::Unauthorized)
    );
    let gone = json!({ "processQueryKey": "key", "invalidStaffIdList": ["manager1"] });
    assert!(matches!(
        said(200, gone),
        Err(SendError::Unreachable { .. })
    ));
    let wrong = json!({ "errcode": 310_000, "errmsg": "sign not match" });
    let reason = "sign not match (310000)".to_owned();
    let status = 200;
    assert_eq!(said(200, wrong), Err(SendError::Refused { status, reason }));
    assert!(matches!(
        said(400, json!({ "code": "param.error" })),
        Err(SendError::Refused { .. })
    ));
}

#[test]
fn a_token_is_lent_to_who_has_the_secret() {
    let token = |status, body: Value| {
        bot().token(&Answer {
            status,
            headers: &HeaderMap::new(),
            body: body.to_string().as_bytes(),
        })
    };
    let lent = token(200, json!({ "accessToken": "t", "expireIn": 7200 }))
        .ok()
        .unwrap();
    assert_eq!((lent.secret.as_str(), lent.lasts.as_secs()), ("t", 7200));
    for status in [400, 401, 403] {
        let refused = token(status, json!({ "code": "invalidClientIdOrSecret" }));
        assert_eq!(refused.err(), Some(SendError::Unauthorized));
    }
    assert!(matches!(
        token(500, Value::Null).err(),
        Some(SendError::Later { .. })
    ));
    assert!(matches!(
        token(200, json!({})).err(),
        Some(SendError::Later { .. })
    ));
}

#[test]
fn a_file_is_where_the_api_says() {
    let bot = bot();
    let files = bot.files().unwrap();
    let request = files.request("code").unwrap();
    assert_eq!(
        request.url.as_str(),
        "https://api.dingtalk.com/v1.0/robot/messageFiles/download"
    );
    assert_eq!(
        (request.auth, &json_of(&request)["robotCode"]),
        (AUTH, &json!("ding-robot"))
    );
    assert!(files.request("").is_none());
    let fetched = |kind: &'static str, body: Value| {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(kind));
        let body = body.to_string();
        files.fetched(&Answer {
            status: 200,
            headers: &headers,
            body: body.as_bytes(),
        })
    };
    let store =
        json!({ "downloadUrl": "https://zjk.oss-cn-zhangjiakou.aliyuncs.com/a?Signature=1" });
    let Ok(Fetched::At(call)) = fetched("application/json;charset=utf-8", store.clone()) else {
        panic!("the file is elsewhere");
    };
    // No token goes there.
    assert_eq!(call.auth, Auth::Complete);
    assert_eq!(fetched("image/jpeg", store), Ok(Fetched::File));
    for url in [
        "http://127.0.0.1/",
        "https://evilaliyuncs.com/",
        "file:///aliyuncs.com",
    ] {
        let told = json!({ "downloadUrl": url });
        assert!(
            matches!(
                fetched("application/json", told),
                Err(SendError::Refused { .. })
            ),
            "{url}"
        );
    }
}

proptest! {
    #[test]
    fn every_message_is_within_the_limits(text in "\\PC{0,9000}", title in "\\PC{1,60}") {
        let mut outgoing = hello("1 cidA== manager1", None);
        outgoing.text = &text;
        outgoing.links = vec![Link { title: &title, url: Some("https://shop.example/") }];
        outgoing.quick_replies = choices(5);
        for context in [None, Some(SESSION)] {
            outgoing.context = context;
            for call in bot().send(&Sending::Message(&outgoing)) {
                prop_assert!(call.body.len() < 20_000, "{}", call.body.len());
            }
        }
    }
}
