//! What the encoders have in common, and what each of them brings.

use std::collections::HashSet;
use std::io;
use std::ops::Range;

use super::e5::Shape;
use super::session::Stage;
use crate::similarity::Similarity;

/// Stands for a space in front of a word, in the pieces of a vocabulary.
pub(super) const SPACE: char = '\u{2581}';

/// Marks of a text: one at its beginning, one at its end.
pub(super) const MARKS: usize = 2;

/// What a text is to a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// What somebody asks or says.
    Query,
    /// What may answer it.
    Passage,
}

/// What is known of an encoder without its weights.
#[derive(Debug)]
pub(super) struct Format {
    /// Its published name.
    pub(super) name: &'static str,
    /// Tokens of a text beyond this many are not read.
    pub(super) most_tokens: usize,
    /// A text, with the title that it stands under, as the model was trained to see it.
    pub(super) prompted: fn(Role, Option<&str>, &str) -> String,
    /// What its cosines mean.
    pub(super) similarity: Similarity,
}

/// A loaded encoder: tokens become states by the table, states become others in the stages, and
/// their mean, projected, is the embedding.
pub(super) struct Model {
    pub(super) format: &'static Format,
    /// From the lowest layers up: a pass goes no higher than it is read.
    pub(super) stages: Vec<Stage>,
    /// Layers that a message is read behind, the last one last.
    pub(super) read_behind: Vec<usize>,
    /// Layer whose states tell how texts that are read together stand to each other.
    pub(super) joint_layer: usize,
    /// Length of a state.
    pub(super) width: usize,
    pub(super) tokenizer: Box<dyn Tokenizer>,
    pub(super) table: Box<dyn TokenTable>,
    /// What the mean is multiplied by, `width x width`, row by row.
    pub(super) projection: Option<Vec<f32>>,
    /// Of an encoder that a branch can go on from.
    pub(super) shape: Option<Shape>,
}

/// Cuts texts into tokens.
pub(super) trait Tokenizer: Send + Sync {
    /// The tokens of `text`.
    ///
    /// # Errors
    /// Those of the tokenizer.
    fn tokens(&self, text: &str) -> tokenizers::Result<Vec<u32>>;

    /// The tokens that mark a text's beginning and its end.
    fn marks(&self) -> (u32, u32);

    /// The words that the model knows as a whole, in small letters.
    fn words(&self) -> HashSet<String>;
}

/// Where tokens begin.
pub(super) trait TokenTable: Send + Sync {
    /// Adds the vectors of `tokens` to `states`, one after the other from the first position.
    ///
    /// # Errors
    /// Those of the file that they are in.
    fn look_up(&self, tokens: &[u32], states: &mut Vec<f32>) -> io::Result<()>;
}

impl Model {
    /// The tokens of a text that is given in segments, between the marks of its ends, and where those of
    /// each segment are. What is more than the model reads is left out of the middle of the longest
    /// segments: a message says at its beginning what it is about, and at its end what it wants.
    ///
    /// # Errors
    /// Those of the tokenizer.
    pub(super) fn tokens(&self, segments: &[String]) -> tokenizers::Result<Row> {
        let (start, end) = self.tokenizer.marks();
        let segments = segments.iter().map(|text| self.tokenizer.tokens(text));
        let mut segments: Vec<Vec<u32>> = segments.collect::<Result<_, _>>()?;
        let most = longest_segment(&segments, self.format.most_tokens - MARKS);
        let mut tokens = vec![start];
        let mut places = Vec::with_capacity(segments.len());
        for segment in &mut segments {
            let begin = tokens.len();
            if segment.len() > most {
                let head = most.div_ceil(2);
                let tail = segment.len() - most / 2;
                segment.drain(head..tail);
            }
            tokens.append(segment);
            places.push(begin..tokens.len());
        }
        tokens.truncate(self.format.most_tokens - 1);
        for place in &mut places {
            *place = place.start.min(tokens.len())..place.end.min(tokens.len());
        }
        tokens.push(end);
        Ok(Row { tokens, places })
    }
}

/// The most tokens that a segment may have for all to be no more than `most` together: the short ones stay
/// whole, the long ones become alike.
fn longest_segment(segments: &[Vec<u32>], most: usize) -> usize {
    let mut lengths: Vec<usize> = segments.iter().map(Vec::len).collect();
    lengths.sort_unstable();
    let mut left = most;
    for (shorter, length) in lengths.iter().enumerate() {
        let share = left / (lengths.len() - shorter);
        if *length > share {
            return share;
        }
        left -= length;
    }
    most
}

/// A text in tokens.
pub(super) struct Row {
    pub(super) tokens: Vec<u32>,
    /// The tokens of each segment that it was given in.
    pub(super) places: Vec<Range<usize>>,
}

/// The words among the `pieces` of a vocabulary.
pub(super) fn words(pieces: impl Iterator<Item = String>) -> HashSet<String> {
    let words = pieces.filter_map(|piece| piece.strip_prefix(SPACE).map(str::to_lowercase));
    words
        .filter(|word| !word.is_empty() && word.chars().all(char::is_alphabetic))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::longest_segment;

    #[test]
    fn long_segments_share_what_short_ones_leave() {
        let longest = |lengths: &[usize]| {
            let segments: Vec<Vec<u32>> = lengths.iter().map(|n| vec![0; *n]).collect();
            longest_segment(&segments, 100)
        };
        assert_eq!(longest(&[40, 60]), 100);
        assert_eq!(longest(&[900, 20, 30]), 50);
        assert_eq!(longest(&[900, 20, 800]), 40);
        assert_eq!(longest(&[101]), 100);
        assert_eq!(longest(&[]), 100);
        assert_eq!(longest(&[1; 200]), 0);
    }
}
