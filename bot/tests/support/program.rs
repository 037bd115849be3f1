//! The real program in a process of its own, over the tiny shop.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use super::Client;

/// What the program prints when it is ready, before its address.
const READY: &str = "ready: http://";

/// How the program is called: with a data folder, and on a disk of its own where a test asks.
pub(crate) struct Program {
    data: PathBuf,
    world: PathBuf,
    /// Shell commands that run first, in a mount namespace that the program then lives in.
    mounts: Option<String>,
}

impl Program {
    /// The program over the tiny shop, with all its files under `folder`.
    pub(crate) fn at(folder: &Path) -> Self {
        let settings = super::config(folder);
        Self {
            data: settings.data.dir,
            world: settings.demo.world.unwrap(),
            mounts: None,
        }
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Whether this machine lets a test mount disks of its own. Says so where it does not.
    pub(crate) fn may_mount() -> bool {
        let mut trial = namespace();
        trial.args(["-c", "mount -t tmpfs -o size=64k none /tmp"]);
        let may = trial.output().is_ok_and(|output| output.status.success());
        if !may {
            eprintln!("skipped: no mount namespaces here");
        }
        may
    }

    /// Runs the program where `mounts` were made; `$DATA` in them is the data folder.
    pub(crate) fn with_mounts(self, mounts: &str) -> Self {
        Self {
            mounts: Some(mounts.to_owned()),
            ..self
        }
    }

    fn command(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_frontdesk");
        let mut command = match &self.mounts {
            None => Command::new(program),
            Some(mounts) => {
                let mut command = namespace();
                command
                    .arg("-c")
                    .arg(format!("{mounts} && exec \"$0\" \"$@\""));
                command.arg(program).env("DATA", &self.data);
                command
            }
        };
        command
            .arg("--data")
            .arg(&self.data)
            .env("FRONTDESK__MODELS__REPLY", "smollm2");
        command
    }

    /// Runs a command of the program to its end.
    pub(crate) fn output(&self, args: &[&str]) -> Output {
        self.command().args(args).output().unwrap()
    }

    /// Runs a command of the program whose output nobody reads any more; what it complains of.
    pub(crate) fn complaints_unread(&self, args: &[&str]) -> String {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = self.command().args(args).stdout(writer).output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn server(&self) -> Command {
        let mut command = self.command();
        command
            .args(["run", "--listen", "127.0.0.1:0", "--demo"])
            .arg(&self.world);
        command
    }

    /// Starts the server, and waits for the line with its address.
    pub(crate) fn start(&self) -> Running {
        let mut child = self.server().stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines
            .map_while(Result::ok)
            .find(|line| line.contains(READY));
        let line = ready.expect("the server says its address");
        let address = line.split(READY).nth(1).unwrap().trim_end_matches('/');
        Running {
            address: address.to_owned(),
            child,
        }
    }

    /// Starts a server that cannot start; what it says on the standard error.
    pub(crate) fn start_error(&self) -> String {
        let mut child = self
            .server()
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
        said
    }
}

/// A shell in user and mount namespaces of its own.
fn namespace() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh"]);
    command
}

/// A running server. Killed when the test is over, however that ends.
pub(crate) struct Running {
    pub(crate) child: Child,
    address: String,
}

impl Running {
    pub(crate) async fn connect(&self) -> Client {
        Client::connect(&format!("ws://{}/v1/chat", self.address)).await
    }

    /// A file as this server sees it, on a disk that only it has.
    pub(crate) fn inside(&self, path: &Path) -> PathBuf {
        let path = path.strip_prefix("/").unwrap();
        Path::new("/proc")
            .join(self.child.id().to_string())
            .join("root")
            .join(path)
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As a service manager stops it: SIGTERM, then it has to end by itself, and well.
    pub(crate) fn terminate(mut self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.unwrap().success());
        let ended = self.child.wait().unwrap();
        assert!(ended.success(), "{ended}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}
