//! Download progress: a bar on a terminal, lines in a log, or nothing.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

/// Shows how fetching goes. Files are fetched one after the other.
pub trait Progress: Send + Sync {
    /// A file is about to be fetched. `size_bytes` is absent for a file of no manifest.
    fn begin(&self, file: &str, size_bytes: Option<u64>) -> Box<dyn Meter + '_>;
}

/// Shows how fetching one file goes; dropped when that ends, well or not.
pub trait Meter {
    /// So many bytes are there, those of an earlier run included.
    fn reached(&self, bytes: u64);

    /// Something worth a line happened: a source failed, another process is fetching.
    fn note(&self, text: &str);

    /// The file is complete and verified.
    fn done(&self);
}

/// A bar with speed and remaining time if stderr is a terminal, else a line now and then.
pub fn for_stderr() -> Box<dyn Progress> {
    if std::io::stderr().is_terminal() {
        Box::new(Bars)
    } else {
        Box::new(Lines::new(std::io::stderr()))
    }
}

/// Shows nothing.
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _file: &str, _size_bytes: Option<u64>) -> Box<dyn Meter + '_> {
        Box::new(Self)
    }
}

impl Meter for Silent {
    fn reached(&self, _bytes: u64) {}
    fn note(&self, _text: &str) {}
    fn done(&self) {}
}

/// A line when a file begins, after every further tenth of it, and when it is done.
pub struct Lines<W> {
    out: Mutex<W>,
}

impl<W: Write + Send> Lines<W> {
    /// Writes to `out`. Errors in writing are ignored: they are no reason to end a download.
    pub fn new(out: W) -> Self {
        Self {
            out: Mutex::new(out),
        }
    }

    /// What has been written to.
    #[cfg(test)]
    pub(crate) fn into_inner(self) -> String
    where
        W: Into<Vec<u8>>,
    {
        String::from_utf8(self.out.into_inner().unwrap().into()).unwrap()
    }

    fn line(&self, text: &str) {
        if let Ok(mut out) = self.out.lock() {
            let _ = writeln!(out, "{text}");
        }
    }
}

impl<W: Write + Send> Progress for Lines<W> {
    fn begin(&self, file: &str, size_bytes: Option<u64>) -> Box<dyn Meter + '_> {
        let size = size_bytes
            .map(|size| format!(" ({})", HumanBytes(size)))
            .unwrap_or_default();
        self.line(&format!("fetching {file}{size}"));
        Box::new(FileLines {
            lines: self,
            file: file.to_owned(),
            size_bytes: size_bytes.unwrap_or(0),
            tenths_told: AtomicU64::new(0),
        })
    }
}

struct FileLines<'a, W> {
    lines: &'a Lines<W>,
    file: String,
    size_bytes: u64,
    tenths_told: AtomicU64,
}

impl<W: Write + Send> Meter for FileLines<'_, W> {
    fn reached(&self, bytes: u64) {
        let Some(tenths) = bytes.saturating_mul(10).checked_div(self.size_bytes) else {
            return;
        };
        if tenths < 10 && self.tenths_told.fetch_max(tenths, Ordering::Relaxed) < tenths {
            self.note(&format!(
                "{} %, {}",
                tenths.saturating_mul(10),
                HumanBytes(bytes)
            ));
        }
    }

    fn note(&self, text: &str) {
        self.lines.line(&format!("{}: {text}", self.file));
    }

    fn done(&self) {
        self.note("done");
    }
}

/// One bar on stderr.
struct Bars;

impl Progress for Bars {
    fn begin(&self, file: &str, size_bytes: Option<u64>) -> Box<dyn Meter + '_> {
        let bar = size_bytes.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let template = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(file.to_owned());
        Box::new(Bar {
            bar,
            moved: AtomicBool::new(false),
        })
    }
}

struct Bar {
    bar: ProgressBar,
    moved: AtomicBool,
}

impl Meter for Bar {
    fn reached(&self, bytes: u64) {
        self.bar.set_position(bytes);
        if !self.moved.swap(true, Ordering::Relaxed) {
            // What an earlier run had fetched says nothing about the speed of this one.
            self.bar.reset_eta();
        }
    }

    fn note(&self, text: &str) {
        self.bar.println(text);
    }

    fn done(&self) {
        self.bar.finish();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_tell_each_tenth_once_and_the_end() {
        let lines = Lines::new(Vec::new());
        {
            let meter = lines.begin("mini.gguf", Some(1000));
            for bytes in [50, 120, 130, 90, 555, 1000] {
                meter.reached(bytes);
            }
            meter.done();
        }
        let text = lines.into_inner();
        let told: Vec<_> = text.lines().collect();
        assert_eq!(
            told,
            [
                "fetching mini.gguf (1000 B)",
                "mini.gguf: 10 %, 120 B",
                "mini.gguf: 50 %, 555 B",
                "mini.gguf: done",
            ]
        );
    }

    #[test]
    fn a_file_of_unknown_size_has_no_tenths() {
        let lines = Lines::new(Vec::new());
        lines.begin("mini.gguf", None).reached(100);
        let text = lines.into_inner();
        assert_eq!(text, "fetching mini.gguf\n");
    }
}
