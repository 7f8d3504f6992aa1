//! ptrace(2): a victim that goes one instruction at a time.

use crate::peers::Peer;
use std::cell::Cell;
use std::os::fd::AsRawFd;
use std::ptr::null_mut;
use std::time::Duration;
use unipc::Queue;

/// A child that is stopped wherever we want.
pub struct Victim {
    peer: Peer,
    robust: usize,
    /// Its process is gone and reaped.
    ended: Cell<bool>,
}

/// What came of a step.
#[derive(PartialEq, Eq, Clone, Copy, Debug)]
pub enum Step {
    Went,
    /// The victim sleeps in the kernel: the step is not over.
    Sleeps,
    Ended,
}

fn ptrace(request: libc::c_uint, pid: i32, data: usize) -> libc::c_long {
    unsafe { libc::ptrace(request, pid, null_mut::<libc::c_void>(), data) }
}

/// In the child: from here on the parent steps it.
pub fn be_traced() {
    ptrace(libc::PTRACE_TRACEME, 0, 0);
    unsafe { libc::raise(libc::SIGSTOP) };
}

impl Victim {
    /// A child that calls [`be_traced`] before what it is to do.
    pub fn fork(work: impl FnOnce()) -> Victim {
        Victim::trace(Peer::fork(work))
    }

    /// As process 1 of a PID namespace.
    pub fn fork_apart(work: impl FnOnce()) -> Victim {
        Victim::trace(Peer::fork_apart(work))
    }

    fn trace(peer: Peer) -> Victim {
        let mut status = 0;
        assert_eq!(unsafe { libc::waitpid(peer.pid, &raw mut status, libc::__WALL) }, peer.pid);
        assert!(libc::WIFSTOPPED(status), "the victim ended before it was traced: {status:x}");
        ptrace(libc::PTRACE_SETOPTIONS, peer.pid, libc::PTRACE_O_EXITKILL as usize);
        let (mut robust, mut size) = (0usize, 0usize);
        let got = unsafe { libc::syscall(libc::SYS_get_robust_list, peer.pid, &raw mut robust, &raw mut size) };
        assert_eq!(got, 0);
        Victim { peer, robust, ended: Cell::new(false) }
    }

    pub fn has_ended(&self) -> bool {
        self.ended.get()
    }

    pub fn kill(self) {
        if self.ended.get() {
            std::mem::forget(self.peer);
        } else {
            self.peer.kill();
        }
    }

    fn peek(&self, address: usize) -> u64 {
        unsafe { libc::ptrace(libc::PTRACE_PEEKDATA, self.peer.pid, address, 0) as u64 }
    }

    /// What the kernel would go by at its death: the first of its list, and its dying wish.
    pub fn will(&self) -> [u64; 2] {
        [self.peek(self.robust), self.peek(self.robust + 16)]
    }

    fn registers(&self) -> libc::user_regs_struct {
        let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
        ptrace(libc::PTRACE_GETREGS, self.peer.pid, (&raw mut registers).addr());
        registers
    }

    /// The address of its next instruction, and the number of the system call if that makes one.
    pub fn next(&self) -> (u64, Option<i64>) {
        let registers = self.registers();
        let calls = self.peek(registers.rip as usize) & 0xffff == 0x050f;
        (registers.rip, calls.then_some(registers.rax as i64))
    }

    /// Writes to its code, which no other process shares.
    fn poke(&self, address: u64, word: u64) {
        let done = unsafe { libc::ptrace(libc::PTRACE_POKETEXT, self.peer.pid, address, word) };
        assert_eq!(done, 0);
    }

    /// Lets it run to where it was `nth` times about to execute what is at `rip`; each iteration of a
    /// repeated instruction counts. `is_over` looks at it when it sleeps.
    pub fn run_to(&self, rip: u64, nth: u32, mut is_over: impl FnMut(&Victim) -> bool) -> bool {
        let code = self.peek(rip as usize);
        let mut times = 0;
        loop {
            if self.registers().rip == rip {
                times += 1;
                if times == nth {
                    return true;
                }
                // Past it; if it is repeated, back at it.
                let mut went = self.step(self.next().1);
                while went == Step::Sleeps {
                    if is_over(self) {
                        return false;
                    }
                    went = self.stepped(true);
                }
                if went == Step::Ended {
                    return false;
                }
                if self.registers().rip == rip {
                    continue;
                }
            }
            self.poke(rip, code & !0xff | 0xcc);
            ptrace(libc::PTRACE_CONT, self.peer.pid, 0);
            let mut went = self.stepped(true);
            while went == Step::Sleeps {
                if is_over(self) {
                    return false;
                }
                went = self.stepped(true);
            }
            if went == Step::Ended {
                return false;
            }
            self.poke(rip, code);
            let mut registers = self.registers();
            assert_eq!(registers.rip, rip + 1, "it stopped elsewhere");
            registers.rip = rip;
            ptrace(libc::PTRACE_SETREGS, self.peer.pid, (&raw mut registers).addr());
        }
    }

    /// One instruction; `call`: it makes this system call.
    pub fn step(&self, call: Option<i64>) -> Step {
        ptrace(libc::PTRACE_SINGLESTEP, self.peer.pid, 0);
        self.stepped(matches!(call, Some(libc::SYS_futex | libc::SYS_futex_waitv)))
    }

    /// Waits for the step to end, or for the victim to sleep if it `may`.
    pub fn stepped(&self, may_sleep: bool) -> Step {
        let mut status = 0;
        let pid = self.peer.pid;
        let mut looks = 0;
        loop {
            let flags = libc::__WALL | if may_sleep { libc::WNOHANG } else { 0 };
            let waited = unsafe { libc::waitpid(pid, &raw mut status, flags) };
            if waited == pid {
                break;
            }
            assert_eq!(waited, 0, "waitpid: {}", std::io::Error::last_os_error());
            looks += 1;
            if looks > 20 {
                std::thread::sleep(Duration::from_micros(50));
            }
            if looks > 24 && is_sleeping(pid) {
                return Step::Sleeps;
            }
        }
        self.ended.set(libc::WIFEXITED(status) || libc::WIFSIGNALED(status));
        if self.ended.get() { Step::Ended } else { Step::Went }
    }
}

fn is_sleeping(pid: i32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    text.rsplit(')').next().is_some_and(|rest| rest.starts_with(" S"))
}

/// The shared bytes of a queue, to see them change.
pub struct Bytes {
    address: *const u8,
    len: usize,
    last: Vec<u8>,
}

impl Bytes {
    /// Of a small queue: all but the places of participants that nobody takes here.
    pub fn of(queue: &Queue) -> Bytes {
        let path = format!("/dev/shm/unipc.queue.{}", &queue.name()[1..]);
        let file = std::fs::File::open(path).unwrap();
        let size = file.metadata().unwrap().len() as usize;
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize };
        let len = size - (1024 - 6) * page;
        let protection = libc::PROT_READ;
        let address = unsafe { libc::mmap(null_mut(), len, protection, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        assert_ne!(address, libc::MAP_FAILED);
        let mut bytes = Bytes { address: address.cast(), len, last: vec![0; len] };
        bytes.have_changed();
        bytes
    }

    /// Since the last look.
    pub fn have_changed(&mut self) -> bool {
        let now = unsafe { std::slice::from_raw_parts(self.address, self.len) };
        let changed = *now != self.last[..];
        if changed {
            self.last.copy_from_slice(now);
        }
        changed
    }

    /// What stands there, for the eyes of who looks for a mistake.
    pub fn picture(&self, slots: usize) -> String {
        let u64 = |at: usize| u64::from(self.u32(at)) | u64::from(self.u32(at + 4)) << 32;
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize };
        let (table, places) = (u64(32) as usize, self.u32(1028) as usize);
        let stride = (16 + u64(72) as usize).next_multiple_of(128);
        let cells = (4096 + slots * 12).next_multiple_of(128);
        let words: Vec<String> = (0..slots)
            .map(|cell| u64(cells + cell * stride))
            .map(|word| {
                let (state, owner) =
                    (["free", "writing", "reading", "full"][(word >> 62) as usize], word >> 47 & 0x7fff);
                let sorted = if word >> 46 & 1 == 1 { "sorted " } else { "" };
                format!("{sorted}{state}({owner:x})@{}", word & ((1 << 46) - 1))
            })
            .collect();
        let lives: Vec<String> = (0..places.min(6))
            .map(|place| table + place * page)
            .map(|at| format!("{:x} gen {} waits {:x}", self.u32(at + page - 24), self.u32(at), self.u32(at + 4)))
            .collect();
        format!(
            "wait {:x} mode {:x} epoch {} tail {} head {} lock {:x} full {} free {} next {}\n  {words:?}\n  {lives:x?}",
            self.u32(1024),
            self.u32(1032),
            self.u32(1036),
            u64(1152),
            u64(1280),
            self.u32(1408),
            self.u32(1412),
            self.u32(1416),
            u64(1424)
        )
    }

    /// The number at an offset of the file.
    pub fn u32(&self, at: usize) -> u32 {
        assert!(at + 4 <= self.len);
        let bytes: [u8; 4] = std::array::from_fn(|byte| unsafe { self.address.add(at + byte).read_volatile() });
        u32::from_ne_bytes(bytes)
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        unsafe { libc::munmap(self.address.cast_mut().cast(), self.len) };
    }
}
