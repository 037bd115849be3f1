//! The prompt and reply templates of `prompts/` and the language packs beside them: one folder a
//! language.
//!
//! Both are checked when they are loaded: an unknown key of a pack stops the start with file and line, and so does a template that names a variable which its context does not have, so that no customer
//! is the first to see it.

mod samples;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use language::{Pack, PackError, Packs};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use rust_embed::RustEmbed;
use serde::Serialize;

/// Language used where a customer's own has no templates.
const FALLBACK: &str = "en";
/// Name of a language's pack in its folder.
const PACK: &str = "language.toml";

#[derive(RustEmbed)]
#[folder = "../prompts/"]
#[include = "*.j2"]
#[include = "*/language.toml"]
struct Builtin;

/// Why a text could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The folder of templates cannot be read.
    #[error("the templates in {path} cannot be read; check `prompts.dir`")]
    Read {
        /// Folder or file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// The folder is one language's, or none at all.
    #[error("{0} holds no folder of a language, such as `en`; correct `prompts.dir`")]
    NoLanguage(PathBuf),
    /// A template is not well-formed, or does not fit its context.
    #[error("template {template}, line {line}: {reason}")]
    Invalid {
        /// `en/order.j2`.
        template: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A language pack is not well-formed, or missing.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The folder lacks a template.
    #[error("the template {template} is missing; copy it from the product's prompts/ folder")]
    Missing {
        /// `en/order.j2`.
        template: String,
    },
}

/// The language packs that come with the product.
///
/// # Errors
/// [`PromptError`] if one of them, or a template, is broken.
pub fn packs() -> Result<Packs, PromptError> {
    Ok(Prompts::builtin()?.packs)
}

/// All templates of all languages.
#[derive(Debug)]
pub(crate) struct Prompts {
    environment: Environment<'static>,
    /// Languages that have templates.
    languages: BTreeSet<String>,
    packs: Packs,
    /// The fallback's pack.
    own: Pack,
}

impl Prompts {
    /// The templates that come with the product.
    ///
    /// # Errors
    /// [`PromptError`] if one of them is broken.
    pub(crate) fn builtin() -> Result<Self, PromptError> {
        Self::from_sources(builtin_sources())
    }

    /// The product's templates, with those of `folder` (`en/order.j2`) in their place.
    ///
    /// # Errors
    /// [`PromptError`] names template and line.
    pub(crate) fn load(folder: &Path) -> Result<Self, PromptError> {
        let mut sources = builtin_sources();
        let languages: Vec<PathBuf> = entries(folder)?
            .into_iter()
            .filter(|path| path.is_dir())
            .collect();
        if languages.is_empty() {
            return Err(PromptError::NoLanguage(folder.to_owned()));
        }
        for language in languages {
            for file in entries(&language)? {
                let is_template = file.extension().is_some_and(|extension| extension == "j2");
                let is_pack = file.file_name().is_some_and(|name| name == PACK);
                if !is_template && !is_pack {
                    continue;
                }
                let source =
                    std::fs::read_to_string(&file).map_err(|source| PromptError::Read {
                        path: file.clone(),
                        source,
                    })?;
                if let Ok(name) = file.strip_prefix(folder) {
                    sources.insert(name.to_string_lossy().replace('\\', "/"), source);
                }
            }
        }
        Self::from_sources(sources)
    }

    /// `language` where it has templates, else English.
    pub(crate) fn supported<'a>(&self, language: &'a str) -> &'a str {
        if self.languages.contains(language) {
            language
        } else {
            FALLBACK
        }
    }

    /// Language used where a customer's own has no templates.
    pub(crate) fn fallback(&self) -> &'static str {
        FALLBACK
    }

    /// Languages that have templates.
    pub(crate) fn languages(&self) -> impl Iterator<Item = &str> {
        self.languages.iter().map(String::as_str)
    }

    /// The pack of the language that the desk reads, and that pages are taken to be in.
    pub(crate) fn own_pack(&self) -> &Pack {
        &self.own
    }

    /// What is known about languages.
    pub(crate) fn packs(&self) -> &Packs {
        &self.packs
    }

    /// What is known about the language of this tag.
    pub(crate) fn pack(&self, language: &str) -> Option<&Pack> {
        self.packs.get(language)
    }

    /// What the model calls a language: its pack's word for it, or the fallback's, which is answered
    /// in where it has no pack.
    pub(crate) fn language_name(&self, language: &str) -> &str {
        let pack = self.pack(language).or_else(|| self.pack(FALLBACK));
        pack.map_or("", Pack::name)
    }

    /// Renders `name` in `language`, or in English where that language lacks it; trimmed.
    ///
    /// # Errors
    /// [`PromptError::Invalid`] with template and line.
    pub(crate) fn render(
        &self,
        language: &str,
        name: &str,
        context: &impl Serialize,
    ) -> Result<String, PromptError> {
        let language = self.supported(language);
        let full = format!("{language}/{name}.j2");
        let template = self
            .environment
            .get_template(&full)
            .or_else(|_| {
                self.environment
                    .get_template(&format!("{FALLBACK}/{name}.j2"))
            })
            .map_err(|_| PromptError::Missing {
                template: full.clone(),
            })?;
        let text = template
            .render(Serde(context))
            .map_err(|error| invalid(&full, &error))?;
        Ok(text.trim().to_owned())
    }

    fn from_sources(sources: BTreeMap<String, String>) -> Result<Self, PromptError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        if let Ok(syntax) = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
        {
            environment.set_syntax(syntax);
        }
        let (packs, sources): (BTreeMap<_, _>, BTreeMap<_, _>) = sources
            .into_iter()
            .partition(|(name, _)| name.ends_with(PACK));
        let tag = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
        let packs = packs
            .into_iter()
            .map(|(name, source)| (tag(&name), source))
            .collect();
        let packs = Packs::from_sources(&packs)?;
        let mut languages = BTreeSet::new();
        for (name, source) in &sources {
            environment
                .add_template_owned(name.clone(), source.clone())
                .map_err(|error| invalid(name, &error))?;
            languages.extend(
                name.split_once('/')
                    .map(|(language, _)| language.to_owned()),
            );
        }
        for language in &languages {
            packs.require(language)?;
        }
        let prompts = Self {
            environment,
            languages,
            own: packs.require(FALLBACK)?.clone(),
            packs,
        };
        prompts.check(&sources)?;
        Ok(prompts)
    }

    /// Checks every template against the samples of its context, and that English is complete.
    fn check(&self, sources: &BTreeMap<String, String>) -> Result<(), PromptError> {
        for (name, contexts) in samples::samples() {
            let english = format!("{FALLBACK}/{name}.j2");
            if !sources.contains_key(&english) {
                return Err(PromptError::Missing { template: english });
            }
            for language in &self.languages {
                let full = format!("{language}/{name}.j2");
                let Some(source) = sources.get(&full) else {
                    continue;
                };
                self.check_names(&full, source, &contexts)?;
                for context in &contexts {
                    let template = self.environment.get_template(&full);
                    template
                        .and_then(|template| template.render(context.clone()))
                        .map_err(|error| invalid(&full, &error))?;
                }
            }
        }
        Ok(())
    }

    /// Every variable that the template names must exist in its context, also in branches that the
    /// samples do not reach.
    fn check_names(&self, full: &str, source: &str, contexts: &[Value]) -> Result<(), PromptError> {
        let Ok(template) = self.environment.get_template(full) else {
            return Ok(());
        };
        for name in template.undeclared_variables(true) {
            if !contexts.iter().any(|context| has_path(context, &name)) {
                let last = name.rsplit('.').next().unwrap_or(&name);
                let line = source
                    .lines()
                    .position(|line| line.contains(last))
                    .unwrap_or(0)
                    + 1;
                let reason = format!("there is no variable `{name}` here");
                return Err(PromptError::Invalid {
                    template: full.to_owned(),
                    line,
                    reason,
                });
            }
        }
        Ok(())
    }
}

/// Whether `context` has something at `path` (`order.id`). What lies below an absent value is not
/// known, so it is let pass.
fn has_path(context: &Value, path: &str) -> bool {
    let mut value = context.clone();
    for part in path.split('.') {
        match value.get_attr(part) {
            Ok(inner) if inner.is_none() => return true,
            Ok(inner) if !inner.is_undefined() => value = inner,
            Ok(_) | Err(_) => return false,
        }
    }
    true
}

fn builtin_sources() -> BTreeMap<String, String> {
    Builtin::iter()
        .filter_map(|name| {
            let file = Builtin::get(&name)?;
            Some((
                name.to_string(),
                String::from_utf8_lossy(&file.data).into_owned(),
            ))
        })
        .collect()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, PromptError> {
    let read = |source| PromptError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(read)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(read)?;
    entries.sort();
    Ok(entries)
}

fn invalid(template: &str, error: &minijinja::Error) -> PromptError {
    let reason = error
        .detail()
        .map_or_else(|| error.kind().to_string(), str::to_owned);
    PromptError::Invalid {
        template: template.to_owned(),
        line: error.line().unwrap_or(1),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::*;

    fn with(name: &str, source: &str) -> Result<Prompts, PromptError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, source).unwrap();
        Prompts::load(folder.path())
    }

    #[test]
    fn the_templates_that_come_with_the_product_are_sound() {
        let prompts = Prompts::builtin().unwrap();
        assert!(prompts.languages.contains("zh"));
    }

    #[test]
    fn an_unknown_variable_stops_the_start_with_name_and_line() {
        let error = with("en/thanks.j2", "You are welcome.\n{{ custmer_name }}\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "template en/thanks.j2, line 2: there is no variable `custmer_name` here"
        );
    }

    #[test]
    fn an_unknown_variable_in_a_branch_never_taken_is_found_too() {
        let error = with("zh/thanks.j2", "{% if false %}\n\n{{ nobody }}{% endif %}").unwrap_err();
        assert!(
            matches!(error, PromptError::Invalid { line: 3, .. }),
            "{error}"
        );
    }

    #[test]
    fn a_syntax_error_names_its_line() {
        let error = with("en/thanks.j2", "fine\n{% if %}").unwrap_err();
        assert!(
            matches!(error, PromptError::Invalid { line: 2, .. }),
            "{error}"
        );
    }

    #[test]
    fn a_pack_with_a_wrong_entry_stops_the_start_with_file_line_and_key() {
        let error = with("en/language.toml", "name = \"English\"\n\n[wordz]\n").unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("en/language.toml, line 3") && text.contains("wordz"),
            "{text}"
        );
        let error = with("zh/language.toml", "name = 7\n")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("zh/language.toml, line 1") && error.contains("name"),
            "{error}"
        );
    }

    #[test]
    fn a_language_with_templates_needs_a_pack() {
        let error = with("eo/thanks.j2", "Dankon.").unwrap_err().to_string();
        assert!(error.contains("eo/language.toml is missing"), "{error}");
    }

    #[test]
    fn a_language_is_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let eo = folder.path().join("eo");
        std::fs::create_dir_all(&eo).unwrap();
        std::fs::write(eo.join("thanks.j2"), "Dankon.").unwrap();
        std::fs::write(eo.join("language.toml"), "name = \"Esperanto\"\n").unwrap();
        let prompts = Prompts::load(folder.path()).unwrap();
        assert_eq!(prompts.supported("eo"), "eo");
        assert_eq!(prompts.language_name("eo"), "Esperanto");
        let visitor = context! { company => "S", name => (), hours => (), contact => () };
        assert_eq!(prompts.render("eo", "thanks", &visitor).unwrap(), "Dankon.");
        let fallback = prompts.render("eo", "goodbye", &visitor).unwrap();
        assert_eq!(fallback, prompts.render("en", "goodbye", &visitor).unwrap());
    }

    #[test]
    fn a_folder_of_one_language_is_no_folder_of_languages() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("thanks.j2"), "Thanks!").unwrap();
        let error = Prompts::load(folder.path()).unwrap_err();
        assert!(error.to_string().contains("prompts.dir"), "{error}");
    }

    #[test]
    fn a_language_without_templates_gets_english() {
        let prompts = Prompts::builtin().unwrap();
        assert_eq!(prompts.supported("eo"), "en");
        assert_eq!(prompts.language_name("eo"), "English");
        assert_eq!(prompts.supported("zh"), "zh");
    }
}
