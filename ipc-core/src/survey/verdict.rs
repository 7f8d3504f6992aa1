//! Who is provably dead, and how what is dead is removed.

use super::{Kind, Object, scene};
use crate::engine::Engine;
use crate::error::{Errno, Error, Result};
use crate::name::{self, NAME_MAX, Name};
use crate::sys::observe::{self, Alone};
use crate::sys::{self, fs, mq, proc};
use std::fmt;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

/// What is certain of an object.
///
/// ```
/// use unipc::{Semaphore, survey};
/// use unipc::survey::Verdict;
/// let name = format!("/unipc-doc-verdict-{}", std::process::id());
/// let semaphore = Semaphore::create(&name, 1)?;
/// assert!(matches!(survey::verdict(&survey::find(&name)?[0]), Verdict::Alive(_)));
/// drop(semaphore);
/// assert!(matches!(survey::verdict(&survey::find(&name)?[0]), Verdict::Unused(_)));
/// # Semaphore::unlink(&name)?;
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Somebody has it open or mapped: who.
    Alive(String),
    /// Nobody has, the kernel vouches for that, and the process that made it is gone: why.
    Dead(String),
    /// Nobody has, the kernel vouches for that; but whoever made it may be there still and come back to it: why. So
    /// it is with all objects of engine posix, for nothing tells who made them; they are made to be found
    /// again.
    Unused(String),
    /// It cannot be told: why.
    Unknown(String),
}

impl Verdict {
    /// The sentence that belongs to it.
    ///
    /// ```
    /// use unipc::survey::Verdict;
    /// assert_eq!(Verdict::Dead("its maker is gone".into()).why(), "its maker is gone");
    /// ```
    pub fn why(&self) -> &str {
        match self {
            Verdict::Alive(why) | Verdict::Dead(why) | Verdict::Unused(why) | Verdict::Unknown(why) => why,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Alive(_) => "alive",
            Verdict::Dead(_) => "dead",
            Verdict::Unused(_) => "unused",
            Verdict::Unknown(_) => "unknown",
        })
    }
}

/// How an object is found again, to be removed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// By its path.
    File,
    /// By its name: a queue of the system's.
    Queue,
    /// Not from here.
    None(&'static str),
}

/// What only the verdict needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kin {
    pub(super) way: Way,
}

impl Default for Kin {
    fn default() -> Kin {
        Kin { way: Way::None("it has no name that could be removed") }
    }
}

/// Looks that others have for a moment pass: so often is asked again whether somebody has an object.
const ASKED: u32 = 5;
const PAUSE: Duration = Duration::from_millis(2);
/// A process that started so much later than an object was made is not who made it, only of the same number: the
/// clock that tells when it started is less exact than this.
const LATER: Duration = Duration::from_secs(1);

/// Judges an object: by what was seen of it when it was found, and by what the kernel says now.
///
/// Nobody is taken to be dead because he cannot be seen. Where /proc shows nobody, the kernel is asked for a write
/// lease of the object's file (fcntl(2), `F_SETLEASE`), which it grants only if no process at all has it open or
/// mapped: in no namespace, and not by a descriptor on its way through a socket either. The lease is given back at
/// once; who opens the object in these microseconds waits for that, or finds EAGAIN if he opens it with `O_NONBLOCK`.
///
/// Waits up to 10 ms if others look at the object, too. Needs to be the object's owner, or root.
///
/// ```
/// for object in unipc::survey::objects(&[unipc::survey::Kind::Queue]).objects {
///     println!("{}: {}", object.name, unipc::survey::verdict(&object).why());
/// }
/// ```
pub fn verdict(object: &Object) -> Verdict {
    let who: Vec<String> = object.processes().iter().map(ToString::to_string).collect();
    if !who.is_empty() {
        return Verdict::Alive(format!("in use by {}", who.join(", ")));
    }
    let file = match open(object) {
        Ok(file) => file,
        Err(why) => return Verdict::Unknown(why),
    };
    match alone(&file) {
        Ok(_) => {}
        Err(Errno::AGAIN) => {
            let why = "somebody has it open whom /proc does not show: in another PID namespace, of another user, or by \
                       a descriptor that is on its way through a socket";
            return Verdict::Alive(why.into());
        }
        Err(errno) => return Verdict::Unknown(refusal(object, errno)),
    }
    let nobody = "nobody has it open or mapped";
    match maker_of(object) {
        Ok(gone) => Verdict::Dead(format!("{nobody}, and {gone}{}", lost(object))),
        Err(why) => Verdict::Unused(format!("{nobody}; {why}{}", lost(object))),
    }
}

fn refusal(object: &Object, errno: Errno) -> String {
    match (errno.0, object.uid) {
        (libc::EACCES | libc::EPERM, Some(uid)) => {
            format!("only its owner (uid {uid}) and root can prove that nobody has it")
        }
        (libc::EINVAL, _) => "nothing tells whether somebody has it: there are no leases of such an object, or none \
                              at all (fs.leases-enable)"
            .into(),
        _ => format!("whether somebody has it cannot be told: {}", errno.of("look at", "object").cause()),
    }
}

/// What goes with it.
fn lost(object: &Object) -> String {
    match object.messages {
        None | Some(0) => String::new(),
        Some(1) => "; 1 message is in it".into(),
        Some(count) => format!("; {count} messages are in it"),
    }
}

/// The process that made it is gone, in words; or why that cannot be said.
fn maker_of(object: &Object) -> std::result::Result<String, String> {
    let (Some(maker), Some(made)) = (object.maker, object.made) else {
        return Err("nothing tells who made it, and who may come back to it".into());
    };
    if let Some(unseen) = scene::partial().into_iter().next() {
        return Err(format!("process {maker} made it, and may be among the {unseen}"));
    }
    let processes = proc::numbers().map_err(|_| "/proc cannot be read to see whether its maker lives".to_owned())?;
    let boot = proc::boot();
    for number in processes {
        match proc::status(number) {
            Ok(status) if !status.ended && status.numbers.last() == Some(&maker) => {
                if scene::started(number, boot).is_none_or(|started| started <= made + LATER) {
                    let name = status.name.escape_debug();
                    return Err(format!("process {number} ({name}) may have made it, and runs still"));
                }
            }
            Ok(_) | Err(Errno(libc::ENOENT | libc::ESRCH)) => {}
            // Too few descriptors, or too little memory: who cannot be looked at may be it.
            Err(errno) => {
                let cause = errno.of("look at", "process").cause().to_owned();
                return Err(format!("process {maker} made it, and may be process {number}: {cause}"));
            }
        }
    }
    Ok(format!("process {maker}, which made it, is gone"))
}

/// The object's file, opened to be read.
fn open(object: &Object) -> std::result::Result<File, String> {
    let opened = match object.kin.way {
        Way::None(why) => return Err(why.into()),
        Way::File => open_file(object),
        Way::Queue => open_queue(object),
    };
    opened.map_err(|errno| match errno.0 {
        libc::ENOENT => "it was removed".into(),
        libc::ESTALE => "another one has its name now".into(),
        _ => refusal(object, errno),
    })
}

fn path_of(object: &Object) -> sys::Result<std::ffi::CString> {
    let path = object.path.as_deref().ok_or(Errno::NOT_FOUND)?;
    name::path("remove", path).map_err(|_| Errno::INVALID)
}

/// The file that has the object's path, if it is the object's.
fn open_file(object: &Object) -> sys::Result<File> {
    let path = path_of(object)?;
    // A FIFO is not opened: that would wake who waits for a peer.
    if !observe::facts(&path, false)?.is_file() {
        return Err(Errno::INVALID);
    }
    same(object, observe::open(&path)?)
}

fn open_queue(object: &Object) -> sys::Result<File> {
    let name = Name::new("remove", &object.name, NAME_MAX).map_err(|_| Errno::INVALID)?;
    same(object, observe::open_named_queue(&name.file(""))?)
}

fn same(object: &Object, file: File) -> sys::Result<File> {
    let facts = observe::facts_of(file.as_fd())?;
    if (facts.device, facts.inode) == (object.device, object.inode) { Ok(file) } else { Err(Errno(libc::ESTALE)) }
}

fn alone(file: &File) -> sys::Result<Alone<'_>> {
    let mut asked = 1;
    loop {
        match Alone::with(file.as_fd()) {
            Err(Errno::AGAIN) if asked < ASKED => {
                asked += 1;
                std::thread::sleep(PAUSE);
            }
            answer => return answer,
        }
    }
}

const REMOVE: &str = "remove";

fn fail(object: &Object, errno: Errno) -> Error {
    let error = errno.of(REMOVE, Path::new(&object.name));
    match errno.0 {
        libc::ESTALE => error.because("another one has its name now"),
        libc::EBUSY => error.because("somebody has it open or mapped"),
        libc::EINVAL | libc::EOPNOTSUPP => error.because("nothing tells whether somebody has it"),
        _ => error,
    }
}

fn reachable(object: &Object) -> Result<()> {
    match object.kin.way {
        Way::None(why) => Err(Error::new(REMOVE, Path::new(&object.name), libc::EOPNOTSUPP, why)),
        _ => Ok(()),
    }
}

pub(super) fn remove(object: &Object) -> Result<()> {
    reachable(object)?;
    // To open a queue that this process has, and close it, takes back its registration for notification.
    let own = object.openers.iter().any(|opener| opener.process.number == std::process::id());
    let found = match object.kin.way {
        Way::Queue if own => Ok(()),
        Way::Queue => open_queue(object).map(drop),
        _ => path_of(object).and_then(|path| check(object, &path)),
    };
    match found {
        // Of whom may remove it but not read it nothing more is asked.
        Ok(()) | Err(Errno(libc::EACCES)) => unlink(object).map_err(|errno| fail(object, errno)),
        Err(errno) => Err(fail(object, errno)),
    }
}

/// Whether the path still is the object's.
fn check(object: &Object, path: &std::ffi::CStr) -> sys::Result<()> {
    let facts = observe::facts(path, false)?;
    if (facts.device, facts.inode) == (object.device, object.inode) { Ok(()) } else { Err(Errno(libc::ESTALE)) }
}

pub(super) fn remove_unused(object: &Object) -> Result<()> {
    reachable(object)?;
    let remove = || {
        let file = match object.kin.way {
            Way::Queue => open_queue(object),
            _ => open_file(object),
        };
        let file = file.map_err(|errno| if errno == Errno::INVALID { Errno::UNSUPPORTED } else { errno })?;
        let alone = alone(&file).map_err(|errno| match errno.0 {
            libc::EAGAIN => Errno::BUSY,
            libc::EINVAL => Errno::UNSUPPORTED,
            _ => errno,
        })?;
        // It had the name when it was opened; somebody may have given that to another since.
        if let Way::File = object.kin.way {
            check(object, &path_of(object)?)?;
        }
        if alone.is_wanted() {
            return Err(Errno::BUSY); // somebody has come, and waits for us
        }
        // mq_open(3) waits for a lease while it keeps everybody from the names of queues: both would wait.
        let _alone = (!is_systems_queue(object)).then_some(alone);
        unlink(object)
    };
    remove().map_err(|errno| fail(object, errno))
}

fn is_systems_queue(object: &Object) -> bool {
    object.kind == Kind::Queue && object.engine == Engine::Posix
}

fn unlink(object: &Object) -> sys::Result<()> {
    match object.kin.way {
        Way::Queue => mq::unlink(&Name::new(REMOVE, &object.name, NAME_MAX).map_err(|_| Errno::INVALID)?.file("")),
        _ => fs::unlink(&path_of(object)?),
    }
}
