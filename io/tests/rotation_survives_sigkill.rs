//! The real program, killed without a warning at one moment after the other of a renewal of its certificate: the files are one
//! pair, the old one or the new one, and with it the node starts again, reaches its cloud and renews what is old.
#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

mod process;

use edgehub::identity::{NewFiles, Store};
use edgehub::pki::{Authority, Identity, Profile, Purpose};
use edgehub::tls::{self, ClientFiles};
use process::{Process, edgehub};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, SystemTime};

/// The program with a log that is read, and a standard input that does not end.
fn start(arguments: &[&str]) -> Process {
    Process::start(edgehub(&["--log-json"]).args(arguments).stdin(Stdio::piped()))
}

/// SIGKILL, to a process that has not ended by itself.
fn kill(mut process: Process) {
    assert_eq!(process.child.try_wait().unwrap(), None);
    process.child.kill().unwrap();
    process.child.wait().unwrap();
}

/// A CloudHub: who signs for it, and where it is.
struct Cloud {
    authority: Authority,
    link: String,
    service: String,
}

fn cloud(dir: &Path) -> (Process, Cloud) {
    let mut process = start(&["cloud", "--listen", "127.0.0.1:0", "--dir", dir.to_str().unwrap()]);
    let mut address = |words: &str| {
        let line = process.until(&[words]);
        line.split_once(words).unwrap().1.split('"').next().unwrap().to_owned()
    };
    let (link, service) = (address("listening on "), address("certificates at "));
    let (authority, is_new) = Authority::load_or_create(dir).unwrap();
    assert!(!is_new);
    (process, Cloud { authority, link, service })
}

/// A node whose certificate is in the last tenth of its life, so that it is renewed as soon as the node runs.
struct Node {
    dir: tempfile::TempDir,
    name: String,
    files: ClientFiles,
    old: Identity,
    /// Where the pair is that is there before.
    before: Option<PathBuf>,
}

impl Node {
    fn new(cloud: &Cloud, name: String) -> Node {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name);
        let files = ClientFiles { ca: file("ca.crt"), certificate: file("own.crt"), key: file("own.key") };
        let day = Duration::from_secs(86_400);
        let old = Profile {
            purpose: Purpose::Node { name: name.clone() },
            not_before: SystemTime::now() - 99 * day,
            not_after: SystemTime::now() + day,
        };
        let old = cloud.authority.issue(&old).unwrap();
        let config = format!(
            "apiVersion: edgecore.config.kubeedge.io/v1alpha2\nkind: EdgeCore\nmodules:\n  edged:\n    hostnameOverride: \
             {name}\n  edgeHub:\n    httpServer: {}\n    tlsCaFile: {}\n    tlsCertFile: {}\n    tlsPrivateKeyFile: \
             {}\n    websocket:\n      enable: true\n      server: {}\n",
            cloud.service,
            files.ca.display(),
            files.certificate.display(),
            files.key.display(),
            cloud.link,
        );
        fs::write(file("node.yaml"), config).unwrap();
        Node { dir, name, files, old, before: None }
    }

    /// With three plain files, as somebody copies them there.
    fn with_plain_files(cloud: &Cloud, name: String) -> Node {
        let node = Node::new(cloud, name);
        node.old.write(node.dir.path(), "own").unwrap();
        fs::write(&node.files.ca, cloud.authority.certificate_pem()).unwrap();
        node
    }

    /// With files that were renewed before.
    fn with_links(cloud: &Cloud, name: String) -> Node {
        let mut node = Node::new(cloud, name);
        let pair = NewFiles {
            authorities: cloud.authority.certificate_pem().into(),
            superseded: None,
            certificate: node.old.certificate_pem.clone().into(),
            key: node.old.key_pem.clone().into(),
        };
        Store::new(node.files.clone()).put(&pair).unwrap();
        node.before = Some(node.home().join(fs::read_link(node.home().join("current")).unwrap()));
        node
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join(".edgehub-identity")
    }

    /// The directories of pairs that were not there before.
    fn pairs(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.home()).into_iter().flatten().flatten();
        let is_pair = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
        let paths = entries.filter(is_pair).map(|entry| entry.path());
        paths.filter(|path| Some(path) != self.before.as_ref()).collect()
    }

    fn another_pair_has(&self, name: &str) -> bool {
        self.pairs().iter().any(|pair| pair.join(name).exists())
    }

    fn start(&self) -> Process {
        start(&["run", "--config", self.dir.path().join("node.yaml").to_str().unwrap()])
    }

    /// The certificate that is there, with its key.
    fn certificate(&self) -> Vec<u8> {
        tls::client_config(&self.files).unwrap();
        let pair = tls::pair_on_disk(&self.files).unwrap();
        assert!(pair.is_matching);
        pair.certificate
    }

    /// Starts the node and kills it at a moment after it has begun to renew its certificate. Returns whether the new pair is there.
    fn is_renewed_when_killed(&self, moment: &str, wait: impl FnOnce()) -> bool {
        let old = self.certificate();
        let mut process = self.start();
        process.until(&["renewing the node's certificate"]);
        wait();
        kill(process);
        let is_new = self.certificate() != old;
        println!("{moment}: {}", if is_new { "the new pair" } else { "the old pair" });
        is_new
    }

    /// Starts the node again: it is back at its cloud, and in the end with a new pair.
    fn comes_back(&self, is_renewed: bool) {
        let mut process = self.start();
        if !is_renewed {
            process.until(&["renewing the node's certificate"]);
        }
        process.until_all(&["link up", "the node has a certificate"]);
        assert_ne!(fs::read_to_string(&self.files.certificate).unwrap(), self.old.certificate_pem);
        self.certificate();
    }
}

/// What a moment is called, and whether it has come.
type Moment = (&'static str, fn(&Node) -> bool);

/// What a renewal leaves to be seen, one thing after the other, where the files are plain before.
const OF_PLAIN_FILES: [Moment; 7] = [
    ("the cloud is asked", |_| true),
    ("the directory of the pairs", |node| node.home().exists()),
    ("a pair like the old files", |node| !node.pairs().is_empty()),
    ("which is the current one", |node| node.home().join("current").exists()),
    ("the authorities are a link", |node| node.files.ca.is_symlink()),
    ("the key is a link", |node| node.files.key.is_symlink()),
    ("the certificate is a link", |node| node.files.certificate.is_symlink()),
];

const LAST: &str = "the old pair is gone";

/// The same where they are links before.
const OF_LINKS: [Moment; 6] = [
    ("another pair's directory", |node| !node.pairs().is_empty()),
    ("its key", |node| node.another_pair_has("key")),
    ("its certificate", |node| node.another_pair_has("certificate")),
    ("its authorities", |node| node.another_pair_has("authorities")),
    ("the current pair is another one", |node| {
        let current = fs::read_link(node.home().join("current")).unwrap();
        Some(node.home().join(current)) != node.before
    }),
    (LAST, |node| node.before.as_ref().is_some_and(|before| !before.exists())),
];

#[test]
fn a_renewal_that_is_killed_leaves_a_node_that_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let (mut process, cloud) = cloud(dir.path());
    // A node looks at its certificate some seconds after its start: all of them at one time.
    thread::scope(|scope| {
        for (number, (moment, has_come)) in OF_PLAIN_FILES.into_iter().chain(OF_LINKS).enumerate() {
            let with_files =
                if number < OF_PLAIN_FILES.len() { Node::with_plain_files } else { Node::with_links };
            let node = with_files(&cloud, format!("edge-{number}"));
            scope.spawn(move || {
                let is_new = node.is_renewed_when_killed(moment, || {
                    while !has_come(&node) {
                        thread::yield_now();
                    }
                });
                assert!(is_new || moment != LAST, "everything is written by then");
                node.comes_back(is_new);
            });
        }
        // Whoever holds this keeps the node from writing, and it has what it would write.
        let node = Node::with_links(&cloud, "signed".into());
        let turn = fs::OpenOptions::new().write(true).open(node.home().join("lock")).unwrap();
        turn.lock().unwrap();
        let is_new = node.is_renewed_when_killed("the cloud has signed", || {
            process.until(&["signed a certificate", &node.name]);
        });
        assert!(!is_new, "nothing is written yet");
        drop(turn);
        node.comes_back(is_new);
    });
}
