//! The encoder's last layers in floats, with gradients: what is tuned.

use candle_core::{D, Device, Result, Tensor, Var};
use candle_nn::ops::{log_softmax, softmax};
use retrieval::{Layer, Linear, Norm};

/// What a mean state of length 1 is multiplied by: about the length that the encoder's have.
const STATE_LENGTH: f64 = 19.0;

/// How large the encoder is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Size {
    /// Length of a state.
    pub(crate) width: usize,
    /// Attention heads in each layer.
    pub(crate) attention_heads: usize,
    /// What is added to a variance.
    pub(crate) epsilon: f64,
}

/// Messages of like length, padded to the longest.
pub(super) struct Batch {
    /// States behind the layer below, `[messages, tokens, width]`.
    pub(super) states: Tensor,
    /// 1 for a token, 0 for padding, `[messages, tokens, 1]`.
    pub(super) mask: Tensor,
    /// Right answers by head: smoothed distributions, `[messages, labels]`, all zeros for a message
    /// without a label.
    pub(super) answers: Vec<Tensor>,
    /// The labels by head, of each message; `None` where it has none.
    pub(super) labels: Vec<Vec<Option<usize>>>,
}

/// Forgets a share of what passes (Srivastava et al., 2014). Candle's own cannot be seeded.
pub(super) struct Dropout {
    pub(super) random: fastrand::Rng,
    /// Share between layers, in `[0, 1)`.
    pub(super) rate: f32,
}

impl Dropout {
    fn apply(&mut self, states: &Tensor) -> Result<Tensor> {
        let kept = 1.0 - self.rate;
        let mask: Vec<f32> = (0..states.elem_count())
            .map(|_| {
                if self.random.f32() < kept {
                    1.0 / kept
                } else {
                    0.0
                }
            })
            .collect();
        states * Tensor::from_vec(mask, states.shape(), states.device())?
    }
}

struct Matrix {
    /// `outputs x inputs`.
    weights: Var,
    bias: Var,
}

struct Normalisation {
    scale: Var,
    shift: Var,
}

struct Trained {
    query: Matrix,
    key: Matrix,
    value: Matrix,
    attended: Matrix,
    attention_norm: Normalisation,
    inner: Matrix,
    outer: Matrix,
    output_norm: Normalisation,
}

/// Layers and the heads above them.
pub(super) struct Network {
    size: Size,
    layers: Vec<Trained>,
    heads: Vec<Matrix>,
}

impl Network {
    /// A network that begins as `layers`, with a head of so many labels for each of `labels`.
    pub(super) fn new(
        size: Size,
        layers: &[Layer],
        labels: &[usize],
        random: &mut fastrand::Rng,
    ) -> Result<Self> {
        let mut head = |labels: usize| {
            let weights = (0..labels * size.width).map(|_| (random.f32() - 0.5) * 0.07);
            Matrix::new(&Linear {
                weights: weights.collect(),
                bias: vec![0.0; labels],
            })
        };
        Ok(Self {
            size,
            heads: labels
                .iter()
                .map(|labels| head(*labels))
                .collect::<Result<_>>()?,
            layers: layers.iter().map(Trained::new).collect::<Result<_>>()?,
        })
    }

    /// What is tuned: the numbers of each layer, and of all heads.
    pub(super) fn variables(&self) -> (Vec<Vec<Var>>, Vec<Var>) {
        let layers = self.layers.iter().map(Trained::variables);
        let heads = self.heads.iter().flat_map(Matrix::variables);
        (layers.collect(), heads.collect())
    }

    /// Log-probabilities of the labels by head, `[messages, labels]`.
    fn forward(&self, batch: &Batch, mut dropout: Option<&mut Dropout>) -> Result<Vec<Tensor>> {
        let mut states = batch.states.clone();
        // Padding is not attended to: `[messages, 1, 1, tokens]`.
        let hidden = ((&batch.mask - 1.0)? * 1e9)?;
        let hidden = hidden.squeeze(2)?.unsqueeze(1)?.unsqueeze(1)?;
        for layer in &self.layers {
            states = layer.forward(&states, &hidden, self.size, dropout.as_deref_mut())?;
        }
        let sum = states.broadcast_mul(&batch.mask)?.sum(1)?;
        let length = (sum.sqr()?.sum_keepdim(D::Minus1)? + 1e-12)?.sqrt()?;
        let mut mean = sum.broadcast_div(&length)?;
        if let Some(dropout) = dropout {
            mean = dropout.apply(&mean)?;
        }
        let mean = (mean * STATE_LENGTH)?;
        let head = |head: &Matrix| log_softmax(&head.forward(&mean)?, D::Minus1);
        self.heads.iter().map(head).collect()
    }

    /// Mean cross-entropy of the labels, summed over the heads.
    pub(super) fn loss(&self, batch: &Batch, dropout: Option<&mut Dropout>) -> Result<Tensor> {
        let logarithms = self.forward(batch, dropout)?;
        let mut whole = Tensor::zeros((), candle_core::DType::F32, &Device::Cpu)?;
        let heads = logarithms.iter().zip(&batch.answers).zip(&batch.labels);
        for ((logarithms, answers), labels) in heads {
            let labelled = labels.iter().flatten().count();
            if labelled > 0 {
                let likelihood = (logarithms * answers)?.sum_all()?;
                whole = (whole - (likelihood / labelled as f64)?)?;
            }
        }
        Ok(whole)
    }

    /// How many of the batch's labels are not the likeliest ones.
    pub(super) fn mistakes(&self, batch: &Batch) -> Result<usize> {
        let mut mistakes = 0;
        for (logarithms, labels) in self.forward(batch, None)?.iter().zip(&batch.labels) {
            let given: Vec<u32> = logarithms.argmax(D::Minus1)?.to_vec1()?;
            let right = labels.iter().zip(given);
            mistakes += right
                .filter(|(label, given)| label.is_some_and(|label| label != *given as usize))
                .count();
        }
        Ok(mistakes)
    }

    /// The layers as they are now.
    pub(super) fn layers(&self) -> Result<Vec<Layer>> {
        self.layers.iter().map(Trained::layer).collect()
    }

    /// The heads as they are now, for mean states of length 1.
    pub(super) fn heads(&self) -> Result<Vec<Linear>> {
        let head = |head: &Matrix| {
            let mut linear = head.linear()?;
            for weight in &mut linear.weights {
                *weight *= STATE_LENGTH as f32;
            }
            Ok(linear)
        };
        self.heads.iter().map(head).collect()
    }
}

impl Trained {
    fn new(layer: &Layer) -> Result<Self> {
        Ok(Self {
            query: Matrix::new(&layer.query)?,
            key: Matrix::new(&layer.key)?,
            value: Matrix::new(&layer.value)?,
            attended: Matrix::new(&layer.attended)?,
            attention_norm: Normalisation::new(&layer.attention_norm)?,
            inner: Matrix::new(&layer.inner)?,
            outer: Matrix::new(&layer.outer)?,
            output_norm: Normalisation::new(&layer.output_norm)?,
        })
    }

    fn forward(
        &self,
        states: &Tensor,
        hidden: &Tensor,
        size: Size,
        mut dropout: Option<&mut Dropout>,
    ) -> Result<Tensor> {
        let (messages, tokens, width) = states.dims3()?;
        let states = states.reshape((messages * tokens, width))?;
        let heads = size.attention_heads;
        let split = |matrix: &Matrix| {
            let shape = (messages, tokens, heads, width / heads);
            matrix
                .forward(&states)?
                .reshape(shape)?
                .transpose(1, 2)?
                .contiguous()
        };
        let (query, key, value) = (split(&self.query)?, split(&self.key)?, split(&self.value)?);
        let scores = (query.matmul(&key.t()?)? / ((width / heads) as f64).sqrt())?;
        let shares = softmax(&scores.broadcast_add(hidden)?, D::Minus1)?;
        let gathered = shares.matmul(&value)?.transpose(1, 2)?;
        let gathered = gathered.reshape((messages * tokens, width))?;
        let mut forget = |states: Tensor| match &mut dropout {
            Some(dropout) => dropout.apply(&states),
            None => Ok(states),
        };
        let attended = forget(self.attended.forward(&gathered)?)?;
        let middle = self
            .attention_norm
            .forward(&(states + attended)?, size.epsilon)?;
        let inner = self.inner.forward(&middle)?.gelu_erf()?;
        let outer = forget(self.outer.forward(&inner)?)?;
        self.output_norm
            .forward(&(middle + outer)?, size.epsilon)?
            .reshape((messages, tokens, width))
    }

    fn variables(&self) -> Vec<Var> {
        let matrices = [
            &self.query,
            &self.key,
            &self.value,
            &self.attended,
            &self.inner,
            &self.outer,
        ];
        let norms = [&self.attention_norm, &self.output_norm];
        let norms = norms
            .into_iter()
            .flat_map(|norm| [norm.scale.clone(), norm.shift.clone()]);
        matrices
            .into_iter()
            .flat_map(Matrix::variables)
            .chain(norms)
            .collect()
    }

    fn layer(&self) -> Result<Layer> {
        Ok(Layer {
            query: self.query.linear()?,
            key: self.key.linear()?,
            value: self.value.linear()?,
            attended: self.attended.linear()?,
            attention_norm: self.attention_norm.norm()?,
            inner: self.inner.linear()?,
            outer: self.outer.linear()?,
            output_norm: self.output_norm.norm()?,
        })
    }
}

impl Matrix {
    fn new(linear: &Linear) -> Result<Self> {
        let outputs = linear.bias.len();
        let inputs = linear.weights.len() / outputs.max(1);
        Ok(Self {
            weights: Var::from_slice(&linear.weights, (outputs, inputs), &Device::Cpu)?,
            bias: variable(&linear.bias)?,
        })
    }

    fn forward(&self, states: &Tensor) -> Result<Tensor> {
        states
            .matmul(&self.weights.t()?)?
            .broadcast_add(self.bias.as_tensor())
    }

    fn variables(&self) -> [Var; 2] {
        [self.weights.clone(), self.bias.clone()]
    }

    fn linear(&self) -> Result<Linear> {
        Ok(Linear {
            weights: self.weights.flatten_all()?.to_vec1()?,
            bias: self.bias.to_vec1()?,
        })
    }
}

impl Normalisation {
    fn new(norm: &Norm) -> Result<Self> {
        Ok(Self {
            scale: variable(&norm.scale)?,
            shift: variable(&norm.shift)?,
        })
    }

    /// In steps that have gradients; the fused one has none.
    fn forward(&self, states: &Tensor, epsilon: f64) -> Result<Tensor> {
        let centred = states.broadcast_sub(&states.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let normalised = centred.broadcast_div(&(variance + epsilon)?.sqrt()?)?;
        normalised
            .broadcast_mul(self.scale.as_tensor())?
            .broadcast_add(self.shift.as_tensor())
    }

    fn norm(&self) -> Result<Norm> {
        Ok(Norm {
            scale: self.scale.to_vec1()?,
            shift: self.shift.to_vec1()?,
        })
    }
}

fn variable(numbers: &[f32]) -> Result<Var> {
    Var::from_slice(numbers, numbers.len(), &Device::Cpu)
}
