//! Tensors of a file of heads, as they are read and written.

use std::borrow::Cow;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, View};

pub(super) fn tensor<'t>(tensors: &SafeTensors<'t>, name: &str) -> Result<TensorView<'t>, String> {
    tensors.tensor(name).map_err(|error| error.to_string())
}

pub(super) fn floats(tensors: &SafeTensors<'_>, name: &str) -> Result<Vec<f32>, String> {
    let tensor = tensor(tensors, name)?;
    let data = tensor.data();
    if tensor.dtype() == Dtype::F16 {
        let halves = data.chunks_exact(2);
        let half = |bytes: &[u8]| Some(half::f16::from_le_bytes(bytes.try_into().ok()?).to_f32());
        return Ok(halves.filter_map(half).collect());
    }
    if tensor.dtype() == Dtype::F32 {
        let singles = data.chunks_exact(4);
        let single = |bytes: &[u8]| Some(f32::from_le_bytes(bytes.try_into().ok()?));
        return Ok(singles.filter_map(single).collect());
    }
    Err(format!("{name} is not made of floats"))
}

/// A tensor as it is written.
pub(super) struct Tensor {
    pub(super) bytes: Vec<u8>,
    pub(super) shape: Vec<usize>,
    pub(super) dtype: Dtype,
}

impl Tensor {
    /// In floats of 16 bits: a head of 35 labels takes 230 KB, and no probability changes in its
    /// third digit.
    pub(super) fn half(values: &[f32], shape: Vec<usize>) -> Self {
        let bytes = values
            .iter()
            .flat_map(|value| half::f16::from_f32(*value).to_le_bytes());
        Self {
            bytes: bytes.collect(),
            shape,
            dtype: Dtype::F16,
        }
    }

    /// A row of floats of 32 bits.
    pub(super) fn single(values: &[f32]) -> Self {
        Self {
            bytes: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            shape: vec![values.len()],
            dtype: Dtype::F32,
        }
    }
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
