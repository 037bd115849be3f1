//! Where the model of the tests lies, of this folder's and of those beside the code.

use std::path::PathBuf;

const FILE: &str = "smollm2-135m-instruct-q4_1.gguf";

/// The smallest model that there is.
pub(crate) fn model() -> PathBuf {
    let folder = std::env::var_os("FRONTDESK_MODELS")
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
            let home =
                || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache");
            cache.unwrap_or_else(home).join("frontdesk/models")
        });
    let file = folder.join(FILE);
    assert!(
        file.exists(),
        "{FILE} is not in {}: run `make models` first",
        folder.display()
    );
    file
}
