//! Shared memory: named objects, files, memfds and anonymous mappings.

use crate::boundary::{
    Failure, Handle, Kind, Versioned, adopt_fd, buffer, bytes, close, cold, get, get_mut, hand, hot, options, path,
    store, text,
};
use crate::{created, set_mode};
use libc::ssize_t;
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::os::fd::AsRawFd;
use unipc::Memory;
use unipc::memory::{MemoryOptions, Protection, Seals, Sharing};

/// Who sees what is written to memory: one of the UNIPC_SHARING_ values.
pub type unipc_sharing = c_int;
/// Everybody who has it mapped, and the file.
pub const UNIPC_SHARING_SHARED: unipc_sharing = 0;
/// This process alone; a page is copied when it is first written to.
pub const UNIPC_SHARING_PRIVATE: unipc_sharing = 1;

/// What this process may do with memory: one of the UNIPC_PROTECTION_ values.
pub type unipc_protection = c_int;
/// Nothing: touching it is a SIGSEGV.
pub const UNIPC_PROTECTION_NONE: unipc_protection = 0;
/// Reading.
pub const UNIPC_PROTECTION_READ: unipc_protection = 1;
/// Reading and writing.
pub const UNIPC_PROTECTION_READ_WRITE: unipc_protection = 2;

/// No seal can be added any more.
pub const UNIPC_SEAL_SEAL: c_uint = 1;
/// The memory cannot become smaller.
pub const UNIPC_SEAL_SHRINK: c_uint = 2;
/// The memory cannot become larger.
pub const UNIPC_SEAL_GROW: c_uint = 4;
/// Nobody can write to it; refused while somebody has it mapped for writing.
pub const UNIPC_SEAL_WRITE: c_uint = 8;
/// Who has it mapped for writing goes on, nobody else can begin to.
pub const UNIPC_SEAL_FUTURE_WRITE: c_uint = 16;

/// Memory that is mapped. Opaque.
pub struct unipc_memory {
    _opaque: (),
}

impl Handle for unipc_memory {
    type Value = Memory;
    const KIND: Kind = Kind::Memory;
}

/// How memory is made and mapped. Begin with UNIPC_MEMORY_OPTIONS_INIT; in every field 0 is the
/// default. NULL in place of the struct is every default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_memory_options {
    /// sizeof(unipc_memory_options), as the caller compiled it.
    pub size: usize,
    /// Permission bits; 0: 0600. The umask applies. Only for making what has a name.
    pub mode: c_uint,
    /// Not 0: the umask does not apply to `mode`.
    pub exact_mode: c_int,
    /// Who sees what is written.
    pub sharing: unipc_sharing,
    /// Not 0: only for reading.
    pub read_only: c_int,
}

// SAFETY: repr(C), led by its size, and without padding: what the assertion counts.
unsafe impl Versioned for unipc_memory_options {}
const _: () = assert!(size_of::<unipc_memory_options>() == size_of::<usize>() + 4 * size_of::<c_int>());

/// The options with a length where the caller gave one: 0 is all that is there.
unsafe fn read(given: *const unipc_memory_options, length: usize) -> Result<MemoryOptions, Failure> {
    let given = options(given)?;
    let mut options = Memory::options();
    set_mode!(options, given).sharing(sharing(given.sharing)?).read_only(given.read_only != 0);
    if length > 0 {
        options.size(length);
    }
    Ok(options)
}

fn sharing(value: unipc_sharing) -> Result<Sharing, Failure> {
    match value {
        UNIPC_SHARING_SHARED => Ok(Sharing::Shared),
        UNIPC_SHARING_PRIVATE => Ok(Sharing::Private),
        _ => Err(Failure::Unknown {
            what: "sharing",
            value: value.into(),
            known: "UNIPC_SHARING_SHARED (0) and PRIVATE (1)",
        }),
    }
}

fn protection(value: unipc_protection) -> Result<Protection, Failure> {
    match value {
        UNIPC_PROTECTION_NONE => Ok(Protection::None),
        UNIPC_PROTECTION_READ => Ok(Protection::Read),
        UNIPC_PROTECTION_READ_WRITE => Ok(Protection::ReadWrite),
        _ => Err(Failure::Unknown {
            what: "protection",
            value: value.into(),
            known: "UNIPC_PROTECTION_NONE (0), READ (1) and READ_WRITE (2)",
        }),
    }
}

fn seals(bits: c_uint) -> Result<Seals, Failure> {
    Seals::from_bits(bits).ok_or(Failure::Unknown {
        what: "set of seals",
        value: bits.into(),
        known: "UNIPC_SEAL_SEAL (1), SHRINK (2), GROW (4), WRITE (8) and FUTURE_WRITE (16)",
    })
}

const _: () = assert!(UNIPC_SEAL_SEAL == Seals::SEAL.bits());
const _: () = assert!(UNIPC_SEAL_SHRINK == Seals::SHRINK.bits());
const _: () = assert!(UNIPC_SEAL_GROW == Seals::GROW.bits());
const _: () = assert!(UNIPC_SEAL_WRITE == Seals::WRITE.bits());
const _: () = assert!(UNIPC_SEAL_FUTURE_WRITE == Seals::FUTURE_WRITE.bits());

// ---- named objects

/// Makes a named object of `length` bytes, all zero, that must not exist yet, and maps it. Its space
/// is reserved now, so that it cannot run out later.
///
/// `name` is "/frames": one slash at its beginning, no other, and 1 to 255 bytes behind it.
/// `options` may be NULL.
///
/// - Ownership: the handle is the caller's, until unipc_memory_close(). The object itself stays until
///   unipc_memory_unlink() and the last close, or the end of the system.
/// - Blocking: never.
/// - Errors: EEXIST; ENOSPC: no room for so much; EINVAL: the name, the mode, a length of 0; EACCES;
///   ENAMETOOLONG; EMFILE; ENFILE; ENOMEM; E2BIG: options of a newer header.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: shm_open(3), mmap(2)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_create(
    name: *const c_char,
    length: usize,
    options: *const unipc_memory_options,
) -> *mut unipc_memory {
    cold(|| Ok(hand(read(options, length)?.create(text("name", name)?)?)))
}

/// Maps a named object that exists: its first `length` bytes, or with 0 all of it.
///
/// - Ownership: the handle is the caller's, until unipc_memory_close().
/// - Blocking: never.
/// - Errors: ENOENT; EINVAL: the name, or the object is shorter than `length`, or empty; EACCES;
///   ENAMETOOLONG; EMFILE; ENFILE; ENOMEM; E2BIG: options of a newer header.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: shm_open(3), mmap(2)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_open(
    name: *const c_char,
    length: usize,
    options: *const unipc_memory_options,
) -> *mut unipc_memory {
    cold(|| Ok(hand(read(options, length)?.open(text("name", name)?)?)))
}

/// Maps a named object, or makes it with `length` bytes if it does not exist, and stores in
/// `created`, which may be NULL, 1 if this call made it and else 0.
///
/// - Ownership: as unipc_memory_create().
/// - Blocking: never.
/// - Errors: those of unipc_memory_create() and unipc_memory_open() but EEXIST and ENOENT.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: shm_open(3), mmap(2)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_open_or_create(
    name: *const c_char,
    length: usize,
    options: *const unipc_memory_options,
    created: *mut c_int,
) -> *mut unipc_memory {
    cold(|| {
        let (memory, opened) = read(options, length)?.open_or_create(text("name", name)?)?;
        store(created, self::created(opened));
        Ok(hand(memory))
    })
}

/// Removes the name of an object. Who has it mapped keeps it; it goes with the last of them. A file
/// is removed with unlink(2).
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: ENOENT; EACCES; EINVAL; ENAMETOOLONG.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: shm_unlink(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_unlink(name: *const c_char) -> c_int {
    cold(|| Ok(Memory::unlink(text("name", name)?)?))
}

// ---- files

/// Makes a file of `length` bytes, all zero, where nothing must be yet, and maps it. Its space is
/// reserved now.
///
/// - Ownership: the handle is the caller's, until unipc_memory_close(); the file stays until
///   unlink(2).
/// - Blocking: as the file system does.
/// - Errors: EEXIST; ENOSPC; EFBIG; EINVAL: the mode, a length of 0; ENOENT, ENOTDIR: its directory;
///   EACCES; EROFS; ENAMETOOLONG; EMFILE; ENFILE; ENOMEM; E2BIG: options of a newer header.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: open(2), mmap(2)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_create_file(
    path: *const c_char,
    length: usize,
    options: *const unipc_memory_options,
) -> *mut unipc_memory {
    cold(|| Ok(hand(read(options, length)?.create_file(self::path(path)?)?)))
}

/// Maps a file that exists: its first `length` bytes, or with 0 all of it.
///
/// - Ownership: the handle is the caller's, until unipc_memory_close().
/// - Blocking: as the file system does.
/// - Errors: ENOENT; EINVAL: the file is shorter than `length`, or empty, or no regular file; EACCES;
///   EISDIR; ENOTDIR; ELOOP; ENAMETOOLONG; EMFILE; ENFILE; ENOMEM; E2BIG: options of a newer header.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: open(2), mmap(2)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_open_file(
    path: *const c_char,
    length: usize,
    options: *const unipc_memory_options,
) -> *mut unipc_memory {
    cold(|| Ok(hand(read(options, length)?.open_file(self::path(path)?)?)))
}

/// Maps a file, or makes it with `length` bytes if nothing is there, and stores in `created`, which
/// may be NULL, 1 if this call made it and else 0.
///
/// - Ownership: as unipc_memory_create_file().
/// - Blocking: as the file system does.
/// - Errors: those of unipc_memory_create_file() and unipc_memory_open_file() but EEXIST.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: open(2), mmap(2)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_open_or_create_file(
    path: *const c_char,
    length: usize,
    options: *const unipc_memory_options,
    created: *mut c_int,
) -> *mut unipc_memory {
    cold(|| {
        let (memory, opened) = read(options, length)?.open_or_create_file(self::path(path)?)?;
        store(created, self::created(opened));
        Ok(hand(memory))
    })
}

// ---- what has no name

/// Maps `length` bytes, all zero, that only children made by fork(2) share, or with
/// UNIPC_SHARING_PRIVATE nobody.
///
/// - Ownership: the handle is the caller's, until unipc_memory_close().
/// - Blocking: never.
/// - Errors: ENOMEM; EINVAL: a length of 0; E2BIG: options of a newer header.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: mmap(2), MAP_ANONYMOUS
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_anonymous(
    length: usize,
    options: *const unipc_memory_options,
) -> *mut unipc_memory {
    cold(|| Ok(hand(read(options, length)?.anonymous()?)))
}

/// Maps `length` bytes, all zero, behind a descriptor, which can be sealed and passed on. `label` is
/// shown in /proc and need not be unique.
///
/// - Ownership: the handle is the caller's, until unipc_memory_close().
/// - Blocking: never.
/// - Errors: ENOMEM; ENOSPC; EMFILE; ENFILE; EINVAL: a length of 0, a label that is too long; E2BIG:
///   options of a newer header.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: memfd_create(2)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_memfd(
    label: *const c_char,
    length: usize,
    options: *const unipc_memory_options,
) -> *mut unipc_memory {
    cold(|| Ok(hand(read(options, length)?.memfd(text("label", label)?)?)))
}

/// Maps what is behind a descriptor, as one that was inherited or received: its first `length` bytes,
/// or with 0 all of it.
///
/// - Ownership: takes `fd`, which unipc_memory_close() then closes; on failure it stays the caller's.
///   The handle is the caller's.
/// - Blocking: never.
/// - Errors: EBADF; EINVAL: shorter than `length`, or empty, or nothing that can be mapped; EACCES;
///   EPERM: sealed; EMFILE; ENOMEM; E2BIG: options of a newer header.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: mmap(2)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_from_fd(
    fd: c_int,
    length: usize,
    options: *const unipc_memory_options,
) -> *mut unipc_memory {
    cold(|| {
        let options = read(options, length)?;
        Ok(hand(adopt_fd(fd, |fd| options.try_from_fd(fd))?))
    })
}

// ---- using it

/// Where the memory is mapped. Other processes have it elsewhere: what is kept inside are offsets.
///
/// - Ownership: the bytes stay the handle's: good until unipc_memory_close() or
///   unipc_memory_resize(), or as long as a semaphore inside is open.
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: mmap(2)
///
/// @return the address, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_address(memory: *const unipc_memory) -> *mut c_void {
    hot(|| Ok(get(memory)?.as_ptr().cast::<c_void>()))
}

/// How many bytes are mapped.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: mmap(2)
///
/// @return the length in bytes, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_length(memory: *const unipc_memory) -> ssize_t {
    hot(|| Ok(get(memory)?.len()))
}

/// Copies `length` bytes at `offset` into `buffer`. Who writes to them meanwhile mixes in: a
/// semaphore keeps them apart.
///
/// - Ownership: `buffer` stays the caller's; NULL if `length` is 0.
/// - Blocking: never.
/// - Errors: ERANGE: not all of that is inside; EACCES: the protection.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: memcpy(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_read(
    memory: *const unipc_memory,
    offset: usize,
    buffer: *mut c_void,
    length: usize,
) -> c_int {
    hot(|| Ok(get(memory)?.read_at(offset, self::buffer("buffer", buffer, length)?)?))
}

/// Copies `length` bytes of `data` to `offset`. Who reads them meanwhile sees a mixture: a semaphore
/// keeps them apart.
///
/// - Ownership: `data` stays the caller's and is copied; NULL if `length` is 0.
/// - Blocking: never.
/// - Errors: ERANGE: not all of that is inside; EACCES: the protection.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: memcpy(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_write(
    memory: *mut unipc_memory,
    offset: usize,
    data: *const c_void,
    length: usize,
) -> c_int {
    hot(|| Ok(get(memory)?.write_at(offset, bytes("data", data, length)?)?))
}

/// Makes the object, and its mapping here, `length` bytes long; space for new bytes, which are zero,
/// is reserved now. The address changes. Others who have it mapped keep their length, and touching
/// what was cut off is a SIGBUS for them.
///
/// - Ownership: what unipc_memory_address() gave before is no longer good.
/// - Blocking: never.
/// - Errors: EBUSY: a semaphore inside is open; ENOSPC; EFBIG; EINVAL: a length of 0; EOPNOTSUPP:
///   anonymous shared memory, or a private mapping of a file; EPERM: sealed; EACCES: mapped for
///   reading only; ENOMEM.
/// - Safety: threads: one, with no other call on the handle beside it; fork: the other process keeps
///   its mapping; signals: no.
/// - See: ftruncate(2), mremap(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_resize(memory: *mut unipc_memory, length: usize) -> c_int {
    cold(|| Ok(get_mut(memory)?.resize(length)?))
}

/// Sets what this process may do with the memory.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: EBUSY: a semaphore inside is open; EACCES: mapped for reading only; EINVAL: no such
///   protection; ENOMEM.
/// - Safety: threads: one, with no other call on the handle beside it; fork: of this process only;
///   signals: no.
/// - See: mprotect(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_protect(memory: *mut unipc_memory, protection: unipc_protection) -> c_int {
    cold(|| Ok(get_mut(memory)?.protect(self::protection(protection)?)?))
}

/// Writes what was changed to the file, and waits for the disk.
///
/// - Ownership: none changes.
/// - Blocking: as the disk does.
/// - Errors: EIO; ENOSPC.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: msync(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_sync(memory: *mut unipc_memory) -> c_int {
    cold(|| Ok(get(memory)?.sync()?))
}

/// Writes what was changed in `length` bytes at `offset` to the file, and waits for the disk.
///
/// - Ownership: none changes.
/// - Blocking: as the disk does.
/// - Errors: ERANGE: not all of that is inside; EIO; ENOSPC.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: msync(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_sync_range(memory: *mut unipc_memory, offset: usize, length: usize) -> c_int {
    cold(|| Ok(get(memory)?.sync_range(offset, length)?))
}

/// Adds seals to a memfd: UNIPC_SEAL_ values, or'ed. They hold for everybody and for ever.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: EPERM: sealed against seals; EBUSY: UNIPC_SEAL_WRITE while somebody, this handle included,
///   has it mapped for writing; EINVAL: no memfd, or no such seal.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: fcntl(2), F_ADD_SEALS
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_seal(memory: *mut unipc_memory, seals: c_uint) -> c_int {
    cold(|| Ok(get(memory)?.seal(self::seals(seals)?)?))
}

/// The seals of a memfd.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: EINVAL: no memfd.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: fcntl(2), F_GET_SEALS
///
/// @return UNIPC_SEAL_ values, or'ed, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_seals(memory: *const unipc_memory) -> c_int {
    cold(|| Ok(get(memory)?.seals()?.bits() as c_int))
}

/// The descriptor behind the memory, to be passed on.
///
/// - Ownership: stays the handle's: not to be closed, and good until unipc_memory_close().
/// - Blocking: never.
/// - Errors: EBADF: there is none, as behind anonymous memory.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: fileno(3)
///
/// @return the descriptor, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_fd(memory: *const unipc_memory) -> c_int {
    hot(|| get(memory)?.as_fd().map(|fd| fd.as_raw_fd()).ok_or(Failure::NoDescriptorBehind))
}

/// Closes the handle and unmaps the memory. NULL is allowed. What has a name stays.
///
/// - Ownership: takes the handle. What unipc_memory_address() gave is no longer good, unless a
///   semaphore inside is still open.
/// - Blocking: never.
/// - Errors: EBADF: it is closed already.
/// - Safety: threads: none may be in a call on the handle, nor use its address; fork: the handles of
///   parent and child are closed separately; signals: no.
/// - See: munmap(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_close(memory: *mut unipc_memory) -> c_int {
    cold(|| close(memory))
}
