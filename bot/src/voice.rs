//! The company's ready words: templates filled in with what is known of the company.

use std::sync::Arc;

use generate::{PromptMessage, Role};
use guard::Instructions;
use jiff::civil::Date;
use serde::Serialize;

use crate::config::Company;
use crate::prompts::{PromptError, Prompts};

/// Speaks for the company from the templates.
#[derive(Clone, Debug)]
pub(crate) struct Voice {
    prompts: Arc<Prompts>,
    company: Arc<Company>,
}

/// What the small templates may name.
#[derive(Debug, Serialize)]
struct Visitor<'a> {
    company: &'a str,
    name: Option<&'a str>,
    hours: Option<&'a str>,
    contact: Option<&'a str>,
}

/// What the templates of hand-over and refusal may name.
#[derive(Debug, Serialize)]
struct Reasoned<'a, R: Serialize> {
    company: &'a str,
    reason: R,
    hours: Option<&'a str>,
    contact: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct SystemContext<'a> {
    company: &'a str,
    language: &'a str,
    today: String,
}

impl Voice {
    /// The voice of `company`.
    pub(crate) fn new(prompts: Arc<Prompts>, company: Arc<Company>) -> Self {
        Self { prompts, company }
    }

    /// The templates.
    pub(crate) fn prompts(&self) -> &Prompts {
        &self.prompts
    }

    /// Language of whom nothing is known.
    pub(crate) fn fallback(&self) -> &str {
        self.prompts.fallback()
    }

    /// The language to greet somebody in whose language has this BCP 47 tag: theirs where there are
    /// templates in it, else the fallback.
    pub(crate) fn language_for(&self, tag: &str) -> String {
        let language = understand::Language::from_tag(tag);
        self.prompts.supported(language.as_str()).to_owned()
    }

    /// A template that names no more than the company and the customer.
    ///
    /// # Errors
    /// [`PromptError`] when the template fails.
    pub(crate) fn say(
        &self,
        language: &str,
        template: &str,
        name: Option<&str>,
    ) -> Result<String, PromptError> {
        let context = Visitor {
            company: &self.company.name,
            name,
            hours: self.company.hours.as_deref(),
            contact: self.company.contact.as_deref(),
        };
        self.prompts.render(language, template, &context)
    }

    /// The words of a hand-over or a refusal, which depend on its reason.
    ///
    /// # Errors
    /// [`PromptError`] when the template fails.
    pub(crate) fn say_why(
        &self,
        language: &str,
        template: &str,
        reason: impl Serialize,
    ) -> Result<String, PromptError> {
        let context = Reasoned {
            company: &self.company.name,
            reason,
            hours: self.company.hours.as_deref(),
            contact: self.company.contact.as_deref(),
        };
        self.prompts.render(language, template, &context)
    }

    /// A template with a context of its own.
    ///
    /// # Errors
    /// [`PromptError`] when the template fails.
    pub(crate) fn render(
        &self,
        language: &str,
        template: &str,
        context: &impl Serialize,
    ) -> Result<String, PromptError> {
        self.prompts.render(language, template, context)
    }

    /// The instructions of all languages, which no reply may repeat.
    ///
    /// # Errors
    /// [`PromptError`] when a template fails.
    pub(crate) fn instructions(&self, today: Date) -> Result<Instructions, PromptError> {
        let (mut prompts, mut parameters) = (Vec::new(), vec![self.company.name.clone()]);
        for language in self.prompts.languages() {
            prompts.push(self.system_prompt(language, today)?.content);
            parameters.push(self.prompts.language_name(language).to_owned());
            parameters.push(self.day(language, today));
        }
        let prompts: Vec<&str> = prompts.iter().map(String::as_str).collect();
        let parameters: Vec<&str> = parameters.iter().map(String::as_str).collect();
        Ok(Instructions::new(&prompts, &parameters))
    }

    /// A day as the templates of `language` write it.
    fn day(&self, language: &str, day: Date) -> String {
        let pack = self.prompts.pack(self.prompts.supported(language));
        language::days::in_full(day, pack)
    }

    /// The instructions that every prompt begins with.
    ///
    /// # Errors
    /// [`PromptError`] when the template fails.
    pub(crate) fn system_prompt(
        &self,
        language: &str,
        today: Date,
    ) -> Result<PromptMessage, PromptError> {
        let context = SystemContext {
            company: &self.company.name,
            language: self.prompts.language_name(language),
            today: self.day(language, today),
        };
        let content = self.prompts.render(language, "system", &context)?;
        Ok(PromptMessage {
            role: Role::System,
            content,
        })
    }
}
