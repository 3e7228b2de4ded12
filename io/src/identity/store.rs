//! The node's files: certificate, key and authorities, under the three names that the configuration gives.
//!
//! ```text
//!   /etc/kubeedge/certs/server.crt ─▶ .edgehub-identity/current/certificate
//!   /etc/kubeedge/certs/server.key ─▶ .edgehub-identity/current/key
//!   /etc/kubeedge/ca/rootCA.crt    ─▶ …/certs/.edgehub-identity/current/authorities
//!                                                              current ─▶ 5f03…   (0700, one directory a pair)
//! ```
//!
//! The names are links that never change, and `current` is the one thing that does, in one rename: at any moment the three
//! names are of the old pair, or of the new one. Files that were there before become the first pair of their own kind, with the
//! same contents, before any name is touched.

pub(crate) mod layer;

use super::facts;
use crate::pki::files::{PRIVATE, PUBLIC};
use crate::tls::{self, ClientFiles, PairOnDisk, TlsError};
use edgehub_core::identity::Sha256;
use layer::{Disk, Layer};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The file in it that is locked while a pair is put in place.
const LOCK: &str = "lock";

/// The directory beside the certificate that holds the pairs.
const HOME: &str = ".edgehub-identity";
const CURRENT: &str = "current";

/// The authority in a pair's directory that leaves with the next one, in DER; the only file there without a name outside.
const SUPERSEDED: &str = "superseded";
const DIRECTORY_MODE: u32 = 0o700;

/// What is to be put in place.
#[derive(Clone)]
pub struct NewFiles {
    /// The authorities' certificates in PEM, the newest first.
    pub authorities: Vec<u8>,
    /// The one of them that leaves with the next renewal, in DER.
    pub superseded: Option<Vec<u8>>,
    /// The certificate in PEM.
    pub certificate: Vec<u8>,
    /// The private key in PEM.
    pub key: Vec<u8>,
}

/// What lies under the names at one moment.
#[derive(Debug)]
pub struct Look {
    /// A certificate with its key and authorities; `None` if one of the files is missing, an error if one is damaged.
    pub pair: Result<Option<PairOnDisk>, TlsError>,
    /// The authority that leaves with the next renewal, as it was put there with the pair.
    pub superseded: Option<Vec<u8>>,
    /// What to tell it by from whatever lies there later.
    pub seen: Seen,
}

/// The hashes of the three files: authorities, key, certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen([Option<Sha256>; 3]);

impl Seen {
    /// What is to be seen once these are there.
    pub fn of(new: &NewFiles) -> Seen {
        Seen([&new.authorities, &new.key, &new.certificate].map(|contents| Some(facts::digest(contents))))
    }
}

/// How often the files are looked at again because somebody changes them meanwhile.
const LOOKS_MAX: usize = 5;

/// A node's files.
#[derive(Debug, Clone)]
pub struct Store<L = Disk> {
    files: ClientFiles,
    layer: L,
}

impl Store<Disk> {
    /// The files under these names.
    pub fn new(files: ClientFiles) -> Store {
        Store { files, layer: Disk }
    }
}

impl<L: Layer> Store<L> {
    /// The files under these names, changed through a layer.
    pub fn with_layer(files: ClientFiles, layer: L) -> Store<L> {
        Store { files, layer }
    }

    /// The names.
    pub fn files(&self) -> &ClientFiles {
        &self.files
    }

    /// What is there: a certificate with its key and authorities, if all of that can be read.
    pub fn load(&self) -> Option<PairOnDisk> {
        self.read().ok().flatten()
    }

    /// The same; `None` if one of the files is missing, an error if one is damaged.
    pub fn read(&self) -> Result<Option<PairOnDisk>, TlsError> {
        match tls::pair_on_disk(&self.files) {
            Ok(pair) => Ok(Some(pair)),
            Err(error) if error.problem == tls::Problem::Missing => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Everything that is there, of one moment: while somebody puts other files there, one name may lead to the old ones and the
    /// next one to the new ones.
    pub fn look(&self) -> Look {
        let mut seen = self.seen();
        let mut looks = 1;
        loop {
            let look = Look { pair: self.read(), superseded: self.superseded(), seen };
            seen = self.seen();
            if seen == look.seen || looks == LOOKS_MAX {
                return look;
            }
            looks += 1;
        }
    }

    /// What to tell the present files by.
    pub fn seen(&self) -> Seen {
        Seen(self.names().map(|(path, _)| fs::read(path).ok().map(|contents| facts::digest(&contents))))
    }

    /// The authority that leaves with the next renewal, as it was put there with the present pair.
    pub fn superseded(&self) -> Option<Vec<u8>> {
        fs::read(self.home().join(CURRENT).join(SUPERSEDED)).ok()
    }

    /// Puts a new pair in place, durably; after an error or a crash the old one is there, or the new one. It waits for whoever
    /// does the same, in this process or another: a `join` by hand, or an attempt that was given up.
    pub fn put(&self, new: &NewFiles) -> io::Result<()> {
        self.put_over(new, None).map(|_| ())
    }

    /// The same, unless something else lies there than was seen: `false` then, and that stays.
    pub fn put_instead_of(&self, seen: &Seen, new: &NewFiles) -> io::Result<bool> {
        self.put_over(new, Some(seen))
    }

    fn put_over(&self, new: &NewFiles, seen: Option<&Seen>) -> io::Result<bool> {
        let home = self.home();
        self.layer.make_directory(parent(&self.files.certificate), DIRECTORY_MODE)?;
        self.layer.make_directory(parent(&self.files.key), DIRECTORY_MODE)?;
        self.layer.make_directory(parent(&self.files.ca), DIRECTORY_MODE)?;
        self.layer.make_directory(&home, DIRECTORY_MODE)?;
        let _turn = turn(&home)?;
        if seen.is_some_and(|seen| *seen != self.seen()) {
            return Ok(false);
        }
        if let Some(old) = self.plain_files() {
            self.switch(&home, &old)?;
            self.name_all(&home)?;
        }
        self.switch(&home, new)?;
        self.name_all(&home)?;
        // What is left over does no harm, and the next time it is tried again.
        let _ = self.tidy(&home);
        Ok(true)
    }

    fn home(&self) -> PathBuf {
        let home = parent(&self.files.certificate).join(HOME);
        // The authorities may have their name in another directory, whose link must not depend on where we are.
        std::path::absolute(&home).unwrap_or(home)
    }

    /// The three names, and what each is called in a pair's directory.
    fn names(&self) -> [(&Path, &'static str); 3] {
        [(&self.files.ca, "authorities"), (&self.files.key, "key"), (&self.files.certificate, "certificate")]
    }

    /// A pair that is there under the names, and not through our links: it must stay one while the names change.
    fn plain_files(&self) -> Option<NewFiles> {
        let home = self.home();
        if self.names().into_iter().all(|(path, name)| is_link_to(path, &home, name)) {
            return None;
        }
        let authorities = fs::read(&self.files.ca).unwrap_or_default();
        let (certificate, key) = (fs::read(&self.files.certificate).ok()?, fs::read(&self.files.key).ok()?);
        Some(NewFiles { authorities, superseded: self.superseded(), certificate, key })
    }

    /// Makes another directory of a pair, and switches to it.
    fn switch(&self, home: &Path, new: &NewFiles) -> io::Result<()> {
        let version = format!("{:016x}", fastrand::u64(..));
        let directory = home.join(&version);
        self.layer.make_directory(&directory, DIRECTORY_MODE)?;
        let superseded = new.superseded.iter().map(|superseded| (SUPERSEDED, superseded, PUBLIC));
        let files = [
            ("key", &new.key, PRIVATE),
            ("certificate", &new.certificate, PUBLIC),
            ("authorities", &new.authorities, PUBLIC),
        ];
        for (name, contents, mode) in files.into_iter().chain(superseded) {
            self.layer.write_new(&directory.join(name), contents, mode)?;
            self.layer.sync(&directory.join(name))?;
        }
        self.layer.sync(&directory)?;
        self.point(Path::new(&version), &home.join(CURRENT))
    }

    /// Has every name lead to the current pair.
    fn name_all(&self, home: &Path) -> io::Result<()> {
        for (path, name) in self.names() {
            if !is_link_to(path, home, name) {
                self.point(&home.join(CURRENT).join(name), path)?;
            }
        }
        Ok(())
    }

    /// Puts a link in place of whatever has that name.
    fn point(&self, target: &Path, path: &Path) -> io::Result<()> {
        let directory = parent(path);
        let name = path.file_name().unwrap_or_else(|| OsStr::new("link")).to_string_lossy();
        let temporary = directory.join(format!(".{name}.{:016x}", fastrand::u64(..)));
        self.layer.link(target, &temporary)?;
        self.layer.rename(&temporary, path)?;
        self.layer.sync(directory)
    }

    /// Removes every pair but the current one.
    fn tidy(&self, home: &Path) -> io::Result<()> {
        let current = fs::read_link(home.join(CURRENT))?;
        for entry in fs::read_dir(home)? {
            let name = entry?.file_name();
            if name != CURRENT && name != LOCK && name != current.as_os_str() {
                self.layer.remove(&home.join(name))?;
            }
        }
        Ok(())
    }
}

/// Waits until nobody else puts a pair in place, and keeps others waiting for as long as it is held.
fn turn(home: &Path) -> io::Result<File> {
    let options = OpenOptions::new().write(true).create(true).truncate(false).mode(PRIVATE).to_owned();
    let lock = options.open(home.join(LOCK))?;
    lock.lock()?;
    Ok(lock)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn is_link_to(path: &Path, home: &Path, name: &str) -> bool {
    fs::read_link(path).is_ok_and(|target| target == home.join(CURRENT).join(name))
}

#[cfg(test)]
mod tests;
