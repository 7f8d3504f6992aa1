use crate::common::{Scratch, queue};
use unipc::{Engine, Error, Memory, Queue, Semaphore};

fn sentence<T>(outcome: unipc::Result<T>) -> String {
    outcome.err().expect("it should fail").to_string()
}

crate::promises! {
    fn an_error_names_the_operation_the_object_and_the_cause() {
        assert_eq!(sentence(Queue::open("/none")), "open queue /none: it does not exist");
        assert_eq!(sentence(Queue::open("none")), "open queue none: a name begins with a slash, as in \"/none\"");
        assert_eq!(sentence(Memory::create("/none", 0)), "create memory /none: memory of 0 bytes cannot be mapped");
        assert_eq!(sentence(Semaphore::open("/none")), "open semaphore /none: it does not exist");
        assert_eq!(
            sentence(Queue::create("/two\nlines\0")),
            "create queue /two\\nlines\\0: a name has no NUL byte",
        );
        assert_eq!(sentence(unipc::Fifo::open("/etc/passwd")), "open FIFO /etc/passwd: it is no FIFO");
        assert_eq!(
            sentence(unipc::Fifo::create("/none/fifo")),
            "create FIFO /none/fifo: its directory does not exist",
        );
        let (reader, _writer) = unipc::pipe().unwrap();
        assert_eq!(sentence(reader.try_read(&mut [0; 1])), "read from pipe: it would block");
        assert_eq!(sentence("fast".parse::<Engine>()), "choose engine: 'fast' is no engine; there is: posix, shm");
    }

    fn a_full_queue_says_that_it_is_full() {
        let scratch = Scratch::new();
        let queue = queue(Engine::Posix, &scratch, 1);
        queue.send(b"x", 0).unwrap();
        assert_eq!(sentence(queue.try_send(b"x", 0)), format!("send to queue {}: the queue is full", scratch.name()));
    }

    fn an_error_converts_into_that_of_the_standard_library_and_back() {
        let error = Queue::open("/none").unwrap_err();
        let text = error.to_string();
        let io: std::io::Error = error.into();
        assert_eq!((io.kind(), io.to_string()), (std::io::ErrorKind::NotFound, text));
        let inner = io.get_ref().unwrap().downcast_ref::<Error>().unwrap();
        assert_eq!((inner.errno(), inner.operation(), inner.object()), (libc::ENOENT, "open queue", "/none"));
    }
}
