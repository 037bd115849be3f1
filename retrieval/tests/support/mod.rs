//! The real encoders, for tests that need them.

use std::path::{Path, PathBuf};

use retrieval::{Encoder, EncoderFiles};

/// Where `make models` puts them, unless `FRONTDESK_MODELS` says otherwise.
pub(crate) fn encoder_files(model: &str) -> EncoderFiles {
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
        model: file(model),
        runtime: file("libonnxruntime.so.1.31.1"),
    }
}

/// The default encoder's file.
pub(crate) const DEFAULT: &str = "embeddinggemma-300m-q8.safetensors";

/// The default encoder, loaded.
pub(crate) fn encoder() -> Encoder {
    Encoder::load(&encoder_files(DEFAULT)).unwrap()
}
