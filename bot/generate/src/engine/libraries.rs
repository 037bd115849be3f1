//! llama.cpp's backends as shared libraries: GPU backends load where the vendor's libraries are
//! installed, and of the CPU backends the best one for this machine is chosen.

use std::path::PathBuf;

use llama_cpp_2::llama_backend::{load_backends, load_backends_from_path};

/// The folder that they lie in, beside the program.
const FOLDER: &str = "backends";

/// Loads what this machine can use, from beside the program, else from where it was built.
pub(super) fn load() {
    match beside_program() {
        Some(folder) => load_backends_from_path(&folder),
        None => load_backends(),
    }
}

fn beside_program() -> Option<PathBuf> {
    let folder = std::env::current_exe().ok()?.parent()?.join(FOLDER);
    // llama.cpp takes no other paths.
    (folder.is_dir() && folder.to_str().is_some()).then_some(folder)
}
