//! What WeChat and WeCom wrap their messages in, by
//! [Tencent's description](https://developer.work.weixin.qq.com/document/path/90968): XML or JSON, a SHA-1 over
//! sorted strings, and AES-256-CBC with the account's id behind the message.

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sha1::Sha1;

use crate::channel::{Hook, HookError};
use crate::cipher::Cipher;
use crate::signature::{BASE64, hash, hex, same};

/// How far a request's time may be from ours, in seconds. The platforms set no window.
const TOLERANCE: u64 = 300;
/// What messages are padded to, in bytes: twice the block of AES.
const BLOCK: usize = 32;
/// Random bytes in front of a message.
const NOISE: usize = 16;

/// The last of a key's 43 characters has two bits to spare, which need not be zero.
const KEY: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Opens what comes to a hook.
pub(crate) struct Envelope {
    token: String,
    id: String,
    key: Option<[u8; 32]>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Sealed {
    encrypt: String,
}

impl Envelope {
    /// Of the account `id`, whose hook was set up with `token` and `encoding_aes_key`. A key of another form opens
    /// nothing.
    pub(crate) fn new(token: String, id: String, encoding_aes_key: Option<&str>) -> Self {
        let key = encoding_aes_key.and_then(|key| KEY.decode(key.trim()).ok());
        Self {
            token,
            id,
            key: key.and_then(|key| key.try_into().ok()),
        }
    }

    /// Whether the query's parameter `name` is the signature of the query, and of `hidden` where there is such.
    pub(crate) fn check(
        &self,
        hook: &Hook<'_>,
        name: &str,
        hidden: Option<&str>,
    ) -> Result<(), HookError> {
        let parameter = |name| hook.parameter(name).ok_or(HookError::BadSignature);
        let (timestamp, nonce) = (parameter("timestamp")?, parameter("nonce")?);
        let mut parts = vec![self.token.as_str(), &timestamp, &nonce];
        parts.extend(hidden);
        parts.sort_unstable();
        let signature = hex(&hash::<Sha1>(&[parts.concat().as_bytes()]));
        if self.token.is_empty() || !same(parameter(name)?.as_bytes(), signature.as_bytes()) {
            return Err(HookError::BadSignature);
        }
        let at: i64 = timestamp.parse().map_err(|_| HookError::BadSignature)?;
        if hook.at.abs_diff(at) > TOLERANCE {
            return Err(HookError::WrongTime);
        }
        Ok(())
    }

    /// What `hidden` says, once it is sure who has hidden it.
    pub(crate) fn open(&self, hook: &Hook<'_>, hidden: &str) -> Result<Vec<u8>, HookError> {
        self.check(hook, "msg_signature", Some(hidden))?;
        self.decrypt(hidden).ok_or(HookError::BadSignature)
    }

    /// What the body hides.
    pub(crate) fn opened(&self, hook: &Hook<'_>) -> Result<Vec<u8>, HookError> {
        // Only what is hidden is signed: a body that hides nothing is nobody's.
        let sealed: Sealed = read(hook.body).ok_or(HookError::BadSignature)?;
        self.open(hook, sealed.encrypt.trim())
    }

    fn decrypt(&self, hidden: &str) -> Option<Vec<u8>> {
        let key = self.key?;
        let vector = *key.first_chunk()?;
        let hidden = BASE64.decode(hidden).ok()?;
        let text = Cipher::new(key, vector).decrypt(&hidden, BLOCK)?;
        let (_, text) = text.split_at_checked(NOISE)?;
        let (length, text) = text.split_first_chunk()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (message, id) = text.split_at_checked(length)?;
        let is_ours = !self.id.is_empty() && same(id, self.id.as_bytes());
        is_ours.then(|| message.to_vec())
    }
}

/// The fields of an XML or a JSON body. Entities of the body's own making are not read.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let text = std::str::from_utf8(body).ok()?.trim();
    if !text.starts_with('{') {
        return quick_xml::de::from_str(text).ok();
    }
    // As in XML, every field is a text.
    let fields: Map<String, Value> = serde_json::from_str(text).ok()?;
    let fields = fields.into_iter().filter_map(|(name, value)| match value {
        Value::String(_) => Some((name, value)),
        Value::Number(number) => Some((name, number.to_string().into())),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    });
    serde_json::from_value(Value::Object(fields.collect())).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use http::{HeaderMap, Method};

    use super::*;

    /// A key of the documentation's form.
    pub(crate) const AES_KEY: &str = "0123456789abcdef0123456789abcdef0123456789A";

    /// `text` hidden for the account `id` by [`AES_KEY`].
    pub(crate) fn seal(text: &[u8], id: &str) -> String {
        let key: [u8; 32] = KEY.decode(AES_KEY).unwrap().try_into().unwrap();
        let mut message = b"1234567890123456".to_vec();
        message.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
        message.extend(text);
        message.extend(id.as_bytes());
        let vector = *key.first_chunk().unwrap();
        BASE64.encode(Cipher::new(key, vector).encrypt(&message, BLOCK))
    }

    /// The signature of those strings.
    pub(crate) fn sign(parts: &[&str]) -> String {
        let mut parts = parts.to_vec();
        parts.sort_unstable();
        hex(&hash::<Sha1>(&[parts.concat().as_bytes()]))
    }

    fn opened(envelope: &Envelope, hidden: &str) -> Result<Vec<u8>, HookError> {
        let signature = sign(&["frontdesk", "1700000000", "42", hidden]);
        let hook = Hook {
            method: &Method::POST,
            url: &format!(
                "https://shop.example/?timestamp=1700000000&nonce=42&msg_signature={signature}"
            ),
            headers: &HeaderMap::new(),
            body: b"",
            at: 1_700_000_300,
        };
        envelope.open(&hook, hidden)
    }

    #[test]
    fn what_is_hidden_is_what_tencent_hides() {
        let text = b"<xml><ToUserName>gh_1</ToUserName><FromUserName>oUser1</FromUserName>\
            <CreateTime>1700000000</CreateTime><MsgType>text</MsgType><Content>hi</Content>\
            <MsgId>1</MsgId></xml>";
        let hidden = seal(text, "wx0000000000000001");
        assert!(hidden.starts_with("DxvuuQdFvptAzZMY40Da8q9AIWNuqwp5zSUpgziKcWsi"));
        assert!(hidden.ends_with("lVjayr/wayo="));
        assert_eq!(
            sign(&["frontdesk", "1700000000", "42", &hidden]),
            "911cae8856917e232d3d540b4141733df99ecf3a"
        );
    }

    #[test]
    fn only_what_was_hidden_for_the_account_is_opened() {
        let envelope = |id: &str, key| Envelope::new("frontdesk".into(), id.into(), key);
        let hidden = seal(b"hi", "wx1");
        let ours = envelope("wx1", Some(AES_KEY));
        assert_eq!(opened(&ours, &hidden), Ok(b"hi".to_vec()));
        let other_key = AES_KEY.replace('0', "1");
        let others = [
            envelope("wx2", Some(AES_KEY)),
            envelope("", Some(AES_KEY)),
            envelope("wx1", Some(&other_key)),
            envelope("wx1", Some("short")),
            envelope("wx1", Some("")),
            envelope("wx1", None),
            Envelope::new(String::new(), "wx1".into(), Some(AES_KEY)),
        ];
        for other in others {
            assert_eq!(opened(&other, &hidden), Err(HookError::BadSignature));
        }
        // Of no account.
        let hidden = seal(b"hi", "");
        assert_eq!(
            opened(&envelope("", Some(AES_KEY)), &hidden),
            Err(HookError::BadSignature)
        );
    }

    #[test]
    fn fields_are_read_from_xml_and_json() {
        let encrypt = |body: &str| read::<Sealed>(body.as_bytes()).map(|sealed| sealed.encrypt);
        let text = Some("a]]>b".to_owned());
        assert_eq!(
            encrypt(
                "<xml>\n <A><Encrypt>no</Encrypt></A><Encrypt><![CDATA[a]]]]><![CDATA[>b]]></Encrypt></xml>"
            ),
            text
        );
        assert_eq!(encrypt(r#"{"Encrypt":"a]]>b","A":[1],"B":null}"#), text);
        assert_eq!(encrypt(r#"{"Encrypt":7}"#).as_deref(), Some("7"));
        let own_entity = r#"<!DOCTYPE xml [<!ENTITY e "text">]><xml><Encrypt>&e;</Encrypt></xml>"#;
        assert_eq!(encrypt(own_entity), None);
        assert_eq!(encrypt("<xml><Encrypt>"), None);
        assert_eq!(read::<Sealed>(b"\xff").map(|sealed| sealed.encrypt), None);
    }
}
