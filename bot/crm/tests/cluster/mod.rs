//! A PostgreSQL server of a test's own, to be killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

/// A server with fsync on, in a folder that goes when the test ends.
pub(crate) struct Cluster {
    programs: PathBuf,
    folder: TempDir,
}

impl Cluster {
    /// Makes a server and starts it.
    pub(crate) async fn new() -> Self {
        let cluster = Self {
            programs: programs(),
            folder: tempfile::Builder::new()
                .prefix("frontdesk-crash-")
                .tempdir()
                .unwrap(),
        };
        if is_root() {
            let owner = Command::new("chown")
                .arg("postgres:")
                .arg(cluster.path())
                .status();
            assert!(
                owner.await.unwrap().success(),
                "the user postgres is missing"
            );
        }
        let mut command = cluster.command("initdb");
        command.args([
            "--pgdata=data",
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
        ]);
        let output = command.arg("--locale=C.UTF-8").output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        cluster.start().await;
        cluster
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where the store is.
    pub(crate) fn url(&self) -> String {
        let socket = self.path().display();
        format!("postgres://postgres@localhost/postgres?host={socket}")
    }

    /// Starts the server and waits until it serves. Right after a kill the last processes of the old
    /// one may still hold its shared memory: then it is tried again.
    pub(crate) async fn start(&self) {
        let socket = self.path().display();
        let options = format!("-c listen_addresses='' -c unix_socket_directories='{socket}'");
        for _ in 0..200 {
            let mut command = self.command("pg_ctl");
            command.args(["--pgdata=data", "--log=server.log", "--wait", "--silent"]);
            let started = command.arg(format!("--options={options}")).arg("start");
            if started.status().await.unwrap().success() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let log = fs::read_to_string(self.path().join("server.log"));
        panic!("the server does not start: {log:?}");
    }

    /// Kills the postmaster and all its processes at once, as `kill -9` and no other way.
    pub(crate) async fn kill(&self) {
        let postmaster = self.postmaster().expect("the server does not run");
        let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"));
        let children = children.unwrap_or_default();
        let mut command = Command::new("kill");
        command
            .arg("-9")
            .arg(&postmaster)
            .args(children.split_whitespace());
        // A process may have ended by itself meanwhile.
        let _ = command.status().await.unwrap();
        while Path::new("/proc").join(&postmaster).exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn postmaster(&self) -> Option<String> {
        let file = fs::read_to_string(self.path().join("data/postmaster.pid")).ok()?;
        file.lines().next().map(str::to_owned)
    }

    /// One of the server's programs, as a user whom it accepts.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.path());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(postmaster) = self.postmaster() {
            let _ = std::process::Command::new("kill")
                .arg("-QUIT")
                .arg(&postmaster)
                .status();
            while Path::new("/proc").join(&postmaster).exists() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|about| std::os::unix::fs::MetadataExt::uid(&about) == 0)
}

/// The folder of the newest server's programs.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let newest = versions
        .map(|entry| entry.path())
        .filter(|folder| folder.join("bin/initdb").is_file())
        .max_by_key(|folder| {
            let version = folder.file_name().and_then(|name| name.to_str());
            version.and_then(|version| version.parse::<u32>().ok())
        });
    newest
        .map(|folder| folder.join("bin"))
        .expect("PostgreSQL's programs are missing: run `make test`, or install postgresql")
}
