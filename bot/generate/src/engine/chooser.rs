//! Sampling: chooses the next token of one reply from llama.cpp's logits.

use std::cell::OnceCell;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token::data::LlamaTokenData;
use llama_cpp_2::token::data_array::LlamaTokenDataArray;
use llguidance::api::TopLevelGrammar;
use llguidance::{Matcher, ParserFactory};
use serde_json::{Value, json};

use crate::{Form, GenerateError, Sampling};

/// Sampling keeps the 40 likeliest tokens, and of them the likeliest that make up 95 %.
const TOP_K: i32 = 40;
const TOP_P: f32 = 0.95;

/// What choosers of a model share.
pub(super) struct Choosing<'model> {
    model: &'model LlamaModel,
    /// Reads grammars. It walks the whole vocabulary first, so only where one is asked for.
    grammars: OnceCell<Result<ParserFactory, String>>,
}

impl<'model> Choosing<'model> {
    pub(super) fn new(model: &'model LlamaModel) -> Self {
        Self {
            model,
            grammars: OnceCell::new(),
        }
    }

    /// A chooser for one reply.
    ///
    /// # Errors
    /// [`GenerateError::Unsupported`] for a grammar or schema that cannot be read, and a bias on what
    /// is not one token.
    pub(super) fn chooser(&self, sampling: &Sampling) -> Result<Chooser, GenerateError> {
        let draw = (sampling.temperature > 0.0).then(|| {
            let steps = [
                LlamaSampler::top_k(TOP_K),
                LlamaSampler::top_p(TOP_P, 1),
                LlamaSampler::temp(sampling.temperature),
                LlamaSampler::dist(sampling.seed),
            ];
            LlamaSampler::chain(steps, true)
        });
        let bias = sampling.bias.iter().map(|bias| self.bias(bias));
        Ok(Chooser {
            draw,
            bias: bias.collect::<Result<_, _>>()?,
            form: self.matcher(&sampling.form)?,
        })
    }

    fn bias(&self, (text, bias): &(String, f32)) -> Result<(usize, f32), GenerateError> {
        let tokens = self.model.vocab().tokenize(text.as_bytes(), false, false);
        let token = match tokens[..] {
            [LlamaToken(token)] => usize::try_from(token).ok(),
            _ => None,
        };
        token
            .map(|token| (token, *bias))
            .ok_or_else(|| GenerateError::Unsupported {
                reason: format!("a bias on {text:?}, which is not one token to it"),
            })
    }

    fn matcher(&self, form: &Form) -> Result<Option<Matcher>, GenerateError> {
        let (what, grammar) = match form {
            Form::Free => return Ok(None),
            Form::Grammar(text) => ("grammar", TopLevelGrammar::from_lark(text.clone())),
            Form::Json(schema) => (
                "JSON schema",
                TopLevelGrammar::from_json_schema(compact(schema.clone())),
            ),
        };
        let unsupported = |reason: &str| GenerateError::Unsupported {
            reason: format!("this {what} cannot be read ({reason})"),
        };
        let grammars = self.grammars.get_or_init(|| {
            let vocabulary = LlamaSampler::llguidance_tok_env(self.model);
            let mut factory =
                ParserFactory::new_simple(&vocabulary).map_err(|error| error.to_string())?;
            factory.quiet();
            Ok(factory)
        });
        let grammars = grammars.as_ref().map_err(|reason| unsupported(reason))?;
        let parser = grammars.create_parser(grammar);
        let parser = parser.map_err(|error| unsupported(&error.to_string()))?;
        Ok(Some(Matcher::new(Ok(parser))))
    }
}

/// What one reply's tokens are chosen by.
pub(super) struct Chooser {
    /// `None` takes the likeliest.
    draw: Option<LlamaSampler>,
    /// What is added to which logits.
    bias: Vec<(usize, f32)>,
    form: Option<Matcher>,
}

impl Chooser {
    /// The token after the one at `index` of the last batch.
    ///
    /// # Errors
    /// That the form cannot be gone on with, as part of a sentence.
    pub(super) fn choose(
        &mut self,
        context: &LlamaContext<'_>,
        index: i32,
    ) -> Result<LlamaToken, String> {
        let logits = context.get_logits_ith(index);
        if self.draw.is_none() && self.bias.is_empty() && self.form.is_none() {
            return Ok(likeliest(logits));
        }
        let lost = |error| format!("it lost the form that the reply must have ({error})");
        let mut logits = logits.to_vec();
        for (token, bias) in &self.bias {
            if let Some(logit) = logits.get_mut(*token) {
                *logit += bias;
            }
        }
        if let Some(form) = &mut self.form {
            let allowed = form.compute_mask_or_eos().map_err(lost)?;
            for (token, logit) in (0..).zip(&mut logits) {
                if !allowed.is_allowed(token) {
                    *logit = f32::NEG_INFINITY;
                }
            }
        }
        let token = match &mut self.draw {
            None => likeliest(&logits),
            Some(draw) => drawn(&logits, draw),
        };
        if let Some(form) = &mut self.form
            && !form.is_stopped()
        {
            form.consume_token(token.0.cast_unsigned()).map_err(lost)?;
        }
        Ok(token)
    }
}

/// `schema` for JSON without white space that means nothing: small models go on with it for ever.
fn compact(mut schema: Value) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        let compact = json!({"whitespace_flexible": false});
        schema.entry("x-guidance").or_insert(compact);
    }
    schema
}

fn drawn(logits: &[f32], draw: &mut LlamaSampler) -> LlamaToken {
    let possible = (0..).zip(logits).filter(|(_, logit)| logit.is_finite());
    let data =
        possible.map(|(token, logit)| LlamaTokenData::new(LlamaToken::new(token), *logit, 0.0));
    let mut candidates = LlamaTokenDataArray::from_iter(data, false);
    candidates.apply_sampler(draw);
    candidates
        .selected_token()
        .unwrap_or_else(|| likeliest(logits))
}

/// The first of the highest logits. In lanes, so that it is done in vectors: there are a hundred
/// thousand of them.
fn likeliest(logits: &[f32]) -> LlamaToken {
    let mut lanes = [f32::NEG_INFINITY; 16];
    let chunks = logits.chunks_exact(lanes.len());
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, logit) in lanes.iter_mut().zip(chunk) {
            *lane = if logit > lane { *logit } else { *lane };
        }
    }
    let highest = lanes
        .iter()
        .chain(rest)
        .copied()
        .fold(f32::NEG_INFINITY, f32::max);
    let index = logits.iter().position(|logit| *logit == highest);
    LlamaToken::new(
        index
            .and_then(|index| i32::try_from(index).ok())
            .unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_highest_is_the_likeliest() {
        assert_eq!(likeliest(&[0.0, 2.0, -1.0, 2.0]), LlamaToken::new(1));
        assert_eq!(likeliest(&[f32::NAN, 1.0]), LlamaToken::new(1));
        assert_eq!(likeliest(&[]), LlamaToken::new(0));
    }
}
