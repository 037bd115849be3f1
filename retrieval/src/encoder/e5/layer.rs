//! The parts of a transformer layer, as plain numbers.

/// A layer normalisation: numbers of a state's width.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Norm {
    /// What a normalised number is multiplied by.
    pub scale: Vec<f32>,
    /// What is added then.
    pub shift: Vec<f32>,
}

/// A matrix with its bias.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Linear {
    /// `outputs x inputs`, row by row.
    pub weights: Vec<f32>,
    /// One number an output.
    pub bias: Vec<f32>,
}

/// One layer of a transformer encoder, normalised behind each half (Vaswani et al., 2017).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layer {
    /// What a token looks for.
    pub query: Linear,
    /// What it is found by.
    pub key: Linear,
    /// What it gives.
    pub value: Linear,
    /// Mixes what the attention heads have gathered.
    pub attended: Linear,
    /// Behind the attention.
    pub attention_norm: Norm,
    /// Into the feed-forward part.
    pub inner: Linear,
    /// And out of it.
    pub outer: Linear,
    /// Behind the layer.
    pub output_norm: Norm,
}

impl Layer {
    /// Its matrices by name, from the first that is used.
    #[must_use]
    pub fn linears(&self) -> [(&'static str, &Linear); 6] {
        [
            ("query", &self.query),
            ("key", &self.key),
            ("value", &self.value),
            ("attended", &self.attended),
            ("inner", &self.inner),
            ("outer", &self.outer),
        ]
    }

    /// Its normalisations by name.
    #[must_use]
    pub fn norms(&self) -> [(&'static str, &Norm); 2] {
        [
            ("attention_norm", &self.attention_norm),
            ("output_norm", &self.output_norm),
        ]
    }

    /// A layer of the parts that `linear` and `norm` give for [their](Self::linears)
    /// [names](Self::norms).
    ///
    /// # Errors
    /// Theirs.
    pub fn of<E>(
        mut linear: impl FnMut(&'static str) -> Result<Linear, E>,
        mut norm: impl FnMut(&'static str) -> Result<Norm, E>,
    ) -> Result<Self, E> {
        Ok(Self {
            query: linear("query")?,
            key: linear("key")?,
            value: linear("value")?,
            attended: linear("attended")?,
            attention_norm: norm("attention_norm")?,
            inner: linear("inner")?,
            outer: linear("outer")?,
            output_norm: norm("output_norm")?,
        })
    }

    /// Whether all parts fit states of `width` numbers.
    pub(super) fn fits(&self, width: usize) -> bool {
        let inner = self.inner.bias.len();
        let fits = |linear: &Linear, inputs: usize, outputs: usize| {
            linear.bias.len() == outputs && linear.weights.len() == inputs * outputs
        };
        let halves = [&self.query, &self.key, &self.value, &self.attended];
        halves.iter().all(|linear| fits(linear, width, width))
            && inner > 0
            && fits(&self.inner, width, inner)
            && fits(&self.outer, inner, width)
            && self
                .norms()
                .iter()
                .all(|(_, norm)| norm.scale.len() == width && norm.shift.len() == width)
    }
}

impl Linear {
    /// Its weights as integers of seven bits, row by row, with the scale of each row: what the
    /// encoder multiplies by. More bits would overflow on processors that add products in 16.
    #[must_use]
    pub fn quantised(&self) -> (Vec<i8>, Vec<f32>) {
        const MOST: f32 = 63.0;
        let outputs = self.bias.len().max(1);
        let inputs = (self.weights.len() / outputs).max(1);
        let mut numbers = Vec::with_capacity(self.weights.len());
        let mut scales = Vec::with_capacity(outputs);
        for row in self.weights.chunks_exact(inputs) {
            let largest = row
                .iter()
                .fold(0.0_f32, |most, value| most.max(value.abs()));
            let scale = largest.max(f32::MIN_POSITIVE) / MOST;
            numbers.extend(row.iter().map(|value| (value / scale).round() as i8));
            scales.push(scale);
        }
        (numbers, scales)
    }

    /// The matrix that [`Self::quantised`] has made `numbers` and `scales` of.
    #[must_use]
    pub fn of_quantised(numbers: &[i8], scales: &[f32], bias: Vec<f32>) -> Self {
        let inputs = (numbers.len() / scales.len().max(1)).max(1);
        let rows = numbers.chunks_exact(inputs).zip(scales);
        let weights = rows.flat_map(|(row, scale)| row.iter().map(move |n| f32::from(*n) * scale));
        Self {
            weights: weights.collect(),
            bias,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_becomes_integers_of_a_scale_of_its_own() {
        let linear = Linear {
            weights: vec![1.0, -0.25, 0.0, 2.0],
            bias: vec![0.0, 0.0],
        };
        let (numbers, scales) = linear.quantised();
        assert_eq!(numbers, [63, -16, 0, 63]);
        assert_eq!(scales, [1.0 / 63.0, 2.0 / 63.0]);
    }

    #[test]
    fn what_is_quantised_once_stays_as_it_is() {
        let linear = Linear {
            weights: vec![0.3, -0.77, 0.01, 0.5, 0.49, -0.51],
            bias: vec![1.0, 2.0],
        };
        let (numbers, scales) = linear.quantised();
        let again = Linear::of_quantised(&numbers, &scales, linear.bias);
        assert_eq!(again.quantised().0, numbers);
    }
}
