//! Frontdesk: a customer-service chatbot server that a company runs on its own machine.
//!
//! `bot/ARCHITECTURE.md` follows one message through the crates. Here are the parts that wire them:
//! [`Config`], [`Server`], and the turn between them.

mod app;
mod audience;
pub mod auth;
mod bench;
mod channels;
pub mod cli;
mod clock;
mod commands;
mod config;
mod currency;
mod desk;
mod door;
mod facts;
mod http;
mod jobs;
mod library;
mod privacy;
mod prompts;
mod server;
mod telemetry;
mod turn;
mod voice;
pub mod world;

pub use http::chat::protocol;

pub use config::{
    Answers, Auth, Backend, Channel, Company, Config, ConfigError, Data, Demo, Generate, Log,
    LogFormat, Models, Policy, Program, PromptsConfig, Rasa, Retrieval, Secret,
    Server as ServerConfig, Understand,
};
pub use currency::Currency;
pub use library::INDEX_LAYOUT;
pub use prompts::{PromptError, packs};
pub use server::{Server, StartError, load_encoder, load_heads, model_store};
pub use telemetry::install_logs;
