//! The file of the small encoder: one `E5S1` image of multilingual-e5-small (Wang et al., 2024), its matrices
//! in blocks of 32 four-bit numbers, with the pieces of its tokenizer.
//!
//! Layout, little-endian: the magic and a version; nine numbers of the model's shape; the
//! vocabulary (offsets, scores, bytes); what characters are replaced by before the text is cut; a
//! directory of tensors by name, and the tensors.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use half::f16;

use super::layer::{Layer, Linear, Norm};
use crate::encoder::files::Damage;
use crate::encoder::model::TokenTable;

/// Numbers in a block of a four-bit matrix.
const BLOCK: usize = 32;

/// Bytes of a block: a scale in 16 bits, and 32 numbers of four.
const BLOCK_BYTES: usize = 2 + BLOCK / 2;

/// The model, read.
pub(super) struct Weights {
    pub(super) shape: Shape,
    pub(super) vocabulary: Vocabulary,
    pub(super) table: Table,
    pub(super) embedding_norm: Norm,
    pub(super) layers: Vec<Layer>,
}

/// How large the model is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::encoder) struct Shape {
    /// Length of a token's state, and of an embedding.
    pub(in crate::encoder) width: usize,
    pub(in crate::encoder) layers: usize,
    pub(in crate::encoder) attention_heads: usize,
    /// Length of a state within a layer's feed-forward part.
    pub(in crate::encoder) inner: usize,
    pub(in crate::encoder) epsilon: f32,
    tokens: usize,
    positions: usize,
    token_types: usize,
}

/// Pieces of text with their log-probabilities, and the numbers of the special ones.
pub(super) struct Vocabulary {
    pub(super) pieces: Vec<(String, f64)>,
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) unknown: u32,
    /// What a character is replaced by before the text is cut into pieces.
    pub(super) replaced: HashMap<char, String>,
}

/// Where a token begins: its own vector and that of its place.
#[derive(Clone)]
pub(super) struct Table {
    file: Arc<[u8]>,
    rows: Range<usize>,
    width: usize,
    /// Position's vector with the token type's already added, `positions x width`.
    positions: Arc<[f32]>,
}

impl Weights {
    /// # Errors
    /// [`Damage`] of a file that is not what it must be.
    pub(super) fn parse(file: Arc<[u8]>) -> Result<Self, Damage> {
        let mut reader = Reader {
            bytes: &file,
            at: 0,
        };
        if reader.take(4).map_err(|_| Damage::Foreign)? != b"E5S1" {
            return Err(Damage::Foreign);
        }
        let _version = reader.u32()?;
        let shape = Shape::read(&mut reader)?;
        let vocabulary = Vocabulary::read(&mut reader)?;
        let tensors = Tensors::read(&mut reader, &file)?;
        let width = shape.width;
        let norm = |name: &str| {
            Ok(Norm {
                scale: tensors.plain(&format!("{name}.w"), width)?,
                shift: tensors.plain(&format!("{name}.b"), width)?,
            })
        };
        let layers = (0..shape.layers).map(|layer| {
            let linear = |name: &str, inputs: usize, outputs: usize| {
                tensors.linear(&format!("l{layer}.{name}"), inputs, outputs)
            };
            Ok(Layer {
                query: linear("q", width, width)?,
                key: linear("k", width, width)?,
                value: linear("v", width, width)?,
                attended: linear("ao", width, width)?,
                attention_norm: norm(&format!("l{layer}.aln"))?,
                inner: linear("fi", width, shape.inner)?,
                outer: linear("fo", shape.inner, width)?,
                output_norm: norm(&format!("l{layer}.oln"))?,
            })
        });
        let layers = layers.collect::<Result<_, Damage>>()?;
        let embedding_norm = norm("emb.ln")?;
        let table = tensors.table(&shape)?;
        Ok(Self {
            shape,
            vocabulary,
            table,
            embedding_norm,
            layers,
        })
    }
}

impl Shape {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Damage> {
        let shape = Self {
            width: reader.size()?,
            layers: reader.size()?,
            attention_heads: reader.size()?,
            inner: reader.size()?,
            tokens: reader.size()?,
            positions: reader.size()?,
            token_types: reader.size()?,
            epsilon: f32::from_bits(reader.u32()?),
        };
        let block = reader.size()?;
        let is_sound = block == BLOCK
            && shape.attention_heads > 0
            && shape.width > 0
            && shape.width.is_multiple_of(shape.attention_heads)
            && shape.width.is_multiple_of(BLOCK)
            && shape.inner.is_multiple_of(BLOCK)
            && shape.positions > super::MOST_TOKENS
            && shape.token_types > 0
            && (super::MIDDLE_LAYERS[1] + 1..100).contains(&shape.layers);
        if is_sound {
            Ok(shape)
        } else {
            Err(Damage::Shape)
        }
    }
}

impl Vocabulary {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Damage> {
        let count = reader.size()?;
        let [start, end, _padding, unknown] =
            [reader.u32()?, reader.u32()?, reader.u32()?, reader.u32()?];
        let length = usize::try_from(reader.u64()?).map_err(|_| Damage::Short)?;
        let offsets = reader.numbers(count + 1, u32::from_le_bytes)?;
        let scores = reader.numbers(count, f32::from_le_bytes)?;
        let bytes = reader.take(length)?;
        let piece = |(ends, score): (&[u32], f32)| {
            let [from, to] = ends.try_into().map_err(|_| Damage::Shape)?;
            let bytes = bytes.get(from as usize..to as usize).ok_or(Damage::Short)?;
            Ok((
                String::from_utf8_lossy(bytes).into_owned(),
                f64::from(score),
            ))
        };
        let pieces = offsets.windows(2).zip(scores).map(piece);
        let pieces: Vec<_> = pieces.collect::<Result<_, Damage>>()?;
        if [start, end, unknown].iter().any(|id| *id as usize >= count) {
            return Err(Damage::Shape);
        }
        let replaced = Self::read_replacements(reader)?;
        Ok(Self {
            pieces,
            start,
            end,
            unknown,
            replaced,
        })
    }

    fn read_replacements(reader: &mut Reader<'_>) -> Result<HashMap<char, String>, Damage> {
        let character = |code: u32| char::from_u32(code).ok_or(Damage::Shape);
        let count = reader.size()?;
        let _bytes = reader.u32()?;
        let mut replaced = HashMap::with_capacity(count.min(reader.bytes.len()));
        for _ in 0..count {
            let from = character(reader.u32()?)?;
            let [length] = reader.array()?;
            let by = (0..length).map(|_| character(reader.u32()?));
            replaced.insert(from, by.collect::<Result<_, Damage>>()?);
        }
        Ok(replaced)
    }
}

impl TokenTable for Table {
    /// A number that no token has is passed over.
    fn look_up(&self, tokens: &[u32], states: &mut Vec<f32>) -> io::Result<()> {
        let row_bytes = self.width / BLOCK * BLOCK_BYTES;
        let rows = self.file.get(self.rows.clone()).unwrap_or_default();
        for (token, position) in tokens.iter().zip(self.positions.chunks_exact(self.width)) {
            let start = *token as usize * row_bytes;
            let row = rows.get(start..start + row_bytes).unwrap_or_default();
            let own = unpacked(row);
            states.extend(own.iter().zip(position).map(|(own, place)| own + place));
        }
        Ok(())
    }
}

/// The numbers of four-bit blocks.
fn unpacked(blocks: &[u8]) -> Vec<f32> {
    let mut numbers = Vec::with_capacity(blocks.len() / BLOCK_BYTES * BLOCK);
    for block in blocks.chunks_exact(BLOCK_BYTES) {
        let (scale, packed) = block.split_at(2);
        let scale = f16::from_le_bytes([scale[0], scale[1]]).to_f32();
        let value = |nibble: u8| (f32::from(nibble) - 8.0) * scale;
        numbers.extend(packed.iter().map(|byte| value(byte & 0x0f)));
        numbers.extend(packed.iter().map(|byte| value(byte >> 4)));
    }
    numbers
}

/// The directory of tensors, and the file that they lie in.
struct Tensors<'a> {
    file: &'a Arc<[u8]>,
    places: HashMap<String, Range<usize>>,
}

impl<'a> Tensors<'a> {
    fn read(reader: &mut Reader<'_>, file: &'a Arc<[u8]>) -> Result<Self, Damage> {
        let count = reader.u32()?;
        let mut places = HashMap::new();
        for _ in 0..count {
            let length = usize::from(u16::from_le_bytes(reader.array()?));
            let name = String::from_utf8_lossy(reader.take(length)?).into_owned();
            let [_kind] = reader.array()?;
            let _count = reader.u32()?;
            let start = usize::try_from(reader.u64()?).map_err(|_| Damage::Short)?;
            let length = usize::try_from(reader.u64()?).map_err(|_| Damage::Short)?;
            let end = start.checked_add(length).ok_or(Damage::Short)?;
            if end > file.len() {
                return Err(Damage::Short);
            }
            places.insert(name, start..end);
        }
        Ok(Self { file, places })
    }

    fn place(&self, name: &str) -> Result<Range<usize>, Damage> {
        let place = self.places.get(name).cloned();
        place.ok_or_else(|| Damage::Tensor(name.to_owned()))
    }

    fn bytes(&self, name: &str) -> Result<&[u8], Damage> {
        let place = self.place(name)?;
        self.file.get(place).ok_or(Damage::Short)
    }

    /// A tensor of 32-bit floats.
    fn plain(&self, name: &str, numbers: usize) -> Result<Vec<f32>, Damage> {
        let (values, []) = self.bytes(name)?.as_chunks::<4>() else {
            return Err(Damage::Tensor(name.to_owned()));
        };
        if values.len() != numbers {
            return Err(Damage::Tensor(name.to_owned()));
        }
        Ok(values
            .iter()
            .map(|value| f32::from_le_bytes(*value))
            .collect())
    }

    fn linear(&self, name: &str, inputs: usize, outputs: usize) -> Result<Linear, Damage> {
        let matrix = format!("{name}.w");
        let blocks = self.bytes(&matrix)?;
        if blocks.len() != inputs * outputs / BLOCK * BLOCK_BYTES {
            return Err(Damage::Tensor(matrix));
        }
        Ok(Linear {
            weights: unpacked(blocks),
            bias: self.plain(&format!("{name}.b"), outputs)?,
        })
    }

    fn table(&self, shape: &Shape) -> Result<Table, Damage> {
        const ROWS: &str = "emb.word";
        let rows = self.place(ROWS)?;
        if rows.len() != shape.tokens * shape.width / BLOCK * BLOCK_BYTES {
            return Err(Damage::Tensor(ROWS.to_owned()));
        }
        let types = self.plain("emb.type", shape.token_types * shape.width)?;
        let mut positions = self.plain("emb.pos", shape.positions * shape.width)?;
        // There is only one type of token in a text that stands alone.
        for place in positions.chunks_exact_mut(shape.width) {
            place
                .iter_mut()
                .zip(&types)
                .for_each(|(sum, own)| *sum += own);
        }
        Ok(Table {
            file: Arc::clone(self.file),
            rows,
            width: shape.width,
            positions: positions.into(),
        })
    }
}

/// Reads from the front of a file.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Damage> {
        let end = self.at.checked_add(length).ok_or(Damage::Short)?;
        let taken = self.bytes.get(self.at..end).ok_or(Damage::Short)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], Damage> {
        self.take(LENGTH)?.try_into().map_err(|_| Damage::Short)
    }

    fn u32(&mut self) -> Result<u32, Damage> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, Damage> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A size, written as a signed number of 32 bits.
    fn size(&mut self) -> Result<usize, Damage> {
        let number = i32::from_le_bytes(self.array()?);
        usize::try_from(number).map_err(|_| Damage::Shape)
    }

    fn numbers<T>(&mut self, count: usize, read: fn([u8; 4]) -> T) -> Result<Vec<T>, Damage> {
        let bytes = self.take(count.checked_mul(4).ok_or(Damage::Short)?)?;
        let (numbers, _) = bytes.as_chunks::<4>();
        Ok(numbers.iter().map(|number| read(*number)).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_block_holds_its_first_half_in_the_lower_bits() {
        let mut block = f16::from_f32(0.5).to_le_bytes().to_vec();
        block.extend([0xf8; 16]);
        let numbers = unpacked(&block);
        assert_eq!(numbers.len(), BLOCK);
        assert_eq!((numbers[0], numbers[16]), (0.0, 3.5));
    }

    proptest! {
        /// Whatever a file holds behind the magic, it is refused and nothing breaks.
        #[test]
        fn noise_is_refused(noise in proptest::collection::vec(any::<u8>(), 0..400)) {
            let file: Vec<u8> = b"E5S1".iter().copied().chain(noise).collect();
            prop_assert!(Weights::parse(file.into()).is_err());
        }
    }
}
