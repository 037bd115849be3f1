//! How customers reach Frontdesk: one module a platform, behind the seam of [`channel`].

pub mod channel;
mod cipher;
pub mod dingtalk;
pub mod discord;
pub mod feishu;
pub mod line;
pub mod mail;
pub mod mattermost;
pub mod messenger;
pub mod meta;

pub mod matrix;
mod render;
pub mod rocketchat;
mod signature;
pub mod slack;
pub mod sms;
pub mod teams;
pub mod telegram;
pub mod text;
pub mod twilio;
pub mod web;
pub mod webhook;
pub mod wechat;
pub mod wecom;
pub mod whatsapp;
