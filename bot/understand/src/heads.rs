//! The trained heads and their file: one small safetensors file with every head's weights and, in
//! its metadata, labels, temperatures and how they were trained.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors, View};
use std::borrow::Cow;

use crate::head::Head;

/// Name of the head that tells intents apart.
pub const INTENT: &str = "intent";
/// Name of the head that tells sentiments apart.
pub const SENTIMENT: &str = "sentiment";
/// Name of the head for what must not be answered by a bot alone.
pub const CONCERN: &str = "concern";

/// The encoder whose states the heads are for: numbers of another one would mean nothing to them.
const ENCODER: &str = "multilingual-e5-small";

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
}

/// The heads by name, and what they were trained with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heads {
    /// By name: [`INTENT`], [`SENTIMENT`], [`CONCERN`].
    pub(crate) by_name: HashMap<String, Head>,
    /// Version that outcomes record.
    pub(crate) version: String,
}

impl Heads {
    /// The heads that come with the product.
    ///
    /// # Errors
    /// [`HeadsError::Invalid`] only if the binary was built with a damaged file.
    pub fn builtin() -> Result<Self, HeadsError> {
        Self::parse(
            include_bytes!("../heads/default.safetensors"),
            Path::new("(built in)"),
        )
    }

    /// Heads that `frontdesk train` wrote.
    ///
    /// # Errors
    /// [`HeadsError`]: the file is missing, or not a file of heads.
    pub fn load(path: &Path) -> Result<Self, HeadsError> {
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

    /// Takes over the heads of `other`, replacing those of the same name.
    pub fn replace_with(&mut self, other: Self) {
        self.by_name.extend(other.by_name);
        self.version = other.version;
    }

    /// Writes the heads.
    ///
    /// # Errors
    /// [`HeadsError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), HeadsError> {
        let mut metadata = HashMap::from([
            ("version".to_owned(), self.version.clone()),
            ("encoder".to_owned(), ENCODER.to_owned()),
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
            let shape = vec![head.labels.len(), head.width];
            tensors.push((format!("{name}.weights"), Tensor::new(&head.weights, shape)));
            tensors.push((
                format!("{name}.bias"),
                Tensor::new(&head.bias, vec![head.bias.len()]),
            ));
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
        if metadata.get("encoder").map(String::as_str) != Some(ENCODER) {
            return Err(invalid("it was trained for another encoder".into()));
        }
        let mut heads = Self {
            version: metadata.get("version").cloned().unwrap_or_default(),
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
    let width = weights.len() / labels.len();
    Ok(Head {
        labels,
        weights,
        bias,
        width,
        temperature,
    })
}

fn floats(tensors: &SafeTensors<'_>, name: &str) -> Result<Vec<f32>, String> {
    let tensor = tensors.tensor(name).map_err(|error| error.to_string())?;
    if tensor.dtype() != Dtype::F16 {
        return Err(format!("{name} is not made of 16-bit floats"));
    }
    Ok(tensor
        .data()
        .chunks_exact(2)
        .filter_map(|pair| Some(half::f16::from_le_bytes(pair.try_into().ok()?).to_f32()))
        .collect())
}

/// A tensor of 16-bit floats: a head of 35 labels takes 170 KB, and no probability changes in its
/// third digit.
struct Tensor {
    bytes: Vec<u8>,
    shape: Vec<usize>,
}

impl Tensor {
    fn new(values: &[f32], shape: Vec<usize>) -> Self {
        let bytes = values
            .iter()
            .flat_map(|value| half::f16::from_f32(*value).to_le_bytes())
            .collect();
        Self { bytes, shape }
    }
}

impl View for Tensor {
    fn dtype(&self) -> Dtype {
        Dtype::F16
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
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
        };
        Heads {
            by_name: HashMap::from([("answer".into(), head)]),
            version: "test".into(),
        }
    }

    #[test]
    fn heads_survive_the_way_to_disk_and_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heads.safetensors");
        one_head().save(&path).unwrap();
        assert_eq!(Heads::load(&path).unwrap(), one_head());
    }

    #[test]
    fn a_file_of_something_else_is_refused_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "hello, I am not a tensor").unwrap();
        let error = Heads::load(&path).unwrap_err();
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
            Heads::load(&path),
            Err(HeadsError::Invalid { .. })
        ));
    }

    #[test]
    fn a_missing_file_names_the_setting() {
        let error = Heads::load(Path::new("nowhere.safetensors")).unwrap_err();
        assert!(error.to_string().contains("understand.heads"), "{error}");
    }
}
