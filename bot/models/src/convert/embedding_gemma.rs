//! EmbeddingGemma-300M: 1.2 GB of 32-bit floats become 350 MB.
//!
//! The tensors keep their names. A matrix becomes unsigned bytes around 128 in blocks of 32 inputs,
//! `[outputs, blocks, 32]`, with the scale of each block in `NAME.scales`; the token table becomes
//! signed bytes with a scale for each row. The two linear layers behind the mean have nothing between
//! them, so they are one matrix, `projection.weight`. The tokenizer is a tensor of bytes.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use safetensors::{Dtype, View};
use serde::Deserialize;
use zip::ZipArchive;

use super::ConvertError;
use crate::error::During;

/// The folder within the archive.
const FOLDER: &str = "model_download";
/// Inputs of a matrix that share a scale.
const BLOCK: usize = 32;
/// The tensor of the tokens' vectors.
const TABLE: &str = "embed_tokens.weight";
/// Longest header of a safetensors file.
const MOST_HEADER: u64 = 100_000_000;

type Archive = ZipArchive<BufReader<File>>;

/// A tensor of the result.
struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for Tensor {
    fn dtype(&self) -> Dtype {
        self.dtype
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

impl Tensor {
    fn floats(shape: Vec<usize>, numbers: &[f32]) -> Self {
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes());
        Self {
            dtype: Dtype::F32,
            shape,
            bytes: bytes.collect(),
        }
    }
}

/// What the header of a safetensors file says of a tensor.
#[derive(Deserialize)]
struct Described {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [u64; 2],
}

/// Converts the archive `from`.
pub(super) fn convert(from: &Path, to: &Path) -> Result<(), ConvertError> {
    let file = File::open(from).during("open", from)?;
    let mut archive = ZipArchive::new(BufReader::new(file))?;
    let mut tensors: BTreeMap<String, Tensor> = BTreeMap::new();
    each_tensor(&mut archive, "model.safetensors", |name, shape, reader| {
        match *shape {
            [rows, width] if name == TABLE => {
                let (numbers, scales) = table(reader, rows, width)?;
                tensors.insert(name.to_owned(), numbers);
                tensors.insert(format!("{name}.scales"), scales);
            }
            [outputs, inputs] => {
                let weights = floats(reader, outputs * inputs)?;
                let (numbers, scales) = blocks(&weights, outputs, inputs)?;
                tensors.insert(name.to_owned(), numbers);
                tensors.insert(format!("{name}.scales"), scales);
            }
            _ => {
                let numbers = floats(reader, shape.iter().product())?;
                tensors.insert(name.to_owned(), Tensor::floats(shape.to_vec(), &numbers));
            }
        }
        Ok(())
    })?;
    let projection = projection(&mut archive)?;
    tensors.insert("projection.weight".to_owned(), projection);
    let tokenizer = whole(&mut archive, "tokenizer.json")?;
    let tokenizer = Tensor {
        dtype: Dtype::U8,
        shape: vec![tokenizer.len()],
        bytes: tokenizer,
    };
    tensors.insert("tokenizer.json".to_owned(), tokenizer);
    let metadata = HashMap::from([("format".to_owned(), "embedding-gemma-q8".to_owned())]);
    safetensors::serialize_to_file(tensors, Some(metadata), to)
        .map_err(io::Error::other)
        .during("write", to)?;
    // It is written as a temporary file, which others may not read.
    let readable = Permissions::from_mode(0o644);
    Ok(fs::set_permissions(to, readable).during("open to all", to)?)
}

/// The two linear layers behind the mean as one: `second x first`.
fn projection(archive: &mut Archive) -> Result<Tensor, ConvertError> {
    let mut dense = |member: &str| {
        let mut found = None;
        each_tensor(archive, member, |_, shape, reader| {
            if let [outputs, inputs] = *shape {
                found = Some((outputs, inputs, floats(reader, outputs * inputs)?));
            }
            Ok(())
        })?;
        found.ok_or_else(|| bad(member, "it holds no matrix"))
    };
    let (middle, inputs, first) = dense("2_Dense/model.safetensors")?;
    let (outputs, taken, second) = dense("3_Dense/model.safetensors")?;
    if taken != middle {
        return Err(bad("3_Dense/model.safetensors", "it does not fit 2_Dense"));
    }
    let mut product = vec![0.0_f64; outputs * inputs];
    for (row, weights) in product
        .chunks_exact_mut(inputs)
        .zip(second.chunks_exact(middle))
    {
        for (weight, from) in weights.iter().zip(first.chunks_exact(inputs)) {
            for (sum, value) in row.iter_mut().zip(from) {
                *sum += f64::from(*weight) * f64::from(*value);
            }
        }
    }
    let product: Vec<f32> = product.into_iter().map(|sum| sum as f32).collect();
    Ok(Tensor::floats(vec![outputs, inputs], &product))
}

/// Calls `take` with each tensor of a safetensors file in the archive, in the order of their bytes: the
/// file is never in memory as a whole.
fn each_tensor(
    archive: &mut Archive,
    member: &str,
    mut take: impl FnMut(&str, &[usize], &mut dyn Read) -> io::Result<()>,
) -> Result<(), ConvertError> {
    let mut reader = archive.by_name(&format!("{FOLDER}/{member}"))?;
    let damaged = |error: io::Error| bad(member, &error.to_string());
    let mut length = [0; 8];
    reader.read_exact(&mut length).map_err(damaged)?;
    let length = u64::from_le_bytes(length);
    if length > MOST_HEADER {
        return Err(bad(member, "it is no safetensors file"));
    }
    let mut header = Vec::new();
    let header_bytes = reader.by_ref().take(length).read_to_end(&mut header);
    header_bytes.map_err(damaged)?;
    let header: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(&header).map_err(|error| bad(member, &error.to_string()))?;
    let mut described = Vec::new();
    for (name, value) in header {
        if name != "__metadata__" {
            let tensor = Described::deserialize(value);
            let tensor = tensor.map_err(|error| bad(member, &error.to_string()))?;
            described.push((name, tensor));
        }
    }
    described.sort_by_key(|(_, tensor)| tensor.data_offsets[0]);
    let mut reached = 0;
    for (name, tensor) in &described {
        let [start, end] = tensor.data_offsets;
        let bytes = tensor.shape.iter().try_fold(4_u64, |bytes, size| {
            bytes.checked_mul(u64::try_from(*size).ok()?)
        });
        if tensor.dtype != "F32" || start != reached || bytes != end.checked_sub(start) {
            return Err(bad(
                member,
                &format!("its tensor {name} is of another kind"),
            ));
        }
        take(name, &tensor.shape, &mut reader).map_err(damaged)?;
        reached = end;
    }
    Ok(())
}

fn whole(archive: &mut Archive, member: &str) -> Result<Vec<u8>, ConvertError> {
    let mut bytes = Vec::new();
    let mut reader = archive.by_name(&format!("{FOLDER}/{member}"))?;
    let read = reader.read_to_end(&mut bytes);
    read.map_err(|error| bad(member, &error.to_string()))?;
    Ok(bytes)
}

fn floats(reader: &mut dyn Read, count: usize) -> io::Result<Vec<f32>> {
    let mut numbers = Vec::new();
    let mut block = vec![0; 1 << 16];
    let mut left = count * 4;
    while left > 0 {
        let part = left.min(block.len());
        let Some(bytes) = block.get_mut(..part) else {
            break;
        };
        reader.read_exact(bytes)?;
        let values = bytes.chunks_exact(4).map(|bytes| {
            let bytes: [u8; 4] = bytes.try_into().unwrap_or_default();
            f32::from_le_bytes(bytes)
        });
        numbers.extend(values);
        left -= part;
    }
    Ok(numbers)
}

/// A table of `rows` vectors as signed bytes, and the scale of each.
fn table(reader: &mut dyn Read, rows: usize, width: usize) -> io::Result<(Tensor, Tensor)> {
    let mut bytes = Vec::new();
    let mut scales = Vec::new();
    for _ in 0..rows {
        let row = floats(reader, width)?;
        let scale = scale(&row);
        let number = |value: &f32| (value / scale).round() as i8;
        bytes.extend(row.iter().map(|value| number(value).to_le_bytes()[0]));
        scales.push(scale);
    }
    let numbers = Tensor {
        dtype: Dtype::I8,
        shape: vec![rows, width],
        bytes,
    };
    Ok((numbers, Tensor::floats(vec![rows], &scales)))
}

/// A matrix in blocks of bytes around 128, and the scale of each block.
fn blocks(weights: &[f32], outputs: usize, inputs: usize) -> io::Result<(Tensor, Tensor)> {
    if !inputs.is_multiple_of(BLOCK) {
        let told = format!("a matrix has {inputs} inputs, not a multiple of {BLOCK}");
        return Err(io::Error::other(told));
    }
    let mut bytes = Vec::with_capacity(weights.len());
    let mut scales = Vec::with_capacity(weights.len() / BLOCK);
    for block in weights.chunks_exact(BLOCK) {
        let scale = scale(block);
        bytes.extend(
            block
                .iter()
                .map(|value| ((value / scale).round() + 128.0) as u8),
        );
        scales.push(scale);
    }
    let per_row = inputs / BLOCK;
    let numbers = Tensor {
        dtype: Dtype::U8,
        shape: vec![outputs, per_row, BLOCK],
        bytes,
    };
    Ok((numbers, Tensor::floats(vec![outputs, per_row], &scales)))
}

/// What the largest of `values` divided by it is 127.
fn scale(values: &[f32]) -> f32 {
    let largest = values
        .iter()
        .fold(0.0_f32, |most, value| most.max(value.abs()));
    largest.max(f32::MIN_POSITIVE * 127.0) / 127.0
}

fn bad(member: &str, reason: &str) -> ConvertError {
    ConvertError::Member {
        member: member.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use safetensors::SafeTensors;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    /// A safetensors file of these tensors.
    fn file(tensors: &[(&str, &[usize], &[f32])]) -> Vec<u8> {
        let tensors = tensors
            .iter()
            .map(|(name, shape, numbers)| (*name, Tensor::floats(shape.to_vec(), numbers)));
        safetensors::serialize(tensors, None).unwrap()
    }

    fn archive(folder: &Path, members: &[(&str, Vec<u8>)]) -> std::path::PathBuf {
        let path = folder.join("model.zip");
        let mut writer = ZipWriter::new(File::create(&path).unwrap());
        for (name, bytes) in members {
            let name = format!("{FOLDER}/{name}");
            writer
                .start_file(name, SimpleFileOptions::default())
                .unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap();
        path
    }

    fn members() -> Vec<(&'static str, Vec<u8>)> {
        let ramp: Vec<f32> = (0..64).map(|n| n as f32 - 20.0).collect();
        let model = file(&[
            (TABLE, &[2, 4], &[1.0, -0.5, 0.0, 0.25, 0.0, 0.0, 0.0, 0.0]),
            ("layers.0.mlp.up_proj.weight", &[1, 64], &ramp),
            ("norm.weight", &[2], &[0.5, 2.0]),
        ]);
        let first = file(&[("linear.weight", &[3, 2], &[1.0, 0.0, 0.0, 1.0, 1.0, 1.0])]);
        let second = file(&[("linear.weight", &[2, 3], &[1.0, 2.0, 3.0, 0.0, 1.0, 0.0])]);
        vec![
            ("model.safetensors", model),
            ("2_Dense/model.safetensors", first),
            ("3_Dense/model.safetensors", second),
            ("tokenizer.json", b"{}".to_vec()),
        ]
    }

    fn read_floats(bytes: &[u8]) -> Vec<f32> {
        let bytes = bytes.chunks_exact(4);
        bytes
            .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
            .collect()
    }

    #[test]
    fn matrices_become_bytes_that_stand_for_about_the_same_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("out");
        convert(&archive(folder.path(), &members()), &to).unwrap();
        let bytes = std::fs::read(&to).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let tensor = |name: &str| tensors.tensor(name).unwrap();

        let matrix = tensor("layers.0.mlp.up_proj.weight");
        assert_eq!(
            (matrix.dtype(), matrix.shape()),
            (Dtype::U8, &[1, 2, 32][..])
        );
        let scales = read_floats(tensor("layers.0.mlp.up_proj.weight.scales").data());
        for (at, byte) in matrix.data().iter().enumerate() {
            let value = (f32::from(*byte) - 128.0) * scales[at / BLOCK];
            assert!((value - (at as f32 - 20.0)).abs() < 0.2, "{at}: {value}");
        }
        let table: Vec<i8> = tensor(TABLE)
            .data()
            .iter()
            .map(|byte| *byte as i8)
            .collect();
        assert_eq!(table, [127, -64, 0, 32, 0, 0, 0, 0]);
        assert_eq!(read_floats(tensor("norm.weight").data()), [0.5, 2.0]);
        let projection = tensor("projection.weight");
        assert_eq!(projection.shape(), [2, 2]);
        assert_eq!(read_floats(projection.data()), [4.0, 5.0, 0.0, 1.0]);
        assert_eq!(tensor("tokenizer.json").data(), b"{}");
    }

    #[test]
    fn equal_bytes_give_equal_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let from = archive(folder.path(), &members());
        let [one, two] = ["one", "two"].map(|name| {
            let to = folder.path().join(name);
            convert(&from, &to).unwrap();
            std::fs::read(to).unwrap()
        });
        assert_eq!(one, two);
    }

    #[test]
    fn what_is_no_such_archive_is_refused_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("out");
        let refused = |members: &[(&str, Vec<u8>)]| {
            let from = archive(folder.path(), members);
            convert(&from, &to).unwrap_err().to_string()
        };
        let mut cut = members();
        let length = cut[0].1.len();
        cut[0].1.truncate(length - 8);
        assert!(refused(&cut).contains("model.safetensors"));
        let mut foreign = members();
        foreign[0].1 = vec![255; 64];
        assert!(refused(&foreign).contains("no safetensors file"));
        assert!(refused(&members()[..3]).contains("no sound archive"));
        let mut narrow = members();
        narrow[0].1 = file(&[("layers.0.mlp.up_proj.weight", &[2, 4], &[0.0; 8])]);
        assert!(refused(&narrow).contains("multiple of 32"));
        std::fs::write(folder.path().join("junk"), "junk").unwrap();
        let junk = convert(&folder.path().join("junk"), &to).unwrap_err();
        assert!(matches!(junk, ConvertError::Archive(_)), "{junk}");
    }
}
