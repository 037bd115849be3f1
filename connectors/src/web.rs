//! The chat widget and the demo page, as files that the server hands out.
//!
//! They are built from `connectors/web` into its `dist` folder before this crate is compiled
//! (`make widget`), and are part of the binary.

use std::borrow::Cow;

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "web/dist/"]
struct Dist;

/// A file to hand out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its bytes.
    pub bytes: Cow<'static, [u8]>,
    /// Its media type.
    pub content_type: &'static str,
    /// Changes when the bytes do: the value of an `ETag`, in quotes.
    pub etag: String,
}

/// The file called `name` (`frontdesk.js`), if there is one.
pub fn asset(name: &str) -> Option<Asset> {
    let file = Dist::get(name)?;
    let hash = file.metadata.sha256_hash();
    let etag = hash
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    Some(Asset {
        content_type: content_type(name),
        etag: format!("\"{etag}\""),
        bytes: file.data,
    })
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widget_is_part_of_the_binary() {
        let widget = asset("frontdesk.js").unwrap();
        assert!(widget.content_type.starts_with("text/javascript"));
        assert!(String::from_utf8_lossy(&widget.bytes).contains("frontdesk-chat"));
        assert_eq!(asset("../Cargo.toml"), None);
    }
}
