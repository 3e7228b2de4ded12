//! The process ends at every boundary between two changes, and in the middle of a write; or the machine does, and what was not
//! synced is gone.

use super::*;
use crate::pki::{Authority, Identity};
use std::cell::{Cell, RefCell};
use std::os::unix::fs::PermissionsExt;

/// Carries out so many changes, half of one more if that is a write, and then nothing.
struct Mortal {
    left: Cell<usize>,
}

impl Mortal {
    fn does(&self, change: impl FnOnce() -> io::Result<()>, half: impl FnOnce()) -> io::Result<()> {
        match self.left.get() {
            0 => Err(io::Error::other("the process is gone")),
            1 => {
                self.left.set(0);
                half();
                Err(io::Error::other("the process ends"))
            }
            left => {
                self.left.set(left - 1);
                change()
            }
        }
    }
}

impl Layer for &Mortal {
    fn make_directory(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.does(|| Disk.make_directory(path, mode), || ())
    }

    fn write_new(&self, path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
        let half = contents.get(..contents.len() / 2).unwrap_or_default();
        self.does(|| Disk.write_new(path, contents, mode), || drop(Disk.write_new(path, half, mode)))
    }

    fn link(&self, target: &Path, path: &Path) -> io::Result<()> {
        self.does(|| Disk.link(target, path), || ())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.does(|| Disk.rename(from, to), || ())
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.does(|| Disk.sync(path), || ())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.does(|| Disk.remove(path), || ())
    }
}

/// Carries out so many changes, and then the power fails: of those everything that was not synced is taken back.
struct Lossy {
    left: Cell<usize>,
    /// How to take back, with what has to be synced to keep it.
    loose: RefCell<Vec<(PathBuf, Back)>>,
}

/// How a change is taken back.
enum Back {
    /// The name was not there.
    Gone(PathBuf),
    /// The contents never came to the disk.
    Empty(PathBuf),
    /// The name was a link to there.
    Link(PathBuf, PathBuf),
    /// The name was a file with these contents.
    File(PathBuf, Vec<u8>),
}

impl Back {
    /// To what a name is now.
    fn to(path: &Path) -> Back {
        match (fs::read_link(path), fs::read(path)) {
            (Ok(target), _) => Back::Link(path.into(), target),
            (_, Ok(contents)) => Back::File(path.into(), contents),
            _ => Back::Gone(path.into()),
        }
    }

    fn take(self) {
        let (Back::Gone(path) | Back::Empty(path) | Back::Link(path, _) | Back::File(path, _)) = &self;
        let (path, was_there) = (path.clone(), fs::remove_file(path).is_ok());
        match self {
            Back::Gone(_) => {}
            // Its name may be lost as well.
            Back::Empty(_) if !was_there => {}
            Back::Empty(_) => fs::write(path, "").unwrap(),
            Back::Link(_, target) => std::os::unix::fs::symlink(target, path).unwrap(),
            Back::File(_, contents) => fs::write(path, contents).unwrap(),
        }
    }
}

impl Lossy {
    fn new(changes: usize) -> Lossy {
        Lossy { left: Cell::new(changes), loose: RefCell::default() }
    }

    fn does(&self, change: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        match self.left.get() {
            0 => Err(io::Error::other("the power is gone")),
            left => {
                self.left.set(left - 1);
                change()
            }
        }
    }

    fn is_loose(&self, until: &Path, back: Back) {
        self.loose.borrow_mut().push((until.into(), back));
    }

    fn power_fails(&self) {
        self.left.set(0);
        self.loose.take().into_iter().rev().for_each(|(_, back)| back.take());
    }
}

impl Layer for &Lossy {
    fn make_directory(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.does(|| Disk.make_directory(path, mode))
    }

    fn write_new(&self, path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
        self.does(|| {
            self.is_loose(parent(path), Back::Gone(path.into()));
            self.is_loose(path, Back::Empty(path.into()));
            Disk.write_new(path, contents, mode)
        })
    }

    fn link(&self, target: &Path, path: &Path) -> io::Result<()> {
        self.does(|| {
            self.is_loose(parent(path), Back::Gone(path.into()));
            Disk.link(target, path)
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.does(|| {
            assert_eq!(parent(from), parent(to));
            self.is_loose(parent(to), Back::to(from));
            self.is_loose(parent(to), Back::to(to));
            Disk.rename(from, to)
        })
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.does(|| {
            self.loose.borrow_mut().retain(|(until, _)| until != path);
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.does(|| Disk.remove(path))
    }
}

fn new_files(authority: &Authority, identity: &Identity) -> NewFiles {
    NewFiles {
        authorities: authority.certificate_pem().into(),
        superseded: Some(authority.certificate_der().to_vec()),
        certificate: identity.certificate_pem.clone().into(),
        key: identity.key_pem.clone().into(),
    }
}

fn names(dir: &Path) -> ClientFiles {
    ClientFiles {
        ca: dir.join("ca/rootCA.crt"),
        certificate: dir.join("certs/server.crt"),
        key: dir.join("certs/server.key"),
    }
}

/// Which of these is in place, if all three names agree.
fn in_place<'a>(files: &ClientFiles, candidates: &[&'a NewFiles]) -> Option<&'a [u8]> {
    let (ca, certificate, key) =
        (fs::read(&files.ca).ok()?, fs::read(&files.certificate).ok()?, fs::read(&files.key).ok()?);
    let found = candidates
        .iter()
        .find(|new| new.certificate == certificate && new.key == key && new.authorities == ca)
        .unwrap_or_else(|| panic!("half of one pair and half of another"));
    Some(&found.certificate)
}

/// Ends the process after each number of changes; `before` prepares the directory and says what is in place.
fn check(before: impl Fn(&Store, &NewFiles) -> bool) {
    let (old_authority, new_authority) = (Authority::generate().unwrap(), Authority::generate().unwrap());
    let old = new_files(&old_authority, &old_authority.node("edge-1").unwrap());
    let new = new_files(&new_authority, &new_authority.node("edge-1").unwrap());
    let mut boundaries = 0;
    for changes in 1.. {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(names(dir.path()));
        let had_pair = before(&store, &old);
        let mortal = Mortal { left: Cell::new(changes) };
        let put = Store::with_layer(names(dir.path()), &mortal).put(&new);
        let found = in_place(store.files(), &[&old, &new]);
        assert!(found.is_some() || !had_pair, "after {changes} changes there is no pair");
        if put.is_ok() {
            assert_eq!(found, Some(&*new.certificate));
        }
        // Whatever was left, the next attempt succeeds and leaves nothing lying about.
        store.put(&new).unwrap();
        assert_eq!(in_place(store.files(), &[&new]), Some(&*new.certificate));
        assert!(store.load().is_some_and(|pair| pair.is_matching));
        let left: Vec<_> = fs::read_dir(store.home()).unwrap().collect();
        assert_eq!(left.len(), 3, "the pair, the link to it, the lock: {left:?}");
        boundaries += 1;
        if mortal.left.get() > 0 {
            break;
        }
    }
    assert!(boundaries > 10, "{boundaries}");
    for changes in 1.. {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(names(dir.path()));
        let had_pair = before(&store, &old);
        let lossy = Lossy::new(changes);
        let put = Store::with_layer(names(dir.path()), &lossy).put(&new);
        let is_over = lossy.left.get() > 0;
        lossy.power_fails();
        let found = in_place(store.files(), &[&old, &new]);
        assert!(found.is_some() || !had_pair, "after {changes} changes and a power cut there is no pair");
        if put.is_ok() {
            assert_eq!(found, Some(&*new.certificate), "what was put is there after a power cut");
        }
        store.put(&new).unwrap();
        assert_eq!(in_place(store.files(), &[&new]), Some(&*new.certificate));
        if is_over {
            break;
        }
    }
}

#[test]
fn a_first_pair_is_there_or_not() {
    check(|_, _| false);
}

#[test]
fn a_pair_is_replaced_as_a_whole() {
    check(|store, old| {
        store.put(old).unwrap();
        true
    });
}

#[test]
fn files_of_another_program_are_replaced_as_a_whole() {
    check(|store, old| {
        for (path, contents) in [
            (&store.files().ca, &old.authorities),
            (&store.files().certificate, &old.certificate),
            (&store.files().key, &old.key),
        ] {
            fs::create_dir_all(parent(path)).unwrap();
            fs::write(path, contents).unwrap();
        }
        true
    });
}

#[test]
fn a_key_without_its_certificate_is_no_pair() {
    check(|store, old| {
        fs::create_dir_all(parent(&store.files().key)).unwrap();
        fs::write(&store.files().key, &old.key).unwrap();
        false
    });
}

#[test]
fn nobody_else_reads_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::generate().unwrap();
    let store = Store::new(names(dir.path()));
    store.put(&new_files(&authority, &authority.node("edge-1").unwrap())).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&store.files().key), 0o600);
    assert_eq!(mode(&store.files().certificate), 0o644);
    assert_eq!(mode(&store.home()), 0o700);
    assert_eq!(mode(fs::canonicalize(&store.files().key).unwrap().parent().unwrap()), 0o700);
}

/// A configuration of `join`, for one, which comes after the pair.
#[test]
fn a_file_is_replaced_as_a_whole() {
    for changes in 1.. {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config/edgecore.yaml");
        layer::replace(&Disk, &path, b"old", PRIVATE).unwrap();
        let mortal = Mortal { left: Cell::new(changes) };
        let killed = layer::replace(&&mortal, &path, b"new", PRIVATE);
        let found = fs::read(&path).unwrap();
        assert!(found == b"new" || (found == b"old" && killed.is_err()), "{found:?}");
        layer::replace(&Disk, &path, b"old", PRIVATE).unwrap();
        let lossy = Lossy::new(changes);
        let cut = layer::replace(&&lossy, &path, b"new", PRIVATE);
        let is_over = lossy.left.get() > 0;
        lossy.power_fails();
        let found = fs::read(&path).unwrap();
        assert!(found == b"new" || (found == b"old" && cut.is_err()), "{found:?}");
        if is_over {
            assert!(changes > 4, "{changes}");
            break;
        }
    }
}

/// Two processes, or an attempt that was given up and the next one: each pair is put as a whole, and the last one stays.
#[test]
fn who_puts_a_pair_waits_for_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::generate().unwrap();
    let pairs: Vec<NewFiles> =
        (0..4).map(|_| new_files(&authority, &authority.node("edge-1").unwrap())).collect();
    std::thread::scope(|scope| {
        for new in &pairs {
            let store = Store::new(names(dir.path()));
            scope.spawn(move || (0..20).for_each(|_| store.put(new).unwrap()));
        }
    });
    let candidates: Vec<&NewFiles> = pairs.iter().collect();
    assert!(in_place(&names(dir.path()), &candidates).is_some());
    let store = Store::new(names(dir.path()));
    let _held = turn(&store.home()).unwrap();
    let other = OpenOptions::new().write(true).open(store.home().join(LOCK)).unwrap();
    assert!(other.try_lock().is_err(), "it is a lock");
}

/// Whoever renews has read the files before: what somebody else puts there after that stays.
#[test]
fn what_was_not_seen_is_not_replaced() {
    let authority = Authority::generate().unwrap();
    let pair = || new_files(&authority, &authority.node("edge-1").unwrap());
    let (first, second, third) = (pair(), pair(), pair());
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(names(dir.path()));
    let nothing = store.look();
    assert!(nothing.pair.unwrap().is_none() && nothing.superseded.is_none());
    assert!(store.put_instead_of(&nothing.seen, &first).unwrap());
    assert_eq!(store.seen(), Seen::of(&first));
    assert!(!store.put_instead_of(&nothing.seen, &second).unwrap());
    let look = store.look();
    store.put(&second).unwrap();
    assert!(!store.put_instead_of(&look.seen, &third).unwrap());
    assert_eq!(in_place(store.files(), &[&first, &second, &third]), Some(&*second.certificate));
    // Authorities that a person adds are a change, too.
    let look = store.look();
    fs::write(&store.files().ca, [&second.authorities[..], &second.authorities].concat()).unwrap();
    assert!(!store.put_instead_of(&look.seen, &third).unwrap());
    assert!(store.put_instead_of(&store.seen(), &third).unwrap());
}

/// A look while others put pairs there is one of a single moment: certificate, key and what to tell them by belong together.
#[test]
fn a_look_is_of_one_moment() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::generate().unwrap();
    let pairs: Vec<NewFiles> =
        (0..3).map(|_| new_files(&authority, &authority.node("edge-1").unwrap())).collect();
    let store = Store::new(names(dir.path()));
    store.put(&pairs[0]).unwrap();
    let known: Vec<Seen> = pairs.iter().map(Seen::of).collect();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (0..40).for_each(|turn| store.put(&pairs[turn % 3]).unwrap()));
        while !writer.is_finished() {
            let look = store.look();
            // Who puts pairs there all the time cannot be outwaited; what is seen then is told from all that comes later.
            if known.contains(&look.seen) {
                let pair = look.pair.unwrap().unwrap();
                assert!(pair.is_matching);
                let which = known.iter().position(|seen| *seen == look.seen).unwrap();
                let pem = String::from_utf8(pairs[which].certificate.clone()).unwrap();
                let der = pem.lines().filter(|line| !line.starts_with('-')).collect::<String>();
                assert_eq!(data_encoding::BASE64.encode(&pair.certificate), der);
            }
        }
    });
}
