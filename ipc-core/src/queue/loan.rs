//! Messages in place: written before they are sent, read before they are taken.

use super::shm::{self, Claim};
use crate::error::{Errno, Error, Result};
use crate::name::Name;
use std::mem::ManuallyDrop;

/// A message to be written in place, in a cell of the queue that nobody else can use meanwhile. Made by
/// [`Queue::reserve`](super::Queue::reserve).
///
/// [`commit`](Self::commit) sends it; dropping it gives the cell back, and nothing was sent. So does the
/// death of the thread that reserved it, or its end. It can be committed by another thread than
/// reserved it.
///
/// The bytes are shared: a peer that may write the queue's file can change them at any time, so they
/// are copied in, or written through a raw pointer.
///
/// ```
/// use unipc::{Engine, Queue};
/// # let name = format!("/unipc-doc-reserved-{}", std::process::id());
/// let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(4096).create(&name)?;
/// # Queue::unlink(&name)?;
/// let mut message = queue.reserve(5, 0)?;
/// message.write(0, b"he")?;
/// message.write(2, b"llo")?;
/// message.commit()?;
/// assert_eq!(queue.receive()?.data, b"hello");
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping it gives the cell back, and nothing is sent"]
pub struct Reserved<'a> {
    held: Held<'a>,
}

/// A message to be read in place, which nobody else receives meanwhile. Made by
/// [`Queue::borrow`](super::Queue::borrow).
///
/// [`release`](Self::release) takes it for good; dropping it puts it back to where it was, to be received
/// by whoever comes next. So does the death of the thread that borrowed it, or its end: who releases a
/// message when it has been dealt with gets each at least once.
///
/// ```
/// use unipc::{Engine, Queue};
/// # let name = format!("/unipc-doc-borrowed-{}", std::process::id());
/// let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(4096).create(&name)?;
/// # Queue::unlink(&name)?;
/// queue.send(b"work", 3)?;
/// drop(queue.borrow()?); // not dealt with: it is there again
/// let message = queue.borrow()?;
/// assert_eq!((message.to_vec()?.as_slice(), message.priority()), (&b"work"[..], 3));
/// message.release()?;
/// assert!(queue.is_empty()?);
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping it puts the message back"]
pub struct Borrowed<'a> {
    held: Held<'a>,
}

/// A [`Reserved`] or [`Borrowed`] taken out of its guard: what a binding keeps whose own objects play
/// the guard's part. Copied or made up, it can at worst be refused with EINVAL or EOWNERDEAD, or end
/// another hold of the same thread.
///
/// ```
/// use unipc::{Engine, Queue, queue::Loan};
/// # let name = format!("/unipc-doc-loan-{}", std::process::id());
/// let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
/// # Queue::unlink(&name)?;
/// queue.send(b"work", 0)?;
/// let words = queue.borrow()?.into_loan().to_words();
/// let message = queue.resume_borrowed(Loan::from_words(words))?;
/// assert_eq!(message.to_vec()?, b"work");
/// message.release()?;
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loan {
    claim: Claim,
    len: usize,
}

#[derive(Debug)]
struct Held<'a> {
    queue: &'a shm::Queue,
    name: &'a Name,
    loan: Loan,
}

impl Held<'_> {
    fn fail(&self, operation: &'static str, errno: Errno) -> Error {
        let error = errno.of(operation, self.name);
        match errno {
            Errno::INVALID => error.because("this is no reservation or borrowed message of the queue"),
            Errno::OWNER_DIED => {
                error.because("the thread that held it has ended, and the others took it back; or it was ended before")
            }
            _ => error,
        }
    }

    fn address(&self) -> *mut u8 {
        self.queue.address(self.loan.claim)
    }

    fn check(&self, operation: &'static str, offset: usize, len: usize) -> Result<()> {
        if offset <= self.loan.len && len <= self.loan.len - offset {
            return Ok(());
        }
        let cause = format!("{len} bytes at offset {offset} are not inside a message of {}", self.loan.len);
        Err(Errno::OUT_OF_RANGE.of(operation, self.name).because(cause))
    }
}

impl<'a> Held<'a> {
    #[inline(always)]
    fn new(queue: &'a shm::Queue, name: &'a Name, loan: Loan, operation: &'static str) -> Result<Held<'a>> {
        let room = queue.room(loan.claim).map_err(|errno| errno.of(operation, name))?;
        let held = Held { queue, name, loan };
        if loan.len <= room { Ok(held) } else { Err(held.fail(operation, Errno::INVALID)) }
    }
}

impl Loan {
    /// As three numbers, for a struct of another language.
    ///
    /// ```
    /// # use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-loan-to-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// let words = queue.reserve(7, 1)?.into_loan().to_words();
    /// # assert_eq!(words[2], 7);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline]
    pub fn to_words(self) -> [u64; 3] {
        let [cell, word] = self.claim.to_words();
        [cell, word, self.len as u64]
    }

    /// From what [`to_words`](Self::to_words) gave.
    ///
    /// ```
    /// # use unipc::{Engine, Queue, queue::Loan};
    /// # let name = format!("/unipc-doc-loan-from-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// let made_up = Loan::from_words([1, 2, 3]);
    /// assert!(queue.resume_reserved(made_up).and_then(unipc::queue::Reserved::commit).is_err());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline]
    pub fn from_words(words: [u64; 3]) -> Loan {
        let len = usize::try_from(words[2]).unwrap_or(usize::MAX);
        Loan { claim: Claim::from_words([words[0], words[1]]), len }
    }
}

impl<'a> Reserved<'a> {
    #[inline(always)]
    pub(super) fn new(queue: &'a shm::Queue, name: &'a Name, claim: Claim, len: usize) -> Reserved<'a> {
        Reserved { held: Held { queue, name, loan: Loan { claim, len } } }
    }

    #[inline(always)]
    pub(super) fn resume(queue: &'a shm::Queue, name: &'a Name, loan: Loan) -> Result<Reserved<'a>> {
        Held::new(queue, name, loan, "reserve in queue").map(|held| Reserved { held })
    }

    /// How many bytes the message has.
    ///
    /// ```
    /// # use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-reserved-len-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// assert_eq!(queue.reserve(7, 1)?.len(), 7);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline]
    pub fn len(&self) -> usize {
        self.held.loan.len
    }

    /// Whether the message has no bytes.
    ///
    /// ```
    /// # use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-reserved-empty-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// assert!(queue.reserve(0, 1)?.is_empty());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The priority that it is sent with.
    ///
    /// ```
    /// # use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-reserved-priority-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// assert_eq!(queue.reserve(7, 1)?.priority(), 1);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline]
    pub fn priority(&self) -> u32 {
        self.held.loan.claim.priority()
    }

    /// Copies `data` to `offset` of the message. What is never written has whatever the cell had before.
    ///
    /// # Errors
    /// ERANGE: it is not inside the message.
    ///
    /// ```
    /// # use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-reserved-write-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// let mut message = queue.reserve(4, 0)?;
    /// message.write(0, b"text")?;
    /// assert!(message.write(1, b"text").is_err());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn write(&mut self, offset: usize, data: &[u8]) -> Result<()> {
        let operation = "write to reservation in queue";
        self.held.check(operation, offset, data.len())?;
        let written = self.held.queue.write(self.held.loan.claim, offset, data);
        written.map_err(|errno| self.held.fail(operation, errno))
    }

    /// Where the message is in this process, [`len`](Self::len) bytes, until it is committed or dropped.
    /// They are aligned to 16. No Rust reference may be made of them: peers can write them too.
    ///
    /// ```
    /// # use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-reserved-ptr-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// let mut message = queue.reserve(4, 0)?;
    /// unsafe { message.as_mut_ptr().cast::<u32>().write_volatile(7) };
    /// message.commit()?;
    /// assert_eq!(queue.receive()?.data, 7u32.to_ne_bytes());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline(always)]
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.held.address()
    }

    /// Sends the message, with all its [`len`](Self::len) bytes.
    ///
    /// # Errors
    /// EOWNERDEAD: the thread that reserved it has ended, and the others have taken the cell back; nothing is
    /// sent.
    ///
    /// ```
    /// # use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-reserved-commit-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// queue.reserve(0, 0)?.commit()?;
    /// assert_eq!(queue.len()?, 1);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline(always)]
    pub fn commit(self) -> Result<()> {
        let Reserved { held } = &*ManuallyDrop::new(self);
        let Loan { claim, len } = held.loan;
        held.queue.commit(claim, len).map_err(|errno| held.fail("commit to queue", errno))
    }

    /// Gives the cell back, and says so if it was not this one's any more; dropping it does the same.
    ///
    /// # Errors
    /// EOWNERDEAD: the thread that reserved it has ended, and the others have taken the cell back already.
    ///
    /// ```
    /// # use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-reserved-abort-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// queue.reserve(7, 0)?.abort()?;
    /// assert!(queue.is_empty()?);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn abort(self) -> Result<()> {
        let Reserved { held } = &*ManuallyDrop::new(self);
        held.queue.abort(held.loan.claim).map_err(|errno| held.fail("abort reservation in queue", errno))
    }

    /// Takes it out of its guard: see [`Loan`].
    ///
    /// ```
    /// # use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-reserved-loan-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// let loan = queue.reserve(0, 0)?.into_loan();
    /// queue.resume_reserved(loan)?.commit()?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline(always)]
    pub fn into_loan(self) -> Loan {
        ManuallyDrop::new(self).held.loan
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        let _ = self.held.queue.abort(self.held.loan.claim);
    }
}

impl<'a> Borrowed<'a> {
    #[inline(always)]
    pub(super) fn new(queue: &'a shm::Queue, name: &'a Name, claim: Claim) -> Result<Borrowed<'a>> {
        let len = match queue.room(claim) {
            Ok(len) => len,
            Err(errno) => {
                // Spoiled: nobody can read it, and it is in nobody's way.
                let _ = queue.release(claim);
                return Err(errno.of("borrow from queue", name));
            }
        };
        Ok(Borrowed { held: Held { queue, name, loan: Loan { claim, len } } })
    }

    #[inline(always)]
    pub(super) fn resume(queue: &'a shm::Queue, name: &'a Name, loan: Loan) -> Result<Borrowed<'a>> {
        Held::new(queue, name, loan, "borrow from queue").map(|held| Borrowed { held })
    }

    /// How many bytes the message has.
    ///
    /// ```
    /// # use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-borrowed-len-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// queue.send(b"text", 0)?;
    /// assert_eq!(queue.borrow()?.len(), 4);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline]
    pub fn len(&self) -> usize {
        self.held.loan.len
    }

    /// Whether the message has no bytes.
    ///
    /// ```
    /// # use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-borrowed-empty-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// queue.send(b"", 0)?;
    /// assert!(queue.borrow()?.is_empty());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The priority that it was sent with.
    ///
    /// ```
    /// # use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-borrowed-priority-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// queue.send(b"text", 5)?;
    /// assert_eq!(queue.borrow()?.priority(), 5);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline]
    pub fn priority(&self) -> u32 {
        self.held.loan.claim.priority()
    }

    /// Copies the bytes from `offset` on that fill `buf`.
    ///
    /// # Errors
    /// ERANGE: they are not inside the message.
    ///
    /// ```
    /// # use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-borrowed-read-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// queue.send(b"text", 0)?;
    /// let mut end = [0; 2];
    /// queue.borrow()?.read(2, &mut end)?;
    /// assert_eq!(&end, b"xt");
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn read(&self, offset: usize, buf: &mut [u8]) -> Result<()> {
        let operation = "read borrowed message of queue";
        self.held.check(operation, offset, buf.len())?;
        let read = self.held.queue.read(self.held.loan.claim, offset, buf);
        read.map_err(|errno| self.held.fail(operation, errno))
    }

    /// A copy of the whole message.
    ///
    /// # Errors
    /// None that a message just borrowed gives.
    ///
    /// ```
    /// # use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-borrowed-vec-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// queue.send(b"text", 0)?;
    /// assert_eq!(queue.borrow()?.to_vec()?, b"text");
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn to_vec(&self) -> Result<Vec<u8>> {
        let mut data = vec![0; self.len()];
        self.read(0, &mut data)?;
        Ok(data)
    }

    /// Where the message is in this process, [`len`](Self::len) bytes, until it is released or dropped.
    /// They are aligned to 16. No Rust reference may be made of them: peers can write them.
    ///
    /// ```
    /// # use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-borrowed-ptr-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// queue.send(&7u32.to_ne_bytes(), 0)?;
    /// let message = queue.borrow()?;
    /// assert_eq!(unsafe { message.as_ptr().cast::<u32>().read_volatile() }, 7);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline(always)]
    pub fn as_ptr(&self) -> *const u8 {
        self.held.address()
    }

    /// Takes the message out of the queue, for good.
    ///
    /// # Errors
    /// EOWNERDEAD: the thread that borrowed it has ended, and the others have found that out: the message is
    /// in the queue again, or somebody else's.
    ///
    /// ```
    /// # use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-borrowed-release-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// queue.send(b"text", 0)?;
    /// queue.borrow()?.release()?;
    /// assert!(queue.is_empty()?);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline(always)]
    pub fn release(self) -> Result<()> {
        let Borrowed { held } = &*ManuallyDrop::new(self);
        held.queue.release(held.loan.claim).map_err(|errno| held.fail("release message of queue", errno))
    }

    /// Puts the message back to where it was, and says so if that was done already; dropping it does the
    /// same.
    ///
    /// # Errors
    /// EOWNERDEAD: the thread that borrowed it has ended, and the others have found that out.
    ///
    /// ```
    /// # use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-borrowed-back-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// queue.send(b"first", 0)?;
    /// queue.send(b"second", 0)?;
    /// queue.borrow()?.put_back()?;
    /// assert_eq!(queue.receive()?.data, b"first");
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn put_back(self) -> Result<()> {
        let Borrowed { held } = &*ManuallyDrop::new(self);
        held.queue.put_back(held.loan.claim).map_err(|errno| held.fail("put back message of queue", errno))
    }

    /// Takes it out of its guard: see [`Loan`].
    ///
    /// ```
    /// # use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-borrowed-loan-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// queue.send(b"text", 0)?;
    /// let loan = queue.borrow()?.into_loan();
    /// queue.resume_borrowed(loan)?.release()?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline(always)]
    pub fn into_loan(self) -> Loan {
        ManuallyDrop::new(self).held.loan
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        let _ = self.held.queue.put_back(self.held.loan.claim);
    }
}
