//! kill -9 in the middle of a turn: the message is stored, and answered once after the restart.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail here"
)]

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;
use support::{Client, config};

struct Running {
    child: Child,
    address: String,
}

/// Starts the real program and waits for the line with its address.
fn start(folder: &Path) -> Running {
    let settings = config(folder);
    let mut child = Command::new(env!("CARGO_BIN_EXE_frontdesk"))
        .args(["--data".as_ref(), settings.data.dir.as_os_str()])
        .args(["run", "--listen", "127.0.0.1:0", "--demo"])
        .arg(settings.demo.world.unwrap())
        .env("FRONTDESK__MODELS__REPLY", "smollm2")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines
        .map_while(Result::ok)
        .find(|line| line.contains("ready: http://"));
    let line = ready.expect("the server says its address");
    let address = line
        .split("http://")
        .nth(1)
        .unwrap()
        .trim_end_matches('/')
        .to_owned();
    Running { child, address }
}

#[tokio::test]
async fn a_turn_cut_off_by_kill_9_is_taken_up_and_answered_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = start(folder.path());
    let mut client = Client::connect(&format!("ws://{}/v1/chat", server.address)).await;
    client.hello().await;
    client
        .say("Please explain at length how I return a lamp and what the warranty covers.")
        .await;
    client.until(|frame| frame["type"] == "ack").await;
    server.child.kill().unwrap();
    server.child.wait().unwrap();

    let mut server = start(folder.path());
    let mut back = Client::connect(&format!("ws://{}/v1/chat", server.address)).await;
    let frames = back
        .hello_with(json!({ "conversation": client.conversation, "after": 1 }))
        .await;
    assert!(
        frames.iter().any(|frame| frame["author"] == "customer"),
        "an acknowledged message is stored: {frames:?}"
    );
    if !frames.iter().any(|frame| frame["author"] == "bot") {
        back.answer().await;
    }
    // Nothing more comes: ask for the history until it has been quiet for a while.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let mut again = Client::connect(&format!("ws://{}/v1/chat", server.address)).await;
    let frames = again
        .hello_with(json!({ "conversation": client.conversation, "after": 1 }))
        .await;
    let answers = frames
        .iter()
        .filter(|frame| frame["author"] == "bot")
        .count();
    assert_eq!(answers, 1, "{frames:?}");
    server.child.kill().unwrap();
    server.child.wait().unwrap();
}
