//! Understanding a message: one pass of the text encoder gives what tells the intent, the sentiment
//! and the concern and, to the caller, the query for retrieval. Layers that were tuned for the former
//! go on from the lower two thirds of that pass.

pub mod act;
mod evidence;
mod examples;
mod features;
mod head;
mod heads;
mod language;
mod metrics;
mod parts;
mod solver;
mod spelling;
mod train;
mod tune;

use ::language::Packs;
use retrieval::{Branch, Embedding, Encoder, EncoderError, Reading};
use serde::Serialize;
use unicode_segmentation::UnicodeSegmentation;

use evidence::Judges;
use features::Features;
use parts::{questions, sentences};

pub use self::language::{Language, Languages};
pub use evidence::{Candidate, Judgement};
pub use examples::{Example, NO_CONCERN, read_examples};
pub use head::{Head, Ranking, Scored};
pub use heads::{
    ACTS, ANSWERED, ASKS, CONCERN, EMOTIONS, Heads, HeadsError, INJECTION, INTENT, RELEVANCE,
    SENTIMENT,
};
pub use metrics::HeldOut;
pub use spelling::Spelling;
pub use train::pages::{Page, PageQuestion, read_pages, train_on_pages};
pub use train::{TrainError, TrainOptions, Trained, train};
pub use tune::TuneOptions;

/// Label of a message that fits no intent.
pub const OUT_OF_SCOPE: &str = "out_of_scope";

/// What is known of a message's meaning.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Understanding {
    /// What it wants.
    pub intent: Ranking,
    /// How its writer feels now.
    pub sentiment: Ranking,
    /// What a bot must not answer alone.
    pub concern: Ranking,
    /// Probability that it, or a sentence of it, gives instructions to the bot, in `[0, 1]`.
    pub injection: f32,
    /// All that its writer feels, each with a probability of its own; empty unless heads were trained
    /// for it.
    #[serde(skip_serializing_if = "Ranking::is_empty")]
    pub emotions: Ranking,
    /// What it asks of a record, the likeliest first: the labels above their thresholds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<Scored>,
    /// What it does in the dialogue, the likeliest first: the labels above their thresholds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub acts: Vec<Scored>,
    /// The language it is written in.
    pub language: Language,
    /// The embedding, unit length.
    #[serde(skip)]
    pub embedding: Embedding,
    /// The embedding of the message behind the one before it, where there is one.
    #[serde(skip)]
    pub in_context: Option<Embedding>,
    /// The embeddings of its questions, where it asks several; else none.
    #[serde(skip)]
    pub parts: Vec<Embedding>,
}

impl Understanding {
    /// Probability that something is raised that a bot must not answer alone.
    pub fn concern_probability(&self) -> f32 {
        if self.concern.is_empty() {
            return 0.0;
        }
        1.0 - self.concern.probability(NO_CONCERN)
    }

    /// What to look the message up by: where it goes on from another, what lies between its own embedding
    /// and that behind the other. What was talked about drowns a short question, and the question alone
    /// does not say what it is about.
    pub fn query(&self) -> Embedding {
        let in_context = self.in_context.as_ref();
        in_context.map_or_else(
            || self.embedding.clone(),
            |in_context| self.embedding.between(in_context),
        )
    }

    /// Whether the message more likely than not asks something of a record, and nothing else.
    pub fn surely_asks_of_a_record(&self) -> bool {
        let most = self.asks.first().map_or(0.0, |scored| scored.probability);
        most >= 0.5 && !self.does(act::SEVERAL)
    }

    /// Whether the message does `act`, a label of the head [`ACTS`].
    pub fn does(&self, act: &str) -> bool {
        self.acts.iter().any(|scored| scored.label == act)
    }

    /// Whether the message more likely than not does `act`: for what must not be taken for something
    /// else, where [`Self::does`] would rather have it too often.
    pub fn surely_does(&self, act: &str) -> bool {
        self.probability_of(act) >= 0.5
    }

    /// Probability that the message does `act`; 0 where it does not reach the act's threshold.
    pub fn probability_of(&self, act: &str) -> f32 {
        let scored = self.acts.iter().find(|scored| scored.label == act);
        scored.map_or(0.0, |scored| scored.probability)
    }

    /// The most probable concern other than none.
    pub fn likeliest_concern(&self) -> Option<&str> {
        let labels = self
            .concern
            .as_slice()
            .iter()
            .map(|scored| scored.label.as_str());
        labels.into_iter().find(|label| *label != NO_CONCERN)
    }
}

/// The classifier: an encoder and its heads.
#[derive(Debug)]
pub struct Understander {
    encoder: Encoder,
    /// Heads grouped by file; heads of a later file override those of an earlier one.
    families: Vec<Family>,
    languages: Languages,
}

/// Heads with the layers that were tuned for them.
#[derive(Debug)]
struct Family {
    heads: Heads,
    branch: Option<Branch>,
}

/// What the heads of each family see of a message.
struct Seen(Vec<Features>);

impl Understander {
    /// A classifier over `encoder` of the heads of `files`, each in place of those of its name in the
    /// files before. A head that is missing ranks no labels.
    ///
    /// # Errors
    /// [`EncoderError`] of tuned layers that do not fit the encoder.
    pub fn new(encoder: Encoder, files: Vec<Heads>) -> Result<Self, EncoderError> {
        let mut families: Vec<Family> = Vec::with_capacity(files.len());
        for mut heads in files {
            for earlier in &mut families {
                earlier.heads.forget(&heads);
            }
            let layers = std::mem::take(&mut heads.layers);
            let branch = match layers.as_slice() {
                [] => None,
                layers => Some(Branch::new(&encoder, layers)?),
            };
            families.push(Family { heads, branch });
        }
        families.retain(|family| !family.heads.by_name.is_empty());
        Ok(Self {
            encoder,
            families,
            languages: Languages::new(Packs::default()),
        })
    }

    /// The same, telling languages by the scripts of `packs` as well.
    #[must_use]
    pub fn with_packs(mut self, packs: Packs) -> Self {
        self.languages = Languages::new(packs);
        self
    }

    /// Version of the heads, as outcomes record it: that of the last file.
    pub fn version(&self) -> &str {
        let last = self.families.last();
        last.map_or("", |family| family.heads.version())
    }

    /// The language of `text`; `usual` is the language of the conversation so far.
    pub fn language(&self, text: &str, usual: &Language) -> Language {
        self.languages.detect(text, usual)
    }

    /// Understands `text`, written in `language` behind what was said `before`. Blocks for one encoder
    /// pass of both; for a message of several sentences that is angry or faintly suspicious, one more for its sentences
    /// apart, since "Supervisor. Now." drowns in three lines of story.
    ///
    /// # Errors
    /// [`EncoderError`] from the encoder.
    pub fn understand(
        &self,
        text: &str,
        before: Option<&str>,
        language: Language,
    ) -> Result<Understanding, EncoderError> {
        let in_context = before.map(|before| features::in_context(before, text));
        let texts: Vec<String> = [text.to_owned()].into_iter().chain(in_context).collect();
        let mut readings = self.encoder.read_batch(&texts)?.into_iter();
        let (Some(reading), in_context) = (readings.next(), readings.next()) else {
            return Err(EncoderError::Count { texts: 1, got: 0 });
        };
        let in_context = in_context.map(|reading| reading.embedding);
        let whole = self.see(text, &reading, in_context.as_ref())?;
        let mut understanding = Understanding {
            intent: self.rank(INTENT, &whole),
            sentiment: self.rank(SENTIMENT, &whole),
            concern: self.rank(CONCERN, &whole),
            injection: self.rank(INJECTION, &whole).probability(INJECTION),
            emotions: self.rank(EMOTIONS, &whole),
            asks: self.chosen(ASKS, &whole),
            acts: self.chosen(ACTS, &whole),
            language,
            embedding: reading.embedding,
            in_context,
            parts: Vec::new(),
        };
        // Of a message that is not read as a whole, what it asks is looked up apart from its story.
        if understanding.does(act::SEVERAL) || !self.encoder.reads_all_of(text)? {
            understanding.parts = self.parts(text, &understanding.language)?;
        }
        if is_worth_a_closer_look(&understanding) {
            self.look_closer(text, &mut understanding)?;
        }
        Ok(understanding)
    }

    /// The embeddings of the questions of `text`; none of a single one.
    fn parts(&self, text: &str, language: &Language) -> Result<Vec<Embedding>, EncoderError> {
        let questions = questions(text, self.languages.pack(language));
        if questions.len() < 2 {
            return Ok(Vec::new());
        }
        let readings = self.encoder.read_batch(&questions)?;
        Ok(readings
            .into_iter()
            .map(|reading| reading.embedding)
            .collect())
    }

    /// Which of `candidates`, and whether any, answer the question `text`, which goes on from what was said
    /// `before`; nothing is judged without heads for it. Blocks for one encoder pass over all of them.
    ///
    /// # Errors
    /// [`EncoderError`] from the encoder.
    pub fn judge(
        &self,
        text: &str,
        before: Option<&str>,
        candidates: &[Candidate],
    ) -> Result<Judgement, EncoderError> {
        let mut families = self.families.iter().map(|family| &family.heads);
        let judges = families.find_map(|heads| {
            Some(Judges {
                standard: heads.standard.as_ref()?,
                relevance: heads.get(RELEVANCE)?,
                answered: heads.get(ANSWERED),
            })
        });
        let question = features::behind(before, text).into_owned();
        match judges {
            Some(judges) if !candidates.is_empty() => {
                judges.judge(&self.encoder, question, candidates)
            }
            _ => Ok(Judgement {
                relevance: vec![None; candidates.len()],
                answered: None,
            }),
        }
    }

    fn see(
        &self,
        text: &str,
        reading: &Reading,
        context: Option<&Embedding>,
    ) -> Result<Seen, EncoderError> {
        let context = context.unwrap_or(&reading.embedding);
        let see = |family: &Family| {
            let branch = match &family.branch {
                Some(branch) => branch.embed(std::slice::from_ref(reading))?.pop(),
                None => None,
            };
            let own = features::features(text, reading);
            Ok(Features::new(own, branch, context.clone()))
        };
        let seen = self.families.iter().map(see);
        Ok(Seen(seen.collect::<Result<_, EncoderError>>()?))
    }

    fn rank(&self, head: &str, seen: &Seen) -> Ranking {
        let families = self.families.iter().zip(&seen.0);
        let mut found = families.filter_map(|(family, features)| {
            let head = family.heads.get(head)?;
            Some(head.rank(&features.seen_by(&head.kind)))
        });
        found.next().unwrap_or_else(|| Ranking::new(Vec::new()))
    }

    /// The labels of `head`, which may have several, that hold.
    fn chosen(&self, head: &str, seen: &Seen) -> Vec<Scored> {
        let families = self.families.iter().zip(&seen.0);
        let mut found = families.filter_map(|(family, features)| {
            let head = family.heads.get(head)?;
            let ranking = head.rank(&features.seen_by(&head.kind));
            Some(head.chosen(&ranking).into_iter().cloned().collect())
        });
        found.next().unwrap_or_default()
    }

    /// Raises the concern, the injection, and the wish for a person, to the strongest of any one sentence.
    fn look_closer(&self, text: &str, whole: &mut Understanding) -> Result<(), EncoderError> {
        // In a short message nothing drowns, and a long sentence is most of the message.
        const SHORT_MESSAGE: usize = 15;
        const MOST_WORDS: usize = 20;
        if text.unicode_words().count() <= SHORT_MESSAGE {
            return Ok(());
        }
        let mut sentences = sentences(text);
        if sentences.len() < 2 {
            return Ok(());
        }
        sentences.retain(|sentence| sentence.unicode_words().count() <= MOST_WORDS);
        let readings = self.encoder.read_batch(&sentences)?;
        for (sentence, reading) in sentences.iter().zip(&readings) {
            let seen = self.see(sentence, reading, None)?;
            let concern = self.rank(CONCERN, &seen);
            if concern.probability(NO_CONCERN) < whole.concern.probability(NO_CONCERN) {
                whole.concern = concern;
            }
            let injection = self.rank(INJECTION, &seen).probability(INJECTION);
            whole.injection = whole.injection.max(injection);
            let intent = self.rank(INTENT, &seen);
            if intent.top() == "contact_human_agent"
                && intent.confidence() > whole.intent.confidence()
            {
                whole.intent = intent;
            }
        }
        Ok(())
    }
}

fn is_worth_a_closer_look(understanding: &Understanding) -> bool {
    understanding.concern_probability() > 0.04
        || understanding.injection > 0.04
        || understanding.sentiment.top() == "negative"
        || understanding.intent.probability("contact_human_agent") > 0.05
}
