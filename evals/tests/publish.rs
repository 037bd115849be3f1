//! `frontdesk-evals publish` on a company's own data, without a model: the pages' own words answer.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crm::{Document, DocumentId, Store, Visibility};
use evals::compare::{Comparison, Recording};
use evals::dialogue;
use evals::house::{House, Plan};
use evals::replay::{Desk, PATIENCE, replay};
use evals::worlds::Body;
use frontdesk::{Backend, Company, Config};

const DIALOGUES: &str = concat!(
    r#"{"id": "own-1", "turns": [{"user": "How much is express delivery?", "#,
    r#""expect": {"documents": ["express"], "facts": [["12.90"]]}}]}"#,
    "\n",
);

fn documents() -> Vec<Document> {
    let document = |id: &str, title: &str, content: &str| Document {
        id: DocumentId(id.to_owned()),
        title: title.to_owned(),
        content: content.to_owned(),
        url: None,
        language: Some("en".to_owned()),
        visibility: Visibility::Public,
    };
    vec![
        document(
            "express",
            "Express delivery",
            "Express delivery costs 12.90 euros and arrives on the next working day.",
        ),
        document(
            "mugs",
            "Mugs",
            "Our mugs are made of stoneware and may go into the dishwasher.",
        ),
    ]
}

/// A company: a configuration, a data folder, and dialogues that must not get worse.
struct Shop {
    folder: tempfile::TempDir,
}

impl Shop {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let company = Self { folder };
        let data = company.path("data").display().to_string();
        let config = format!("[data]\ndir = {data:?}\n[generate]\nbackend = \"none\"\n");
        std::fs::write(company.path("frontdesk.toml"), config).unwrap();
        std::fs::write(company.path("dialogues.jsonl"), DIALOGUES).unwrap();
        let store = company.store().await;
        store.upsert_documents(&documents()).await.unwrap();
        store.close().await;
        company
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn store(&self) -> Store {
        let data = frontdesk::Data {
            dir: self.path("data"),
            ..frontdesk::Data::default()
        };
        Store::open(&data.crm_file()).await.unwrap()
    }

    /// What the article about express delivery says now.
    async fn article(&self) -> String {
        let store = self.store().await;
        let found = store.find_document(&DocumentId("express".to_owned())).await;
        store.close().await;
        found.unwrap().unwrap().content
    }

    fn publish(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_frontdesk-evals"))
            .arg("publish")
            .arg(self.path("dialogues.jsonl"))
            .arg("--config")
            .arg(self.path("frontdesk.toml"))
            .args(arguments)
            .output()
            .unwrap()
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name).display().to_string()
    }
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(both).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_answers_worse_is_refused_and_the_rest_goes_live() {
    let company = Shop::new().await;
    let worse = company.write(
        "worse.jsonl",
        r#"{"id": "express", "title": "Express delivery", "content": "Express delivery costs 14.50 euros and arrives on the next working day.", "language": "en"}"#,
    );
    let refused = company.publish(&["--knowledge", &worse]);
    let told = said(&refused);
    assert_eq!(refused.status.code(), Some(1), "{told}");
    assert!(told.contains("refused: facts loses 100.0 points"), "{told}");
    assert!(told.contains("not stated: 12.90"), "{told}");
    let shown = ["before", "after "].map(|when| {
        let lines = told.lines();
        let mut reply = lines.filter(|line| line.trim_start().starts_with(when));
        reply.next_back().unwrap_or_default().to_owned()
    });
    assert!(shown[0].contains("12.90"), "{shown:?}");
    assert!(shown[1].contains("14.50"), "{shown:?}");
    assert!(company.article().await.contains("12.90"));

    let better = company.write(
        "better.jsonl",
        r#"{"id": "express", "title": "Express delivery", "content": "Express delivery costs 12.90 euros. It arrives on the next working day.", "language": "en"}"#,
    );
    let rehearsed = company.publish(&["--knowledge", &better, "--rehearse"]);
    assert!(rehearsed.status.success(), "{}", said(&rehearsed));
    assert!(!company.article().await.contains("It arrives"));
    let published = company.publish(&["--knowledge", &better]);
    assert!(published.status.success(), "{}", said(&published));
    assert!(company.article().await.contains("It arrives"));

    // Dialogues that judge nothing let nothing through.
    company.write(
        "dialogues.jsonl",
        r#"{"id": "own-1", "turns": [{"user": "How much is express delivery?"}]}"#,
    );
    let unjudged = company.publish(&["--knowledge", &worse]);
    assert!(!unjudged.status.success(), "{}", said(&unjudged));
    assert!(
        said(&unjudged).contains("asks for nothing"),
        "{}",
        said(&unjudged)
    );
    assert!(company.article().await.contains("12.90"));

    let again = company.publish(&["--knowledge", &better]);
    assert!(said(&again).contains("changes nothing"), "{}", said(&again));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_takes_the_live_ones_place_when_it_is_as_good() {
    let company = Shop::new().await;
    let live = std::fs::read_to_string(company.path("frontdesk.toml")).unwrap();
    let wary = format!("{live}[policy]\nrefuse = 0.0\n");
    let wary = company.write("wary.toml", &wary);
    let refused = company.publish(&["--candidate", &wary]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    let now = std::fs::read_to_string(company.path("frontdesk.toml")).unwrap();
    assert_eq!(now, live);

    let renamed = format!("{live}[company]\nname = \"Own & Sons\"\n");
    let candidate = company.write("candidate.toml", &renamed);
    let published = company.publish(&["--candidate", &candidate]);
    assert!(published.status.success(), "{}", said(&published));
    let now = std::fs::read_to_string(company.path("frontdesk.toml")).unwrap();
    assert_eq!(now, renamed);
    let kept = std::fs::read_to_string(company.path("frontdesk.toml.before")).unwrap();
    assert_eq!(kept, live);
}

/// A server whose store cannot be looked into tells less, but what it tells is the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_is_replayed_without_its_records() {
    let folder = tempfile::tempdir().unwrap();
    let file: &Path = &folder.path().join("dialogues.jsonl");
    std::fs::write(file, DIALOGUES).unwrap();
    let dialogues = dialogue::read(file).unwrap();
    let mut config = Config::default();
    config.generate.backend = Backend::None;
    let body = Body {
        company: Company::default(),
        customers: Vec::new(),
        products: Vec::new(),
        orders: Vec::new(),
        documents: documents(),
    };
    let plan = Plan {
        name: "own".to_owned(),
        body,
        config,
        keep: None,
    };
    let house = House::open(plan).await.unwrap();
    let inside = house.desk(PATIENCE);
    let outside = Desk {
        store: None,
        secret: None,
        ..inside.clone()
    };
    let with = replay(&inside, &dialogues, |_| ()).await.unwrap();
    let without = replay(&outside, &dialogues, |_| ()).await.unwrap();
    house.close().await;
    assert_eq!(with[0].reply, without[0].reply);
    let compared = Comparison::of(&Recording::of(&with), &Recording::of(&without)).unwrap();
    let checks: Vec<&str> = compared.checks.keys().map(|check| check.name()).collect();
    assert_eq!(checks, ["facts"], "documents are not measured from outside");
}
