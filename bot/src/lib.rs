//! Frontdesk: a customer-service chatbot server that a company runs on its own machine.
//!
//! `bot/ARCHITECTURE.md` follows one message through the crates. Here are the parts that wire them:
//! [`Config`], [`Server`], and the turn between them.

mod app;
pub mod auth;
mod bench;
pub mod cli;
mod commands;
mod config;
mod desk;
mod dispatch;
mod facts;
mod http;
mod hub;
mod library;
mod maintenance;
mod privacy;
mod prompts;
pub mod protocol;
mod server;
mod session;
mod telemetry;
mod turn;
pub mod world;

pub use config::{
    Auth, Backend, Company, Config, ConfigError, Data, Demo, Generate, Log, LogFormat, Models,
    Policy, PromptsConfig, Retrieval, Secret, Server as ServerConfig, Understand,
};
pub use desk::Currency;
pub use server::{Server, StartError, load_encoder, load_heads, model_store};
pub use telemetry::install_logs;
pub use turn::guard::{Withheld, withheld};
