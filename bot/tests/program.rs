//! The program as its operator runs it: killed, told to stop, imported into and indexed anew while
//! it answers.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::Client;
use support::program::{Program, Running};
use understand::act;

/// Asks something long, and goes as far as the acknowledgement.
async fn ask_at_length(client: &mut Client) {
    client.hello().await;
    client
        .say("Please explain at length how I return a lamp and what the warranty covers.")
        .await;
    client.until(|frame| frame["type"] == "ack").await;
}

/// What the server has of a conversation after its welcome.
async fn history(server: &Running, conversation: &str) -> (Client, Vec<Value>) {
    let mut client = server.connect().await;
    let frames = client
        .hello_with(json!({ "conversation": conversation, "after": 1 }))
        .await;
    (client, frames)
}

fn answers(frames: &[Value]) -> usize {
    frames
        .iter()
        .filter(|frame| frame["author"] == "bot")
        .count()
}

/// The message is stored, and answered once: before the restart or after it.
async fn is_answered_once(server: &Running, conversation: &str) {
    let (mut back, frames) = history(server, conversation).await;
    assert!(
        frames.iter().any(|frame| frame["author"] == "customer"),
        "an acknowledged message is stored: {frames:?}"
    );
    if answers(&frames) == 0 {
        back.answer().await;
    }
    // Nothing more comes: ask for the history when it has been quiet for a while.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (_, frames) = history(server, conversation).await;
    assert_eq!(answers(&frames), 1, "{frames:?}");
}

#[tokio::test]
async fn a_turn_cut_off_by_kill_9_is_taken_up_and_answered_once() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::at(folder.path());
    let server = program.start();
    let mut client = server.connect().await;
    ask_at_length(&mut client).await;
    server.kill();
    is_answered_once(&program.start(), &client.conversation).await;
}

#[tokio::test]
async fn sigterm_ends_the_program_in_order_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::at(folder.path());
    let server = program.start();
    let mut client = server.connect().await;
    ask_at_length(&mut client).await;
    server.terminate();
    let mut told = false;
    while let Some(frame) = client.next().await {
        told |= frame["code"] == "going_away";
    }
    assert!(told, "the client is told");
    is_answered_once(&program.start(), &client.conversation).await;
}

#[tokio::test]
async fn a_running_server_takes_in_imports_and_builds_its_index_anew() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::at(folder.path());
    let server = program.start();
    let mut client = server.connect().await;
    client.hello().await;

    let file = folder.path().join("knowledge.jsonl");
    let article = json!({
        "id": "gift-wrapping",
        "title": "Gift wrapping",
        "content": "We wrap any lamp as a gift for 4 euros. Choose it in the basket.",
    });
    std::fs::write(&file, format!("{article}\nnot json\n")).unwrap();
    let output = program.output(&["import", "knowledge", file.to_str().unwrap()]);
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{errors}");
    assert!(said.contains("imported 1, left out 1"), "{said}");
    assert!(errors.contains("knowledge.jsonl:2: not JSON"), "{errors}");

    let is_wrapping = |answer: &Value| answer["sources"][0]["title"] == "Gift wrapping";
    let mut answer = client.ask("Do you wrap lamps as gifts?").await;
    // The server looks at the store every two seconds.
    for _ in 0..10 {
        if is_wrapping(&answer) {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        answer = client.ask("Do you wrap lamps as gifts?").await;
    }
    assert!(is_wrapping(&answer), "{answer}");

    let output = program.output(&["index"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("documents 3"),
        "{output:?}"
    );
    // Somebody else: the same answer is not given twice.
    let mut other = server.connect().await;
    other.hello().await;
    let answer = other.ask("Can a lamp be wrapped as a gift?").await;
    assert!(is_wrapping(&answer), "{answer}");
}

/// Messages of two wishes, about things that say nothing of the wish.
fn labelled_messages() -> String {
    let things = [
        "lamp", "scarf", "kettle", "hammock", "jumper", "pen", "skillet", "mug",
    ];
    let wishes = [
        ("track_order", "where is my THING now"),
        ("track_order", "has the THING left your warehouse yet"),
        ("track_order", "my THING has not come, when will it"),
        ("track_order", "any news of the parcel with the THING"),
        ("get_refund", "I want my money back for the THING"),
        ("get_refund", "please refund the THING"),
        ("get_refund", "give me back what I paid for the THING"),
        ("get_refund", "the THING is bad, I would like a refund"),
    ];
    let line = |(intent, text): (&str, &str), thing: &str| {
        let text = text.replace("THING", thing);
        format!("{}\n", json!({ "text": text, "intent": intent }))
    };
    let lines = things
        .iter()
        .flat_map(|thing| wishes.iter().map(move |wish| line(*wish, thing)));
    lines.collect()
}

#[test]
fn a_command_ends_quietly_when_its_output_is_read_no_further() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::at(folder.path());
    assert_eq!(program.complaints_unread(&["config", "show"]), "");
}

#[tokio::test]
async fn tuned_layers_are_written_with_their_heads_and_tell_new_messages() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::at(folder.path());
    let [examples, file] = ["examples.jsonl", "heads.safetensors"].map(|n| folder.path().join(n));
    std::fs::write(&examples, labelled_messages()).unwrap();
    let [examples, out] = [&examples, &file].map(|path| path.to_string_lossy().into_owned());
    let train = [
        "train", &examples, "--out", &out, "--mode", "full", "--epochs", "2",
    ];
    let refused = program.output(&train);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("encoder-small"), "{said}");

    let small = folder.path().join("small.toml");
    std::fs::write(&small, "[models]\nencoder = \"encoder-small\"\n").unwrap();
    let config = small.to_string_lossy().into_owned();
    let output = program.output(&[&["--config", &config], &train[..]].concat());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(said.contains("64 examples"), "{said}");

    // Four layers in 8-bit integers.
    assert!(std::fs::metadata(&file).unwrap().len() > 7_000_000);
    let config = frontdesk::Config::load(Some(&small), &toml::Table::new()).unwrap();
    let encoder = frontdesk::load_encoder(&config).unwrap();
    let heads = understand::Heads::load(&file, &encoder).unwrap();
    let understander = understand::Understander::new(encoder, vec![heads]).unwrap();
    for (text, intent) in [
        ("where has my blanket got to", "track_order"),
        ("refund me for the blanket", "get_refund"),
    ] {
        let english = understand::Language::english();
        let understood = understander.understand(text, None, english).unwrap();
        assert_eq!(understood.intent.top(), intent, "{text}");
    }
}

/// What the product's own heads make of messages that are in no training data.
#[test]
fn the_heads_tell_what_messages_ask_and_do() {
    let encoder = frontdesk::load_encoder(&frontdesk::Config::default()).unwrap();
    let heads = understand::Heads::builtin(&encoder).unwrap();
    let heads = understand::Understander::new(encoder, heads).unwrap();
    let read = |text: &str, before: Option<&str>| {
        let language = heads.language(text, &understand::Language::english());
        heads.understand(text, before, language).unwrap()
    };
    for text in [
        "are you a bot?",
        "am i talking to a real person?",
        "r u a bot",
        "eres un robot",
        "你是机器人吗？",
    ] {
        assert!(read(text, None).surely_does(act::ABOUT_BOT), "{text}");
    }
    for text in [
        "is this water bottle dishwasher safe?",
        "are you open at the bottom of the hill?",
        "is this scarf machine washable",
        "can I speak to a human?",
        "I want to talk to a person not a bot",
    ] {
        assert!(!read(text, None).surely_does(act::ABOUT_BOT), "{text}");
    }
    let asks = |text: &str, before: Option<&str>| -> Vec<String> {
        let read = read(text, before);
        read.asks.into_iter().map(|scored| scored.label).collect()
    };
    assert_eq!(asks("where has my wall clock got to", None)[0], "status");
    assert_eq!(asks("wann kommt meine Bestellung an?", None)[0], "arrival");
    assert!(asks("hello there, lovely weather", None).is_empty());
    let before = Some("How much is the blue lamp?");
    assert!(read("and the green one?", before).does(act::FOLLOWS));
    assert!(!read("Where is your shop?", before).does(act::FOLLOWS));
}

#[test]
fn the_models_speed_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::at(folder.path());
    let file = folder.path().join("figures.json");
    let load = [
        "--clients",
        "2",
        "--conversations",
        "copying:2",
        "--rounds",
        "1",
        "--tokens",
        "8",
    ];
    let mut args = vec!["bench", "generate", "--json", file.to_str().unwrap()];
    args.extend(load);
    let output = program.output(&args);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(
        said.contains("without guesses") && said.contains("a free slot"),
        "{said}"
    );
    let report: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let servers: Vec<_> = report["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["server"])
        .collect();
    assert_eq!(servers, ["frontdesk", "without_guesses"]);
    for run in report["runs"].as_array().unwrap() {
        let figures = &run["figures"];
        assert_eq!(figures["replies"], 4, "two customers ask twice");
        assert!(
            figures["tokens_per_second"].as_f64().unwrap() > 0.0,
            "{figures}"
        );
        let tokens = |name: &str| figures[name].as_u64().unwrap();
        // The last token of a reply is never computed.
        let repeated = tokens("repeated_tokens");
        assert!(repeated > 0, "{figures}");
        assert!(tokens("repeated_reused") * 10 > repeated * 9, "{figures}");
    }
    assert_eq!(report["runs"][1]["figures"]["drafted_tokens"], 0);
    for leaving in ["cancel_ms", "cancel_reading_ms"] {
        assert_eq!(report[leaving].as_array().unwrap().len(), 5, "{leaving}");
    }
    let shares = report["scheduling"].as_f64().unwrap();
    assert!(shares > 0.0 && shares < 1.0, "{shares}");
    assert!(report["batch_tokens"].as_f64().unwrap() >= 1.0);
}

#[test]
fn a_load_that_nobody_can_put_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::at(folder.path());
    for (option, value) in [
        ("--clients", "65"),
        ("--clients", "0"),
        ("--conversations", "copying:0"),
    ] {
        let output = program.output(&["bench", "generate", option, value]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(option), "{said}");
    }
}
