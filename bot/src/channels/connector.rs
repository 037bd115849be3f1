//! From the configuration of an account to its connector.

use std::sync::Arc;

use connectors::channel::Connector;
use connectors::webhook::{Key, KeyError};
use connectors::{
    dingtalk, discord, feishu, line, mail, matrix, mattermost, messenger, meta, rocketchat, slack,
    teams, telegram, twilio, webhook, wechat, wecom, whatsapp,
};

use crate::config::Secret;
use crate::config::channels::{
    Channel, Dingtalk, Discord, Feishu, Line, Mail, Matrix, Mattermost, Messenger, MetaApp,
    Rocketchat, Slack, Teams, Telegram, Twilio, Webhook, Wechat, Wecom, Whatsapp,
};

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadSetting {
    #[error(transparent)]
    Webhook(#[from] KeyError),
    #[error(transparent)]
    Discord(#[from] discord::KeyError),
}

/// The connector of an account.
///
/// # Errors
/// [`BadSetting`] of a key that is none.
pub(super) fn connector(channel: &Channel) -> Result<Arc<dyn Connector>, BadSetting> {
    Ok(match channel {
        Channel::Webhook(settings) => Arc::new(by_webhook(settings)?),
        Channel::Telegram(settings) => Arc::new(on_telegram(settings)),
        Channel::Whatsapp(settings) => Arc::new(on_whatsapp(settings)),
        Channel::Messenger(settings) => {
            Arc::new(on_messenger(settings, messenger::Service::Messenger))
        }
        Channel::Instagram(settings) => {
            Arc::new(on_messenger(settings, messenger::Service::Instagram))
        }
        Channel::Line(settings) => Arc::new(on_line(settings)),
        Channel::Twilio(settings) => Arc::new(by_twilio(settings)),
        Channel::Slack(settings) => Arc::new(on_slack(settings)),
        Channel::Mattermost(settings) => Arc::new(on_mattermost(settings)),
        Channel::Rocketchat(settings) => Arc::new(on_rocketchat(settings)),
        Channel::Teams(settings) => Arc::new(on_teams(settings)),
        Channel::Discord(settings) => Arc::new(on_discord(settings)?),
        Channel::Matrix(settings) => Arc::new(on_matrix(settings)),
        Channel::Feishu(settings) => Arc::new(on_feishu(settings)),
        Channel::Dingtalk(settings) => Arc::new(on_dingtalk(settings)),
        Channel::Wechat(settings) => Arc::new(on_wechat(settings)),
        Channel::Wecom(settings) => Arc::new(on_wecom(settings)),
        Channel::Mail(settings) => Arc::new(by_mail(settings)),
    })
}

fn text(secret: &Secret) -> String {
    secret.reveal().to_owned()
}

fn or_empty(secret: Option<&Secret>) -> String {
    secret.map(text).unwrap_or_default()
}

fn by_webhook(settings: &Webhook) -> Result<webhook::Webhook, KeyError> {
    let keys = settings.keys.iter().map(|key| Key::parse(key.reveal()));
    let keys = keys.collect::<Result<_, _>>()?;
    Ok(webhook::Webhook::new(settings.url.clone(), keys))
}

fn on_telegram(settings: &Telegram) -> telegram::Telegram {
    telegram::Telegram::new(
        settings.api.clone(),
        text(&settings.token),
        settings.secret.as_ref().map(text),
        settings.in_groups.clone(),
    )
}

fn app(settings: &MetaApp) -> meta::App {
    meta::App {
        base: settings.api.clone(),
        version: settings.version.clone(),
        token: text(&settings.token),
        secrets: settings.secrets.iter().map(text).collect(),
        verify_token: text(&settings.verify_token),
        proves: settings.proves,
    }
}

fn on_whatsapp(settings: &Whatsapp) -> whatsapp::WhatsApp {
    let template = |name: &String| whatsapp::Template {
        name: name.clone(),
        language: settings.template_language.clone(),
    };
    whatsapp::WhatsApp::new(whatsapp::Settings {
        app: app(&settings.app),
        phone_number: settings.phone_number.clone(),
        media_hosts: settings.media_hosts.clone(),
        list_button: settings.list_button.clone(),
        template: settings.template.as_ref().map(template),
        in_groups: settings.in_groups,
    })
}

fn on_messenger(settings: &Messenger, service: messenger::Service) -> messenger::Messenger {
    messenger::Messenger::new(messenger::Settings {
        service,
        app: app(&settings.app),
        app_id: settings.app_id.clone(),
        account: settings.account.clone(),
        start: settings.start.clone(),
        human_agent: settings.human_agent,
        media_hosts: settings.media_hosts.clone(),
    })
}

fn on_line(settings: &Line) -> line::Line {
    let access = match &settings.token {
        Some(token) => line::Access::Token(text(token)),
        None => line::Access::Channel(settings.channel_id.clone()),
    };
    line::Line::new(line::Settings {
        base: settings.api.clone(),
        data_base: settings.data_api.clone(),
        access,
        secret: text(&settings.secret),
        in_groups: settings.in_groups,
    })
}

fn by_twilio(settings: &Twilio) -> twilio::Twilio {
    let key = settings.key.as_ref().map(|sid| twilio::ApiKey {
        sid: sid.clone(),
        secret: or_empty(settings.key_secret.as_ref()),
    });
    let whatsapp = settings.whatsapp.then(|| twilio::WhatsApp {
        answers: settings.answer_templates.clone(),
        reminder: settings.reminder_template.clone(),
    });
    twilio::Twilio::new(twilio::Settings {
        base: settings.api.clone(),
        messaging_base: settings.messaging_api.clone(),
        account: settings.account.clone(),
        auth_token: text(&settings.auth_token),
        key,
        hook: settings.hook.clone(),
        per_second: settings.per_second,
        whatsapp,
    })
}

fn on_slack(settings: &Slack) -> slack::Slack {
    slack::Slack::new(slack::Settings {
        base: settings.api.clone(),
        files: settings.files.clone(),
        responses: settings.responses.clone(),
        token: text(&settings.token),
        secret: or_empty(settings.secret.as_ref()),
        app_token: settings.app_token.as_ref().map(text),
        status: settings.status.clone(),
        in_groups: settings.in_groups,
    })
}

fn on_mattermost(settings: &Mattermost) -> mattermost::Mattermost {
    mattermost::Mattermost::new(mattermost::Settings {
        base: settings.url.clone(),
        token: text(&settings.token),
        user: settings.user.clone(),
        in_groups: settings.in_groups.clone(),
        hook: settings.hook.clone(),
        secret: or_empty(settings.secret.as_ref()),
    })
}

fn on_rocketchat(settings: &Rocketchat) -> rocketchat::RocketChat {
    rocketchat::RocketChat::new(rocketchat::Settings {
        base: settings.url.clone(),
        token: text(&settings.token),
        user: settings.user.clone(),
        secret: text(&settings.secret),
        in_groups: settings.in_groups.clone(),
    })
}

fn on_teams(settings: &Teams) -> teams::Teams {
    teams::Teams::new(teams::Settings {
        openid: settings.openid.clone(),
        issuer: settings.issuer.clone(),
        login: settings.login.clone(),
        tenant: settings.tenant.clone(),
        app_id: settings.app_id.clone(),
        app_secret: text(&settings.app_secret),
        services: settings.services.clone(),
        file_domains: settings.file_domains.clone(),
        in_groups: settings.in_groups,
    })
}

fn on_discord(settings: &Discord) -> Result<discord::Discord, discord::KeyError> {
    discord::Discord::new(discord::Settings {
        base: settings.api.clone(),
        files: settings.files.clone(),
        token: text(&settings.token),
        public_key: settings.public_key.clone(),
        about: settings.about.clone(),
        in_groups: settings.in_groups,
    })
}

fn on_matrix(settings: &Matrix) -> matrix::Matrix {
    matrix::Matrix::new(matrix::Settings {
        homeserver: settings.homeserver.clone(),
        token: text(&settings.token),
        hook_token: or_empty(settings.hook_token.as_ref()),
        user: settings.user.clone(),
        servers: settings.servers.clone(),
        in_groups: settings.in_groups,
        cannot_read: settings.cannot_read.clone(),
    })
}

fn on_feishu(settings: &Feishu) -> feishu::Feishu {
    feishu::Feishu::new(feishu::Settings {
        base: settings.api.clone(),
        app_id: settings.app_id.clone(),
        app_secret: text(&settings.app_secret),
        encrypt_key: text(&settings.encrypt_key),
        verification_token: text(&settings.verification_token),
        in_groups: settings.in_groups.clone(),
    })
}

fn on_dingtalk(settings: &Dingtalk) -> dingtalk::DingTalk {
    let code = settings.robot_code.as_ref().unwrap_or(&settings.client_id);
    dingtalk::DingTalk::new(dingtalk::Settings {
        base: settings.api.clone(),
        sessions: settings.sessions.clone(),
        client_id: settings.client_id.clone(),
        client_secret: text(&settings.client_secret),
        robot_code: code.clone(),
        stream: settings.stream,
        in_groups: settings.in_groups,
    })
}

fn on_wechat(settings: &Wechat) -> wechat::WeChat {
    wechat::WeChat::new(wechat::Settings {
        base: settings.api.clone(),
        app_id: settings.app_id.clone(),
        app_secret: text(&settings.app_secret),
        token: text(&settings.token),
        encoding_aes_key: settings.encoding_aes_key.as_ref().map(text),
    })
}

fn on_wecom(settings: &Wecom) -> wecom::WeCom {
    wecom::WeCom::new(wecom::Settings {
        base: settings.api.clone(),
        corp_id: settings.corp_id.clone(),
        secret: text(&settings.secret),
        token: text(&settings.token),
        encoding_aes_key: text(&settings.encoding_aes_key),
        open_kfid: settings.open_kfid.clone(),
    })
}

fn by_mail(settings: &Mail) -> mail::Mail {
    let first = settings.addresses.first().map(String::as_str);
    let own = first.and_then(|address| address.rsplit_once('@'));
    let domain = settings.domain.as_deref().or(own.map(|(_, domain)| domain));
    mail::Mail::new(mail::Settings {
        smtp: settings.smtp.clone(),
        imap: settings.imap.clone(),
        user: settings.user.clone(),
        folder: settings.folder.clone(),
        addresses: settings.addresses.clone(),
        name: settings.name.clone(),
        domain: domain.unwrap_or_default().to_owned(),
        secret: text(&settings.secret),
        authserv_id: settings.authserv_id.clone(),
        plus_addresses: settings.plus_addresses,
        bounces: settings.bounces.clone(),
    })
}
