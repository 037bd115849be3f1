//! The trained heads and their file: one safetensors file with every head's weights, the layers tuned
//! for them, in 8-bit integers, and, in its metadata, labels, temperatures and the version.

mod standard;
mod tensors;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use retrieval::{Encoder, Layer, Linear, Norm};
use safetensors::{Dtype, SafeTensors};

use crate::head::{Head, Kind};
pub(crate) use standard::Standard;
use tensors::{Tensor, floats, tensor};

/// Name of the head that tells intents apart.
pub const INTENT: &str = "intent";
/// Name of the head that tells sentiments apart.
pub const SENTIMENT: &str = "sentiment";
/// Name of the head for what must not be answered by a bot alone.
pub const CONCERN: &str = "concern";
/// Name of the head, and its label, for messages that give instructions to the bot.
pub const INJECTION: &str = "injection";
/// Name of the head for whether a line is of the answer to the question that it is read with.
pub const RELEVANCE: &str = "relevance";
/// Label of a line that is.
pub(crate) const RELEVANT: &str = "relevant";
/// Label of one that is not.
pub(crate) const IRRELEVANT: &str = "irrelevant";
/// Name of the head, and its label, for whether the lines that are read with a question answer it.
pub const ANSWERED: &str = "answered";
/// Label of lines that do not.
pub(crate) const UNANSWERED: &str = "unanswered";
/// Name of the head for feelings, of which a message may have several. The product's own heads have
/// none.
pub const EMOTIONS: &str = "emotions";

/// Name of the head for what is asked of a record, of which a message may ask several things.
pub const ASKS: &str = "asks";

/// Name of the head for what a message does in a dialogue, of which several may hold.
pub const ACTS: &str = "acts";

/// The heads whose labels do not exclude each other.
pub(crate) const TAGGED: [&str; 3] = [EMOTIONS, ASKS, ACTS];

/// The heads that come with the product, each file of what was trained together, by encoder.
const BUILTIN: [(&str, &[&[u8]]); 2] = [
    (
        "embeddinggemma-300m",
        &[
            include_bytes!("../heads/gemma.safetensors"),
            include_bytes!("../heads/gemma-dialogue.safetensors"),
            include_bytes!("../heads/gemma-injection.safetensors"),
            include_bytes!("../heads/gemma-evidence.safetensors"),
        ],
    ),
    (
        "multilingual-e5-small",
        &[
            include_bytes!("../heads/e5.safetensors"),
            include_bytes!("../heads/e5-dialogue.safetensors"),
            include_bytes!("../heads/e5-injection.safetensors"),
        ],
    ),
];

/// Why heads cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HeadsError {
    /// The file cannot be read or written.
    #[error("the classifier heads {path} cannot be opened; check the path `understand.heads`")]
    Io {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what `frontdesk train` writes.
    #[error(
        "{path} is not a file of classifier heads ({reason}); train it anew with `frontdesk train`"
    )]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The heads were trained on the embeddings of another encoder.
    #[error(
        "{path} was trained for the encoder {theirs}, and {ours} is in use; train it anew with \
         `frontdesk train`, or set `models.encoder`"
    )]
    OtherEncoder {
        /// The file.
        path: PathBuf,
        /// The encoder that it was trained for.
        theirs: String,
        /// The one in use.
        ours: &'static str,
    },
}

/// The heads by name, and what they were trained with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heads {
    /// By name: [`INTENT`], [`SENTIMENT`], [`CONCERN`], [`INJECTION`], [`RELEVANCE`], [`ANSWERED`],
    /// [`EMOTIONS`], [`ASKS`], [`ACTS`].
    pub(crate) by_name: HashMap<String, Head>,
    /// How [`RELEVANCE`] and [`ANSWERED`] see states, where there are these.
    pub(crate) standard: Option<Standard>,
    /// The encoder's last layers as they were tuned for the heads; none where it was left alone.
    pub(crate) layers: Vec<Layer>,
    /// The encoder whose embeddings they are for: another one's numbers would mean nothing to them.
    pub(crate) encoder: String,
    /// Version that outcomes record.
    pub(crate) version: String,
}

impl Heads {
    /// The heads that come with the product for `encoder`, a file each of what was trained together;
    /// none for one that is not the product's.
    ///
    /// # Errors
    /// [`HeadsError::Invalid`] only if the binary was built with a damaged file.
    pub fn builtin(encoder: &Encoder) -> Result<Vec<Self>, HeadsError> {
        let own = BUILTIN.iter().filter(|(name, _)| *name == encoder.name());
        let parse = |file: &&[u8]| Self::parse(file, Path::new("(built in)"));
        own.flat_map(|(_, files)| *files).map(parse).collect()
    }

    /// Heads that `frontdesk train` wrote, for `encoder`.
    ///
    /// # Errors
    /// [`HeadsError`]: the file is missing, not a file of heads, or of those for another encoder.
    pub fn load(path: &Path, encoder: &Encoder) -> Result<Self, HeadsError> {
        let heads = Self::read(path)?;
        if heads.encoder == encoder.name() {
            return Ok(heads);
        }
        Err(HeadsError::OtherEncoder {
            path: path.to_owned(),
            theirs: heads.encoder,
            ours: encoder.name(),
        })
    }

    fn read(path: &Path) -> Result<Self, HeadsError> {
        let bytes = std::fs::read(path).map_err(|source| HeadsError::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&bytes, path)
    }

    /// The head called `name`.
    pub fn get(&self, name: &str) -> Option<&Head> {
        self.by_name.get(name)
    }

    /// What outcomes record as the version of the classifier.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Drops the heads that `other` has, too.
    pub(crate) fn forget(&mut self, other: &Self) {
        self.by_name
            .retain(|name, _| !other.by_name.contains_key(name));
    }

    /// Writes the heads.
    ///
    /// # Errors
    /// [`HeadsError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), HeadsError> {
        let mut metadata = HashMap::from([
            ("version".to_owned(), self.version.clone()),
            ("encoder".to_owned(), self.encoder.clone()),
        ]);
        let mut tensors: Vec<(String, Tensor)> = Vec::new();
        let mut names: Vec<&String> = self.by_name.keys().collect();
        names.sort();
        for name in names {
            let Some(head) = self.by_name.get(name) else {
                continue;
            };
            metadata.insert(format!("{name}.labels"), head.labels.join("\n"));
            metadata.insert(format!("{name}.temperature"), head.temperature.to_string());
            if let Kind::AnyOf { thresholds } = &head.kind {
                let thresholds = Tensor::single(thresholds);
                tensors.push((format!("{name}.thresholds"), thresholds));
            }
            let shape = vec![head.labels.len(), head.width];
            tensors.push((
                format!("{name}.weights"),
                Tensor::half(&head.weights, shape),
            ));
            let bias = Tensor::half(&head.bias, vec![head.bias.len()]);
            tensors.push((format!("{name}.bias"), bias));
        }
        tensors.extend(self.standard.iter().flat_map(Standard::tensors));
        for (number, layer) in self.layers.iter().enumerate() {
            tensors.extend(layer_tensors(number, layer));
        }
        safetensors::serialize_to_file(tensors, Some(metadata), path).map_err(|error| {
            HeadsError::Io {
                path: path.to_owned(),
                source: std::io::Error::other(error),
            }
        })
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<Self, HeadsError> {
        let invalid = |reason: String| HeadsError::Invalid {
            path: path.to_owned(),
            reason,
        };
        let (_, header) =
            SafeTensors::read_metadata(bytes).map_err(|error| invalid(error.to_string()))?;
        let tensors =
            SafeTensors::deserialize(bytes).map_err(|error| invalid(error.to_string()))?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let encoder = metadata.get("encoder").cloned();
        let encoder = encoder.ok_or_else(|| invalid("it names no encoder".into()))?;
        let mut heads = Self {
            encoder,
            version: metadata.get("version").cloned().unwrap_or_default(),
            standard: Standard::read(&tensors).map_err(&invalid)?,
            ..Self::default()
        };
        for (key, labels) in &metadata {
            let Some(name) = key.strip_suffix(".labels") else {
                continue;
            };
            let head = read_head(&tensors, &metadata, name, labels).map_err(&invalid)?;
            heads.by_name.insert(name.to_owned(), head);
        }
        if heads.by_name.is_empty() {
            return Err(invalid("it holds no head".into()));
        }
        while tensors
            .tensor(&layer_part(heads.layers.len(), "query", "numbers"))
            .is_ok()
        {
            let layer = read_layer(&tensors, heads.layers.len()).map_err(&invalid)?;
            heads.layers.push(layer);
        }
        Ok(heads)
    }
}

fn read_head(
    tensors: &SafeTensors<'_>,
    metadata: &HashMap<String, String>,
    name: &str,
    labels: &str,
) -> Result<Head, String> {
    let labels: Vec<String> = labels.lines().map(str::to_owned).collect();
    let weights = floats(tensors, &format!("{name}.weights"))?;
    let bias = floats(tensors, &format!("{name}.bias"))?;
    let temperature = metadata
        .get(&format!("{name}.temperature"))
        .and_then(|value| value.parse::<f32>().ok())
        .filter(|value| *value > 0.0)
        .ok_or_else(|| format!("head {name} has no temperature"))?;
    if labels.is_empty() || bias.len() != labels.len() || weights.len() % labels.len() != 0 {
        return Err(format!("the shapes of head {name} do not fit together"));
    }
    let thresholds = format!("{name}.thresholds");
    let kind = if tensors.names().contains(&thresholds.as_str()) {
        let thresholds = floats(tensors, &thresholds)?;
        if thresholds.len() != labels.len() {
            return Err(format!("head {name} needs a threshold for each label"));
        }
        Kind::AnyOf { thresholds }
    } else {
        Kind::OneOf
    };
    let width = weights.len() / labels.len();
    Ok(Head {
        labels,
        weights,
        bias,
        width,
        temperature,
        kind,
    })
}

/// Name of a tensor of the tuned layers.
fn layer_part(layer: usize, part: &str, what: &str) -> String {
    format!("layer{layer}.{part}.{what}")
}

fn layer_tensors(number: usize, layer: &Layer) -> Vec<(String, Tensor)> {
    let mut tensors = Vec::new();
    for (part, linear) in layer.linears() {
        let (numbers, scales) = linear.quantised();
        let outputs = scales.len();
        let inputs = numbers.len() / outputs.max(1);
        let numbers = Tensor {
            bytes: numbers
                .iter()
                .map(|number| number.cast_unsigned())
                .collect(),
            shape: vec![outputs, inputs],
            dtype: Dtype::I8,
        };
        tensors.push((layer_part(number, part, "numbers"), numbers));
        for (what, values) in [("scales", &scales), ("bias", &linear.bias)] {
            tensors.push((layer_part(number, part, what), Tensor::single(values)));
        }
    }
    for (part, norm) in layer.norms() {
        for (what, values) in [("scale", &norm.scale), ("shift", &norm.shift)] {
            tensors.push((layer_part(number, part, what), Tensor::single(values)));
        }
    }
    tensors
}

fn read_layer(tensors: &SafeTensors<'_>, number: usize) -> Result<Layer, String> {
    let linear = |part: &str| {
        let name = layer_part(number, part, "numbers");
        let numbers = tensor(tensors, &name)?;
        if numbers.dtype() != Dtype::I8 {
            return Err(format!("{name} is not made of 8-bit integers"));
        }
        let numbers: Vec<i8> = numbers
            .data()
            .iter()
            .map(|byte| byte.cast_signed())
            .collect();
        let scales = floats(tensors, &layer_part(number, part, "scales"))?;
        let bias = floats(tensors, &layer_part(number, part, "bias"))?;
        Ok(Linear::of_quantised(&numbers, &scales, bias))
    };
    let norm = |part: &str| {
        Ok(Norm {
            scale: floats(tensors, &layer_part(number, part, "scale"))?,
            shift: floats(tensors, &layer_part(number, part, "shift"))?,
        })
    };
    Layer::of(linear, norm)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_head() -> Heads {
        let head = Head {
            labels: vec!["no".into(), "yes".into()],
            weights: vec![0.5, -1.0, 0.25, 2.0],
            bias: vec![0.0, 1.0],
            width: 2,
            temperature: 1.5,
            kind: Kind::OneOf,
        };
        Heads {
            by_name: HashMap::from([("answer".into(), head)]),
            standard: None,
            layers: Vec::new(),
            encoder: "an encoder".into(),
            version: "test".into(),
        }
    }

    /// A layer over states of two numbers, whose weights are whole multiples of their scales.
    fn a_layer() -> Layer {
        let linear = |_: &str| {
            let scales = [0.5, 0.25];
            Ok::<_, ()>(Linear::of_quantised(
                &[63, -7, 1, 63],
                &scales,
                vec![0.1, 0.2],
            ))
        };
        let norm = |_: &str| {
            Ok(Norm {
                scale: vec![1.0, 1.1],
                shift: vec![0.0, -0.3],
            })
        };
        Layer::of(linear, norm).unwrap()
    }

    #[test]
    fn heads_survive_the_way_to_disk_and_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heads.safetensors");
        one_head().save(&path).unwrap();
        assert_eq!(Heads::read(&path).unwrap(), one_head());
    }

    #[test]
    fn what_states_are_standardised_by_survives_with_the_heads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heads.safetensors");
        let standard = Standard::over([[1.0, 2.0].as_slice(), &[3.0, 2.5]].into_iter());
        let heads = Heads {
            standard: Some(standard),
            ..one_head()
        };
        heads.save(&path).unwrap();
        assert_eq!(Heads::read(&path).unwrap(), heads);
    }

    #[test]
    fn thresholds_survive_with_their_head() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heads.safetensors");
        let mut heads = one_head();
        let head = heads.by_name.get_mut("answer").unwrap();
        head.kind = Kind::AnyOf {
            thresholds: vec![0.2, 0.7],
        };
        heads.save(&path).unwrap();
        assert_eq!(Heads::read(&path).unwrap(), heads);
        // A threshold that is missing would make a label impossible.
        let head = heads.by_name.get_mut("answer").unwrap();
        head.kind = Kind::AnyOf {
            thresholds: vec![0.2],
        };
        heads.save(&path).unwrap();
        let error = Heads::read(&path).unwrap_err().to_string();
        assert!(error.contains("threshold for each label"), "{error}");
    }

    #[test]
    fn tuned_layers_survive_with_their_heads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heads.safetensors");
        let heads = Heads {
            layers: vec![a_layer(), a_layer()],
            ..one_head()
        };
        heads.save(&path).unwrap();
        assert_eq!(Heads::read(&path).unwrap(), heads);
    }

    #[test]
    fn a_file_of_something_else_is_refused_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "hello, I am not a tensor").unwrap();
        let error = Heads::read(&path).unwrap_err();
        assert!(matches!(error, HeadsError::Invalid { .. }));
        assert!(error.to_string().contains("notes.txt"), "{error}");
    }

    #[test]
    fn a_truncated_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heads.safetensors");
        one_head().save(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        assert!(matches!(
            Heads::read(&path),
            Err(HeadsError::Invalid { .. })
        ));
    }

    #[test]
    fn a_missing_file_names_the_setting() {
        let error = Heads::read(Path::new("nowhere.safetensors")).unwrap_err();
        assert!(error.to_string().contains("understand.heads"), "{error}");
    }
}
