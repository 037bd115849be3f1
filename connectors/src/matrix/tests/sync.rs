//! What is asked for.

use super::*;
use crate::channel::Polled;

fn polled(in_groups: bool, body: &Value) -> Polled {
    let bot = Matrix::new(settings(in_groups));
    let polled = bot.polling().unwrap().polled(&Answer {
        status: 200,
        headers: &HeaderMap::new(),
        body: body.to_string().as_bytes(),
    });
    polled.unwrap()
}

fn synced(in_groups: bool, state: &[Value], timeline: &[Value]) -> Polled {
    let room = json!({ "state": { "events": state }, "timeline": { "events": timeline } });
    polled(
        in_groups,
        &json!({ "next_batch": "s2", "rooms": { "join": { ROOM: room } } }),
    )
}

/// A bot's account, to which nothing is told.
fn account() -> Matrix {
    Matrix::new(Settings {
        hook_token: String::new(),
        ..settings(false)
    })
}

fn created() -> Value {
    let mut created = event("m.room.create", json!({ "room_version": "11" }));
    created["state_key"] = "".into();
    created
}

fn texts(polled: &Polled) -> Vec<&str> {
    let events = polled.events.iter();
    let texts = events.map(|event| {
        let What::Message { text, .. } = &event.what else {
            panic!("{event:?}")
        };
        text.as_str()
    });
    texts.collect()
}

#[test]
fn the_next_batch_is_asked_for_behind_the_last() {
    let bot = account();
    let polling = bot.polling().unwrap();
    let query = |cursor| {
        let call = polling.request(cursor, None);
        assert_eq!(call.url.path(), "/_matrix/client/v3/sync");
        let pairs = call.url.query_pairs().into_owned();
        pairs.collect::<std::collections::BTreeMap<_, _>>()
    };
    assert_eq!(query(None).get("since"), None);
    let query = query(Some("s1"));
    assert_eq!(
        (query["since"].as_str(), query["timeout"].as_str()),
        ("s1", "25000")
    );
    assert!(serde_json::from_str::<Value>(&query["filter"]).is_ok());
    let polled = synced(false, &[], &[text("Where is it?")]);
    assert_eq!(
        (texts(&polled), polled.cursor.as_deref()),
        (vec!["Where is it?"], Some("s2"))
    );
    assert!(polled.events[0].private);
    let refused = polling.polled(&Answer {
        status: 401,
        headers: &HeaderMap::new(),
        body: br#"{"errcode":"M_UNKNOWN_TOKEN"}"#,
    });
    assert_eq!(refused, Err(SendError::Unauthorized));
}

#[test]
fn an_invitation_is_followed_and_what_was_written_meanwhile_is_read() {
    let invitation = json!({ "type": "m.room.member", "sender": ANA, "state_key": OWN,
        "content": { "membership": "invite", "is_direct": true } });
    let room = json!({ "invite_state": { "events": [invitation] } });
    let asked = polled(
        false,
        &json!({ "next_batch": "s1", "rooms": { "invite": { ROOM: room } } }),
    );
    assert_eq!(paths(&asked.calls), ["/join/!r:example.org"]);
    let start = &asked.events[0];
    assert_eq!(
        (&start.what, start.thread.as_str(), start.sender.id.as_str()),
        (&What::Start, ROOM, ANA)
    );

    let ana = member(ANA, "join", None);
    let (invited, joined) = (
        member(OWN, "invite", None),
        member(OWN, "join", Some("invite")),
    );
    let timeline = [
        created(),
        ana,
        text("Early"),
        invited,
        text("Hello"),
        joined,
        text("Are you there?"),
    ];
    let come = synced(false, &[], &timeline);
    assert_eq!(texts(&come), ["Hello", "Are you there?"]);
    assert_eq!(come.calls, []);
}

#[test]
fn the_history_of_rooms_is_not_answered() {
    let state = [
        created(),
        member(ANA, "join", None),
        member(OWN, "join", Some("invite")),
    ];
    let first = synced(false, &state, &[text("Long ago")]);
    assert_eq!((first.events, first.calls), (vec![], vec![]));
}

#[test]
fn a_room_of_several_is_no_direct_one() {
    let (invited, joined) = (
        member(OWN, "invite", None),
        member(OWN, "join", Some("invite")),
    );
    let (ana, bob) = (
        member(ANA, "join", None),
        member("@bob:example.org", "join", None),
    );
    let timeline = [invited, joined, text("Where is my order?")];
    for state in [vec![created(), ana.clone(), bob.clone()], vec![created()]] {
        let read = synced(false, &state, &timeline);
        assert_eq!(
            (paths(&read.calls), read.events),
            (vec!["/rooms/!r:example.org/leave"], vec![])
        );
    }
    // Bob was there, and has gone.
    let gone = member("@bob:example.org", "leave", Some("join"));
    let read = synced(false, &[created(), ana, bob, gone], &timeline);
    assert_eq!(
        (texts(&read), read.calls.len()),
        (vec!["Where is my order?"], 0)
    );
    // Between two batches somebody has come.
    let late = member("@bob:example.org", "join", Some("invite"));
    let read = synced(false, &[late], &[]);
    assert_eq!(paths(&read.calls), ["/rooms/!r:example.org/leave"]);
    let read = synced(true, &[], &[text("@frontdesk:example.org where is it?")]);
    assert_eq!(
        (texts(&read), read.events[0].private),
        (vec!["where is it?"], false)
    );
}

#[test]
fn who_is_put_out_of_a_room_hears_of_it() {
    let room = json!({ "timeline": { "events": [text("x"), member(OWN, "leave", Some("join"))] } });
    let read = polled(
        false,
        &json!({ "next_batch": "s1", "rooms": { "leave": { ROOM: room } } }),
    );
    let [ended] = read.events.as_slice() else {
        panic!("{read:?}")
    };
    assert_eq!((&ended.what, ended.thread.as_str()), (&What::End, ROOM));
}

#[test]
fn an_application_service_asks_for_what_was_written_before_it_came() {
    let bot = bot();
    let request = bot
        .polling()
        .unwrap()
        .request(Some("s1"), Some("!r:example.org $abc"));
    assert_eq!(
        request.url.path(),
        "/_matrix/client/v3/rooms/!r:example.org/context/$abc"
    );
    // It has no sync.
    let seldom = bot.polling().unwrap();
    assert!(seldom.request(None, None).url.path().ends_with("/whoami"));
    assert!(seldom.pause() > Duration::ZERO);
    assert_eq!(polled(false, &json!({ "user_id": OWN })), Polled::default());
    let (ana, bob) = (
        member(ANA, "join", None),
        member("@bob:example.org", "join", None),
    );
    let joined = member(OWN, "join", Some("invite"));
    let context = |state: Vec<Value>| {
        json!({
            "event": joined, "state": state, "events_after": [text("Later")],
            "events_before": [text("Hello"), member(OWN, "invite", None), text("Early")],
        })
    };
    let read = polled(false, &context(vec![ana.clone(), joined.clone()]));
    assert_eq!(
        (texts(&read), read.cursor.as_deref()),
        (vec!["Hello"], None)
    );
    let read = polled(false, &context(vec![ana, bob]));
    assert_eq!(
        (paths(&read.calls), read.events),
        (vec!["/rooms/!r:example.org/leave"], vec![])
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn malformed_answers_are_refused(
        start in 0_usize..900,
        junk in prop::collection::vec(any::<u8>(), 0..40),
        length in 0_usize..900,
    ) {
        let room = json!({
            "state": { "events": [created(), member(ANA, "join", None)] },
            "timeline": { "events": [member(OWN, "invite", None), text("hi")] },
        });
        let body = json!({ "next_batch": "s2", "rooms": { "join": { ROOM: room } } });
        let mut body = body.to_string().into_bytes();
        let start = start.min(body.len());
        let end = (start + length).min(body.len());
        body.splice(start..end, junk);
        let answer = Answer { status: 200, headers: &HeaderMap::new(), body: &body };
        let _ = bot().polling().unwrap().polled(&answer);
    }
}
