//! Starting, stopping, and what the operator is told.

#![expect(clippy::unwrap_used, reason = "a test may fail here")]

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use frontdesk::Server;
use serde_json::json;
use support::{TestServer, config, start, start_with};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A GET without an HTTP client: status line, headers and body as text.
async fn get(address: std::net::SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn start_error(change: impl FnOnce(&mut frontdesk::Config)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    change(&mut config);
    match Server::start(config).await {
        Ok(_) => panic!("the server started"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn health_metrics_widget_and_demo_page_are_served() {
    let server = start().await;
    let address = server.server.address();
    assert!(get(address, "/healthz").await.contains("ok"));
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));
    assert!(
        get(address, "/frontdesk.js")
            .await
            .contains("frontdesk-chat")
    );
    assert!(get(address, "/").await.contains("<html"));
    assert!(get(address, "/demo/shop.json").await.contains("Ship Lamp"));
    assert!(get(address, "/nothing").await.starts_with("HTTP/1.1 404"));
    let mut client = server.connect().await;
    client.hello().await;
    client.ask("hello").await;
    client.ask("how long is the warranty?").await;
    let metrics = get(address, "/metrics").await;
    for figure in [
        "frontdesk_turns_total",
        "frontdesk_stage_seconds",
        "frontdesk_connections 1",
        "frontdesk_generation_queue 0",
        "frontdesk_tokens_total",
        "frontdesk_withheld_sentences_total",
    ] {
        assert!(metrics.contains(figure), "{figure} is missing in {metrics}");
    }
}

/// What `/metrics` counts as `name`.
async fn count(address: std::net::SocketAddr, name: &str) -> usize {
    let metrics = get(address, "/metrics").await;
    let mut counts = metrics
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    counts.next().map_or(0, |count| count.parse().unwrap())
}

/// The tokens of `kind` that `/metrics` counts.
async fn tokens(address: std::net::SocketAddr, kind: &str) -> usize {
    let name = format!("frontdesk_generation_tokens_total{{kind=\"{kind}\"}}");
    count(address, &name).await
}

#[tokio::test]
async fn the_model_reads_the_conversation_before_its_next_question() {
    let server = start().await;
    let address = server.server.address();
    let mut client = server.connect().await;
    client.hello().await;
    client.ask("how long is the warranty?").await;
    for figure in [
        "queue_seconds",
        "first_token_seconds",
        "tokens_per_second",
        "batch_tokens",
    ] {
        let name = format!("frontdesk_generation_{figure}_count");
        assert!(count(address, &name).await > 0, "{name}");
    }
    let rules = tokens(address, "reused").await;
    let patience = Instant::now() + Duration::from_secs(30);
    while tokens(address, "ahead").await == 0 && Instant::now() < patience {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let ahead = tokens(address, "ahead").await;
    assert!(rules > 0 && ahead > 0, "{rules} and {ahead} tokens");
    client.ask("and how do I return a lamp?").await;
    let reused = tokens(address, "reused").await - rules;
    assert!(
        reused >= rules + ahead,
        "{reused} tokens of {rules} and {ahead}"
    );
}

#[tokio::test]
async fn the_demo_is_off_unless_asked_for() {
    let server = start_with(|config| config.demo.enabled = false).await;
    let address = server.server.address();
    assert!(get(address, "/").await.starts_with("HTTP/1.1 404"));
    assert!(
        get(address, "/demo/shop.json")
            .await
            .starts_with("HTTP/1.1 404")
    );
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let error = start_error(|config| config.server.listen = address).await;
    assert!(
        error.contains(&address.to_string()) && error.contains("server.listen"),
        "{error}"
    );
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_written_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let inside = file.path().join("data");
    let error = start_error(|config| config.data.dir = inside).await;
    assert!(error.contains("data.dir"), "{error}");
}

#[tokio::test]
async fn a_qdrant_that_does_not_answer_is_named() {
    // A listener that never speaks: the port is open, nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let error =
        start_error(|config| config.retrieval.qdrant_url = Some(url.parse().unwrap())).await;
    assert!(
        error.contains("Qdrant") && error.contains("127.0.0.1"),
        "{error}"
    );
}

#[tokio::test]
async fn a_model_that_is_no_gguf_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("fake.gguf");
    std::fs::write(&model, "this is not a model").unwrap();
    let path = model.to_string_lossy().into_owned();
    let error = start_error(|config| config.models.reply = path.clone()).await;
    assert!(
        error.contains("fake.gguf") && error.contains("models.reply"),
        "{error}"
    );
    let error = start_error(|config| config.models.reply = "no-such-model".into()).await;
    assert!(error.contains("no-such-model"), "{error}");
}

#[tokio::test]
async fn a_template_with_an_unknown_variable_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("en")).unwrap();
    std::fs::write(folder.path().join("en/thanks.j2"), "Thanks, {{ nobody }}!").unwrap();
    let dir = folder.path().to_owned();
    let error = start_error(|config| config.prompts.dir = Some(dir)).await;
    assert!(
        error.contains("en/thanks.j2, line 1") && error.contains("nobody"),
        "{error}"
    );
}

#[tokio::test]
async fn a_turn_that_keeps_failing_is_owned_up_to() {
    let prompts = tempfile::tempdir().unwrap();
    let english = prompts.path().join("en");
    std::fs::create_dir(&english).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../prompts/en");
    for file in std::fs::read_dir(shipped).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), english.join(file.file_name())).unwrap();
    }
    // Well-formed for every company but this one.
    let broken = "{% if company == \"Harbour Lamps\" %}{{ 1 // 0 }}{% endif %}Thanks!";
    std::fs::write(english.join("thanks.j2"), broken).unwrap();
    let server = start_with(|config| config.prompts.dir = Some(prompts.path().to_owned())).await;
    let mut client = server.connect().await;
    client.hello().await;
    client.say("thank you so much!").await;
    let frames = client.until(|frame| frame["type"] == "error").await;
    assert_eq!(frames.last().unwrap()["code"], "unavailable");
    let answer = client.ask("how long is the warranty?").await;
    assert!(answer["text"].as_str().is_some_and(|text| !text.is_empty()));
}

#[tokio::test]
async fn a_lost_index_is_filled_again_from_the_store() {
    const QUESTIONS: [&str; 2] = [
        "Do you sell anything made of brass?",
        "how long is the warranty?",
    ];
    async fn answers(server: &Server) -> Vec<serde_json::Value> {
        let url = format!("ws://{}/v1/chat", server.address());
        let mut client = support::Client::connect(&url).await;
        client.hello().await;
        let mut answers = Vec::new();
        for question in QUESTIONS {
            answers.push(client.ask(question).await);
        }
        answers
    }
    // The pages' own words: what the model makes of them depends on how busy the machine is.
    fn extractive(config: &mut frontdesk::Config) {
        config.generate.answers = frontdesk::Answers::Extractive;
    }
    let TestServer { server, folder } = start_with(extractive).await;
    let before = answers(&server).await;
    assert!(
        before[0]["text"].as_str().unwrap().contains("Ship Lamp"),
        "{before:?}"
    );
    assert_eq!(before[1]["sources"][0]["title"], "Warranty", "{before:?}");
    server.stop().await;
    std::fs::remove_dir_all(folder.path().join("data/index")).unwrap();
    let mut again = config(folder.path());
    extractive(&mut again);
    let server = Server::start(again).await.unwrap();
    let after = answers(&server).await;
    assert_eq!(after[0]["text"], before[0]["text"]);
    assert_eq!(after[1]["sources"], before[1]["sources"]);
    server.stop().await;
}

#[tokio::test]
async fn stopping_tells_clients_and_loses_nothing() {
    let server = start().await;
    let mut client = server.connect().await;
    client.hello().await;
    client
        .say("How long is the warranty of a lamp, and how do I return one?")
        .await;
    client.until(|frame| frame["type"] == "ack").await;
    let data = server.folder;
    server.server.stop().await;
    let mut gone = false;
    while let Some(frame) = client.next().await {
        gone |= frame["code"] == "going_away";
    }
    assert!(gone, "the client is told");
    // Answered before the stop or taken up after it: once, in any case.
    let server = Server::start(config(data.path())).await.unwrap();
    let mut back = support::Client::connect(&format!("ws://{}/v1/chat", server.address())).await;
    let frames = back
        .hello_with(json!({ "conversation": client.conversation, "after": 0 }))
        .await;
    let answered = |frames: &[serde_json::Value]| {
        frames
            .iter()
            .filter(|f| f["author"] == "bot" && f["seq"].as_i64() > Some(1))
            .count()
    };
    if answered(&frames) == 0 {
        back.answer().await;
    } else {
        assert_eq!(answered(&frames), 1, "{frames:?}");
    }
}
