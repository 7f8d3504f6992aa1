use crate::common::{Scratch, errno, interrupted, mode_of, umask};
use std::os::fd::AsRawFd;
use unipc::memory::{Protection, Seals, Sharing};
use unipc::{Memory, Opened, Semaphore};

fn read(memory: &Memory, offset: usize, len: usize) -> Vec<u8> {
    let mut buffer = vec![0; len];
    memory.read_at(offset, &mut buffer).unwrap();
    buffer
}

crate::promises! {
    fn everybody_who_opens_a_name_sees_the_same_bytes() {
        let scratch = Scratch::new();
        let here = Memory::create(scratch.name(), 10_000).unwrap();
        let there = Memory::open(scratch.name()).unwrap();
        assert_eq!(read(&there, 0, 10_000), [0; 10_000]);
        for len in [0, 1, 7, 8, 9, 63, 64, 65, 4097] {
            let data: Vec<u8> = (0..len).map(|n| n as u8 ^ 0x5a).collect();
            here.write_at(3, &data).unwrap();
            assert_eq!(read(&there, 3, data.len()), data);
        }
        assert_eq!((here.name(), there.len()), (Some(scratch.name()), 10_000));
    }

    fn creating_is_exclusive_and_opening_needs_an_object() {
        let scratch = Scratch::new();
        assert_eq!(errno(Memory::open(scratch.name())), libc::ENOENT);
        Memory::create(scratch.name(), 1).unwrap();
        assert_eq!(errno(Memory::create(scratch.name(), 1)), libc::EEXIST);
        Memory::unlink(scratch.name()).unwrap();
        assert_eq!(errno(Memory::unlink(scratch.name())), libc::ENOENT);
        assert_eq!(errno(Memory::create("/a/b", 1)), libc::EINVAL);
        assert_eq!(errno(Memory::options().size(1).mode(0o10000).create(scratch.name())), libc::EINVAL);
    }

    fn opening_or_creating_tells_which_and_never_finds_half_an_object() {
        let scratch = Scratch::new();
        let mut options = Memory::options();
        let created: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| {
                let (memory, opened) = Memory::options().size(4096).open_or_create(scratch.name()).unwrap();
                assert_eq!(memory.len(), 4096);
                usize::from(opened == Opened::Created)
            })).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(created, 1);
        let error = options.size(4097).open_or_create(scratch.name()).unwrap_err();
        assert_eq!(error.errno(), libc::EINVAL);
    }

    fn an_object_shorter_than_asked_for_is_refused() {
        let scratch = Scratch::new();
        Memory::create(scratch.name(), 100).unwrap();
        assert_eq!(errno(Memory::options().size(101).open(scratch.name())), libc::EINVAL);
        assert_eq!(Memory::options().size(60).open(scratch.name()).unwrap().len(), 60);
        std::fs::write(scratch.path(), "").unwrap();
        assert_eq!(errno(Memory::options().open_file(scratch.path())), libc::EINVAL);
    }

    fn nothing_and_too_much_are_no_sizes() {
        let scratch = Scratch::new();
        assert_eq!(errno(Memory::create(scratch.name(), 0)), libc::EINVAL);
        assert_eq!(errno(Memory::options().create(scratch.name())), libc::EINVAL);
        assert_eq!(errno(Memory::anonymous(0)), libc::EINVAL);
        assert_eq!(errno(Memory::anonymous(usize::MAX)), libc::EINVAL);
        assert_eq!(errno(Memory::options().memfd("none")), libc::EINVAL);
        assert_eq!(errno(Memory::open(scratch.name())), libc::ENOENT);
    }

    fn more_than_the_file_system_has_is_refused_at_creation() {
        let scratch = Scratch::new();
        let error = Memory::create(scratch.name(), 1 << 60).unwrap_err();
        assert_eq!(error.errno(), libc::ENOSPC);
        assert!(error.cause().contains("free"), "{error}");
        assert_eq!(errno(Memory::open(scratch.name())), libc::ENOENT);
    }

    fn copies_outside_the_memory_are_refused_and_move_nothing() {
        let memory = Memory::anonymous(100).unwrap();
        let mut buffer = [7; 10];
        for offset in [91, 100, 101, usize::MAX, usize::MAX - 5] {
            assert_eq!(errno(memory.read_at(offset, &mut buffer)), libc::ERANGE);
            assert_eq!(errno(memory.write_at(offset, &buffer)), libc::ERANGE);
            assert_eq!(errno(memory.sync_range(offset, 10)), libc::ERANGE);
        }
        assert_eq!(buffer, [7; 10]);
        assert_eq!(read(&memory, 0, 100), [0; 100]);
        memory.read_at(100, &mut []).unwrap();
    }

    fn a_read_only_view_cannot_write() {
        let scratch = Scratch::new();
        let memory = Memory::options().size(100).create(scratch.name()).unwrap();
        memory.write_at(0, b"seen").unwrap();
        let mut view = Memory::options().read_only(true).open(scratch.name()).unwrap();
        assert!(view.is_read_only());
        assert_eq!(read(&view, 0, 4), b"seen");
        assert_eq!(errno(view.write_at(0, b"x")), libc::EACCES);
        assert_eq!(errno(view.protect(Protection::ReadWrite)), libc::EACCES);
        assert_eq!(errno(view.resize(200)), libc::EACCES);
        assert_eq!(errno(Semaphore::open_in(&view, 0)), libc::EACCES);
    }

    fn protection_is_checked_before_the_hardware_would() {
        let mut memory = Memory::anonymous(100).unwrap();
        memory.write_at(0, b"kept").unwrap();
        memory.protect(Protection::None).unwrap();
        assert_eq!(memory.protection(), Protection::None);
        assert_eq!(errno(memory.read_at(0, &mut [0; 4])), libc::EACCES);
        memory.protect(Protection::Read).unwrap();
        assert_eq!(read(&memory, 0, 4), b"kept");
        assert_eq!(errno(memory.write_at(0, b"x")), libc::EACCES);
        memory.protect(Protection::ReadWrite).unwrap();
        memory.write_at(0, b"x").unwrap();
    }

    fn a_shared_file_mapping_writes_the_file() {
        let scratch = Scratch::new();
        let memory = Memory::options().size(100).create_file(scratch.path()).unwrap();
        assert_eq!(errno(Memory::options().size(100).create_file(scratch.path())), libc::EEXIST);
        memory.write_at(96, b"tail").unwrap();
        memory.sync().unwrap();
        let file = std::fs::read(scratch.path()).unwrap();
        assert_eq!((file.len(), &file[96..]), (100, &b"tail"[..]));
        let (_, opened) = Memory::options().size(100).open_or_create_file(scratch.path()).unwrap();
        assert_eq!(opened, Opened::Existing);
    }

    fn a_private_file_mapping_leaves_the_file() {
        let scratch = Scratch::new();
        std::fs::write(scratch.path(), "original").unwrap();
        let mine = Memory::options().sharing(Sharing::Private).open_file(scratch.path()).unwrap();
        mine.write_at(0, b"modified").unwrap();
        assert_eq!(read(&mine, 0, 8), b"modified");
        assert_eq!(std::fs::read(scratch.path()).unwrap(), b"original");
        assert_eq!(mine.sharing(), Sharing::Private);
    }

    fn what_is_no_file_is_not_mapped() {
        let scratch = Scratch::new();
        unipc::Fifo::create(scratch.path()).unwrap();
        assert_eq!(errno(Memory::options().open_file(scratch.path())), libc::EINVAL);
        assert_eq!(errno(Memory::options().read_only(true).open_file("/dev/null")), libc::EINVAL);
        assert_eq!(errno(Memory::options().open_file("/")), libc::EISDIR);
        assert_eq!(errno(Memory::options().size(1).create_file("/no/such/directory/file")), libc::ENOENT);
    }

    fn a_dangling_symbolic_link_is_refused_and_not_tried_for_ever() {
        let scratch = Scratch::new();
        std::os::unix::fs::symlink("/no/such/file", scratch.path()).unwrap();
        assert_eq!(errno(Memory::options().size(1).open_or_create_file(scratch.path())), libc::EEXIST);
        assert_eq!(errno(unipc::Fifo::options().open_or_create(scratch.path())), libc::EEXIST);
    }

    fn a_symbolic_link_under_a_name_is_not_followed() {
        let scratch = Scratch::new();
        let link = format!("/dev/shm{}", scratch.name());
        std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
        assert_eq!(errno(Memory::open(scratch.name())), libc::ELOOP);
        assert_eq!(errno(Memory::create(scratch.name(), 1)), libc::EEXIST);
    }

    fn signals_that_keep_coming_do_not_keep_memory_from_being_made() {
        let scratch = Scratch::new();
        let memory = interrupted(|| Memory::create(scratch.name(), 256 << 20).unwrap());
        assert_eq!(memory.len(), 256 << 20);
    }

    fn resizing_keeps_what_was_there_and_gives_zeroes() {
        let scratch = Scratch::new();
        let mut memory = Memory::create(scratch.name(), 5000).unwrap();
        memory.write_at(0, &[9; 5000]).unwrap();
        memory.resize(1 << 20).unwrap();
        assert_eq!(memory.len(), 1 << 20);
        assert_eq!((read(&memory, 4990, 10), read(&memory, 5000, 100)), (vec![9; 10], vec![0; 100]));
        assert_eq!(Memory::open(scratch.name()).unwrap().len(), 1 << 20);
        memory.resize(10).unwrap();
        memory.resize(100).unwrap();
        assert_eq!(read(&memory, 0, 100)[..12], [9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0, 0]);
        assert_eq!(errno(memory.resize(0)), libc::EINVAL);
    }

    fn resizing_sets_the_object_however_long_others_have_made_it() {
        let scratch = Scratch::new();
        let mut first = Memory::create(scratch.name(), 10_000).unwrap();
        let mut view = Memory::options().size(100).open(scratch.name()).unwrap();
        first.resize(50_000).unwrap();
        view.resize(20_000).unwrap();
        view.write_at(19_999, b"x").unwrap();
        assert_eq!(Memory::open(scratch.name()).unwrap().len(), 20_000);
        first.resize(60_000).unwrap();
        first.write_at(59_999, b"x").unwrap();
        assert_eq!(read(&first, 19_999, 2), [b'x', 0]);
    }

    fn a_resize_that_fails_changes_nothing() {
        let scratch = Scratch::new();
        let mut memory = Memory::create(scratch.name(), 100).unwrap();
        assert_eq!(errno(memory.resize(1 << 60)), libc::ENOSPC);
        assert_eq!((memory.len(), Memory::open(scratch.name()).unwrap().len()), (100, 100));
        memory.write_at(99, b"x").unwrap();
        let mut sealed = Memory::options().size(1 << 20).memfd("sealed").unwrap();
        sealed.seal(Seals::SHRINK).unwrap();
        assert_eq!(errno(sealed.resize(100)), libc::EPERM);
        assert_eq!(sealed.len(), 1 << 20);
        sealed.write_at((1 << 20) - 1, b"x").unwrap();
    }

    fn what_cannot_be_resized_says_so() {
        let scratch = Scratch::new();
        std::fs::write(scratch.path(), "file").unwrap();
        assert_eq!(errno(Memory::anonymous(100).unwrap().resize(200)), libc::EOPNOTSUPP);
        let mut private = Memory::options().sharing(Sharing::Private).open_file(scratch.path()).unwrap();
        assert_eq!(errno(private.resize(200)), libc::EOPNOTSUPP);
        let mut mine = Memory::options().size(100).sharing(Sharing::Private).anonymous().unwrap();
        mine.resize(100_000).unwrap();
        mine.write_at(99_999, b"x").unwrap();
    }

    fn what_was_cut_off_comes_back_as_zeroes() {
        let mut mine = Memory::options().size(5000).sharing(Sharing::Private).anonymous().unwrap();
        mine.write_at(0, &[9; 5000]).unwrap();
        mine.resize(10).unwrap();
        mine.resize(20_000).unwrap();
        assert_eq!(read(&mine, 0, 10), [9; 10]);
        assert_eq!(read(&mine, 10, 19_990), vec![0; 19_990]);
        mine.protect(Protection::Read).unwrap();
        assert_eq!(errno(mine.resize(30_000)), libc::EACCES);
    }

    fn memory_in_which_a_semaphore_lives_keeps_its_place() {
        let mut memory = Memory::options().size(4096).memfd("with semaphore").unwrap();
        let semaphore = Semaphore::init_in(&memory, 0, 1).unwrap();
        assert_eq!(errno(memory.resize(8192)), libc::EBUSY);
        assert_eq!(errno(memory.protect(Protection::Read)), libc::EBUSY);
        drop(semaphore);
        memory.resize(8192).unwrap();
        let semaphore = Semaphore::init_in(&memory, 0, 1).unwrap();
        drop(memory);
        semaphore.wait().unwrap();
    }

    fn a_sealed_memfd_stays_as_it_is() {
        let mut memory = Memory::options().size(4096).memfd("sealed").unwrap();
        assert_eq!(memory.name(), Some("sealed"));
        memory.seal(Seals::SHRINK | Seals::GROW).unwrap();
        assert_eq!(memory.seals().unwrap(), Seals::SHRINK | Seals::GROW);
        assert_eq!(errno(memory.resize(100)), libc::EPERM);
        assert_eq!(errno(memory.resize(100_000)), libc::EPERM);
        assert_eq!((memory.len(), errno(memory.seal(Seals::WRITE))), (4096, libc::EBUSY));
        memory.seal(Seals::FUTURE_WRITE | Seals::SEAL).unwrap();
        assert_eq!(errno(memory.seal(Seals::WRITE)), libc::EPERM);
        memory.write_at(0, b"the maker's mapping goes on").unwrap();
        let handed_on = memory.as_fd().unwrap().try_clone_to_owned().unwrap();
        assert_eq!(errno(Memory::options().from_fd(handed_on)), libc::EPERM);
        let handed_on = memory.as_fd().unwrap().try_clone_to_owned().unwrap();
        let view = Memory::options().read_only(true).from_fd(handed_on).unwrap();
        assert_eq!(read(&view, 0, 3), b"the");
    }

    fn only_a_memfd_can_be_sealed() {
        let scratch = Scratch::new();
        std::fs::write(scratch.path(), "file").unwrap();
        let file = Memory::options().open_file(scratch.path()).unwrap();
        assert_eq!(errno(file.seal(Seals::GROW)), libc::EINVAL);
        assert_eq!(errno(Memory::anonymous(1).unwrap().seals()), libc::EINVAL);
    }

    fn a_descriptor_that_is_not_open_for_writing_is_refused_or_viewed() {
        let scratch = Scratch::new();
        std::fs::write(scratch.path(), "file").unwrap();
        let open = || std::fs::File::open(scratch.path()).unwrap().into();
        assert_eq!(errno(Memory::options().from_fd(open())), libc::EACCES);
        assert_eq!(read(&Memory::options().read_only(true).from_fd(open()).unwrap(), 0, 4), b"file");
        Memory::options().sharing(Sharing::Private).from_fd(open()).unwrap().write_at(0, b"mine").unwrap();
    }

    fn the_umask_applies_to_a_mode_and_not_to_an_exact_one() {
        for file in [true, false] {
            let (scratch, exact) = (Scratch::new(), Scratch::new());
            let make = |scratch: &Scratch, options: &unipc::memory::MemoryOptions| if file {
                options.create_file(scratch.path()).map(|_| mode_of(scratch.path()))
            } else {
                options.create(scratch.name()).map(|_| mode_of(format!("/dev/shm{}", scratch.name())))
            };
            assert_eq!(make(&scratch, Memory::options().size(1).mode(0o666)).unwrap(), 0o666 & !umask());
            assert_eq!(make(&exact, Memory::options().size(1).exact_mode(0o666)).unwrap(), 0o666);
        }
    }

    fn mappings_outlive_the_name_and_descriptors_are_close_on_exec() {
        let scratch = Scratch::new();
        let memory = Memory::create(scratch.name(), 100).unwrap();
        Memory::unlink(scratch.name()).unwrap();
        memory.write_at(0, b"still").unwrap();
        assert_eq!(read(&memory, 0, 5), b"still");
        let flags = unsafe { libc::fcntl(memory.as_fd().unwrap().as_raw_fd(), libc::F_GETFD) };
        assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
    }
}
