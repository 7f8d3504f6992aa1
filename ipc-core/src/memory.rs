#![doc = include_str!("../docs/memory.md")]

use crate::error::{Errno, Error, Object, Result};
use crate::name::{self, NAME_MAX, Name};
use crate::options::{self, Mode, Opened};
use crate::sys::draft::Draft;
use crate::sys::map::{self, Mapping};
use crate::sys::{fs, shm};
use std::ffi::{CStr, CString};
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

/// Who sees what is written to a mapping.
///
/// ```
/// assert_eq!(unipc::memory::Sharing::default(), unipc::memory::Sharing::Shared);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sharing {
    /// Everybody who maps the object; a file changes too. `MAP_SHARED`.
    #[default]
    Shared,
    /// This process alone; a child made by fork starts with a copy of its own. `MAP_PRIVATE`.
    Private,
}

/// What a process may do with the bytes of a mapping.
///
/// ```
/// use unipc::memory::Protection;
/// let mut memory = unipc::Memory::anonymous(4096)?;
/// memory.protect(Protection::Read)?;
/// assert!(memory.write_at(0, b"x").is_err());
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protection {
    /// Nothing. `PROT_NONE`.
    None,
    /// Read. `PROT_READ`.
    Read,
    /// Read and write. `PROT_READ | PROT_WRITE`.
    ReadWrite,
}

/// What can no longer be done to a memfd, by anybody. `F_ADD_SEALS` of
/// [fcntl(2)](https://man7.org/linux/man-pages/man2/fcntl.2.html).
///
/// ```
/// use unipc::memory::Seals;
/// let both = Seals::SHRINK | Seals::GROW;
/// assert!(both.contains(Seals::SHRINK) && !both.contains(Seals::WRITE));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seals(u32);

impl Seals {
    /// Add no more seals.
    ///
    /// ```
    /// assert_eq!(unipc::memory::Seals::SEAL.bits(), 1);
    /// ```
    pub const SEAL: Seals = Seals(1);
    /// Never shorter: with it no peer can make touching the memory fail (SIGBUS).
    ///
    /// ```
    /// assert_eq!(unipc::memory::Seals::SHRINK.bits(), 2);
    /// ```
    pub const SHRINK: Seals = Seals(2);
    /// Never longer.
    ///
    /// ```
    /// assert_eq!(unipc::memory::Seals::GROW.bits(), 4);
    /// ```
    pub const GROW: Seals = Seals(4);
    /// Not written any more; refused (EBUSY) while there is a shared mapping that was writable once,
    /// the maker's own included.
    ///
    /// ```
    /// assert_eq!(unipc::memory::Seals::WRITE.bits(), 8);
    /// ```
    pub const WRITE: Seals = Seals(8);
    /// No new writable mappings; those that exist go on.
    ///
    /// ```
    /// assert_eq!(unipc::memory::Seals::FUTURE_WRITE.bits(), 16);
    /// ```
    pub const FUTURE_WRITE: Seals = Seals(16);

    /// The bits, as fcntl(2) has them.
    ///
    /// ```
    /// assert_eq!((unipc::memory::Seals::SEAL | unipc::memory::Seals::GROW).bits(), 5);
    /// ```
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The seals of `bits`; `None` when one of them is unknown.
    ///
    /// ```
    /// use unipc::memory::Seals;
    /// assert_eq!(Seals::from_bits(2), Some(Seals::SHRINK));
    /// assert_eq!(Seals::from_bits(1024), None);
    /// ```
    pub const fn from_bits(bits: u32) -> Option<Seals> {
        if bits & !31 == 0 { Some(Seals(bits)) } else { None }
    }

    /// Whether all of `other` are among these.
    ///
    /// ```
    /// use unipc::memory::Seals;
    /// assert!(!Seals::SHRINK.contains(Seals::GROW));
    /// ```
    pub const fn contains(self, other: Seals) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for Seals {
    type Output = Seals;
    fn bitor(self, other: Seals) -> Seals {
        Seals(self.0 | other.0)
    }
}

/// Bytes that several processes map.
///
/// They are copied in and out: a reference would promise that nobody else writes them. For work in
/// place there is [`as_ptr`](Self::as_ptr).
///
/// Dropping the handle unmaps it and removes nothing. Any thread may use it; a child made by fork
/// shares it (or, if private, has a copy); exec unmaps it.
///
/// ```
/// use unipc::Memory;
/// let name = format!("/unipc-doc-memory-{}", std::process::id());
/// let here = Memory::create(&name, 4096)?;
/// let there = Memory::open(&name)?;
/// here.write_at(100, b"shared")?;
/// let mut buffer = [0; 6];
/// there.read_at(100, &mut buffer)?;
/// assert_eq!(&buffer, b"shared");
/// Memory::unlink(&name)?;
/// # Ok::<(), unipc::Error>(())
/// ```
pub struct Memory {
    /// Shared with the semaphores that live in it; while there are any it keeps its place.
    mapping: Arc<Mapping>,
    file: Option<OwnedFd>,
    object: Object,
    sharing: Sharing,
    read_only: bool,
}

/// How memory is made and mapped. See [`Memory::options`].
///
/// ```
/// let mut options = unipc::Memory::options();
/// options.size(4096).mode(0o640);
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryOptions {
    size: Option<usize>,
    mode: Mode,
    sharing: Sharing,
    read_only: bool,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({}, {} bytes, {:?}, {:?})", self.object.as_str(), self.len(), self.sharing, self.protection())
    }
}

impl Memory {
    /// Options to create or open memory with.
    ///
    /// ```
    /// use unipc::Memory;
    /// let name = format!("/unipc-doc-memory-options-{}", std::process::id());
    /// Memory::options().size(4096).mode(0o640).create(&name)?;
    /// let view = Memory::options().read_only(true).open(&name)?;
    /// assert!(view.write_at(0, b"x").is_err());
    /// Memory::unlink(&name)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn options() -> MemoryOptions {
        MemoryOptions::default()
    }

    /// Makes a named object of `size` zero bytes, mode 0600, and maps it; as [`MemoryOptions::create`].
    ///
    /// # Errors
    /// As [`MemoryOptions::create`].
    ///
    /// ```
    /// use unipc::Memory;
    /// let name = format!("/unipc-doc-memory-create-{}", std::process::id());
    /// let memory = Memory::create(&name, 100)?;
    /// assert_eq!(memory.len(), 100);
    /// Memory::unlink(&name)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn create(name: &str, size: usize) -> Result<Memory> {
        Memory::options().size(size).create(name)
    }

    /// Maps the whole of a named object that exists, for reading and writing; as [`MemoryOptions::open`].
    ///
    /// # Errors
    /// As [`MemoryOptions::open`].
    ///
    /// ```
    /// assert!(unipc::Memory::open("/no-such-memory").is_err());
    /// ```
    pub fn open(name: &str) -> Result<Memory> {
        Memory::options().open(name)
    }

    /// Removes the name at once; the bytes go when the last mapping of them does.
    /// [shm_unlink(3)](https://man7.org/linux/man-pages/man3/shm_unlink.3.html).
    ///
    /// # Errors
    /// ENOENT; EACCES, EPERM: it belongs to another user; EINVAL, ENAMETOOLONG: no valid name.
    ///
    /// ```
    /// assert!(unipc::Memory::unlink("/no-such-memory").is_err());
    /// ```
    pub fn unlink(name: &str) -> Result<()> {
        let operation = "unlink memory";
        let name = Name::new(operation, name, NAME_MAX)?;
        shm::unlink(&name.file("")).map_err(|errno| errno.of(operation, &name))
    }

    /// Maps `size` zero bytes without a name, which children made by fork share.
    ///
    /// # Errors
    /// EINVAL: a size of 0; ENOMEM.
    ///
    /// ```
    /// let memory = unipc::Memory::anonymous(4096)?;
    /// memory.write_at(0, b"for the children")?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn anonymous(size: usize) -> Result<Memory> {
        Memory::options().size(size).anonymous()
    }

    /// The name, the path, or the label of a memfd; `None` for anonymous memory and for memory taken
    /// over from a descriptor.
    ///
    /// ```
    /// assert_eq!(unipc::Memory::anonymous(1)?.name(), None);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn name(&self) -> Option<&str> {
        match &self.object {
            Object::Name(name) => Some(name),
            Object::Kind(_) => None,
        }
    }

    /// How many bytes are mapped.
    ///
    /// ```
    /// assert_eq!(unipc::Memory::anonymous(100)?.len(), 100);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[allow(clippy::len_without_is_empty)] // memory is never empty
    pub fn len(&self) -> usize {
        self.mapping.len()
    }

    /// Who sees what is written.
    ///
    /// ```
    /// use unipc::memory::Sharing;
    /// assert_eq!(unipc::Memory::anonymous(1)?.sharing(), Sharing::Shared);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn sharing(&self) -> Sharing {
        self.sharing
    }

    /// What this process may do with the bytes now.
    ///
    /// ```
    /// use unipc::memory::Protection;
    /// assert_eq!(unipc::Memory::anonymous(1)?.protection(), Protection::ReadWrite);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn protection(&self) -> Protection {
        match self.mapping.protection() {
            map::NONE => Protection::None,
            map::READ => Protection::Read,
            _ => Protection::ReadWrite,
        }
    }

    /// Whether it was opened for reading only, so that no [`protect`](Self::protect) allows writing.
    ///
    /// ```
    /// assert!(!unipc::Memory::anonymous(1)?.is_read_only());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Copies `buf.len()` bytes at `offset` out of the memory. Bytes that somebody writes meanwhile
    /// may be old or new, each on its own; use a semaphore where that matters. Bytes that a peer has
    /// cut off the object raise SIGBUS, as does touching them by [`as_ptr`](Self::as_ptr).
    ///
    /// # Errors
    /// ERANGE: they do not all lie in the memory; nothing is copied. EACCES: its protection is `None`.
    ///
    /// ```
    /// let memory = unipc::Memory::anonymous(8)?;
    /// let mut buffer = [1; 4];
    /// memory.read_at(4, &mut buffer)?;
    /// assert_eq!(buffer, [0; 4]);
    /// assert!(memory.read_at(5, &mut buffer).is_err());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn read_at(&self, offset: usize, buf: &mut [u8]) -> Result<()> {
        self.mapping.read(offset, buf).map_err(|errno| self.explain_range("read from memory", errno, offset, buf.len()))
    }

    /// Copies `data` into the memory at `offset`.
    ///
    /// # Errors
    /// ERANGE: it does not all fit; nothing is copied. EACCES: the memory may not be written.
    ///
    /// ```
    /// let memory = unipc::Memory::anonymous(8)?;
    /// memory.write_at(4, b"abcd")?;
    /// assert_eq!(memory.write_at(5, b"abcd").unwrap_err().errno(), 34); // ERANGE
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn write_at(&self, offset: usize, data: &[u8]) -> Result<()> {
        self.mapping
            .write(offset, data)
            .map_err(|errno| self.explain_range("write to memory", errno, offset, data.len()))
    }

    #[cold]
    fn explain_range(&self, operation: &'static str, errno: Errno, offset: usize, len: usize) -> Error {
        let error = errno.of(operation, &self.object);
        match errno.0 {
            libc::ERANGE => {
                error.because(format!("{len} bytes at offset {offset} do not lie within its {} bytes", self.len()))
            }
            libc::EACCES => error.because(if self.read_only {
                "it was opened for reading only"
            } else {
                "its protection forbids it; see protect"
            }),
            _ => error,
        }
    }

    /// The address of the first byte. It stays while the handle lives and is not resized.
    ///
    /// Other processes may write the bytes at any time: read and write them by volatile or atomic
    /// accesses, and take no reference. Touching bytes that a peer has cut off the object raises
    /// SIGBUS; a memfd sealed with [`Seals::SHRINK`] excludes that.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// let memory = unipc::Memory::anonymous(4096)?;
    /// // SAFETY: mapped, aligned, and used by everybody as an atomic only.
    /// let counter = unsafe { AtomicU32::from_ptr(memory.as_ptr().cast()) };
    /// counter.fetch_add(1, Ordering::Relaxed);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn as_ptr(&self) -> *mut u8 {
        self.mapping.address().as_ptr()
    }

    /// Makes the object and this mapping of it `size` bytes long, however long others have made it or
    /// this mapping was; new bytes are zero and reserved. The address may change. Others who map the
    /// object keep their length: they open it again to see more, and must not touch what was cut off
    /// (SIGBUS). A refusal changes nothing.
    ///
    /// # Errors
    /// EBUSY: a [`Semaphore`](crate::Semaphore) lives in it. EINVAL: a size of 0. EACCES: opened for
    /// reading only. EOPNOTSUPP: shared anonymous memory and private mappings of files have the
    /// length they have. EPERM: a seal forbids it. ENOSPC, ENOMEM.
    ///
    /// ```
    /// # let name = format!("/unipc-doc-memory-resize-{}", std::process::id());
    /// let mut memory = unipc::Memory::create(&name, 100)?;
    /// memory.resize(10_000)?;
    /// memory.write_at(9_999, b"x")?;
    /// # unipc::Memory::unlink(&name)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn resize(&mut self, size: usize) -> Result<()> {
        let operation = "resize memory";
        check_size(operation, &self.object, size)?;
        let refuse = |errno, cause: &'static str| Err(Error::new(operation, &self.object, errno, cause));
        match (&self.file, self.sharing) {
            (None, Sharing::Shared) => {
                return refuse(libc::EOPNOTSUPP, "anonymous shared memory keeps its length; a memfd can be resized");
            }
            (Some(_), Sharing::Private) => {
                return refuse(libc::EOPNOTSUPP, "a private mapping of a file keeps its length");
            }
            (Some(_), Sharing::Shared) if self.read_only => {
                return refuse(libc::EACCES, "it was opened for reading only");
            }
            _ => {}
        }
        if self.file.is_none() && self.protection() != Protection::ReadWrite {
            return refuse(libc::EACCES, "its protection forbids it; see protect");
        }
        let (before, object) = (self.mapping.len(), self.object.clone());
        let fail = |errno: Errno| errno.of(operation, &object);
        let Some(mapping) = Arc::get_mut(&mut self.mapping) else {
            return refuse(libc::EBUSY, "a semaphore lives in it");
        };
        let Some(file) = self.file.as_ref().map(AsFd::as_fd) else {
            mapping.resize(size).map_err(fail)?;
            // The rest of the last page may hold what stood there before it was shorter.
            let stale = before.min(size)..before.next_multiple_of(map::PAGE_MAX).min(size);
            return mapping.write(stale.start, &vec![0; stale.len()]).map_err(fail);
        };
        // A longer object gets its space first and a shorter one is cut last, so that a refusal
        // leaves everything as it was.
        let whole = fs::stat(file).map_err(fail)?.size;
        if size > whole {
            grow(file, size).map_err(|errno| explain_space(operation, &object, errno, file, size))?;
        }
        mapping.resize(size).map_err(|errno| {
            if size > whole {
                let _ = fs::set_size(file, whole);
            }
            fail(errno)
        })?;
        if size < whole {
            fs::set_size(file, size).map_err(|errno| {
                let _ = mapping.resize(before);
                fail(errno)
            })?;
        }
        Ok(())
    }

    /// Changes what this process may do with the bytes. [mprotect(2)](https://man7.org/linux/man-pages/man2/mprotect.2.html).
    ///
    /// # Errors
    /// EBUSY: a [`Semaphore`](crate::Semaphore) lives in it. EACCES: opened for reading only. ENOMEM.
    ///
    /// ```
    /// use unipc::memory::Protection;
    /// let mut memory = unipc::Memory::anonymous(4096)?;
    /// memory.protect(Protection::None)?;
    /// assert!(memory.read_at(0, &mut [0; 1]).is_err());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn protect(&mut self, protection: Protection) -> Result<()> {
        let operation = "protect memory";
        if self.read_only && protection == Protection::ReadWrite {
            return Err(Error::new(operation, &self.object, libc::EACCES, "it was opened for reading only"));
        }
        let Some(mapping) = Arc::get_mut(&mut self.mapping) else {
            return Err(Error::new(operation, &self.object, libc::EBUSY, "a semaphore lives in it"));
        };
        let wanted = match protection {
            Protection::None => map::NONE,
            Protection::Read => map::READ,
            Protection::ReadWrite => map::READ_WRITE,
        };
        mapping.protect(wanted).map_err(|errno| errno.of(operation, &self.object))
    }

    /// Waits until everything written to a shared file is on its device.
    /// [msync(2)](https://man7.org/linux/man-pages/man2/msync.2.html).
    ///
    /// # Errors
    /// EIO: the device failed.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("unipc-doc-memory-sync-{}", std::process::id()));
    /// let memory = unipc::Memory::options().size(100).create_file(&path)?;
    /// memory.write_at(0, b"durable")?;
    /// memory.sync()?;
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn sync(&self) -> Result<()> {
        self.sync_range(0, self.len())
    }

    /// As [`sync`](Self::sync), for the pages that hold `len` bytes at `offset`.
    ///
    /// # Errors
    /// As `sync`; ERANGE: they do not all lie in the memory.
    ///
    /// ```
    /// let memory = unipc::Memory::anonymous(100)?;
    /// assert!(memory.sync_range(50, 51).is_err());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn sync_range(&self, offset: usize, len: usize) -> Result<()> {
        self.mapping.sync(offset, len).map_err(|errno| self.explain_range("sync memory", errno, offset, len))
    }

    /// Forbids something to everybody who has this memfd, for good.
    ///
    /// # Errors
    /// EINVAL: it is no memfd. EPERM: [`Seals::SEAL`] is set, or it was opened for reading only.
    /// EBUSY: [`Seals::WRITE`] while there is a shared mapping that was writable once, such as the
    /// maker's own; [`Seals::FUTURE_WRITE`] is what a maker wants.
    ///
    /// ```
    /// use unipc::{Memory, memory::Seals};
    /// let mut memory = Memory::options().size(4096).memfd("frame")?;
    /// memory.seal(Seals::SHRINK | Seals::GROW)?;
    /// assert!(memory.resize(8192).is_err());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn seal(&self, seals: Seals) -> Result<()> {
        let operation = "seal memory";
        fs::seal(self.descriptor(operation)?, seals.bits()).map_err(|errno| {
            let error = errno.of(operation, &self.object);
            match errno.0 {
                libc::EINVAL => error.because("only a memfd can be sealed"),
                libc::EPERM => {
                    error.because("no seal can be added: one forbids it (F_SEAL_SEAL), or it is open for reading only")
                }
                libc::EBUSY => {
                    error.because("there is a shared mapping that was writable once, such as this one; F_SEAL_FUTURE_WRITE leaves those")
                }
                _ => error,
            }
        })
    }

    /// The seals that a memfd has.
    ///
    /// # Errors
    /// EINVAL: it is no memfd.
    ///
    /// ```
    /// use unipc::{Memory, memory::Seals};
    /// assert_eq!(Memory::options().size(1).memfd("frame")?.seals()?, Seals::default());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn seals(&self) -> Result<Seals> {
        let operation = "inspect seals of memory";
        match fs::seals(self.descriptor(operation)?) {
            Ok(bits) => Ok(Seals(bits & 31)),
            Err(errno) => Err(errno.of(operation, &self.object).because("only a memfd has seals")),
        }
    }

    fn descriptor(&self, operation: &'static str) -> Result<BorrowedFd<'_>> {
        self.as_fd().ok_or_else(|| Error::new(operation, &self.object, libc::EINVAL, "only a memfd has seals"))
    }

    /// The descriptor of the object, to hand it to another process; anonymous memory has none.
    ///
    /// ```
    /// assert!(unipc::Memory::anonymous(1)?.as_fd().is_none());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().map(AsFd::as_fd)
    }

    /// The mapping, for what lives in it.
    pub(crate) fn mapping(&self) -> &Arc<Mapping> {
        &self.mapping
    }

    pub(crate) fn object(&self) -> &Object {
        &self.object
    }
}

impl MemoryOptions {
    /// How many bytes. Creating needs it. Opening takes the whole object unless set; one that is
    /// shorter is refused.
    ///
    /// ```
    /// unipc::Memory::options().size(4096);
    /// ```
    pub fn size(&mut self, bytes: usize) -> &mut Self {
        self.size = Some(bytes);
        self
    }

    /// The permission bits, from which the umask of the process takes its own away. 0600 unless set.
    ///
    /// ```
    /// unipc::Memory::options().mode(0o640);
    /// ```
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        self.mode = Mode { bits: mode, exact: false };
        self
    }

    /// The permission bits, whatever the umask. The object gets its name only once they are set.
    ///
    /// ```
    /// unipc::Memory::options().exact_mode(0o666);
    /// ```
    pub fn exact_mode(&mut self, mode: u32) -> &mut Self {
        self.mode = Mode { bits: mode, exact: true };
        self
    }

    /// Who sees what is written; everybody unless set.
    ///
    /// ```
    /// unipc::Memory::options().sharing(unipc::memory::Sharing::Private);
    /// ```
    pub fn sharing(&mut self, sharing: Sharing) -> &mut Self {
        self.sharing = sharing;
        self
    }

    /// Opens and maps for reading only; the object needs no more permission than that.
    ///
    /// ```
    /// unipc::Memory::options().read_only(true);
    /// ```
    pub fn read_only(&mut self, on: bool) -> &mut Self {
        self.read_only = on;
        self
    }

    /// Makes a named object of zero bytes that is not there yet, and maps it. Its space is reserved,
    /// and it gets its name last: nobody ever opens it half made.
    /// [shm_open(3)](https://man7.org/linux/man-pages/man3/shm_open.3.html).
    ///
    /// # Errors
    /// EEXIST. ENOSPC: /dev/shm has no room for it. EINVAL: no valid name, no size, a mode beyond
    /// 0777. ENAMETOOLONG, EMFILE, ENFILE, ENOMEM.
    ///
    /// ```
    /// # let name = format!("/unipc-doc-memory-ocreate-{}", std::process::id());
    /// let memory = unipc::Memory::options().size(4096).create(&name)?;
    /// # unipc::Memory::unlink(&name)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn create(&self, name: &str) -> Result<Memory> {
        let operation = "create memory";
        let name = Name::new(operation, name, NAME_MAX)?;
        self.create_at(operation, &shm::path(&name.file("")), &Object::from(&name))
    }

    /// Maps a named object that exists.
    ///
    /// # Errors
    /// ENOENT. EACCES: its mode forbids the access asked for. EINVAL: it is empty, or shorter than
    /// the size asked for; no valid name. ENAMETOOLONG, EMFILE, ENOMEM.
    ///
    /// ```
    /// # let name = format!("/unipc-doc-memory-oopen-{}", std::process::id());
    /// unipc::Memory::create(&name, 100)?;
    /// let error = unipc::Memory::options().size(101).open(&name).unwrap_err();
    /// assert_eq!(error.cause(), "it has 100 bytes; 101 were asked for");
    /// # unipc::Memory::unlink(&name)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn open(&self, name: &str) -> Result<Memory> {
        let operation = "open memory";
        let name = Name::new(operation, name, NAME_MAX)?;
        let object = Object::from(&name);
        let file = shm::open(&name.file(""), self.wants_to_write()).map_err(|errno| errno.of(operation, &object))?;
        Ok(self.memory(self.map(operation, file.as_fd(), &object)?, Some(file), object))
    }

    /// Maps the named object or makes it, and tells which.
    ///
    /// # Errors
    /// As [`create`](Self::create) and [`open`](Self::open).
    ///
    /// ```
    /// use unipc::{Memory, Opened};
    /// # let name = format!("/unipc-doc-memory-ooc-{}", std::process::id());
    /// let (memory, did) = Memory::options().size(4096).open_or_create(&name)?;
    /// assert_eq!(did, Opened::Created);
    /// # Memory::unlink(&name)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn open_or_create(&self, name: &str) -> Result<(Memory, Opened)> {
        options::open_or_create(|| self.open(name), || self.create(name))
    }

    /// Makes a file of zero bytes where nothing is yet, and maps it; otherwise as [`create`](Self::create).
    ///
    /// # Errors
    /// As `create`; ENOENT, ENOTDIR, EROFS: the directory.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("unipc-doc-memory-file-{}", std::process::id()));
    /// let memory = unipc::Memory::options().size(100).create_file(&path)?;
    /// memory.write_at(0, b"stays")?;
    /// drop(memory);
    /// assert!(std::fs::read(&path).unwrap().starts_with(b"stays"));
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn create_file(&self, path: impl AsRef<Path>) -> Result<Memory> {
        let (operation, path) = ("create memory file", path.as_ref());
        self.create_at(operation, &name::path(operation, path)?, &path.into())
    }

    /// Maps a file that exists. A private mapping reads the file, and keeps what is written to itself.
    ///
    /// # Errors
    /// As [`open`](Self::open); ENODEV: it cannot be mapped; EINVAL: it is no regular file.
    ///
    /// ```
    /// use unipc::{Memory, memory::Sharing};
    /// # let path = std::env::temp_dir().join(format!("unipc-doc-memory-open-{}", std::process::id()));
    /// std::fs::write(&path, "original").unwrap();
    /// let memory = Memory::options().sharing(Sharing::Private).open_file(&path)?;
    /// memory.write_at(0, b"modified")?;
    /// assert_eq!(std::fs::read(&path).unwrap(), b"original");
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn open_file(&self, path: impl AsRef<Path>) -> Result<Memory> {
        let (operation, path) = ("open memory file", path.as_ref());
        let object = Object::from(path);
        let file = fs::open_file(&name::path(operation, path)?, self.wants_to_write()).map_err(|errno| {
            let error = errno.of(operation, &object);
            if errno.0 == libc::ENXIO { error.because("it is a socket, and no regular file") } else { error }
        })?;
        Ok(self.memory(self.map(operation, file.as_fd(), &object)?, Some(file), object))
    }

    /// Maps the file or makes it, and tells which.
    ///
    /// # Errors
    /// As [`create_file`](Self::create_file) and [`open_file`](Self::open_file).
    ///
    /// ```
    /// use unipc::{Memory, Opened};
    /// # let path = std::env::temp_dir().join(format!("unipc-doc-memory-oocf-{}", std::process::id()));
    /// let (memory, did) = Memory::options().size(100).open_or_create_file(&path)?;
    /// assert_eq!(did, Opened::Created);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn open_or_create_file(&self, path: impl AsRef<Path>) -> Result<(Memory, Opened)> {
        let path = path.as_ref();
        options::open_or_create(|| self.open_file(path), || self.create_file(path))
    }

    /// Maps zero bytes without a name: shared with children made by fork, or private.
    ///
    /// # Errors
    /// EINVAL: no size. ENOMEM.
    ///
    /// ```
    /// use unipc::{Memory, memory::Sharing};
    /// let memory = Memory::options().size(4096).sharing(Sharing::Private).anonymous()?;
    /// memory.write_at(0, b"for this process alone")?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn anonymous(&self) -> Result<Memory> {
        let (operation, object) = ("map memory", Object::Kind("anonymous memory"));
        let size = self.needed_size(operation, &object)?;
        let shared = self.sharing == Sharing::Shared;
        let mapping = Mapping::new(None, size, shared, self.protection())
            .map_err(|errno| errno.of(operation, &object).because(format!("no memory for {size} bytes")))?;
        Ok(self.memory(mapping, None, object))
    }

    /// Makes an object without a name, which is handed on by its descriptor and can be
    /// [sealed](Memory::seal). The label shows in /proc and need not be unique.
    /// [memfd_create(2)](https://man7.org/linux/man-pages/man2/memfd_create.2.html).
    ///
    /// # Errors
    /// EINVAL: no size; the label has a NUL byte or more than 249 bytes. ENOMEM, EMFILE.
    ///
    /// ```
    /// let memory = unipc::Memory::options().size(4096).memfd("frame")?;
    /// assert!(memory.as_fd().is_some());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn memfd(&self, label: &str) -> Result<Memory> {
        let (operation, object) = ("create memfd", Object::Name(label.into()));
        let size = self.needed_size(operation, &object)?;
        let bad_label =
            || Error::new(operation, &object, libc::EINVAL, "a label has at most 249 bytes and no NUL among them");
        let label = CString::new(label).map_err(|_| bad_label())?;
        let file = fs::memfd(&label)
            .map_err(|errno| if errno == Errno::INVALID { bad_label() } else { errno.of(operation, &object) })?;
        grow(file.as_fd(), size).map_err(|errno| explain_space(operation, &object, errno, file.as_fd(), size))?;
        Ok(self.memory(self.map(operation, file.as_fd(), &object)?, Some(file), object))
    }

    /// Maps what a descriptor stands for, one that was received or inherited.
    ///
    /// # Errors
    /// As [`open_file`](Self::open_file).
    ///
    /// ```
    /// use unipc::Memory;
    /// let here = Memory::options().size(4096).memfd("frame")?;
    /// let handed_on = here.as_fd().unwrap().try_clone_to_owned().unwrap();
    /// let there = Memory::options().from_fd(handed_on)?;
    /// here.write_at(0, b"one object")?;
    /// # let mut buffer = [0; 10];
    /// there.read_at(0, &mut buffer)?;
    /// assert_eq!(&buffer, b"one object");
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[allow(clippy::wrong_self_convention)] // options come first, as everywhere
    pub fn from_fd(&self, fd: OwnedFd) -> Result<Memory> {
        self.try_from_fd(fd).map_err(|(error, _)| error)
    }

    /// As [`from_fd`](Self::from_fd), and gives the descriptor back with the error.
    ///
    /// # Errors
    /// As `from_fd`.
    ///
    /// ```
    /// let (reader, _writer) = unipc::pipe()?;
    /// let (error, _fd) = unipc::Memory::options().try_from_fd(reader.into()).unwrap_err();
    /// assert_eq!(error.cause(), "it is no regular file");
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn try_from_fd(&self, fd: OwnedFd) -> std::result::Result<Memory, (Error, OwnedFd)> {
        let object = Object::Kind("descriptor");
        match self.map("map memory", fd.as_fd(), &object) {
            Ok(mapping) => Ok(self.memory(mapping, Some(fd), object)),
            Err(error) => Err((error, fd)),
        }
    }

    fn wants_to_write(&self) -> bool {
        self.sharing == Sharing::Shared && !self.read_only
    }

    fn protection(&self) -> i32 {
        if self.read_only { map::READ } else { map::READ_WRITE }
    }

    fn needed_size(&self, operation: &'static str, object: &Object) -> Result<usize> {
        match self.size {
            Some(size) => check_size(operation, object, size),
            None => Err(Error::new(operation, object, libc::EINVAL, "to make memory, a size is needed")),
        }
    }

    fn create_at(&self, operation: &'static str, path: &CStr, object: &Object) -> Result<Memory> {
        let mode = self.mode.check(operation, object)?;
        let size = self.needed_size(operation, object)?;
        let fail = |errno: Errno| errno.of(operation, object);
        let draft = Draft::file(path, mode.bits).map_err(|errno| {
            if errno.0 == libc::ENOENT { fail(errno).because("its directory does not exist") } else { fail(errno) }
        })?;
        if mode.exact {
            crate::sys::fd::set_mode(draft.fd(), mode.bits).map_err(fail)?;
        }
        grow(draft.fd(), size).map_err(|errno| explain_space(operation, object, errno, draft.fd(), size))?;
        let mapping = self.map(operation, draft.fd(), object)?;
        let file = draft.publish(path).map_err(fail)?;
        Ok(self.memory(mapping, Some(file), object.clone()))
    }

    fn memory(&self, mapping: Mapping, file: Option<OwnedFd>, object: Object) -> Memory {
        Memory { mapping: Arc::new(mapping), file, object, sharing: self.sharing, read_only: self.read_only }
    }

    fn map(&self, operation: &'static str, file: BorrowedFd<'_>, object: &Object) -> Result<Mapping> {
        let refuse = |cause: String| Err(Error::new(operation, object, libc::EINVAL, cause));
        let stat = fs::stat(file).map_err(|errno| errno.of(operation, object))?;
        if !stat.is_file() {
            return refuse("it is no regular file".into());
        }
        let size = match self.size {
            None if stat.size == 0 => {
                return refuse("it is empty: whoever made it has not given it a size, or cut it off".into());
            }
            None => stat.size,
            Some(size) if size > stat.size => {
                return refuse(format!("it has {} bytes; {size} were asked for", stat.size));
            }
            Some(size) => check_size(operation, object, size)?,
        };
        let shared = self.sharing == Sharing::Shared;
        Mapping::new(Some(file), size, shared, self.protection()).map_err(|errno| {
            let error = errno.of(operation, object);
            match errno.0 {
                libc::EACCES => error.because("the descriptor is not open for the access asked for"),
                libc::EPERM => error.because("a seal forbids to map it for writing; map it read-only"),
                _ => error,
            }
        })
    }
}

fn check_size(operation: &'static str, object: &Object, size: usize) -> Result<usize> {
    match size {
        0 => Err(Error::new(operation, object, libc::EINVAL, "memory of 0 bytes cannot be mapped")),
        _ if isize::try_from(size).is_err() => {
            Err(Error::new(operation, object, libc::EINVAL, format!("{size} bytes exceed the address space")))
        }
        _ => Ok(size),
    }
}

/// Gives a file `size` bytes and their space, or leaves it as it was.
fn grow(file: BorrowedFd<'_>, size: usize) -> crate::sys::Result<()> {
    let before = fs::stat(file)?.size;
    fs::reserve(file, size).inspect_err(|_| {
        let _ = fs::set_size(file, before);
    })
}

#[cold]
fn explain_space(operation: &'static str, object: &Object, errno: Errno, file: BorrowedFd<'_>, size: usize) -> Error {
    let error = errno.of(operation, object);
    match (errno.0, fs::free_space(file)) {
        (libc::ENOMEM, _) => {
            error.because(format!("no memory for {size} bytes: the machine has {} left", fs::memory_available()))
        }
        (libc::ENOSPC, Ok(free)) => error.because(format!(
            "no space for {size} bytes: its file system has {free} free; remove objects there or make it larger"
        )),
        _ => error,
    }
}
