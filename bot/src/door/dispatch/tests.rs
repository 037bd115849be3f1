//! The dispatcher over an answerer that does as told, in a time that stands still.

use std::sync::atomic::{AtomicUsize, Ordering};

use uuid::Uuid;

use super::*;
use crate::clock::TestClock;

/// What the answerer does with each turn, in order; the last goes on.
#[derive(Clone, Copy, Debug)]
enum Does {
    /// Answers after this long, with the reply leaving after `leaves`.
    Answers { after: Duration, leaves: Duration },
    /// Has nothing to answer.
    Nothing,
    /// Fails at once.
    Fails,
    /// Fails because the store does not answer.
    Outage,
}

struct Scripted {
    does: Vec<Does>,
    begun: AtomicUsize,
    answered: AtomicUsize,
    turns: Mutex<Vec<TurnId>>,
}

#[async_trait]
impl Answers for Scripted {
    async fn answer(
        &self,
        _: ConversationId,
        turn: TurnId,
        delivered: &Delivered,
    ) -> Result<Option<Vec<Message>>, TurnError> {
        let at = self.begun.fetch_add(1, Ordering::SeqCst);
        self.turns.lock().push(turn);
        let does = self.does.get(at).or(self.does.last()).copied();
        match does.unwrap_or(Does::Nothing) {
            Does::Answers { after, leaves } => {
                tokio::time::sleep(leaves).await;
                delivered.set();
                tokio::time::sleep(after - leaves).await;
                self.answered.fetch_add(1, Ordering::SeqCst);
                Ok(Some(Vec::new()))
            }
            Does::Nothing => Ok(None),
            Does::Fails => Err(TurnError::Store(CrmError::NotAScore { score: 9 })),
            Does::Outage => {
                let store = "PostgreSQL at db:5432/crm".into();
                Err(TurnError::Store(CrmError::Busy { store }))
            }
        }
    }

    async fn failed_words(&self, _: ConversationId) -> Result<String, TurnError> {
        Ok("Sorry.".into())
    }
}

struct Bench {
    answers: Arc<Scripted>,
    hub: Arc<Hub>,
    dispatcher: Arc<Dispatcher>,
}

const SLOW: Does = Does::Answers {
    after: Duration::from_secs(10),
    leaves: Duration::from_secs(5),
};

fn conversation() -> ConversationId {
    ConversationId(Uuid::from_u128(1))
}

fn bench(does: &[Does]) -> Bench {
    let answers = Arc::new(Scripted {
        does: does.to_vec(),
        begun: AtomicUsize::new(0),
        answered: AtomicUsize::new(0),
        turns: Mutex::default(),
    });
    let hub: Arc<Hub> = Arc::default();
    let clock = Arc::new(TestClock::default());
    let dispatcher = Dispatcher::new(Arc::clone(&answers) as _, Arc::clone(&hub), clock);
    Bench {
        answers,
        hub,
        dispatcher,
    }
}

impl Bench {
    fn begun(&self) -> usize {
        self.answers.begun.load(Ordering::SeqCst)
    }

    fn answered(&self) -> usize {
        self.answers.answered.load(Ordering::SeqCst)
    }
}

async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_is_answered_and_the_task_ends() {
    let bench = bench(&[SLOW, Does::Nothing]);
    bench.dispatcher.wake(conversation());
    seconds(1).await;
    assert_eq!(bench.dispatcher.active(), 1);
    seconds(20).await;
    assert_eq!((bench.begun(), bench.answered()), (2, 1));
    assert_eq!(bench.dispatcher.active(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_before_the_reply_begins_the_same_turn_anew() {
    let bench = bench(&[SLOW, SLOW, Does::Nothing]);
    bench.dispatcher.wake(conversation());
    seconds(3).await;
    bench.dispatcher.wake(conversation());
    seconds(30).await;
    assert_eq!(bench.answered(), 1, "a burst gets one answer");
    let turns = bench.answers.turns.lock().clone();
    assert_eq!(turns[0], turns[1]);
}

#[tokio::test(start_paused = true)]
async fn a_message_during_the_reply_is_answered_after_it() {
    let bench = bench(&[SLOW, SLOW, Does::Nothing]);
    bench.dispatcher.wake(conversation());
    seconds(7).await;
    bench.dispatcher.wake(conversation());
    seconds(30).await;
    assert_eq!(bench.answered(), 2);
    let turns = bench.answers.turns.lock().clone();
    assert_ne!(turns[0], turns[1]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_and_then_apologised_for() {
    let bench = bench(&[Does::Fails]);
    let mut listener = bench.hub.listen(conversation());
    bench.dispatcher.wake(conversation());
    seconds(60).await;
    assert_eq!(bench.begun(), 1 + RETRIES.len());
    let mut heard = Vec::new();
    while let Ok(event) = listener.try_recv() {
        heard.push((*event).clone());
    }
    let failed = Event::Failed {
        text: "Sorry.".into(),
        retry_after: RETRY_AFTER,
    };
    assert_eq!(heard, [Event::Stopped, failed]);
    assert_eq!(bench.dispatcher.active(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_is_answered_once_the_store_is_back_however_long_it_was_away() {
    let mut does = vec![Does::Outage; 20];
    does.extend([SLOW, Does::Nothing]);
    let bench = bench(&does);
    let mut listener = bench.hub.listen(conversation());
    bench.dispatcher.wake(conversation());
    seconds(600).await;
    assert_eq!((bench.answered(), bench.dispatcher.active()), (1, 0));
    let mut apologies = 0;
    while let Ok(event) = listener.try_recv() {
        apologies += usize::from(matches!(*event, Event::Failed { .. }));
    }
    assert_eq!(apologies, 1, "said once");
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_passes_is_not_told() {
    let bench = bench(&[Does::Fails, SLOW, Does::Nothing]);
    let mut listener = bench.hub.listen(conversation());
    bench.dispatcher.wake(conversation());
    seconds(60).await;
    assert_eq!(bench.answered(), 1);
    assert!(listener.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_silenced_turn_says_no_more() {
    let bench = bench(&[SLOW]);
    bench.dispatcher.wake(conversation());
    seconds(7).await;
    bench.dispatcher.silence(conversation());
    seconds(30).await;
    assert_eq!((bench.begun(), bench.answered()), (1, 0));
    assert_eq!(bench.dispatcher.active(), 0);
}

#[tokio::test(start_paused = true)]
async fn stopping_lets_turns_finish_or_parks_them() {
    let finishing = bench(&[SLOW, Does::Nothing]);
    finishing.dispatcher.wake(conversation());
    seconds(1).await;
    finishing.dispatcher.close(Duration::from_secs(60)).await;
    assert_eq!(finishing.answered(), 1);

    let parked = bench(&[SLOW]);
    parked.dispatcher.wake(conversation());
    seconds(1).await;
    parked.dispatcher.close(Duration::from_secs(2)).await;
    assert_eq!((parked.answered(), parked.dispatcher.active()), (0, 0));
    parked.dispatcher.wake(conversation());
    seconds(1).await;
    assert_eq!(parked.begun(), 1, "no new turn is begun");
}
