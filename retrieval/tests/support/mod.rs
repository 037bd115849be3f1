//! The real encoder, for tests that need one.

use std::path::{Path, PathBuf};

use retrieval::{Encoder, EncoderFiles};

/// Where `make models` puts them, unless `FRONTDESK_MODELS` says otherwise.
pub(crate) fn encoder_files() -> EncoderFiles {
    let folder = std::env::var_os("FRONTDESK_MODELS")
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            let home = std::env::var_os("HOME").unwrap();
            Path::new(&home).join(".cache/frontdesk/models")
        });
    let file = |name: &str| {
        let path = folder.join(name);
        assert!(
            path.exists(),
            "{} is missing: run `make models` first",
            path.display()
        );
        path
    };
    EncoderFiles {
        model: file("multilingual-e5-small-q4.e5s1"),
        runtime: file("libonnxruntime.so.1.31.1"),
    }
}

/// The encoder, loaded.
pub(crate) fn encoder() -> Encoder {
    Encoder::load(&encoder_files()).unwrap()
}
