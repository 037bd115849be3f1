//! The door over a real store, and an answerer that only counts.

use std::sync::atomic::Ordering;

use super::testing::{Bench, bench};
use super::*;

fn arrival<'a>(thread: Option<&'a str>, identity: Option<&'a CustomerId>) -> Arrival<'a> {
    Arrival {
        channel: "web",
        thread,
        identity,
        language: None,
        pushed: false,
        reply_context: None,
    }
}

fn says(id: &str, text: &str) -> Incoming {
    Incoming {
        id: id.into(),
        text: text.into(),
        pressed: None,
        reply_context: None,
        attachments: Vec::new(),
    }
}

fn heard(listener: &mut Listener) -> Vec<Event> {
    let mut events = Vec::new();
    while let Ok(event) = listener.try_recv() {
        events.push((*event).clone());
    }
    events
}

#[tokio::test]
async fn a_visitor_is_greeted_by_an_ai_in_their_language() {
    let door = bench().await.door;
    let entered = door.open(&arrival(None, None)).await.unwrap();
    assert_eq!(entered.messages.len(), 1);
    assert!(entered.messages[0].text.contains("AI assistant"));
    let known = CustomerId::from("C-1");
    let entered = door.open(&arrival(None, Some(&known))).await.unwrap();
    assert!(entered.messages[0].text.contains("AI 助手"));
    assert_eq!(entered.conversation.customer, Some(known));
    let unknown = CustomerId::from("C-9");
    let entered = door.open(&arrival(None, Some(&unknown))).await.unwrap();
    assert_eq!(entered.conversation.customer, None);
}

#[tokio::test]
async fn a_thread_has_one_conversation_however_many_open_it_at_once() {
    let bench = bench().await;
    let door = Arc::new(bench.door);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let door = Arc::clone(&door);
        tasks.spawn(async move {
            let entered = door.open(&arrival(Some("T-7"), None)).await.unwrap();
            (entered.conversation.id, entered.messages.len())
        });
    }
    let mut opened = tasks.join_all().await;
    opened.dedup();
    assert_eq!(opened.len(), 1, "{opened:?}");
    assert_eq!(opened[0].1, 1, "greeted once");
    let own = door.open(&arrival(None, None)).await.unwrap();
    let other = door.open(&arrival(None, None)).await.unwrap();
    assert_ne!(own.conversation.id, other.conversation.id);
}

#[tokio::test]
async fn a_message_is_stored_echoed_and_answered_once() {
    let Bench { door, answers } = bench().await;
    let mut entered = door.open(&arrival(None, None)).await.unwrap();
    let id = entered.conversation.id;
    let first = door.accept(id, says("m1", "hello")).await.unwrap();
    let again = door.accept(id, says("m1", "hello")).await.unwrap();
    assert_eq!((first, again), (2, 2));
    let events = heard(&mut entered.listener);
    assert!(
        matches!(&events[..], [Event::Said(said)] if said.client_id.as_deref() == Some("m1")),
        "{events:?}"
    );
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(answers.0.load(Ordering::SeqCst), 1);
    let resumed = door.resume(id, None, 1).await.unwrap();
    assert_eq!(resumed.messages.len(), 1, "what was missed, once");
}

#[tokio::test]
async fn what_is_no_message_is_refused_with_a_sentence() {
    let door = bench().await.door;
    let entered = door.open(&arrival(None, None)).await.unwrap();
    let id = entered.conversation.id;
    for (message, refused) in [
        (says("", "hello"), "1 to 64 bytes"),
        (says(&"x".repeat(65), "hello"), "1 to 64 bytes"),
        (says("m", "  \n"), "no text"),
        (says("m", "\u{200b}\u{2060}\u{feff}"), "no text"),
        (says("m", "\u{2800}\u{3164}"), "no text"),
        (says("m", &"x".repeat(41)), "41 characters"),
    ] {
        let error = door.accept(id, message).await.unwrap_err();
        assert!(error.to_string().contains(refused), "{error}");
    }
    for (id, seen) in [("a", "👍"), ("b", "?"), ("c", "\u{e000}")] {
        door.accept(entered.conversation.id, says(id, seen))
            .await
            .unwrap();
    }
    let nowhere = door.clock.conversation_id();
    let error = door.accept(nowhere, says("m", "hello")).await.unwrap_err();
    assert!(matches!(error, DoorError::Unknown), "{error:?}");
}

#[tokio::test]
async fn a_conversation_opens_only_to_whose_it_is() {
    let door = bench().await.door;
    let (ada, ben) = (CustomerId::from("C-1"), CustomerId::from("C-2"));
    let owned = door.open(&arrival(Some("T-1"), Some(&ada))).await.unwrap();
    let id = owned.conversation.id;
    for stranger in [None, Some(&ben)] {
        let error = door.resume(id, stranger, 0).await.unwrap_err();
        assert!(matches!(error, DoorError::Unknown), "{error:?}");
        let error = door
            .open(&arrival(Some("T-1"), stranger))
            .await
            .unwrap_err();
        assert!(matches!(error, DoorError::Unknown), "{error:?}");
    }
    door.resume(id, Some(&ada), 0).await.unwrap();

    let visitor = door.open(&arrival(None, None)).await.unwrap();
    let id = visitor.conversation.id;
    door.resume(id, Some(&ben), 0).await.unwrap();
    let bound = door.store.find_conversation(id).await.unwrap().unwrap();
    assert_eq!(bound.customer, Some(ben));
}

#[tokio::test]
async fn a_person_is_called_once_and_announced_once() {
    let door = Arc::new(bench().await.door);
    let mut entered = door.open(&arrival(None, None)).await.unwrap();
    let id = entered.conversation.id;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let door = Arc::clone(&door);
        tasks.spawn(async move { door.call_person(id).await.unwrap() });
    }
    let states = tasks.join_all().await;
    assert!(
        states
            .iter()
            .all(|state| *state == ConversationState::Human)
    );
    let events = heard(&mut entered.listener);
    let handed_over = events.iter().filter(|event| **event == Event::HandedOver);
    assert_eq!(handed_over.count(), 1, "{events:?}");
    let said = events
        .iter()
        .filter(|event| matches!(event, Event::Said(_)));
    assert_eq!(said.count(), 1, "{events:?}");
}

#[tokio::test]
async fn what_has_ended_is_not_opened_again_by_a_late_call_for_a_person() {
    let door = bench().await.door;
    for _ in 0..20 {
        let entered = door.open(&arrival(None, None)).await.unwrap();
        let id = entered.conversation.id;
        let (closed, called) = tokio::join!(door.close(id), door.call_person(id));
        assert_eq!(closed.unwrap(), ConversationState::Closed);
        called.unwrap();
        let found = door.store.find_conversation(id).await.unwrap().unwrap();
        assert_eq!(found.state, ConversationState::Closed);
        let error = door.accept(id, says("late", "hello?")).await.unwrap_err();
        assert!(matches!(error, DoorError::Closed), "{error:?}");
    }
}

#[tokio::test]
async fn a_rating_is_stored_also_after_the_end() {
    let door = bench().await.door;
    let entered = door.open(&arrival(None, None)).await.unwrap();
    let id = entered.conversation.id;
    door.close(id).await.unwrap();
    door.rate(id, 4, Some("quick")).await.unwrap();
    let mut exported = Vec::new();
    let what = crm::export::What::Conversations;
    crm::export::export(&door.store, what, &mut exported)
        .await
        .unwrap();
    let exported: serde_json::Value = serde_json::from_slice(&exported).unwrap();
    let rating = &exported["rating"];
    assert_eq!(
        (&rating["score"], &rating["comment"]),
        (&4.into(), &"quick".into())
    );
    let error = door.rate(id, 9, None).await.unwrap_err();
    assert!(matches!(error, DoorError::NotAScore), "{error:?}");
}

#[tokio::test]
async fn what_happens_is_written_down() {
    let door = bench().await.door;
    let ada = CustomerId::from("C-1");
    let entered = door.open(&arrival(None, None)).await.unwrap();
    let id = entered.conversation.id;
    door.bind(id, &ada).await.unwrap();
    door.call_person(id).await.unwrap();
    door.rate(id, 5, None).await.unwrap();
    door.close(id).await.unwrap();
    let events = door.store.recent_events(9).await.unwrap();
    let kinds: Vec<&str> = events.iter().rev().map(|event| &*event.kind).collect();
    assert_eq!(kinds, ["opened", "bound", "handed_over", "rated", "closed"]);
}

#[tokio::test]
async fn what_was_left_unanswered_is_taken_up() {
    let Bench { door, answers } = bench().await;
    let entered = door.open(&arrival(None, None)).await.unwrap();
    let id = entered.conversation.id;
    door.accept(id, says("m", "hello")).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(door.take_up().await.unwrap(), 1);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(answers.0.load(Ordering::SeqCst), 2);
}
