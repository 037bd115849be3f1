//! How familiar a message looks to a training that knew no stranger.

use std::collections::BTreeMap;

use nalgebra::{Cholesky, DMatrix, DVector, Dyn};

/// Share of the mean variance that is added to every direction: few examples leave most directions
/// unknown.
const SHRINKAGE: f64 = 0.25;

/// Embeddings of the training messages, summed up: a normal distribution about each label's mean, with
/// a covariance common to all, against one normal distribution over everything. A stranger is far from
/// every label *for how far it is from everything*: relative Mahalanobis distance (Ren et al., 2021).
#[derive(Debug)]
pub(super) struct Familiar {
    /// By label, the mean made round by `within`.
    centres: Vec<DVector<f64>>,
    middle: DVector<f64>,
    within: Cholesky<f64, Dyn>,
    overall: Cholesky<f64, Dyn>,
}

impl Familiar {
    /// From embeddings with their labels; `None` of too few to tell a label from the rest.
    pub(super) fn of(embeddings: &[(&str, &[f32])]) -> Option<Self> {
        let vectors: Vec<(&str, DVector<f64>)> = embeddings
            .iter()
            .map(|(label, numbers)| {
                let numbers = numbers.iter().map(|number| f64::from(*number));
                (*label, DVector::from_iterator(numbers.len(), numbers))
            })
            .collect();
        let mut by_label: BTreeMap<&str, Vec<&DVector<f64>>> = BTreeMap::new();
        for (label, vector) in &vectors {
            by_label.entry(label).or_default().push(vector);
        }
        if by_label.len() < 2 || by_label.len() == vectors.len() {
            return None;
        }
        let means: BTreeMap<&str, DVector<f64>> = by_label
            .iter()
            .map(|(label, own)| Some((*label, mean(own.iter().copied())?)))
            .collect::<Option<_>>()?;
        let middle = mean(vectors.iter().map(|(_, vector)| vector))?;
        let within = covariance(vectors.iter().map(|(label, vector)| vector - &means[label]))?;
        let overall = covariance(vectors.iter().map(|(_, vector)| vector - &middle))?;
        let centres = means.values().map(|mean| rounded(&within, mean)).collect();
        Some(Self {
            centres,
            middle,
            within,
            overall,
        })
    }

    /// The more, the more `embedding` looks like what was trained on.
    pub(super) fn score(&self, embedding: &[f32]) -> f64 {
        let numbers = embedding.iter().map(|number| f64::from(*number));
        let vector = DVector::from_iterator(embedding.len(), numbers);
        let round = rounded(&self.within, &vector);
        let distances = self
            .centres
            .iter()
            .map(|centre| (&round - centre).norm_squared());
        let nearest = distances.fold(f64::INFINITY, f64::min);
        rounded(&self.overall, &(vector - &self.middle)).norm_squared() - nearest
    }
}

fn mean<'v>(vectors: impl Iterator<Item = &'v DVector<f64>>) -> Option<DVector<f64>> {
    let mut count = 0.0;
    let sum = vectors.fold(None, |sum: Option<DVector<f64>>, vector| {
        count += 1.0;
        Some(sum.map_or_else(|| vector.clone(), |sum| sum + vector))
    });
    sum.map(|sum| sum / count)
}

/// The covariance of vectors about zero, held off from being flat.
fn covariance(vectors: impl Iterator<Item = DVector<f64>>) -> Option<Cholesky<f64, Dyn>> {
    let columns: Vec<DVector<f64>> = vectors.collect();
    let columns = DMatrix::from_columns(&columns);
    let mut covariance = &columns * columns.transpose() / columns.ncols() as f64;
    let variance = covariance.trace() / covariance.nrows() as f64;
    for at in 0..covariance.nrows() {
        covariance[(at, at)] += SHRINKAGE * variance;
    }
    Cholesky::new(covariance)
}

/// `vector` where distances are counted in deviations.
fn rounded(covariance: &Cholesky<f64, Dyn>, vector: &DVector<f64>) -> DVector<f64> {
    let solved = covariance.l_dirty().solve_lower_triangular(vector);
    solved.unwrap_or_else(|| vector.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages of two labels that differ in the first number, while the second is anything.
    fn known() -> Vec<(&'static str, [f32; 3])> {
        let mut random = fastrand::Rng::with_seed(7);
        (0..200)
            .map(|n| {
                let (label, centre) = if n % 2 == 0 { ("a", 1.0) } else { ("b", -1.0) };
                let noise = random.f32() - 0.5;
                (
                    label,
                    [centre + noise / 10.0, 4.0 * noise, 0.01 * random.f32()],
                )
            })
            .collect()
    }

    #[test]
    fn a_stranger_is_told_by_the_directions_that_matter() {
        let known = known();
        let embeddings: Vec<(&str, &[f32])> = known.iter().map(|(l, e)| (*l, &e[..])).collect();
        let familiar = Familiar::of(&embeddings).unwrap();
        let usual = familiar.score(&[1.0, 1.5, 0.005]);
        // As near to the label's mean, but between the labels, where nothing is.
        let stranger = familiar.score(&[0.0, 0.0, 0.005]);
        assert!(usual > stranger, "{usual} {stranger}");
    }

    #[test]
    fn what_is_odd_about_every_label_is_not_held_against_a_message() {
        let known = known();
        let embeddings: Vec<(&str, &[f32])> = known.iter().map(|(l, e)| (*l, &e[..])).collect();
        let familiar = Familiar::of(&embeddings).unwrap();
        // Of the label "a", but far out where the labels do not differ: far from everything alike.
        let odd = familiar.score(&[1.0, 5.0, 0.005]);
        // Nearer to the label's mean, but off it in the direction that tells the labels apart.
        let stranger = familiar.score(&[0.4, 0.0, 0.005]);
        assert!(odd > stranger, "{odd} {stranger}");
    }

    #[test]
    fn one_message_a_label_tells_nothing() {
        assert!(Familiar::of(&[("a", &[1.0, 0.0]), ("b", &[0.0, 1.0])]).is_none());
        assert!(Familiar::of(&[]).is_none());
    }
}
