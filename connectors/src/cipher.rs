//! AES-256 in CBC mode, in which some platforms hide what they tell.

use aes::Aes256;
#[cfg(test)]
use cbc::cipher::BlockEncryptMut;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockDecryptMut, KeyIvInit};

/// A key, and the vector that a message begins with.
pub(crate) struct Cipher {
    key: [u8; 32],
    vector: [u8; 16],
}

impl Cipher {
    pub(crate) fn new(key: [u8; 32], vector: [u8; 16]) -> Self {
        Self { key, vector }
    }

    /// What `hidden` says, without its padding (PKCS #7, RFC 5652, section 6.3) up to blocks of `block` bytes;
    /// `None` where the key or the message is wrong.
    pub(crate) fn decrypt(&self, hidden: &[u8], block: usize) -> Option<Vec<u8>> {
        let cipher = cbc::Decryptor::<Aes256>::new(&self.key.into(), &self.vector.into());
        let mut text = cipher.decrypt_padded_vec_mut::<NoPadding>(hidden).ok()?;
        let padding = usize::from(*text.last()?);
        let is_padded = (1..=block).contains(&padding) && padding <= text.len();
        let kept = text.len().checked_sub(padding).filter(|_| is_padded)?;
        let (_, end) = text.split_at(kept);
        if end.iter().any(|byte| usize::from(*byte) != padding) {
            return None;
        }
        text.truncate(kept);
        Some(text)
    }

    /// `text`, padded up to blocks of `block` bytes and hidden.
    #[cfg(test)]
    pub(crate) fn encrypt(&self, text: &[u8], block: usize) -> Vec<u8> {
        let padding = block - text.len() % block;
        let mut padded = text.to_vec();
        let byte = u8::try_from(padding).unwrap_or(u8::MAX);
        padded.resize(text.len() + padding, byte);
        let cipher = cbc::Encryptor::<Aes256>::new(&self.key.into(), &self.vector.into());
        cipher.encrypt_padded_vec_mut::<NoPadding>(&padded)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_hidden_is_found_again(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let cipher = Cipher::new([7; 32], [9; 16]);
            for block in [16, 32] {
                let hidden = cipher.encrypt(&text, block);
                prop_assert_eq!(hidden.len() % block, 0);
                prop_assert_eq!(cipher.decrypt(&hidden, block), Some(text.clone()));
                prop_assert_ne!(Cipher::new([8; 32], [9; 16]).decrypt(&hidden, block), Some(text.clone()));
            }
        }

        #[test]
        fn noise_is_no_message_and_no_panic(noise in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = Cipher::new([7; 32], [9; 16]).decrypt(&noise, 32);
        }
    }
}
