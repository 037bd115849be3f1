//! `frontdesk-evals replay`.

use std::path::Path;

use anyhow::{Context, anyhow, bail};
use crm::Store;
use evals::dialogue::{self, Dialogue};
use evals::formats::{self, Intents};
use evals::house::{House, Plan};
use evals::html;
use evals::played::PlayedTurn;
use evals::replay::{Desk, PATIENCE, replay};
use evals::report;
use evals::summary::Summary;
use evals::worlds::Body;
use frontdesk::{Config, Data, Secret};

use super::progress;
use crate::cli::{Replay, Stage};

/// Plays dialogues and judges every turn.
pub(crate) async fn run(options: Replay) -> anyhow::Result<()> {
    let config = options.config()?;
    let dialogues = options.stage.dialogues(&config)?;
    let turns = match &options.stage.place.url {
        Some(url) => play_at(&options, url, &dialogues).await?,
        None => {
            let plan = options.stage.plan(config).await?;
            let keep = options.keep.clone();
            play(Plan { keep, ..plan }, &dialogues).await?
        }
    };
    let summary = Summary::of(&turns);
    println!("{}\n{}", report::tables(&summary), report::failures(&turns));
    let output = &options.stage.output;
    if let Some(file) = &output.json {
        report::write_json(file, &summary, &turns)?;
    }
    let title = format!("Replay: {}", options.stage.told());
    output.page(|| html::replay(&title, &summary, &turns))
}

/// Plays `dialogues` in a house of their own, whose folder stays where it is to be kept.
pub(crate) async fn play(plan: Plan, dialogues: &[Dialogue]) -> anyhow::Result<Vec<PlayedTurn>> {
    eprintln!("preparing {} and starting the server", plan.name);
    let house = House::open(plan).await?;
    let played = play_against(&house.desk(PATIENCE), dialogues).await;
    house.close().await;
    played
}

/// Plays `dialogues` against a server that runs at `url`.
async fn play_at(
    options: &Replay,
    url: &str,
    dialogues: &[Dialogue],
) -> anyhow::Result<Vec<PlayedTurn>> {
    let store = match &options.records {
        Some(folder) => {
            let data = Data {
                dir: folder.clone(),
                ..Data::default()
            };
            let file = data.crm_file();
            if !file.is_file() {
                bail!(
                    "there is no store {}: name the server's data folder",
                    file.display()
                );
            }
            Some(Store::open(&file).await?)
        }
        None => None,
    };
    let desk = Desk {
        url: url.to_owned(),
        secret: options.secret_file.as_deref().map(secret).transpose()?,
        store,
        patience: PATIENCE,
    };
    let played = play_against(&desk, dialogues).await;
    if let Some(store) = desk.store {
        store.close().await;
    }
    played
}

async fn play_against(desk: &Desk, dialogues: &[Dialogue]) -> anyhow::Result<Vec<PlayedTurn>> {
    let turns = dialogues.iter().map(|dialogue| dialogue.turns.len() as u64);
    let bar = progress(turns.sum(), "turns")?;
    let played = replay(desk, dialogues, |played| bar.inc(played.len() as u64)).await?;
    bar.finish_and_clear();
    Ok(played)
}

fn secret(file: &Path) -> anyhow::Result<Secret> {
    let text = std::fs::read_to_string(file);
    let text = text.with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(Secret::from(text.trim().to_owned()))
}

impl Replay {
    fn config(&self) -> anyhow::Result<Config> {
        let mut config = self.stage.config()?;
        if let Some(model) = &self.model {
            config.models.reply.clone_from(model);
        }
        Ok(config)
    }
}

impl Stage {
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        Ok(Config::load(self.config.as_deref(), &toml::Table::new())?)
    }

    /// What is played, in a title.
    pub(crate) fn told(&self) -> String {
        let file = self.dialogues.file_name().unwrap_or_default();
        let place = match (&self.place.world, &self.place.url) {
            (Some(world), _) => world.name(),
            (None, Some(url)) => url,
            (None, None) => "data of one's own",
        };
        let language = self.language.as_deref();
        let language = language.map(|tag| format!(" ({tag})")).unwrap_or_default();
        format!("{}{language} in {place}", file.to_string_lossy())
    }

    /// The house to play in.
    pub(crate) async fn plan(&self, config: Config) -> anyhow::Result<Plan> {
        if let Some(world) = self.place.world {
            return Ok(Plan::of_world(world, self.data.as_deref(), config)?);
        }
        let Some(folder) = &self.place.own else {
            bail!("only a server of our own can be looked into: give --world or --own");
        };
        let data = Data {
            dir: folder.clone(),
            ..Data::default()
        };
        let file = data.crm_file();
        if !file.is_file() {
            bail!("there is no store {}: name a data folder", file.display());
        }
        let store = Store::open(&file).await?;
        let body = Body::of(&store, config.company.clone()).await?;
        store.close().await;
        Ok(Plan {
            name: "own".to_owned(),
            body,
            config,
            keep: None,
        })
    }

    /// The dialogues that were asked for. Labels of other programs' files that the classifier does not
    /// have are told, and not asked for.
    pub(crate) fn dialogues(&self, config: &Config) -> anyhow::Result<Vec<Dialogue>> {
        let mut dialogues = self.choose(self.read()?)?;
        if formats::is_own(&self.dialogues) {
            return Ok(dialogues);
        }
        let intents = match &self.intents {
            Some(file) => Intents::load(file)?,
            None => Intents::default(),
        };
        let heads = frontdesk::load_heads(config, &frontdesk::load_encoder(config)?)?;
        let heads = heads
            .iter()
            .filter_map(|heads| heads.get(understand::INTENT));
        let known: Vec<&str> = heads
            .flat_map(|head| head.labels().iter().map(String::as_str))
            .collect();
        let unknown = intents.translate(&mut dialogues, &known);
        for (intent, turns) in unknown {
            eprintln!("{turns} turns are labelled {intent}, which the classifier does not know");
        }
        Ok(dialogues)
    }

    /// All dialogues of the file, or of its translation.
    fn read(&self) -> anyhow::Result<Vec<Dialogue>> {
        let dialogues = formats::read(&self.dialogues)?;
        let Some(language) = &self.language else {
            return Ok(dialogues);
        };
        let file = dialogue::translation(&self.dialogues, language);
        let translated = formats::read(&file)?;
        dialogue::check_translation(&dialogues, &translated)
            .map_err(|reason| anyhow!("{}: {reason}", file.display()))?;
        Ok(translated)
    }

    fn choose(&self, dialogues: Vec<Dialogue>) -> anyhow::Result<Vec<Dialogue>> {
        let world = self.place.world.map(evals::worlds::World::name);
        let is_there = |dialogue: &Dialogue| {
            world.is_none_or(|world| dialogue.world == world || dialogue.world.is_empty())
        };
        let asked = |dialogue: &Dialogue| {
            is_there(dialogue) && (self.only.is_empty() || self.only.contains(&dialogue.id))
        };
        let chosen: Vec<_> = dialogues
            .into_iter()
            .filter(asked)
            .take(self.limit.unwrap_or(usize::MAX))
            .collect();
        let of_world = world.map(|world| format!(" of the world {world}"));
        let of_world = of_world.unwrap_or_default();
        for id in &self.only {
            if self.limit.is_none() && !chosen.iter().any(|dialogue| dialogue.id == *id) {
                bail!("there is no dialogue {id:?}{of_world}: see the ids in the file");
            }
        }
        if chosen.is_empty() {
            bail!("{} has no dialogue{of_world}", self.dialogues.display());
        }
        Ok(chosen)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn options(arguments: &[&str]) -> Replay {
        let start = ["frontdesk-evals", "replay", "d.jsonl", "--world", "shop"];
        let cli = Cli::parse_from(start.iter().chain(arguments));
        let Command::Replay(options) = cli.command else {
            panic!("{cli:?}")
        };
        options
    }

    fn dialogues() -> Vec<Dialogue> {
        [("a", "shop"), ("b", "bank-knowledge"), ("c", "shop")]
            .map(|(id, world)| {
                let turns = serde_json::json!([{"user": "hi"}]);
                serde_json::from_value(
                    serde_json::json!({"id": id, "world": world, "turns": turns}),
                )
                .unwrap()
            })
            .into()
    }

    fn chosen(arguments: &[&str]) -> Vec<String> {
        let chosen = options(arguments).stage.choose(dialogues()).unwrap();
        chosen.into_iter().map(|dialogue| dialogue.id).collect()
    }

    #[test]
    fn only_dialogues_of_the_world_are_chosen() {
        assert_eq!(chosen(&[]), ["a", "c"]);
        assert_eq!(chosen(&["--limit", "1"]), ["a"]);
        assert_eq!(chosen(&["--only", "c"]), ["c"]);
        assert_eq!(chosen(&["--only", "c,a"]), ["a", "c"]);
    }

    #[test]
    fn a_dialogue_that_is_not_there_is_an_error() {
        for arguments in [&["--only", "b"], &["--only", "z"], &["--limit", "0"]] {
            assert!(
                options(arguments).stage.choose(dialogues()).is_err(),
                "{arguments:?}"
            );
        }
    }

    #[test]
    fn a_model_on_the_command_line_wins() {
        let config = options(&["--model", "small"]).config().unwrap();
        assert_eq!(config.models.reply, "small");
    }
}
