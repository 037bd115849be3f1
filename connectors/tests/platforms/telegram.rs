use connectors::telegram::Telegram;
use url::Url;

use super::fakes::telegram::{self as fake, SECRET, TOKEN};
use super::{Platform, talk};

#[test]
fn customers_are_answered() {
    let base = Url::parse("https://api.telegram.org").unwrap();
    let bot = Telegram::new(base, TOKEN.to_owned(), Some(SECRET.to_owned()), None);
    talk(Platform::new(fake::Telegram::default(), bot), "5001");
}
