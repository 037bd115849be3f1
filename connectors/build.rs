//! The widget is embedded into the binary, so it must be built first: say so instead of failing
//! with a missing folder.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=web/dist");
    if !Path::new("web/dist/frontdesk.js").exists() {
        println!(
            "cargo::error=the chat widget is not built yet: run `make widget` (or `make run`) first"
        );
    }
}
