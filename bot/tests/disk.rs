//! Disks that are full or may not be written: everybody concerned is told, and nothing is lost.
//!
//! The disks are real: file systems in memory, mounted for the program alone. Where a machine does
//! not let a test do that, these tests say so and pass.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test may fail here")]

mod support;

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use support::program::Program;

/// Writes until there is no room.
fn fill(file: &Path) {
    let mut file = std::fs::File::create(file).unwrap();
    for size in [1 << 20, 1 << 12, 1] {
        while file.write_all(&vec![1; size]).is_ok() {}
    }
}

#[tokio::test]
async fn a_full_disk_under_the_index_is_named_and_the_store_goes_unharmed() {
    if !Program::may_mount() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = Program::at(folder.path());
    let file = folder.path().join("knowledge.csv");
    std::fs::write(&file, "id,title,content\nr,Returns,Within 30 days.\n").unwrap();
    std::fs::create_dir_all(program.data().join("index")).unwrap();
    let imported = program.output(&["import", "knowledge", file.to_str().unwrap()]);
    assert!(imported.status.success(), "{imported:?}");

    let small = "mount -t tmpfs -o size=8m none \"$DATA/index\"";
    let output = Program::at(folder.path())
        .with_mounts(small)
        .output(&["index"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        said.contains("MiB of free disk") && said.contains("make room"),
        "{said}"
    );

    let output = program.output(&["index"]);
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn a_full_disk_costs_a_customer_patience_and_no_message() {
    if !Program::may_mount() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mounts = "mkdir -p \"$DATA\" && mount -t tmpfs -o size=200m none \"$DATA\"";
    let program = Program::at(folder.path()).with_mounts(mounts);
    let server = program.start();
    let filler = server.inside(&program.data().join("filler"));
    let mut client = server.connect().await;
    client.hello().await;

    // Acknowledged, and the answer then finds no room: it is tried again, under another turn where
    // words of the first have left.
    client
        .say("How long is the warranty, and how do I return a lamp?")
        .await;
    client.until(|frame| frame["type"] == "ack").await;
    fill(&filler);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let refused = client.say("And is returning free?").await;
    let error = client.error().await;
    assert_eq!(error["code"], "unavailable", "{error}");
    assert!(error["retry_after"].as_f64().is_some(), "{error}");
    std::fs::remove_file(&filler).unwrap();

    let again = json!({ "type": "message", "id": refused, "text": "And is returning free?" });
    client.send(again).await;
    client
        .until(|frame| frame["type"] == "ack" && frame["id"] == refused.as_str())
        .await;
    client.answer().await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    let mut back = server.connect().await;
    let frames = back
        .hello_with(json!({ "conversation": client.conversation, "after": 1 }))
        .await;
    let by = |author: &str| frames.iter().filter(|f| f["author"] == author).count();
    assert_eq!(by("customer"), 2, "{frames:?}");
    assert!((1..=2).contains(&by("bot")), "{frames:?}");
}

#[tokio::test]
async fn a_read_only_data_folder_is_named_and_left_as_it_is() {
    if !Program::may_mount() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = Program::at(folder.path());
    let server = program.start();
    let mut client = server.connect().await;
    client.hello().await;
    server.terminate();

    let read_only = "mount --bind \"$DATA\" \"$DATA\" && mount -o remount,bind,ro \"$DATA\"";
    let said = Program::at(folder.path())
        .with_mounts(read_only)
        .start_error();
    assert!(
        said.contains("data.dir") && said.contains("Read-only"),
        "{said}"
    );

    let server = program.start();
    let mut back = server.connect().await;
    let frames = back
        .hello_with(json!({ "conversation": client.conversation, "after": 0 }))
        .await;
    assert_eq!(frames[0]["type"], "welcome", "{frames:?}");
}
