//! How customers reach Frontdesk: one module a platform, behind the seam of [`channel`].

pub mod channel;
mod cipher;
pub mod line;
pub mod mattermost;
pub mod messenger;
pub mod meta;
pub mod dingtalk;
pub mod feishu;
pub mod mail;
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
pub mod whatsapp;
pub mod wechat;
pub mod wecom;
