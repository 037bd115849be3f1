//! `frontdesk-evals classify`.

use std::path::PathBuf;

use anyhow::bail;
use evals::classify::{self, ClassifyError, Labelled, Rows, Selection, Tagged, Trained};
use evals::html;
use frontdesk::Config;
use retrieval::Encoder;
use understand::{Heads, TrainOptions, TuneOptions};

use super::progress;
use crate::cli::Classify;

/// Trains, or takes trained heads, and judges.
pub(crate) fn run(options: &Classify) -> anyhow::Result<()> {
    let selection = Selection {
        field: options.label.clone(),
        only: options.only.clone(),
    };
    let read = |files: &[PathBuf]| selection.read(files.iter().map(PathBuf::as_path));
    let (train, test) = if options.test.is_empty() {
        let (rest, fifth) = classify::hold_out(read(&options.train)?);
        (Some(rest), fifth)
    } else {
        let train = (!options.train.is_empty()).then(|| read(&options.train));
        (train.transpose()?, read(&options.test)?)
    };
    match (train, test) {
        (Some(Rows::One(train)), Rows::One(test)) => classify_one(options, &train, &test),
        (None, Rows::One(test)) => classify_one(options, &[], &test),
        (Some(Rows::Any(train)), Rows::Any(test)) => classify_any(options, &train, &test),
        (None, Rows::Any(test)) => classify_any(options, &[], &test),
        (Some(_), _) => bail!(
            "{:?} is one label in some of these files and a list in others: judge them apart",
            options.label
        ),
    }
}

fn classify_one(options: &Classify, train: &[Labelled], test: &[Labelled]) -> anyhow::Result<()> {
    let encoder = frontdesk::load_encoder(&Config::load(None, &toml::Table::new())?)?;
    let trained = options.heads(&encoder, |told| {
        Trained::on(
            train,
            test,
            &options.label,
            &encoder,
            options.training(),
            told,
        )
    })?;
    let bar = progress(test.len() as u64, "messages")?;
    let report = classify::judge(trained, encoder, test, || bar.inc(1))?;
    bar.finish_and_clear();
    println!("{}", classify::tables(&report));
    options.output.figures(&report)?;
    let title = format!("Classifier: {}", options.label);
    options.output.page(|| html::classify(&title, &report))
}

fn classify_any(options: &Classify, train: &[Tagged], test: &[Tagged]) -> anyhow::Result<()> {
    if options.full {
        bail!("layers are tuned for labels that exclude each other: leave --full out for lists");
    }
    let encoder = frontdesk::load_encoder(&Config::load(None, &toml::Table::new())?)?;
    let trained = options.heads(&encoder, |told| {
        classify::train_tags(train, &encoder, options.training(), told)
    })?;
    let bar = progress(test.len() as u64, "messages")?;
    let report = classify::judge_tags(trained, encoder, test, || bar.inc(1))?;
    bar.finish_and_clear();
    println!("{}", classify::tag_tables(&report));
    options.output.figures(&report)?;
    let title = format!("Classifier: {}", options.label);
    options.output.page(|| html::classify_tags(&title, &report))
}

impl Classify {
    fn training(&self) -> TrainOptions {
        let tune = TuneOptions {
            epochs: self.epochs,
            ..TuneOptions::default()
        };
        TrainOptions {
            c: self.c,
            tune: self.full.then_some(tune),
            ..TrainOptions::default()
        }
    }

    /// The heads to judge: those of a file, or what `train` makes, which hears of its progress.
    fn heads(
        &self,
        encoder: &Encoder,
        train: impl FnOnce(&dyn Fn(f32)) -> Result<Trained, ClassifyError>,
    ) -> anyhow::Result<Trained> {
        if let Some(file) = &self.heads {
            return Ok(Trained::elsewhere(Heads::load(file, encoder)?, &self.label));
        }
        let bar = progress(100, "% of the training")?;
        let trained = train(&|done| bar.set_position((done * 100.0) as u64))?;
        bar.finish_and_clear();
        if let Some(file) = &self.out {
            trained.save(file)?;
        }
        Ok(trained)
    }
}
