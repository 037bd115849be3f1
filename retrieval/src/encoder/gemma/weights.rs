//! The file of the weights, read tensor by tensor.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::graph::WIDTH;
use crate::encoder::EncoderError;
use crate::encoder::files::{Damage, unreadable, unusable};
use crate::encoder::model::TokenTable;

/// Longest header of a file.
const MOST_HEADER: u64 = 10_000_000;

const TABLE: &str = "embed_tokens.weight";

/// The tensors of a file.
pub(super) struct Weights {
    path: PathBuf,
    file: File,
    metadata: Metadata,
    /// Where the tensors begin.
    start: u64,
}

impl Weights {
    /// # Errors
    /// [`EncoderError`] of a file that cannot be read or is not what it must be.
    pub(super) fn open(path: &Path) -> Result<Self, EncoderError> {
        let file = File::open(path).map_err(|source| unreadable(path, source))?;
        let foreign = || unusable(path, Damage::Foreign);
        let mut length = [0; 8];
        (&file).read_exact(&mut length).map_err(|_| foreign())?;
        let length = u64::from_le_bytes(length);
        if length > MOST_HEADER {
            return Err(foreign());
        }
        let mut header = Vec::new();
        let read = (&file).take(length).read_to_end(&mut header);
        read.map_err(|source| unreadable(path, source))?;
        let metadata: Metadata = serde_json::from_slice(&header).map_err(|_| foreign())?;
        let all = file.metadata().map_err(|source| unreadable(path, source))?;
        if all.len() != 8 + length + metadata.data_len() as u64 {
            return Err(unusable(path, Damage::Short));
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            metadata,
            start: length + 8,
        })
    }

    fn info(&self, name: &str) -> Result<&TensorInfo, Damage> {
        let info = self.metadata.info(name);
        info.ok_or_else(|| Damage::Tensor(name.to_owned()))
    }

    /// The bytes of a tensor.
    pub(super) fn bytes(&self, name: &str) -> Result<Vec<u8>, EncoderError> {
        let info = self.info(name);
        let info = info.map_err(|damage| unusable(&self.path, damage))?;
        let (from, to) = info.data_offsets;
        let mut bytes = vec![0; to.saturating_sub(from)];
        let read = self
            .file
            .read_exact_at(&mut bytes, self.start + from as u64);
        match read {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(unusable(&self.path, Damage::Short))
            }
            Err(source) => Err(unreadable(&self.path, source)),
        }
    }

    /// The bytes of a tensor of unsigned numbers, of this shape.
    pub(super) fn numbers(&self, name: &str, shape: &[usize]) -> Result<Vec<u8>, EncoderError> {
        self.check(name, Dtype::U8, shape)?;
        self.bytes(name)
    }

    /// The numbers of a tensor of floats, of this shape.
    pub(super) fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, EncoderError> {
        self.check(name, Dtype::F32, shape)?;
        let bytes = self.bytes(name)?;
        let (numbers, _) = bytes.as_chunks::<4>();
        Ok(numbers
            .iter()
            .map(|number| f32::from_le_bytes(*number))
            .collect())
    }

    fn check(&self, name: &str, dtype: Dtype, shape: &[usize]) -> Result<(), EncoderError> {
        let fits = |info: &TensorInfo| info.dtype == dtype && info.shape == shape;
        if self.info(name).is_ok_and(fits) {
            return Ok(());
        }
        Err(unusable(&self.path, Damage::Tensor(name.to_owned())))
    }
}

/// The tokens' vectors, in the file.
pub(super) struct Table {
    file: File,
    /// Where the rows begin.
    start: u64,
    /// What the numbers of each row are multiplied by.
    scales: Vec<f32>,
}

impl Table {
    /// # Errors
    /// [`EncoderError`] of a table that is not what it must be.
    pub(super) fn of(weights: Weights) -> Result<Self, EncoderError> {
        let damaged = |damage| unusable(&weights.path, damage);
        let info = weights.info(TABLE).map_err(damaged)?;
        let (
            TensorInfo {
                dtype: Dtype::I8, ..
            },
            [tokens, WIDTH],
        ) = (info, info.shape.as_slice())
        else {
            return Err(damaged(Damage::Tensor(TABLE.to_owned())));
        };
        // What goes into the first layer is as many times longer as its root is wide.
        let length = (WIDTH as f32).sqrt();
        let mut scales = weights.floats(&format!("{TABLE}.scales"), &[*tokens])?;
        scales.iter_mut().for_each(|scale| *scale *= length);
        let start = weights.start + info.data_offsets.0 as u64;
        Ok(Self {
            start,
            scales,
            file: weights.file,
        })
    }
}

impl TokenTable for Table {
    /// A number that no token has is an error of the file's end.
    fn look_up(&self, tokens: &[u32], states: &mut Vec<f32>) -> io::Result<()> {
        let mut row = [0; WIDTH];
        for token in tokens {
            let scale = self.scales.get(*token as usize).copied();
            let scale = scale.ok_or(io::ErrorKind::UnexpectedEof)?;
            let at = self.start + u64::from(*token) * WIDTH as u64;
            self.file.read_exact_at(&mut row, at)?;
            states.extend(row.iter().map(|byte| f32::from(byte.cast_signed()) * scale));
        }
        Ok(())
    }
}
