//! Tells the linker where the program finds llama.cpp's libraries, if it is built with them.

use std::env;

/// Features whose backends are libraries; `make build` puts those beside the program.
const WITH_LIBRARIES: [&str; 3] = [
    "CARGO_FEATURE_LIBRARIES",
    "CARGO_FEATURE_CUDA",
    "CARGO_FEATURE_VULKAN",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let has_libraries = WITH_LIBRARIES
        .iter()
        .any(|feature| env::var_os(feature).is_some());
    if has_libraries && env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo::rustc-link-arg-bins=-Wl,-rpath,$ORIGIN");
    }
}
