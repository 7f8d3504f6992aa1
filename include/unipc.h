/*
 * unipc.h - local IPC on Linux: pipes, FIFOs, message queues, shared memory, semaphores, processes and
 *   pipelines.
 *
 * GENERATED from ipc-ffi/src by cbindgen 0.29.4: change it there and run `make header`.
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What holds for every function, unless it says otherwise:
 *
 * Failure. It returns -1, or NULL where it returns a pointer, and sets errno, last of all.
 *   unipc_last_error() then has a sentence: operation, object, cause and the way out. Success is 0,
 *   a count or a pointer, and leaves errno undefined.
 *
 * Errors of every call, not repeated below: EINVAL: a NULL where none is allowed, or a handle of
 *   another kind; EBADF: a closed handle; ENOTRECOVERABLE: a bug in unipc, which stops at this
 *   border. EINTR says that a signal handler ran during a wait and nothing else happened: unipc
 *   never waits again by itself (the kernel does, in some waits, after a handler with SA_RESTART).
 *
 * Handles are opaque pointers. A closed one is refused with EBADF, not crashed on, until its place
 *   serves a new handle, as with the number of a descriptor. No thread may be in a call on a handle
 *   that another one closes, unless it is of engine shm: there the close ends the other's wait.
 *
 * Timeouts are nanoseconds on the monotonic clock: UNIPC_FOREVER, 0 not to wait (EAGAIN), or more
 *   (ETIMEDOUT when they have passed). Any other negative one is EINVAL.
 *
 * Safety is said in three words. "threads: any": any number of threads may make the call at once,
 *   on one handle too. "fork: yes": it may be made in a child of fork(2), with a handle from before,
 *   also if the parent had other threads: unipc has no lock that one of them could hold, and no
 *   thread of its own but those that notify, on engine shm those that keep a descriptor, and one that
 *   keeps children (see unipc_child_close() and `death_signal`). "signals: yes": a signal handler may
 *   make it. No call is a cancellation point: pthread_cancel(3) takes effect after it. Asynchronous
 *   cancellation (PTHREAD_CANCEL_ASYNCHRONOUS) must be off.
 *
 * Queues of engine shm are files of /dev/shm that all who use them have mapped. A thread takes part in
 *   one from its first call on it until it ends or the handle is closed, and that call can fail with
 *   EUSERS: 1024 threads of all processes take part; ENOSPC: /dev/shm has no page for one more; ENOMEM.
 *   EBADMSG, of any call on one, says that some process has spoiled its file, or cut it short: no more
 *   than that can come of it, thanks to a handler of SIGBUS that the first such queue installs, which
 *   passes on what does not concern it. A thread that blocks SIGBUS, and a program that replaces the
 *   handler, do without. A thread or process that dies, at whatever instant, harms nobody else.
 *
 * Options are structs led by their own size. Begin with the _INIT macro and set what differs; NULL
 *   is every default. A program that was compiled with an older header works with a newer library;
 *   with an older library it gets E2BIG if it set what that one does not have.
 */
#ifndef UNIPC_H
#define UNIPC_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/uio.h>

/** The version of this header; unipc_version() is that of the library. */
#define UNIPC_VERSION_MAJOR 0
#define UNIPC_VERSION_MINOR 1
#define UNIPC_VERSION_PATCH 0

/** The version as one number, to be compared: 1002003 for 1.2.3. */
#define UNIPC_VERSION_NUMBER \
    (UNIPC_VERSION_MAJOR * 1000000 + UNIPC_VERSION_MINOR * 1000 + UNIPC_VERSION_PATCH)

/** The timeout that never comes. */
#define UNIPC_FOREVER ((int64_t)-1)

/** A timeout of a whole number of seconds, milliseconds or microseconds: UNIPC_SECONDS(2). */
#define UNIPC_SECONDS(n) ((int64_t)(n) * 1000000000)
#define UNIPC_MILLISECONDS(n) ((int64_t)(n) * 1000000)
#define UNIPC_MICROSECONDS(n) ((int64_t)(n) * 1000)

/** The group of a command that leads a new process group. */
#define UNIPC_GROUP_OWN (-1)

/** What the structs below begin as: unipc_queue_options options = UNIPC_QUEUE_OPTIONS_INIT; */
#define UNIPC_FIFO_OPTIONS_INIT { sizeof(unipc_fifo_options), 0, 0 }
#define UNIPC_QUEUE_OPTIONS_INIT { sizeof(unipc_queue_options), 0, 0, 0, 0, 0, 0, 0, 0 }
#define UNIPC_QUEUE_ATTRIBUTES_INIT { sizeof(unipc_queue_attributes), 0, 0, 0, 0, 0 }
#define UNIPC_QUEUE_SLOT_INIT { sizeof(unipc_queue_slot), 0, 0, 0, 0, { 0, 0, 0 } }
#define UNIPC_MEMORY_OPTIONS_INIT { sizeof(unipc_memory_options), 0, 0, 0, 0 }
#define UNIPC_SEMAPHORE_OPTIONS_INIT { sizeof(unipc_semaphore_options), 0, 0, 0, 0 }
#define UNIPC_COMMAND_INIT \
    { sizeof(unipc_command), 0, 0, 0, 0, 0, { 0, 0, 0 }, { 0, 0, 0 }, { 0, 0, 0 }, 0, 0, 0, 0, 0 }
#define UNIPC_PIPELINE_OPTIONS_INIT \
    { sizeof(unipc_pipeline_options), { 0, 0, 0 }, { 0, 0, 0 }, 0, 0, 0, 0, 0, 0, 0 }

#ifdef __cplusplus
extern "C" {
#endif

/**
 * No seal can be added any more.
 */
#define UNIPC_SEAL_SEAL 1

/**
 * The memory cannot become smaller.
 */
#define UNIPC_SEAL_SHRINK 2

/**
 * The memory cannot become larger.
 */
#define UNIPC_SEAL_GROW 4

/**
 * Nobody can write to it; refused while somebody has it mapped for writing.
 */
#define UNIPC_SEAL_WRITE 8

/**
 * Who has it mapped for writing goes on, nobody else can begin to.
 */
#define UNIPC_SEAL_FUTURE_WRITE 16

/**
 * A write of up to this many bytes goes in one piece, never mixed with another's.
 */
#define UNIPC_PIPE_BUF 4096

/**
 * The highest priority of a message; the lowest is 0.
 */
#define UNIPC_QUEUE_PRIORITY_MAX 32767

/**
 * The highest value of a semaphore.
 */
#define UNIPC_SEMAPHORE_MAX 2147483647

/**
 * Bytes that a semaphore takes inside shared memory: sizeof(sem_t).
 */
#define UNIPC_SEMAPHORE_SIZE 32

/**
 * What the offset of a semaphore inside shared memory is a multiple of.
 */
#define UNIPC_SEMAPHORE_ALIGN 8

/**
 * A running or ended program that unipc_spawn() started. Opaque.
 */
typedef struct unipc_child unipc_child;

/**
 * A FIFO, checked to be one, of which ends can be opened. Opaque.
 */
typedef struct unipc_fifo unipc_fifo;

/**
 * Memory that is mapped. Opaque.
 */
typedef struct unipc_memory unipc_memory;

/**
 * The end of a pipe or FIFO that bytes come out of. Opaque.
 */
typedef struct unipc_pipe_reader unipc_pipe_reader;

/**
 * The end of a pipe or FIFO that bytes go into. Opaque.
 */
typedef struct unipc_pipe_writer unipc_pipe_writer;

/**
 * Programs that unipc_pipeline_spawn() started, the output of each the input of the next. Opaque.
 */
typedef struct unipc_pipeline unipc_pipeline;

/**
 * An open message queue. Opaque.
 */
typedef struct unipc_queue unipc_queue;

/**
 * An open semaphore. Opaque. What is behind it is glibc's sem_t, so that programs which use
 * sem_open(3) share it.
 */
typedef struct unipc_semaphore unipc_semaphore;

/**
 * How a FIFO is made. Begin with UNIPC_FIFO_OPTIONS_INIT; in every field 0 is the default. NULL in
 * place of the struct is every default.
 */
typedef struct unipc_fifo_options {
    /**
     * sizeof(unipc_fifo_options), as the caller compiled it.
     */
    size_t size;
    /**
     * Permission bits; 0: 0600. The umask applies.
     */
    unsigned int mode;
    /**
     * Not 0: the umask does not apply to `mode`.
     */
    int exact_mode;
} unipc_fifo_options;

/**
 * Who sees what is written to memory: one of the UNIPC_SHARING_ values.
 */
typedef int unipc_sharing;

/**
 * How memory is made and mapped. Begin with UNIPC_MEMORY_OPTIONS_INIT; in every field 0 is the
 * default. NULL in place of the struct is every default.
 */
typedef struct unipc_memory_options {
    /**
     * sizeof(unipc_memory_options), as the caller compiled it.
     */
    size_t size;
    /**
     * Permission bits; 0: 0600. The umask applies. Only for making what has a name.
     */
    unsigned int mode;
    /**
     * Not 0: the umask does not apply to `mode`.
     */
    int exact_mode;
    /**
     * Who sees what is written.
     */
    unipc_sharing sharing;
    /**
     * Not 0: only for reading.
     */
    int read_only;
} unipc_memory_options;

/**
 * What this process may do with memory: one of the UNIPC_PROTECTION_ values.
 */
typedef int unipc_protection;

/**
 * What a stream of a child is bound to: one of the UNIPC_REDIRECT_ values.
 */
typedef int unipc_redirect_kind;

/**
 * What a stream of a child is bound to. All zero: UNIPC_REDIRECT_INHERIT.
 */
typedef struct unipc_redirect {
    /**
     * Which of them.
     */
    unipc_redirect_kind kind;
    /**
     * For UNIPC_REDIRECT_FD. It stays the caller's; a writing end that stays open here is no end of file for
     * who reads the other.
     */
    int fd;
    /**
     * For UNIPC_REDIRECT_READ, WRITE and APPEND.
     */
    const char *path;
} unipc_redirect;

/**
 * A descriptor for a child.
 */
typedef struct unipc_descriptor {
    /**
     * Its number in the child; 0 to 2 are the standard streams.
     */
    int number;
    /**
     * Which one of this process's, whatever its number. It stays the caller's.
     */
    int fd;
} unipc_descriptor;

/**
 * What to run, and how. Begin with UNIPC_COMMAND_INIT; in every field 0 is the default. One of `argv` and
 * `shell` must be set.
 *
 * A child has this process's environment, directory, group and standard streams, unless set otherwise, and
 * nothing else: every other descriptor is closed in it, no signal is blocked, and each is at its default.
 */
typedef struct unipc_command {
    /**
     * sizeof(unipc_command), as the caller compiled it.
     */
    size_t size;
    /**
     * The arguments, and NULL behind the last. The first is the program: without a slash it is searched in
     * the directories of `PATH`, the child's; with one it is a path. Never a shell.
     */
    const char *const *argv;
    /**
     * Or a line for /bin/sh -c. What stands in it is a program of its own: never make one of what strangers
     * say.
     */
    const char *shell;
    /**
     * The program, where argv[0] is to be something else. NULL: argv[0].
     */
    const char *program;
    /**
     * The whole environment, each "NAME=VALUE", and NULL behind the last. NULL: this process's. Where it has
     * no `PATH`, programs are searched in /bin and /usr/bin.
     */
    const char *const *envp;
    /**
     * The working directory. NULL: this process's.
     */
    const char *directory;
    /**
     * Standard input.
     */
    struct unipc_redirect input;
    /**
     * Standard output.
     */
    struct unipc_redirect output;
    /**
     * Standard error.
     */
    struct unipc_redirect error;
    /**
     * Further descriptors, under numbers of choice; given out crosswise, too.
     */
    const struct unipc_descriptor *descriptors;
    /**
     * How many.
     */
    size_t descriptor_count;
    /**
     * What unipc_child_communicate() collects of one output at most, but for up to a mebibyte; 0: what memory
     * holds. Of a stage of a pipeline its options say that.
     */
    size_t output_limit;
    /**
     * The process group: 0: this process's; UNIPC_GROUP_OWN: a new one, which the child leads; or the number of
     * one in this session.
     */
    int group;
    /**
     * The signal that the child gets when this process ends, however it does; 0: none. A thread of unipc's
     * own then starts it, and lives as long; what each thread has for itself (nice value, CPU affinity,
     * capabilities, seccomp filters) the child has from that one. See PR_SET_PDEATHSIG(2const).
     */
    int death_signal;
} unipc_command;

/**
 * Where the standard errors of the stages go: one of the UNIPC_ERRORS_ values.
 */
typedef int unipc_errors;

/**
 * How a pipeline is bound. Begin with UNIPC_PIPELINE_OPTIONS_INIT; in every field 0 is the default. NULL in
 * place of the struct is every default.
 */
typedef struct unipc_pipeline_options {
    /**
     * sizeof(unipc_pipeline_options), as the caller compiled it.
     */
    size_t size;
    /**
     * The input of the first stage. UNIPC_REDIRECT_INHERIT: as its command says.
     */
    struct unipc_redirect input;
    /**
     * The output of the last stage. UNIPC_REDIRECT_INHERIT: as its command says.
     */
    struct unipc_redirect output;
    /**
     * The joints that pass this process, each by the number of the stage before it: those, and nothing
     * else, does unipc_pipeline_take_joint() give.
     */
    const size_t *joints;
    /**
     * How many.
     */
    size_t joint_count;
    /**
     * What unipc_pipeline_communicate() collects of one output at most, but for up to a mebibyte; 0: what memory
     * holds.
     */
    size_t output_limit;
    /**
     * Where the standard errors go.
     */
    unipc_errors errors;
    /**
     * Not 0: the pipeline succeeds if every stage does. 0: if the last one does.
     */
    int pipefail;
    /**
     * The process group of all stages: UNIPC_GROUP_OWN: a new one, which the first stage leads; or the number of
     * one. 0: as each command says.
     */
    int group;
    /**
     * 0.
     */
    int reserved;
} unipc_pipeline_options;

/**
 * How a program ended.
 */
typedef struct unipc_status {
    /**
     * As wait(2) has it, for WIFEXITED() and its like.
     */
    int raw;
    /**
     * What it gave to exit(3), 0 to 255; -1: a signal ended it.
     */
    int code;
    /**
     * The signal that ended it; 0: it exited.
     */
    int signal;
    /**
     * 1: that left a core dump.
     */
    int core_dumped;
    /**
     * One number, as a shell has it in `$?`: the code, or 128 and the signal's.
     */
    int shell_code;
} unipc_status;

/**
 * What does the work behind a queue or a semaphore: one of the UNIPC_ENGINE_ values.
 */
typedef int unipc_engine;

/**
 * The directions in which a queue is opened: one of the UNIPC_ACCESS_ values.
 */
typedef int unipc_access;

/**
 * How a queue is made and opened. Begin with UNIPC_QUEUE_OPTIONS_INIT; in every field 0 is the
 * default. NULL in place of the struct is every default.
 */
typedef struct unipc_queue_options {
    /**
     * sizeof(unipc_queue_options), as the caller compiled it.
     */
    size_t size;
    /**
     * Messages that it holds; 0: the system's default, fs.mqueue.msg_default, or 10 on engine shm.
     * Only for making.
     */
    size_t max_messages;
    /**
     * Bytes of the longest message; 0: the system's default, fs.mqueue.msgsize_default, or 8192 on
     * engine shm. Only for making.
     */
    size_t message_size;
    /**
     * Permission bits; 0: 0600. The umask applies. Only for making. Who uses a queue of engine shm, in
     * whatever direction, needs both read and write.
     */
    unsigned int mode;
    /**
     * Not 0: the umask does not apply to `mode`.
     */
    int exact_mode;
    /**
     * What does the work. A queue is opened with the engine that it was made with.
     */
    unipc_engine engine;
    /**
     * The directions.
     */
    unipc_access access;
    /**
     * Not 0: no call on this handle waits; what would have to fails with EAGAIN.
     */
    int nonblocking;
    /**
     * 0.
     */
    int reserved;
} unipc_queue_options;

/**
 * A message in place, in the memory of a queue of engine shm. Begin with UNIPC_QUEUE_SLOT_INIT. It
 * holds a message from unipc_queue_reserve() to unipc_queue_commit() or unipc_queue_abort(), or from
 * unipc_queue_borrow() to unipc_queue_release() or unipc_queue_put_back(); before and after that it
 * holds none, and ending that again is refused.
 *
 * The struct may be copied and handed to another thread, which may end what this one began. Ended
 * once, the copies are stale: EINVAL or EOWNERDEAD. The end of the thread that reserved or borrowed
 * ends the message too, as its death does: what was reserved is not sent, and what was borrowed is in
 * the queue again.
 */
typedef struct unipc_queue_slot {
    /**
     * sizeof(unipc_queue_slot), as the caller compiled it.
     */
    size_t size;
    /**
     * The bytes, aligned to 16; good until the message ends or the handle is closed. Of a borrowed
     * message they must not be written. Whoever may write the queue can change them at any time: what
     * is checked must be copied first. NULL: no message.
     */
    void *data;
    /**
     * How many. Of a reserved message it may be made smaller before it is committed.
     */
    size_t length;
    /**
     * The priority of the message.
     */
    unsigned int priority;
    /**
     * 0.
     */
    int reserved;
    /**
     * unipc's own.
     */
    uint64_t loan[3];
} unipc_queue_slot;

/**
 * What a queue is like. Begin with UNIPC_QUEUE_ATTRIBUTES_INIT.
 */
typedef struct unipc_queue_attributes {
    /**
     * sizeof(unipc_queue_attributes), as the caller compiled it.
     */
    size_t size;
    /**
     * Messages that it holds.
     */
    size_t max_messages;
    /**
     * Bytes of the longest message, and so of a buffer that every message fits in.
     */
    size_t message_size;
    /**
     * Messages in it now.
     */
    size_t queued;
    /**
     * 1: no call on this handle waits.
     */
    int nonblocking;
    /**
     * 0.
     */
    int reserved;
} unipc_queue_attributes;

/**
 * How a semaphore is made. Begin with UNIPC_SEMAPHORE_OPTIONS_INIT; in every field 0 is the
 * default. NULL in place of the struct is every default.
 */
typedef struct unipc_semaphore_options {
    /**
     * sizeof(unipc_semaphore_options), as the caller compiled it.
     */
    size_t size;
    /**
     * Permission bits; 0: 0600. The umask applies. Who may use it needs both read and write.
     */
    unsigned int mode;
    /**
     * Not 0: the umask does not apply to `mode`.
     */
    int exact_mode;
    /**
     * What does the work: UNIPC_ENGINE_POSIX, which is glibc's own futex. Another is EOPNOTSUPP.
     */
    unipc_engine engine;
    /**
     * 0.
     */
    int reserved;
} unipc_semaphore_options;

/**
 * The system's own object, which every other POSIX program can open too.
 */
#define UNIPC_ENGINE_POSIX 0

/**
 * An object of unipc's own, in a file of /dev/shm that all who use it have mapped: it makes no system
 * call where nothing has to be waited for. Queues only, so far.
 */
#define UNIPC_ENGINE_SHM 1

/**
 * Sending and receiving.
 */
#define UNIPC_ACCESS_READ_WRITE 0

/**
 * Receiving only.
 */
#define UNIPC_ACCESS_READ_ONLY 1

/**
 * Sending only.
 */
#define UNIPC_ACCESS_WRITE_ONLY 2

/**
 * Everybody who has it mapped, and the file.
 */
#define UNIPC_SHARING_SHARED 0

/**
 * This process alone; a page is copied when it is first written to.
 */
#define UNIPC_SHARING_PRIVATE 1

/**
 * Nothing: touching it is a SIGSEGV.
 */
#define UNIPC_PROTECTION_NONE 0

/**
 * Reading.
 */
#define UNIPC_PROTECTION_READ 1

/**
 * Reading and writing.
 */
#define UNIPC_PROTECTION_READ_WRITE 2

/**
 * Each stage's as its command says.
 */
#define UNIPC_ERRORS_AS_SET 0

/**
 * A pipe for each stage.
 */
#define UNIPC_ERRORS_APART 1

/**
 * One pipe for all. Lines of up to UNIPC_PIPE_BUF bytes, written at once, do not mix.
 */
#define UNIPC_ERRORS_MERGED 2

/**
 * What this process has there.
 */
#define UNIPC_REDIRECT_INHERIT 0

/**
 * /dev/null.
 */
#define UNIPC_REDIRECT_NULL 1

/**
 * A pipe that is made for it, whose other end the handle gives: unipc_child_take_input() and its like.
 */
#define UNIPC_REDIRECT_PIPE 2

/**
 * The descriptor `fd`: of a file, of the end of a pipe or FIFO (unipc_pipe_writer_fd()), of whatever.
 */
#define UNIPC_REDIRECT_FD 3

/**
 * The file `path`, opened for reading. A FIFO is waited for until somebody writes to it.
 */
#define UNIPC_REDIRECT_READ 4

/**
 * The file `path`, opened for writing; made with mode 0666 under the umask if it is not there, emptied if it is.
 */
#define UNIPC_REDIRECT_WRITE 5

/**
 * The file `path`, opened for writing at its end; made if it is not there.
 */
#define UNIPC_REDIRECT_APPEND 6

/**
 * Where standard output goes: for standard error alone.
 */
#define UNIPC_REDIRECT_STDOUT 7

/**
 * The version of the library that is running, "MAJOR.MINOR.PATCH"; the UNIPC_VERSION_ macros
 * are that of the header.
 *
 * - Ownership: static, never freed.
 * - Blocking: never.
 * - Errors: none.
 * - Safety: threads: any; fork: yes; signals: yes.
 */
const char *unipc_version(void);

/**
 * What the last call that failed in this thread has to say: "create queue /orders: 11 messages
 * exceed fs.mqueue.msg_max=10; ...", or "" if none failed yet. Calls that succeed leave it alone,
 * and so does unipc_semaphore_post().
 *
 * - Ownership: the thread's own, at most 511 bytes of UTF-8; good until the next failure in it.
 * - Blocking: never.
 * - Errors: none; errno is left alone.
 * - Safety: threads: any; fork: yes; signals: no.
 */
const char *unipc_last_error(void);

/**
 * Frees what unipc_queue_receive_alloc() gave, or an output of a child or pipeline. NULL is allowed.
 *
 * - Ownership: takes `memory`.
 * - Blocking: never.
 * - Errors: none; errno is left alone.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: free(3)
 */
void unipc_free(void *memory);

/**
 * Makes a FIFO where nothing must be yet. With an exact mode nobody can open it before it has that
 * mode.
 *
 * - Ownership: the handle is the caller's, until unipc_fifo_close(). The FIFO itself stays until
 *   unipc_fifo_unlink().
 * - Blocking: never.
 * - Errors: EEXIST; ENOENT, ENOTDIR: its directory; EACCES; EINVAL: the mode; ENAMETOOLONG;
 *   ENOSPC; EROFS; EMFILE; E2BIG: options of a newer header.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: mkfifo(3)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_fifo *unipc_fifo_create(const char *path, const struct unipc_fifo_options *options);

/**
 * Finds a FIFO that exists, without opening an end of it. What is no FIFO is refused before it is
 * ever opened.
 *
 * - Ownership: the handle is the caller's, until unipc_fifo_close().
 * - Blocking: never.
 * - Errors: ENOENT; EINVAL: it is no FIFO; ENOTDIR; EACCES; ELOOP; ENAMETOOLONG; EMFILE; E2BIG:
 *   options of a newer header.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: open(2), fifo(7)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_fifo *unipc_fifo_open(const char *path, const struct unipc_fifo_options *options);

/**
 * Finds a FIFO, or makes it if nothing is there, and stores in `created`, which may be NULL, 1 if
 * this call made it and else 0.
 *
 * - Ownership: as unipc_fifo_create().
 * - Blocking: never.
 * - Errors: those of unipc_fifo_create() and unipc_fifo_open() but EEXIST.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: mkfifo(3), open(2)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_fifo *unipc_fifo_open_or_create(const char *path,
                                             const struct unipc_fifo_options *options,
                                             int *created);

/**
 * Opens the FIFO for reading and waits for a writer. With a timeout of 0 it opens at once, writer or
 * not; reading then gives the end of file until one has come.
 *
 * - Ownership: the end is the caller's, until unipc_pipe_reader_close(); the FIFO stays as it is.
 * - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
 * - Errors: ETIMEDOUT; EINTR: a signal handler ran; EACCES; EMFILE; EINVAL: the timeout.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: open(2), fifo(7)
 *
 * @return the end, or NULL with errno set.
 */
struct unipc_pipe_reader *unipc_fifo_open_reader(struct unipc_fifo *fifo,
                                                 int64_t timeout);

/**
 * Opens the FIFO for writing and waits for a reader.
 *
 * - Ownership: the end is the caller's, until unipc_pipe_writer_close(); the FIFO stays as it is.
 * - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
 * - Errors: ENXIO: nobody reads, and not to wait; ETIMEDOUT; EINTR: a signal handler ran; EACCES;
 *   EMFILE; EINVAL: the timeout.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: open(2), fifo(7)
 *
 * @return the end, or NULL with errno set.
 */
struct unipc_pipe_writer *unipc_fifo_open_writer(struct unipc_fifo *fifo, int64_t timeout);

/**
 * Removes the name of a FIFO. Ends that are open stay connected.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: ENOENT; EINVAL: it is no FIFO; EACCES; EPERM; ENOTDIR; EROFS; ENAMETOOLONG.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: unlink(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_fifo_unlink(const char *path);

/**
 * Closes the handle. NULL is allowed. Ends that were opened with it, and the FIFO, stay.
 *
 * - Ownership: takes the handle.
 * - Blocking: never.
 * - Errors: EBADF: it is closed already.
 * - Safety: threads: none may be in a call on the handle, as with close(2); fork: the handles of
 *   parent and child are closed separately; signals: no.
 * - See: close(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_fifo_close(struct unipc_fifo *fifo);

/**
 * Makes a named object of `length` bytes, all zero, that must not exist yet, and maps it. Its space
 * is reserved now, so that it cannot run out later.
 *
 * `name` is "/frames": one slash at its beginning, no other, and 1 to 255 bytes behind it.
 * `options` may be NULL.
 *
 * - Ownership: the handle is the caller's, until unipc_memory_close(). The object itself stays until
 *   unipc_memory_unlink() and the last close, or the end of the system.
 * - Blocking: never.
 * - Errors: EEXIST; ENOSPC: no room for so much; EINVAL: the name, the mode, a length of 0; EACCES;
 *   ENAMETOOLONG; EMFILE; ENFILE; ENOMEM; E2BIG: options of a newer header.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: shm_open(3), mmap(2)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_memory *unipc_memory_create(const char *name,
                                         size_t length,
                                         const struct unipc_memory_options *options);

/**
 * Maps a named object that exists: its first `length` bytes, or with 0 all of it.
 *
 * - Ownership: the handle is the caller's, until unipc_memory_close().
 * - Blocking: never.
 * - Errors: ENOENT; EINVAL: the name, or the object is shorter than `length`, or empty; EACCES;
 *   ENAMETOOLONG; EMFILE; ENFILE; ENOMEM; E2BIG: options of a newer header.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: shm_open(3), mmap(2)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_memory *unipc_memory_open(const char *name,
                                       size_t length,
                                       const struct unipc_memory_options *options);

/**
 * Maps a named object, or makes it with `length` bytes if it does not exist, and stores in
 * `created`, which may be NULL, 1 if this call made it and else 0.
 *
 * - Ownership: as unipc_memory_create().
 * - Blocking: never.
 * - Errors: those of unipc_memory_create() and unipc_memory_open() but EEXIST and ENOENT.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: shm_open(3), mmap(2)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_memory *unipc_memory_open_or_create(const char *name,
                                                 size_t length,
                                                 const struct unipc_memory_options *options,
                                                 int *created);

/**
 * Removes the name of an object. Who has it mapped keeps it; it goes with the last of them. A file
 * is removed with unlink(2).
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: ENOENT; EACCES; EINVAL; ENAMETOOLONG.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: shm_unlink(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_memory_unlink(const char *name);

/**
 * Makes a file of `length` bytes, all zero, where nothing must be yet, and maps it. Its space is
 * reserved now.
 *
 * - Ownership: the handle is the caller's, until unipc_memory_close(); the file stays until
 *   unlink(2).
 * - Blocking: as the file system does.
 * - Errors: EEXIST; ENOSPC; EFBIG; EINVAL: the mode, a length of 0; ENOENT, ENOTDIR: its directory;
 *   EACCES; EROFS; ENAMETOOLONG; EMFILE; ENFILE; ENOMEM; E2BIG: options of a newer header.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: open(2), mmap(2)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_memory *unipc_memory_create_file(const char *path,
                                              size_t length,
                                              const struct unipc_memory_options *options);

/**
 * Maps a file that exists: its first `length` bytes, or with 0 all of it.
 *
 * - Ownership: the handle is the caller's, until unipc_memory_close().
 * - Blocking: as the file system does.
 * - Errors: ENOENT; EINVAL: the file is shorter than `length`, or empty, or no regular file; EACCES;
 *   EISDIR; ENOTDIR; ELOOP; ENAMETOOLONG; EMFILE; ENFILE; ENOMEM; E2BIG: options of a newer header.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: open(2), mmap(2)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_memory *unipc_memory_open_file(const char *path,
                                            size_t length,
                                            const struct unipc_memory_options *options);

/**
 * Maps a file, or makes it with `length` bytes if nothing is there, and stores in `created`, which
 * may be NULL, 1 if this call made it and else 0.
 *
 * - Ownership: as unipc_memory_create_file().
 * - Blocking: as the file system does.
 * - Errors: those of unipc_memory_create_file() and unipc_memory_open_file() but EEXIST.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: open(2), mmap(2)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_memory *unipc_memory_open_or_create_file(const char *path,
                                                      size_t length,
                                                      const struct unipc_memory_options *options,
                                                      int *created);

/**
 * Maps `length` bytes, all zero, that only children made by fork(2) share, or with
 * UNIPC_SHARING_PRIVATE nobody.
 *
 * - Ownership: the handle is the caller's, until unipc_memory_close().
 * - Blocking: never.
 * - Errors: ENOMEM; EINVAL: a length of 0; E2BIG: options of a newer header.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: mmap(2), MAP_ANONYMOUS
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_memory *unipc_memory_anonymous(size_t length,
                                            const struct unipc_memory_options *options);

/**
 * Maps `length` bytes, all zero, behind a descriptor, which can be sealed and passed on. `label` is
 * shown in /proc and need not be unique.
 *
 * - Ownership: the handle is the caller's, until unipc_memory_close().
 * - Blocking: never.
 * - Errors: ENOMEM; ENOSPC; EMFILE; ENFILE; EINVAL: a length of 0, a label that is too long; E2BIG:
 *   options of a newer header.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: memfd_create(2)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_memory *unipc_memory_memfd(const char *label,
                                        size_t length,
                                        const struct unipc_memory_options *options);

/**
 * Maps what is behind a descriptor, as one that was inherited or received: its first `length` bytes,
 * or with 0 all of it.
 *
 * - Ownership: takes `fd`, which unipc_memory_close() then closes; on failure it stays the caller's.
 *   The handle is the caller's.
 * - Blocking: never.
 * - Errors: EBADF; EINVAL: shorter than `length`, or empty, or nothing that can be mapped; EACCES;
 *   EPERM: sealed; EMFILE; ENOMEM; E2BIG: options of a newer header.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: mmap(2)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_memory *unipc_memory_from_fd(int fd,
                                          size_t length,
                                          const struct unipc_memory_options *options);

/**
 * Where the memory is mapped. Other processes have it elsewhere: what is kept inside are offsets.
 *
 * - Ownership: the bytes stay the handle's: good until unipc_memory_close() or
 *   unipc_memory_resize(), or as long as a semaphore inside is open.
 * - Blocking: never.
 * - Errors: those of every call.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: mmap(2)
 *
 * @return the address, or NULL with errno set.
 */
void *unipc_memory_address(const struct unipc_memory *memory);

/**
 * How many bytes are mapped.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: those of every call.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: mmap(2)
 *
 * @return the length in bytes, or -1 with errno set.
 */
ssize_t unipc_memory_length(const struct unipc_memory *memory);

/**
 * Copies `length` bytes at `offset` into `buffer`. Who writes to them meanwhile mixes in: a
 * semaphore keeps them apart.
 *
 * - Ownership: `buffer` stays the caller's; NULL if `length` is 0.
 * - Blocking: never.
 * - Errors: ERANGE: not all of that is inside; EACCES: the protection.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: memcpy(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_memory_read(const struct unipc_memory *memory,
                      size_t offset,
                      void *buffer,
                      size_t length);

/**
 * Copies `length` bytes of `data` to `offset`. Who reads them meanwhile sees a mixture: a semaphore
 * keeps them apart.
 *
 * - Ownership: `data` stays the caller's and is copied; NULL if `length` is 0.
 * - Blocking: never.
 * - Errors: ERANGE: not all of that is inside; EACCES: the protection.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: memcpy(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_memory_write(struct unipc_memory *memory, size_t offset, const void *data, size_t length);

/**
 * Makes the object, and its mapping here, `length` bytes long; space for new bytes, which are zero,
 * is reserved now. The address changes. Others who have it mapped keep their length, and touching
 * what was cut off is a SIGBUS for them.
 *
 * - Ownership: what unipc_memory_address() gave before is no longer good.
 * - Blocking: never.
 * - Errors: EBUSY: a semaphore inside is open; ENOSPC; EFBIG; EINVAL: a length of 0; EOPNOTSUPP:
 *   anonymous shared memory, or a private mapping of a file; EPERM: sealed; EACCES: mapped for
 *   reading only; ENOMEM.
 * - Safety: threads: one, with no other call on the handle beside it; fork: the other process keeps
 *   its mapping; signals: no.
 * - See: ftruncate(2), mremap(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_memory_resize(struct unipc_memory *memory, size_t length);

/**
 * Sets what this process may do with the memory.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: EBUSY: a semaphore inside is open; EACCES: mapped for reading only; EINVAL: no such
 *   protection; ENOMEM.
 * - Safety: threads: one, with no other call on the handle beside it; fork: of this process only;
 *   signals: no.
 * - See: mprotect(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_memory_protect(struct unipc_memory *memory, unipc_protection protection);

/**
 * Writes what was changed to the file, and waits for the disk.
 *
 * - Ownership: none changes.
 * - Blocking: as the disk does.
 * - Errors: EIO; ENOSPC.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: msync(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_memory_sync(struct unipc_memory *memory);

/**
 * Writes what was changed in `length` bytes at `offset` to the file, and waits for the disk.
 *
 * - Ownership: none changes.
 * - Blocking: as the disk does.
 * - Errors: ERANGE: not all of that is inside; EIO; ENOSPC.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: msync(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_memory_sync_range(struct unipc_memory *memory, size_t offset, size_t length);

/**
 * Adds seals to a memfd: UNIPC_SEAL_ values, or'ed. They hold for everybody and for ever.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: EPERM: sealed against seals; EBUSY: UNIPC_SEAL_WRITE while somebody, this handle included,
 *   has it mapped for writing; EINVAL: no memfd, or no such seal.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: fcntl(2), F_ADD_SEALS
 *
 * @return 0, or -1 with errno set.
 */
int unipc_memory_seal(struct unipc_memory *memory,
                      unsigned int seals);

/**
 * The seals of a memfd.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: EINVAL: no memfd.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: fcntl(2), F_GET_SEALS
 *
 * @return UNIPC_SEAL_ values, or'ed, or -1 with errno set.
 */
int unipc_memory_seals(const struct unipc_memory *memory);

/**
 * The descriptor behind the memory, to be passed on.
 *
 * - Ownership: stays the handle's: not to be closed, and good until unipc_memory_close().
 * - Blocking: never.
 * - Errors: EBADF: there is none, as behind anonymous memory.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: fileno(3)
 *
 * @return the descriptor, or -1 with errno set.
 */
int unipc_memory_fd(const struct unipc_memory *memory);

/**
 * Closes the handle and unmaps the memory. NULL is allowed. What has a name stays.
 *
 * - Ownership: takes the handle. What unipc_memory_address() gave is no longer good, unless a
 *   semaphore inside is still open.
 * - Blocking: never.
 * - Errors: EBADF: it is closed already.
 * - Safety: threads: none may be in a call on the handle, nor use its address; fork: the handles of
 *   parent and child are closed separately; signals: no.
 * - See: munmap(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_memory_close(struct unipc_memory *memory);

/**
 * Makes a pipe: what is written to `writer` is read from `reader`. Both descriptors are
 * close-on-exec.
 *
 * - Ownership: both handles are the caller's, until unipc_pipe_reader_close() and
 *   unipc_pipe_writer_close(). On failure nothing is stored.
 * - Blocking: never.
 * - Errors: EMFILE; ENFILE.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: pipe(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_pipe_create(struct unipc_pipe_reader **reader, struct unipc_pipe_writer **writer);

/**
 * Makes two pipes, crossed: what one side writes, the other reads. The sides are alike; one may
 * keep `reader1` and `writer1` and give the other two to a child.
 *
 * - Ownership: the four handles are the caller's, until each is closed. On failure nothing is
 *   stored.
 * - Blocking: never.
 * - Errors: EMFILE; ENFILE.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: pipe(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_pipe_duplex(struct unipc_pipe_reader **reader1,
                      struct unipc_pipe_writer **writer1,
                      struct unipc_pipe_reader **reader2,
                      struct unipc_pipe_writer **writer2);

/**
 * Reads what is there, up to `length` bytes, and waits for the first of them. 0 is the end of
 * file: nothing is left and the last writer is closed.
 *
 * - Ownership: `buffer` stays the caller's; NULL if `length` is 0.
 * - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
 * - Errors: EAGAIN: empty, and not to wait; ETIMEDOUT; EINTR: a signal handler ran, and nothing was
 *   taken; EINVAL: the timeout.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: read(2), pipe(7)
 *
 * @return the count of bytes read, or -1 with errno set.
 */
ssize_t unipc_pipe_read(struct unipc_pipe_reader *reader,
                        void *buffer,
                        size_t length,
                        int64_t timeout);

/**
 * Reads until `length` bytes are there, or the end of file, which makes the count smaller.
 *
 * - Ownership: `buffer` stays the caller's; NULL if `length` is 0. `done`, which may be NULL,
 *   receives how many bytes stand in it, on failure too: those are taken from the pipe.
 * - Blocking: up to `timeout` nanoseconds in all; UNIPC_FOREVER; 0: not at all.
 * - Errors: those of unipc_pipe_read().
 * - Safety: threads: any, but each takes what comes next; fork: yes; signals: no.
 * - See: read(2), pipe(7)
 *
 * @return the count of bytes read, or -1 with errno set.
 */
ssize_t unipc_pipe_read_full(struct unipc_pipe_reader *reader,
                             void *buffer,
                             size_t length,
                             int64_t timeout,
                             size_t *done);

/**
 * Writes `length` bytes and waits for room. With UNIPC_FOREVER all of them go, unless a signal
 * handler runs meanwhile; otherwise as many as there is room for, but up to UNIPC_PIPE_BUF bytes
 * always whole or not at all.
 *
 * That nobody reads is the error EPIPE, and no SIGPIPE where that would end the program. One that
 * ignores or handles SIGPIPE when the end is made is relied upon to go on doing so.
 *
 * - Ownership: `data` stays the caller's and is copied; NULL if `length` is 0.
 * - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
 * - Errors: EPIPE: the last reader is closed; EAGAIN: full, and not to wait; ETIMEDOUT; EINTR: a
 *   signal handler ran, and nothing was written; EINVAL: the timeout.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: write(2), pipe(7)
 *
 * @return the count of bytes written, or -1 with errno set.
 */
ssize_t unipc_pipe_write(struct unipc_pipe_writer *writer,
                         const void *data,
                         size_t length,
                         int64_t timeout);

/**
 * Writes all of `length` bytes, in as many pieces as it takes.
 *
 * - Ownership: `data` stays the caller's and is copied; NULL if `length` is 0. `done`, which may be
 *   NULL, receives how many bytes went, on failure too.
 * - Blocking: up to `timeout` nanoseconds in all; UNIPC_FOREVER; 0: not at all.
 * - Errors: those of unipc_pipe_write().
 * - Safety: threads: any, but beyond UNIPC_PIPE_BUF bytes their pieces mix; fork: yes; signals:
 *   no.
 * - See: write(2), pipe(7)
 *
 * @return `length`, or -1 with errno set.
 */
ssize_t unipc_pipe_write_full(struct unipc_pipe_writer *writer,
                              const void *data,
                              size_t length,
                              int64_t timeout,
                              size_t *done);

/**
 * How many bytes a read would find.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: those of every call.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: ioctl_pipe(2)
 *
 * @return the count, or -1 with errno set.
 */
ssize_t unipc_pipe_available(const struct unipc_pipe_reader *reader);

/**
 * Moves up to `length` bytes from the pipe to a file, a socket or a pipe, without a copy through
 * this process. 0 is the end of file.
 *
 * - Ownership: `fd` stays the caller's; its offset moves.
 * - Blocking: up to `timeout` nanoseconds for both sides; UNIPC_FOREVER; 0: not at all, but for a
 *   disk; a socket or terminal with room for a part waits for the rest unless it is O_NONBLOCK.
 * - Errors: EAGAIN: empty, or no room; ETIMEDOUT; EINTR; EPIPE, without SIGPIPE; EBADF: `fd`;
 *   EINVAL: `fd` cannot be spliced to, as when it appends, or the timeout; and what writing to `fd`
 *   gives.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: splice(2)
 *
 * @return the count of bytes moved, or -1 with errno set.
 */
ssize_t unipc_pipe_splice_to(struct unipc_pipe_reader *reader,
                             int fd,
                             size_t length,
                             int64_t timeout);

/**
 * Moves up to `length` bytes from a file, a socket or a pipe into the pipe, without a copy through
 * this process. 0 is the end of that file.
 *
 * - Ownership: `fd` stays the caller's; its offset moves.
 * - Blocking: up to `timeout` nanoseconds for both sides; UNIPC_FOREVER; 0: not at all, but for a
 *   disk; a socket or terminal with room for a part waits for the rest unless it is O_NONBLOCK.
 * - Errors: EAGAIN: nothing there, or full; ETIMEDOUT; EINTR; EPIPE, without SIGPIPE; EBADF: `fd`;
 *   EINVAL: `fd` cannot be spliced from, or the timeout; and what reading `fd` gives.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: splice(2)
 *
 * @return the count of bytes moved, or -1 with errno set.
 */
ssize_t unipc_pipe_splice_from(struct unipc_pipe_writer *writer,
                               int fd,
                               size_t length,
                               int64_t timeout);

/**
 * Copies up to `length` bytes from one pipe into another; they also stay in the first.
 *
 * - Ownership: none changes.
 * - Blocking: up to `timeout` nanoseconds for both sides; UNIPC_FOREVER; 0: not at all.
 * - Errors: EAGAIN: nothing there, or full; ETIMEDOUT; EINTR; EPIPE, without SIGPIPE; EINVAL: both
 *   are ends of one pipe, or the timeout.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: tee(2)
 *
 * @return the count of bytes copied, or -1 with errno set.
 */
ssize_t unipc_pipe_tee(struct unipc_pipe_reader *reader,
                       struct unipc_pipe_writer *writer,
                       size_t length,
                       int64_t timeout);

/**
 * Puts up to `length` bytes into the pipe by lending their pages, not by copying.
 *
 * - Ownership: `data` stays the caller's, but must neither change nor be freed until the reader
 *   has taken it.
 * - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
 * - Errors: those of unipc_pipe_write().
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: vmsplice(2)
 *
 * @return the count of bytes lent, or -1 with errno set.
 */
ssize_t unipc_pipe_vmsplice(struct unipc_pipe_writer *writer,
                            const void *data,
                            size_t length,
                            int64_t timeout);

/**
 * How many bytes the pipe holds.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: those of every call.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: fcntl(2), F_GETPIPE_SZ
 *
 * @return the capacity in bytes, or -1 with errno set.
 */
ssize_t unipc_pipe_reader_capacity(const struct unipc_pipe_reader *reader);

/**
 * Makes the pipe hold at least `capacity` bytes; the kernel rounds up.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: EBUSY: more than that is in it; EPERM: more than fs.pipe-max-size; EINVAL; ENOMEM.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: fcntl(2), F_SETPIPE_SZ
 *
 * @return the capacity that it has now, or -1 with errno set.
 */
ssize_t unipc_pipe_reader_set_capacity(struct unipc_pipe_reader *reader, size_t capacity);

/**
 * Sets, with `on` not 0, or clears O_NONBLOCK: whether reading and writing with UNIPC_FOREVER fail with
 * EAGAIN and do not wait. The flag is that of the open file description, which children share; a timeout
 * neither needs it nor touches it.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: those of every call.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: fcntl(2), F_SETFL
 *
 * @return 0, or -1 with errno set.
 */
int unipc_pipe_reader_set_nonblocking(struct unipc_pipe_reader *reader,
                                      int on);

/**
 * Whether O_NONBLOCK is set.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: those of every call.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: fcntl(2), F_GETFL
 *
 * @return 1 or 0, or -1 with errno set.
 */
int unipc_pipe_reader_is_nonblocking(const struct unipc_pipe_reader *reader);

/**
 * Sets, with `on` not 0, or clears whether the descriptor stays open across exec. It does not when
 * it is made.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: those of every call.
 * - Safety: threads: any, but each program that another thread starts meanwhile inherits it; fork:
 *   yes; signals: no.
 * - See: fcntl(2), F_SETFD
 *
 * @return 0, or -1 with errno set.
 */
int unipc_pipe_reader_set_inheritable(struct unipc_pipe_reader *reader, int on);

/**
 * Whether the descriptor stays open across exec.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: those of every call.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: fcntl(2), F_GETFD
 *
 * @return 1 or 0, or -1 with errno set.
 */
int unipc_pipe_reader_is_inheritable(const struct unipc_pipe_reader *reader);

/**
 * The descriptor of the end, for poll(2) and its kin.
 *
 * - Ownership: stays the handle's: not to be closed, and good until unipc_pipe_reader_close().
 * - Blocking: never.
 * - Errors: those of every call.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: fileno(3)
 *
 * @return the descriptor, or -1 with errno set.
 */
int unipc_pipe_reader_fd(const struct unipc_pipe_reader *reader);

/**
 * Makes a handle of a descriptor, as one that was inherited across exec.
 *
 * - Ownership: takes `fd`, which unipc_pipe_reader_close() then closes; on failure it stays the
 *   caller's. The handle is the caller's.
 * - Blocking: never.
 * - Errors: EBADF: `fd` is not open, or not for reading; EINVAL: `fd` is no pipe or FIFO; EMFILE.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: fdopen(3)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_pipe_reader *unipc_pipe_reader_from_fd(int fd);

/**
 * Makes a second handle of the same end. The end is closed when both are.
 *
 * - Ownership: the new handle is the caller's, until unipc_pipe_reader_close().
 * - Blocking: never.
 * - Errors: EMFILE.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: dup(2)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_pipe_reader *unipc_pipe_reader_duplicate(const struct unipc_pipe_reader *reader);

/**
 * Makes descriptor `target` this end too, whatever it was before: 0 makes it the standard input. It stays open
 * across exec.
 *
 * - Ownership: what `target` was is closed; what it becomes is the caller's, beside the handle.
 * - Blocking: never.
 * - Errors: EBADF: `target` is out of range; EBUSY.
 * - Safety: threads: any, if none uses `target`; fork: yes; signals: no.
 * - See: dup2(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_pipe_reader_duplicate_onto(const struct unipc_pipe_reader *reader,
                                     int target);

/**
 * Closes the handle. NULL is allowed. With the last reader gone, writing is EPIPE.
 *
 * - Ownership: takes the handle and its descriptor.
 * - Blocking: never.
 * - Errors: EBADF: it is closed already.
 * - Safety: threads: none may be in a call on the handle, as with close(2); fork: the handles of
 *   parent and child are closed separately; signals: no.
 * - See: close(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_pipe_reader_close(struct unipc_pipe_reader *reader);

/**
 * How many bytes the pipe holds.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: those of every call.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: fcntl(2), F_GETPIPE_SZ
 *
 * @return the capacity in bytes, or -1 with errno set.
 */
ssize_t unipc_pipe_writer_capacity(const struct unipc_pipe_writer *writer);

/**
 * Makes the pipe hold at least `capacity` bytes; the kernel rounds up.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: EBUSY: more than that is in it; EPERM: more than fs.pipe-max-size; EINVAL; ENOMEM.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: fcntl(2), F_SETPIPE_SZ
 *
 * @return the capacity that it has now, or -1 with errno set.
 */
ssize_t unipc_pipe_writer_set_capacity(struct unipc_pipe_writer *writer, size_t capacity);

/**
 * Sets, with `on` not 0, or clears O_NONBLOCK: whether reading and writing with UNIPC_FOREVER fail with
 * EAGAIN and do not wait. The flag is that of the open file description, which children share; a timeout
 * neither needs it nor touches it.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: those of every call.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: fcntl(2), F_SETFL
 *
 * @return 0, or -1 with errno set.
 */
int unipc_pipe_writer_set_nonblocking(struct unipc_pipe_writer *writer,
                                      int on);

/**
 * Whether O_NONBLOCK is set.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: those of every call.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: fcntl(2), F_GETFL
 *
 * @return 1 or 0, or -1 with errno set.
 */
int unipc_pipe_writer_is_nonblocking(const struct unipc_pipe_writer *writer);

/**
 * Sets, with `on` not 0, or clears whether the descriptor stays open across exec. It does not when
 * it is made.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: those of every call.
 * - Safety: threads: any, but each program that another thread starts meanwhile inherits it; fork:
 *   yes; signals: no.
 * - See: fcntl(2), F_SETFD
 *
 * @return 0, or -1 with errno set.
 */
int unipc_pipe_writer_set_inheritable(struct unipc_pipe_writer *writer, int on);

/**
 * Whether the descriptor stays open across exec.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: those of every call.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: fcntl(2), F_GETFD
 *
 * @return 1 or 0, or -1 with errno set.
 */
int unipc_pipe_writer_is_inheritable(const struct unipc_pipe_writer *writer);

/**
 * The descriptor of the end, for poll(2) and its kin.
 *
 * - Ownership: stays the handle's: not to be closed, and good until unipc_pipe_writer_close().
 * - Blocking: never.
 * - Errors: those of every call.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: fileno(3)
 *
 * @return the descriptor, or -1 with errno set.
 */
int unipc_pipe_writer_fd(const struct unipc_pipe_writer *writer);

/**
 * Makes a handle of a descriptor, as one that was inherited across exec.
 *
 * - Ownership: takes `fd`, which unipc_pipe_writer_close() then closes; on failure it stays the
 *   caller's. The handle is the caller's.
 * - Blocking: never.
 * - Errors: EBADF: `fd` is not open, or not for writing; EINVAL: `fd` is no pipe or FIFO; EMFILE.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: fdopen(3)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_pipe_writer *unipc_pipe_writer_from_fd(int fd);

/**
 * Makes a second handle of the same end. The end is closed when both are.
 *
 * - Ownership: the new handle is the caller's, until unipc_pipe_writer_close().
 * - Blocking: never.
 * - Errors: EMFILE.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: dup(2)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_pipe_writer *unipc_pipe_writer_duplicate(const struct unipc_pipe_writer *writer);

/**
 * Makes descriptor `target` this end too, whatever it was before: 1 makes it the standard output. It stays open
 * across exec.
 *
 * - Ownership: what `target` was is closed; what it becomes is the caller's, beside the handle.
 * - Blocking: never.
 * - Errors: EBADF: `target` is out of range; EBUSY.
 * - Safety: threads: any, if none uses `target`; fork: yes; signals: no.
 * - See: dup2(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_pipe_writer_duplicate_onto(const struct unipc_pipe_writer *writer,
                                     int target);

/**
 * Closes the handle. NULL is allowed. With the last writer gone, and all read, a read is the end of file.
 *
 * - Ownership: takes the handle and its descriptor.
 * - Blocking: never.
 * - Errors: EBADF: it is closed already.
 * - Safety: threads: none may be in a call on the handle, as with close(2); fork: the handles of
 *   parent and child are closed separately; signals: no.
 * - See: close(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_pipe_writer_close(struct unipc_pipe_writer *writer);

/**
 * Starts `count` programs, the first one first, and connects the output of each with the input of the next.
 * Between them this process takes no part, and keeps nothing open. What `stages` say of their standard inputs
 * and outputs holds where the pipeline begins and ends, unless `options`, which may be NULL, say otherwise.
 *
 * - Ownership: the handle is the caller's, until unipc_pipeline_close(). `stages`, all of one size, `options` and
 *   all in them stay the caller's, their descriptors too.
 * - Blocking: as unipc_spawn(); and up to 100 ms, where a stage cannot be started and those before it
 *   are ended.
 * - Errors: those of unipc_spawn(), of any stage: the sentence names the program and its place, as "stage 3 of
 *   5", and the stages before it are ended and reaped. EINVAL: no stages; a joint, place of errors or group that
 *   there is not; E2BIG: options of a newer header.
 * - Safety: threads: any, while none changes the environment; fork: yes; signals: no.
 * - See: posix_spawn(3), pipe(7)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_pipeline *unipc_pipeline_spawn(const struct unipc_command *stages,
                                            size_t count,
                                            const struct unipc_pipeline_options *options);

/**
 * Waits until every stage has ended, and stores in `statuses` how the first `count` of them did. The statuses
 * stay known: waiting again, after unipc_pipeline_communicate() too, gives them again.
 *
 * Success is that of the last stage, or, with `pipefail`, of every stage. A stage that SIGPIPE killed because the
 * next one left early, as `yes` in `yes | head -1`, is no failure, unless it is the last.
 *
 * - Ownership: `statuses` stays the caller's; NULL if `count` is 0.
 * - Blocking: up to `timeout` nanoseconds in all; UNIPC_FOREVER; 0: not at all.
 * - Errors: EAGAIN: a stage runs, and not to wait; ETIMEDOUT; EINTR: a signal handler ran; ECHILD: all have
 *   ended, but a status is lost, as said of unipc_child_wait(); EINVAL: `count` is more than there are stages; the
 *   timeout.
 * - Safety: threads: any; fork: ECHILD; signals: no.
 * - See: waitid(2)
 *
 * @return 1 if the pipeline succeeded, 0 if not, or -1 with errno set.
 */
int unipc_pipeline_wait(const struct unipc_pipeline *pipeline,
                        struct unipc_status *statuses,
                        size_t count,
                        int64_t timeout);

/**
 * Which stage, counted from 0, makes the pipeline a failure: the last one, or with `pipefail` the last that
 * failed. Its `shell_code` is what a shell would have in `$?`.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: EAGAIN: a stage runs; ECHILD as unipc_pipeline_wait().
 * - Safety: threads: any; fork: ECHILD; signals: no.
 * - See: waitid(2)
 *
 * @return its number; that of all stages if the pipeline succeeded; or -1 with errno set.
 */
ssize_t unipc_pipeline_failed(const struct unipc_pipeline *pipeline);

/**
 * Writes `length` bytes to the first stage and closes its input, reads the output of the last and every
 * standard error to their ends, all at the same time and in any amount, and waits for the stages. `output`, which
 * may be NULL, receives the output; `errors` the first `count` of the standard errors: one a stage, or with
 * UNIPC_ERRORS_MERGED one for all. A stage that leaves early is no error; unipc_pipeline_wait() tells its status.
 *
 * The ends of file come when no process has the pipe open any more: a grandchild that lives on delays them.
 *
 * - Ownership: `input` stays the caller's; NULL if `length` is 0. The bytes that `output` and `errors` then
 *   point to are the caller's, until unipc_free() of each; a NUL stands behind them. On failure nothing is stored.
 * - Blocking: up to `timeout` nanoseconds in all; UNIPC_FOREVER; 0: what can be moved without waiting is.
 * - Errors: ETIMEDOUT; EAGAIN; EINTR: nothing is lost and the stages run on: call again with the same input
 *   to go on, or take what was read by unipc_pipeline_partial_output(); EINVAL: there is input, and that of the
 *   first stage is no pipe to this process; less input than went already; `count` is more than there are; a
 *   joint that was not taken; the timeout; EMSGSIZE: more came than `output_limit`, and what did is to be taken
 *   likewise; ENOMEM; ECHILD as unipc_pipeline_wait(): what was read is
 *   still to be taken; EBUSY: another thread communicates with it.
 * - Safety: threads: any; others wait for the stages, signal and cancel them meanwhile, but what would
 *   communicate is EBUSY; fork: ECHILD; signals: no.
 * - See: poll(2), waitid(2)
 *
 * @return 1 if the pipeline succeeded, 0 if not, or -1 with errno set.
 */
int unipc_pipeline_communicate(struct unipc_pipeline *pipeline,
                               const void *input,
                               size_t length,
                               struct iovec *output,
                               struct iovec *errors,
                               size_t count,
                               int64_t timeout);

/**
 * Takes what unipc_pipeline_communicate() has read before it failed. If that is called again, it gives what comes
 * after.
 *
 * - Ownership: the bytes that `output`, which may be NULL, and the first `count` of `errors` then point to are the
 *   caller's, until unipc_free() of each; a NUL stands behind them. What is not asked for is lost.
 * - Blocking: never.
 * - Errors: EINVAL: `count` is more than there are; ENOMEM; EBUSY: another thread communicates with the pipeline.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: poll(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_pipeline_partial_output(struct unipc_pipeline *pipeline,
                                  struct iovec *output,
                                  struct iovec *errors,
                                  size_t count);

/**
 * Sends a signal to every stage that has not ended; to their group, where they have one of their own.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: EINVAL: there is no such signal; EPERM: a stage has taken on another user's rights; the others have
 *   the signal.
 * - Safety: threads: any, also while others wait for it; fork: yes; signals: no.
 * - See: kill(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_pipeline_signal(const struct unipc_pipeline *pipeline,
                          int signal);

/**
 * Ends the pipeline: SIGTERM (and SIGCONT) to every stage, SIGKILL to those that still run after `grace`
 * nanoseconds, to their group where they have one of their own; waits for all, and stores in `statuses` how the
 * first `count` ended. What stands in the outputs can still be read.
 *
 * - Ownership: `statuses` stays the caller's; NULL if `count` is 0.
 * - Blocking: up to `grace`, and until killed stages have ended.
 * - Errors: EPERM: a stage has taken on another user's rights; the others are killed; EINTR: a signal handler ran:
 *   call again; ECHILD as unipc_pipeline_wait(); EINVAL: `count` is more than there are stages; the grace.
 * - Safety: threads: any, also while others communicate; fork: ECHILD; signals: no.
 * - See: pidfd_send_signal(2), waitid(2)
 *
 * @return 1 if the pipeline succeeded all the same, 0 if not, or -1 with errno set.
 */
int unipc_pipeline_cancel(struct unipc_pipeline *pipeline,
                          struct unipc_status *statuses,
                          size_t count,
                          int64_t grace);

/**
 * How many stages the pipeline has.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: those of every call.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: pipe(7)
 *
 * @return the count, or -1 with errno set.
 */
ssize_t unipc_pipeline_count(const struct unipc_pipeline *pipeline);

/**
 * The number of a stage's process; `stage` is counted from 0. It may be another's once the stage was waited
 * for.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: EINVAL: there is no such stage.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: getpid(2)
 *
 * @return the number, or -1 with errno set.
 */
pid_t unipc_pipeline_stage_pid(const struct unipc_pipeline *pipeline,
                               size_t stage);

/**
 * The pidfd of a stage, for poll(2) and its kin: readable once it has ended.
 *
 * - Ownership: stays the handle's: not to be closed, and good until unipc_pipeline_close().
 * - Blocking: never.
 * - Errors: EINVAL: there is no such stage.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: pidfd_open(2)
 *
 * @return the descriptor, or -1 with errno set.
 */
int unipc_pipeline_stage_fd(const struct unipc_pipeline *pipeline, size_t stage);

/**
 * Sends one stage a signal, and never another process.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: ESRCH: it was waited for; EINVAL: there is no such stage or signal; EPERM.
 * - Safety: threads: any, also while others wait for it; fork: yes; signals: no.
 * - See: pidfd_send_signal(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_pipeline_stage_signal(const struct unipc_pipeline *pipeline, size_t stage, int signal);

/**
 * Waits until one stage has ended, and stores how in `status`, which may be NULL.
 *
 * - Ownership: none changes.
 * - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
 * - Errors: those of unipc_child_wait(); EINVAL: there is no such stage.
 * - Safety: threads: any; fork: ECHILD; signals: no.
 * - See: waitid(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_pipeline_stage_wait(const struct unipc_pipeline *pipeline,
                              size_t stage,
                              struct unipc_status *status,
                              int64_t timeout);

/**
 * Takes the end of the first stage's input, where that is UNIPC_REDIRECT_PIPE. Closing it is the end of file for
 * the stage.
 *
 * - Ownership: the end is the caller's, until unipc_pipe_writer_close(), and no longer that of
 *   unipc_pipeline_communicate().
 * - Blocking: never.
 * - Errors: EBADF: it is no such pipe, or was taken; EBUSY: another thread communicates with the
 *   pipeline.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: pipe(7)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_pipe_writer *unipc_pipeline_take_input(struct unipc_pipeline *pipeline);

/**
 * Takes the end of the last stage's output, where that is UNIPC_REDIRECT_PIPE.
 *
 * - Ownership: the end is the caller's, until unipc_pipe_reader_close(), and no longer that of
 *   unipc_pipeline_communicate().
 * - Blocking: never.
 * - Errors: EBADF: it is no such pipe, or was taken; EBUSY: another thread communicates with the
 *   pipeline.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: pipe(7)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_pipe_reader *unipc_pipeline_take_output(struct unipc_pipeline *pipeline);

/**
 * Takes the end of a stage's standard error, counted from 0, where that is a pipe; with UNIPC_ERRORS_MERGED
 * number 0 is that of all.
 *
 * - Ownership: the end is the caller's, until unipc_pipe_reader_close(), and no longer that of
 *   unipc_pipeline_communicate().
 * - Blocking: never.
 * - Errors: EBADF: it is no such pipe, or was taken; EINVAL: there is no such number; EBUSY: another thread communicates with the
 *   pipeline.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: pipe(7)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_pipe_reader *unipc_pipeline_take_error(struct unipc_pipeline *pipeline,
                                                    size_t number);

/**
 * Takes both ends of a joint that was opened: what `reader` gives came out of stage `number`, what `writer` takes
 * goes into the next. Passing it on is the caller's, by unipc_pipe_splice_to() and unipc_pipe_tee() without a copy;
 * then both are closed.
 *
 * - Ownership: the ends are the caller's, until unipc_pipe_reader_close() and unipc_pipe_writer_close(). On failure
 *   nothing is stored.
 * - Blocking: never.
 * - Errors: EBADF: it was not opened, or was taken; EBUSY: another thread communicates with the pipeline.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: splice(2), tee(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_pipeline_take_joint(struct unipc_pipeline *pipeline,
                              size_t number,
                              struct unipc_pipe_reader **reader,
                              struct unipc_pipe_writer **writer);

/**
 * Closes the handle, and the ends that were not taken. NULL is allowed. It kills no stage, never waits and never
 * leaves a zombie, as said of unipc_child_close().
 *
 * - Ownership: takes the handle.
 * - Blocking: never.
 * - Errors: EBADF: it is closed already.
 * - Safety: threads: none may be in a call on the handle; fork: the handles of parent and child are closed
 *   separately; signals: no.
 * - See: waitid(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_pipeline_close(struct unipc_pipeline *pipeline);

/**
 * Starts `/bin/sh -c line` and opens a stream: of what that writes to its standard output ("r"), to what it
 * reads from its standard input ("w"), or both ("r+").
 *
 * The stream is used as any other of stdio's, but has no descriptor (fileno(3) is -1) and no position, and
 * glibc's freopen(3) crashes on such streams, whoever made them. Reading
 * is the end of file when the program, and all to whom it gave its output, have closed that; writing
 * to a program that has left is EPIPE, and no SIGPIPE where that would end this one. "r" and "w" are
 * buffered. "r+" is not, so that each call writes at once and reading and writing can alternate as they
 * please; unipc_popen_finish() ends its writing half. Who writes more than two pipes hold to a program that
 * answers while nobody reads its answers waits for ever: there, use unipc_child_communicate().
 *
 * - Ownership: the stream is the caller's, until unipc_pclose(). fclose(3) closes it too, and leaves the program
 *   as unipc_child_close() does. `line` and `mode` stay the caller's.
 * - Blocking: until the shell is loaded.
 * - Errors: EINVAL: the mode; EMFILE; ENFILE; ENOMEM; EAGAIN: the limit of processes. What reading and
 *   writing give, errno and unipc_last_error() tell.
 * - Safety: threads: any, on the stream as stdio has it; fork: yes; signals: no.
 * - See: popen(3), fopencookie(3)
 *
 * @return the stream, or NULL with errno set.
 */
FILE *unipc_popen(const char *line,
                  const char *mode);

/**
 * Starts a command, an argument vector say, and opens a stream as unipc_popen() does. What the stream is bound
 * to it replaces in the command; the other streams are as that says, but none is UNIPC_REDIRECT_PIPE.
 *
 * - Ownership: as unipc_popen(); `command` and all in it stays the caller's.
 * - Blocking: as unipc_spawn().
 * - Errors: those of unipc_spawn(); EINVAL: the mode; a pipe that nobody would have the end of.
 * - Safety: threads: any, while none changes the environment; fork: yes; signals: no.
 * - See: popen(3), posix_spawn(3)
 *
 * @return the stream, or NULL with errno set.
 */
FILE *unipc_popen_command(const struct unipc_command *command,
                          const char *mode);

/**
 * Closes the writing half of a stream of mode "r+" or "w": the program finds the end of its input. What stands
 * in the stream's buffer is written first.
 *
 * - Ownership: none changes; what the program writes is still to be read, and the stream to be closed.
 * - Blocking: until the program has taken what stands in the buffer.
 * - Errors: EBADF: the stream is none of unipc_popen(), or closed; EINTR: a signal handler ran: call again.
 * - Safety: threads: waits for those that use the stream; fork: yes; signals: no.
 * - See: popen(3), shutdown(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_popen_finish(FILE *stream);

/**
 * The number of the stream's process: the shell's or the program's.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: EBADF: the stream is none of unipc_popen(), or closed.
 * - Safety: threads: any, also while others use the stream; fork: yes; signals: no.
 * - See: popen(3)
 *
 * @return the number, or -1 with errno set.
 */
pid_t unipc_popen_pid(FILE *stream);

/**
 * Sends the stream's process a signal: that of the shell, where there is one, and not of what it started.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: EBADF: the stream is none of unipc_popen(), or closed; EINVAL: there is no such signal; EPERM.
 * - Safety: threads: any, also while others use the stream; fork: yes; signals: no.
 * - See: pidfd_send_signal(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_popen_signal(FILE *stream,
                       int signal);

/**
 * Closes a stream: writes what stands in its buffer, closes its pipes, waits for the program and stores in
 * `status`, which may be NULL, how it ended. A program that still writes is killed by SIGPIPE; that it did not
 * read everything is no error here: its status tells.
 *
 * - Ownership: takes the stream, when it is 0 or ECHILD. On any other failure the stream stays the caller's, to be
 *   closed again; nothing that was written to it is lost, but when all was, its pipes are closed already.
 * - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
 * - Errors: EBADF: the stream is none of unipc_popen(), or closed; EAGAIN: the program runs, and not to wait;
 *   ETIMEDOUT: it runs on, unipc_popen_signal() reaches it; EINTR: a signal handler ran; ECHILD: it has
 *   ended, but its status is lost as said of unipc_child_wait(); EINVAL: the timeout.
 * - Safety: threads: no other may use the stream; fork: ECHILD; signals: no.
 * - See: pclose(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_pclose(FILE *stream,
                 struct unipc_status *status,
                 int64_t timeout);

/**
 * Starts a program. When it comes back the program runs, or did already; what prevents that is an error
 * here.
 *
 * - Ownership: the handle is the caller's, until unipc_child_close(). `command` and all in it stays the
 *   caller's, its descriptors too.
 * - Blocking: until the program is loaded, and, where it has a FIFO to open, until the other end is.
 * - Errors: the sentence names the program, or the directory or file that it is about. ENOENT: there is no
 *   such program, directory, file, or interpreter of a script; EACCES: it is not executable, or a directory
 *   may not be searched; ENOEXEC: the kernel does not run it, as a script without `#!`; EINVAL: neither or
 *   both of `argv` and `shell`, an empty `argv`, a kind, group or signal that there is not, an entry of
 *   `envp`; E2BIG: more arguments than the kernel takes, or a command of a newer header; EBADF: a descriptor
 *   is closed, or its number negative or beyond RLIMIT_NOFILE; EAGAIN: the limit of processes; EPERM, ESRCH:
 *   there is no such group in this session; EMFILE; ENFILE; ENOMEM; ENOSYS: Linux older than 5.4.
 * - Safety: threads: any, while none changes the environment; fork: yes; signals: no.
 * - See: posix_spawn(3)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_child *unipc_spawn(const struct unipc_command *command);

/**
 * Waits until the child has ended, and stores how in `status`, which may be NULL. The status stays known:
 * waiting again gives it again.
 *
 * A child that waits for the end of its input does not end while that is open here, nor one that writes
 * more than a pipe holds while nobody reads. unipc_child_communicate() sees to both.
 *
 * - Ownership: none changes.
 * - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
 * - Errors: EAGAIN: it runs, and not to wait; ETIMEDOUT: it runs on; EINTR: a signal handler ran; ECHILD: it
 *   has ended, but its status is lost, because this process ignores SIGCHLD, waited for it by other means,
 *   or is a fork of its parent; EINVAL: the timeout.
 * - Safety: threads: any, and each gets the status; fork: ECHILD; signals: no.
 * - See: waitid(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_child_wait(const struct unipc_child *child,
                     struct unipc_status *status,
                     int64_t timeout);

/**
 * The process's number. It may be another's once the child was waited for.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: those of every call.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: getpid(2)
 *
 * @return the number, or -1 with errno set.
 */
pid_t unipc_child_pid(const struct unipc_child *child);

/**
 * The pidfd of the child, for poll(2) and its kin: readable once it has ended. Wait by unipc_child_wait(), not
 * by waitid(2).
 *
 * - Ownership: stays the handle's: not to be closed, and good until unipc_child_close().
 * - Blocking: never.
 * - Errors: those of every call.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: pidfd_open(2)
 *
 * @return the descriptor, or -1 with errno set.
 */
int unipc_child_fd(const struct unipc_child *child);

/**
 * Sends the child a signal, and never another process. 0 only asks whether it could be sent. A child that
 * has ended and was not waited for takes every signal, without effect.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: ESRCH: it was waited for; EINVAL: there is no such signal; EPERM: it has taken on another user's
 *   rights.
 * - Safety: threads: any, also while others wait for it; fork: yes; signals: no.
 * - See: pidfd_send_signal(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_child_signal(const struct unipc_child *child,
                       int signal);

/**
 * Sends a signal to the process group of a child that leads one (UNIPC_GROUP_OWN), also to those of it that
 * outlive the child.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: ESRCH: nobody is left, or, before Linux 6.9, the child was waited for; EINVAL: there is no such
 *   signal, or it leads no group; EPERM.
 * - Safety: threads: any, also while others wait for it; fork: yes; signals: no.
 * - See: kill(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_child_signal_group(const struct unipc_child *child,
                             int signal);

/**
 * Sends SIGKILL. That the child has ended already is no error. It is to be waited for, or closed, still.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: EPERM: it has taken on another user's rights.
 * - Safety: threads: any, also while others wait for it; fork: yes; signals: no.
 * - See: pidfd_send_signal(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_child_kill(const struct unipc_child *child);

/**
 * Ends the child: SIGTERM (and SIGCONT, should it be stopped), SIGKILL if it still runs after `grace`
 * nanoseconds, to its whole group if it leads one; waits for it and stores in `status`, which may be NULL, how
 * it ended. With UNIPC_FOREVER it is never killed, with 0 at once.
 *
 * - Ownership: none changes.
 * - Blocking: up to `grace`, and until a killed child has ended.
 * - Errors: EPERM: it has taken on another user's rights; EINTR: a signal handler ran: call again; ECHILD as
 *   unipc_child_wait(); EINVAL: the grace.
 * - Safety: threads: any; fork: ECHILD; signals: no.
 * - See: pidfd_send_signal(2), waitid(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_child_terminate(const struct unipc_child *child,
                          struct unipc_status *status,
                          int64_t grace);

/**
 * Takes the end of the child's standard input, where that is UNIPC_REDIRECT_PIPE. Closing it is the end of
 * file for the child.
 *
 * - Ownership: the end is the caller's, until unipc_pipe_writer_close(), and no longer that of
 *   unipc_child_communicate().
 * - Blocking: never.
 * - Errors: EBADF: it is no such pipe, or was taken; EBUSY: another thread communicates with the child.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: pipe(7)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_pipe_writer *unipc_child_take_input(struct unipc_child *child);

/**
 * Takes the end of the child's standard output, where that is UNIPC_REDIRECT_PIPE.
 *
 * - Ownership: the end is the caller's, until unipc_pipe_reader_close(), and no longer that of
 *   unipc_child_communicate().
 * - Blocking: never.
 * - Errors: EBADF: it is no such pipe, or was taken; EBUSY: another thread communicates with the child.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: pipe(7)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_pipe_reader *unipc_child_take_output(struct unipc_child *child);

/**
 * Takes the end of the child's standard error, where that is UNIPC_REDIRECT_PIPE.
 *
 * - Ownership: the end is the caller's, until unipc_pipe_reader_close(), and no longer that of
 *   unipc_child_communicate().
 * - Blocking: never.
 * - Errors: EBADF: it is no such pipe, or was taken; EBUSY: another thread communicates with the child.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: pipe(7)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_pipe_reader *unipc_child_take_error(struct unipc_child *child);

/**
 * Writes `length` bytes to the child's standard input and closes that, reads its standard output and error
 * to their ends, all at the same time and in any amount, and waits for it. `output`, `error` and `status`
 * receive what came; each may be NULL. That the child leaves its input early is no error: its status tells.
 *
 * The ends of file come when no process has the pipe open any more: a grandchild that lives on delays
 * them.
 *
 * - Ownership: `input` stays the caller's; NULL if `length` is 0. The bytes that `output` and `error` then
 *   point to are the caller's, until unipc_free(); a NUL stands behind them. On failure nothing is stored.
 * - Blocking: up to `timeout` nanoseconds in all; UNIPC_FOREVER; 0: what can be moved without waiting is.
 * - Errors: ETIMEDOUT; EAGAIN; EINTR: nothing is lost and the child runs on: call again with the same input
 *   to go on, or take what was read by unipc_child_partial_output(); EINVAL: there is input, and standard
 *   input is no pipe to this process; less input than went already; the timeout; ENOMEM; ECHILD as
 *   unipc_child_wait(): what was read is still to be taken; EBUSY: another thread communicates with it.
 * - Safety: threads: any; others wait for the child and signal it meanwhile, but what would communicate is
 *   EBUSY; fork: ECHILD; signals: no.
 * - See: poll(2), waitid(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_child_communicate(struct unipc_child *child,
                            const void *input,
                            size_t length,
                            struct iovec *output,
                            struct iovec *error,
                            struct unipc_status *status,
                            int64_t timeout);

/**
 * Takes what unipc_child_communicate() has read before it failed. If that is called again, it gives what comes
 * after.
 *
 * - Ownership: the bytes that `output` and `error`, either of which may be NULL, then point to are the caller's,
 *   until unipc_free(); a NUL stands behind them. What goes into a NULL is lost.
 * - Blocking: never.
 * - Errors: ENOMEM; EBUSY: another thread communicates with the child.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: poll(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_child_partial_output(struct unipc_child *child,
                               struct iovec *output,
                               struct iovec *error);

/**
 * Closes the handle, and the ends of pipes that were not taken. NULL is allowed. It never kills the child, never
 * waits and never leaves a zombie: a child that has ended is reaped, and one that runs is left to run, and
 * reaped when it ends, by the one thread that unipc has for that.
 *
 * - Ownership: takes the handle.
 * - Blocking: never.
 * - Errors: EBADF: it is closed already.
 * - Safety: threads: none may be in a call on the handle; fork: the handles of parent and child are closed
 *   separately; signals: no.
 * - See: waitid(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_child_close(struct unipc_child *child);

/**
 * Writes how a program ended, as "exited with 3" or "killed by SIGTERM", and a NUL; of a text that is longer than
 * `length` bytes, the beginning. `raw` is that of a unipc_status, or from wait(2).
 *
 * - Ownership: `buffer` stays the caller's; NULL if `length` is 0.
 * - Blocking: never.
 * - Errors: those of every call.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: wait(2), snprintf(3)
 *
 * @return the length of the whole text, without the NUL, or -1 with errno set.
 */
ssize_t unipc_status_text(int raw,
                          char *buffer,
                          size_t length);

/**
 * Makes a queue that must not exist yet, on whichever engine, and opens it.
 *
 * `name` is "/orders": one slash at its beginning, no other, and 1 to 255 bytes behind it.
 * `options` may be NULL.
 *
 * On engine posix it lives in the kernel, within the limits of fs.mqueue and RLIMIT_MSGQUEUE. On
 * engine shm it is the file /dev/shm/unipc.queue.orders, of which all space is reserved now, for as
 * many messages of as many bytes as /dev/shm has room for, each up to 2147483647; the threads of all
 * processes that use it at one time are 1024 at most.
 *
 * - Ownership: the handle is the caller's, until unipc_queue_close(). The queue itself stays until
 *   unipc_queue_unlink() and the last close, or the end of the system.
 * - Blocking: never.
 * - Errors: EEXIST; EINVAL, EMFILE, ENOSPC, ENOMEM: the sentence names the limit that a size or
 *   count goes beyond, its value and the way out; EACCES; ENAMETOOLONG; ENFILE; E2BIG: options of
 *   a newer header; EOPNOTSUPP: engine shm where the C library or the kernel has no robust futexes.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: mq_open(3)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_queue *unipc_queue_create(const char *name,
                                       const struct unipc_queue_options *options);

/**
 * Opens a queue that exists. Its own sizes and mode hold, not those of `options`, which may be
 * NULL.
 *
 * - Ownership: the handle is the caller's, until unipc_queue_close().
 * - Blocking: never.
 * - Errors: ENOENT; EACCES; EINVAL: the name, or the queue is of the other engine; ENAMETOOLONG;
 *   EMFILE; ENFILE; E2BIG: options of a newer header. On engine shm: EBADMSG: the file is no queue, or
 *   spoiled; EPROTO: of another version of unipc's layout or another kind of machine; EUSERS: 1024
 *   threads use it; ENOSPC: no page of /dev/shm is left for one more; ENOMEM; EOPNOTSUPP as
 *   unipc_queue_create().
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: mq_open(3)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_queue *unipc_queue_open(const char *name,
                                     const struct unipc_queue_options *options);

/**
 * Opens a queue, or makes it if it does not exist, and stores in `created`, which may be NULL, 1
 * if this call made it and else 0.
 *
 * - Ownership: as unipc_queue_create().
 * - Blocking: never.
 * - Errors: those of unipc_queue_create() and unipc_queue_open() but EEXIST and ENOENT.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: mq_open(3)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_queue *unipc_queue_open_or_create(const char *name,
                                               const struct unipc_queue_options *options,
                                               int *created);

/**
 * Removes the name of a queue, of whichever engine. Who has it open keeps it; it goes with the last
 * of them.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: ENOENT; EACCES; EINVAL; ENAMETOOLONG.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: mq_unlink(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_queue_unlink(const char *name);

/**
 * Sends `length` bytes as one message, which overtakes those of lower `priority`, 0 to
 * UNIPC_QUEUE_PRIORITY_MAX, and waits while the queue is full. Any length from 0 up to the
 * queue's message_size is a message.
 *
 * - Ownership: `data` stays the caller's and is copied; NULL if `length` is 0.
 * - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
 * - Errors: EAGAIN: full, and not to wait; ETIMEDOUT; EINTR: a signal handler ran, and nothing was
 *   sent; EMSGSIZE: too long; EINVAL: the priority, the timeout; EBADF: opened for receiving only.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: mq_timedsend(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_queue_send(struct unipc_queue *queue,
                     const void *data,
                     size_t length,
                     unsigned int priority,
                     int64_t timeout);

/**
 * Sends as unipc_queue_send(), and waits until `seconds` and `nanoseconds` since 1970 on the
 * realtime clock, as POSIX has it: setting that clock moves the end of the wait.
 *
 * - Ownership: `data` stays the caller's and is copied; NULL if `length` is 0.
 * - Blocking: up to that time; a time that has passed does not wait.
 * - Errors: those of unipc_queue_send(); EINVAL: `nanoseconds` not in 0 to 999999999, `seconds`
 *   negative.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: mq_timedsend(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_queue_send_until(struct unipc_queue *queue,
                           const void *data,
                           size_t length,
                           unsigned int priority,
                           int64_t seconds,
                           int64_t nanoseconds);

/**
 * Takes the oldest message of the highest priority, and waits while the queue is empty. `length`
 * is at least the queue's message_size, whatever the message. `priority`, which may be NULL,
 * receives that of the message.
 *
 * - Ownership: `buffer` stays the caller's; after a failure its bytes mean nothing.
 * - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
 * - Errors: EAGAIN: empty, and not to wait; ETIMEDOUT; EINTR: a signal handler ran, and nothing
 *   was taken; EMSGSIZE: the buffer is too short, the sentence says for what, and the message
 *   stays; EINVAL: the timeout; EBADF: opened for sending only.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: mq_timedreceive(3)
 *
 * @return the length of the message, which may be 0, or -1 with errno set.
 */
ssize_t unipc_queue_receive(struct unipc_queue *queue,
                            void *buffer,
                            size_t length,
                            unsigned int *priority,
                            int64_t timeout);

/**
 * Takes a message as unipc_queue_receive(), and waits until `seconds` and `nanoseconds` since
 * 1970 on the realtime clock, as POSIX has it: setting that clock moves the end of the wait.
 *
 * - Ownership: `buffer` stays the caller's; after a failure its bytes mean nothing.
 * - Blocking: up to that time; a time that has passed does not wait.
 * - Errors: those of unipc_queue_receive(); EINVAL: `nanoseconds` not in 0 to 999999999,
 *   `seconds` negative.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: mq_timedreceive(3)
 *
 * @return the length of the message, which may be 0, or -1 with errno set.
 */
ssize_t unipc_queue_receive_until(struct unipc_queue *queue,
                                  void *buffer,
                                  size_t length,
                                  unsigned int *priority,
                                  int64_t seconds,
                                  int64_t nanoseconds);

/**
 * Takes a message as unipc_queue_receive(), into memory of its size, and stores where in `data`.
 *
 * - Ownership: the memory is the caller's, until unipc_free(). On failure nothing is stored.
 * - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
 * - Errors: those of unipc_queue_receive() but EMSGSIZE; ENOMEM.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: mq_timedreceive(3)
 *
 * @return the length of the message, which may be 0, or -1 with errno set.
 */
ssize_t unipc_queue_receive_alloc(struct unipc_queue *queue,
                                  void **data,
                                  unsigned int *priority,
                                  int64_t timeout);

/**
 * Sends `count` messages of one `priority`: waits until there is room for the first, and then sends
 * as many as there is room for. Those behind did not go, and what is wrong with one of them is told
 * by the next call, of which it is the first.
 *
 * - Ownership: `messages` and their bytes stay the caller's, and are copied.
 * - Blocking: as unipc_queue_send(), for the first.
 * - Errors: those of unipc_queue_send(), of the first; EINVAL: a NULL in any of them. None went.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: sendmmsg(2)
 *
 * @return how many went, 0 only of 0, or -1 with errno set.
 */
ssize_t unipc_queue_send_many(struct unipc_queue *queue,
                              const struct iovec *messages,
                              size_t count,
                              unsigned int priority,
                              int64_t timeout);

/**
 * Takes up to `count` messages: waits for the first, and then takes what is there. Message i goes
 * into `buffers[i]`, its length into `lengths[i]` and its priority into `priorities[i]`, if that
 * array is not NULL. Each buffer has at least the queue's message_size.
 *
 * - Ownership: all arrays and buffers stay the caller's. `buffers` is not changed, and can serve again.
 * - Blocking: as unipc_queue_receive(), for the first.
 * - Errors: those of unipc_queue_receive(), of the first; EINVAL: a NULL, in any of `buffers` too. None
 *   was taken. A later buffer that is too short ends the batch before it.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: recvmmsg(2)
 *
 * @return how many were taken, 0 only of 0, or -1 with errno set.
 */
ssize_t unipc_queue_receive_many(struct unipc_queue *queue,
                                 const struct iovec *buffers,
                                 size_t *lengths,
                                 unsigned int *priorities,
                                 size_t count,
                                 int64_t timeout);

/**
 * Takes room for a message of `length` bytes and `priority` in the queue itself, waits while there is
 * none, and fills `slot`. The bytes are then written at `slot->data` and sent by unipc_queue_commit():
 * nothing is copied. What is not written is what some message left there. Engine shm only.
 *
 * - Ownership: the room is the slot's, until unipc_queue_commit() or unipc_queue_abort(); on failure the
 *   slot holds nothing.
 * - Blocking: as unipc_queue_send().
 * - Errors: those of unipc_queue_send(); EINVAL: the slot holds a message, or says that it has no size;
 *   EOPNOTSUPP: engine posix.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: mq_timedsend(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_queue_reserve(struct unipc_queue *queue,
                        size_t length,
                        unsigned int priority,
                        struct unipc_queue_slot *slot,
                        int64_t timeout);

/**
 * Sends what was written to a reserved slot: its first `slot->length` bytes.
 *
 * - Ownership: the slot holds nothing any more, unless EBADF, EMSGSIZE or EINVAL says otherwise.
 * - Blocking: never.
 * - Errors: EMSGSIZE: `slot->length` is more than was reserved; EINVAL: the slot holds no reservation of
 *   this queue; EOWNERDEAD: the thread that reserved has ended and the others took its room back, or a
 *   copy of the slot was ended before, and nothing is sent; EOPNOTSUPP: engine posix.
 * - Safety: threads: any; fork: the child ends what it began itself; signals: no.
 * - See: mq_timedsend(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_queue_commit(struct unipc_queue *queue,
                       struct unipc_queue_slot *slot);

/**
 * Gives back the room of a reserved slot, and sends nothing.
 *
 * - Ownership: the slot holds nothing any more, unless EBADF or EINVAL says otherwise.
 * - Blocking: never.
 * - Errors: EINVAL: the slot holds no reservation of this queue; EOWNERDEAD: it was over before;
 *   EOPNOTSUPP: engine posix.
 * - Safety: threads: any; fork: the child ends what it began itself; signals: no.
 * - See: mq_overview(7)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_queue_abort(struct unipc_queue *queue, struct unipc_queue_slot *slot);

/**
 * Takes the oldest message of the highest priority as unipc_queue_receive(), but leaves its bytes
 * where they are and fills `slot`. Nobody else receives it, until unipc_queue_release() consumes it or
 * unipc_queue_put_back() puts it where it was. If this process dies before, the others receive it: so
 * each message is dealt with at least once. Engine shm only.
 *
 * - Ownership: the message is the slot's, until unipc_queue_release() or unipc_queue_put_back(); on
 *   failure the slot holds nothing.
 * - Blocking: as unipc_queue_receive().
 * - Errors: those of unipc_queue_receive() but EMSGSIZE; EINVAL: the slot holds a message, or says that
 *   it has no size; EOPNOTSUPP: engine posix.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: mq_timedreceive(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_queue_borrow(struct unipc_queue *queue,
                       struct unipc_queue_slot *slot,
                       int64_t timeout);

/**
 * Consumes a borrowed message: it is out of the queue.
 *
 * - Ownership: the slot holds nothing any more, unless EBADF or EINVAL says otherwise.
 * - Blocking: never.
 * - Errors: EINVAL: the slot holds no borrowed message of this queue; EOWNERDEAD: the thread that
 *   borrowed has ended and the others took its message back, or a copy of the slot was ended before;
 *   EOPNOTSUPP: engine posix.
 * - Safety: threads: any; fork: the child ends what it began itself; signals: no.
 * - See: mq_timedreceive(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_queue_release(struct unipc_queue *queue,
                        struct unipc_queue_slot *slot);

/**
 * Puts a borrowed message back to where it was, before those that were behind it.
 *
 * - Ownership: the slot holds nothing any more, unless EBADF or EINVAL says otherwise.
 * - Blocking: never.
 * - Errors: EINVAL: the slot holds no borrowed message of this queue; EOWNERDEAD: it was over before;
 *   EOPNOTSUPP: engine posix.
 * - Safety: threads: any; fork: the child ends what it began itself; signals: no.
 * - See: mq_overview(7)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_queue_put_back(struct unipc_queue *queue,
                         struct unipc_queue_slot *slot);

/**
 * Ends all waits on this handle, in whatever thread, now and later: who waits, or would have to, gets
 * ESHUTDOWN. What needs no wait goes on, and so do other handles. A child made by fork is not
 * concerned. Engine shm only.
 *
 * - Ownership: none changes.
 * - Blocking: until those who wait are about to return.
 * - Errors: EOPNOTSUPP: engine posix, whose waits are the kernel's.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: shutdown(2)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_queue_shutdown(struct unipc_queue *queue);

/**
 * Fills `attributes` with what the queue is like now.
 *
 * - Ownership: `attributes` stays the caller's.
 * - Blocking: never.
 * - Errors: EINVAL: `attributes` says that it has no size.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: mq_getattr(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_queue_get_attributes(const struct unipc_queue *queue,
                               struct unipc_queue_attributes *attributes);

/**
 * Sets, with `on` not 0, or clears that no call on this handle waits. Handles that were opened
 * separately are not concerned. A child that inherits this one has what was set before the fork; on
 * engine posix what is set later, too.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: those of every call.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: mq_setattr(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_queue_set_nonblocking(struct unipc_queue *queue, int on);

/**
 * The descriptor of the queue, for poll(2) and its kin: readable while it holds a message,
 * writable while it has room. On engine shm it is an eventfd, not to be read or written, and from the
 * first time that it is asked for a thread of this process keeps it right; what this handle does it
 * shows at once, and what others do a little later.
 *
 * - Ownership: stays the handle's: not to be closed, and good until unipc_queue_close().
 * - Blocking: never.
 * - Errors: those of every call.
 * - Safety: threads: any; fork: yes, and a child that polls asks for it anew; signals: no.
 * - See: mq_overview(7)
 *
 * @return the descriptor, or -1 with errno set.
 */
int unipc_queue_fd(const struct unipc_queue *queue);

/**
 * Has `signal` sent to this process, once, when a message comes into the empty queue and nobody
 * waits for it; si_code is SI_MESGQ, and si_value holds `value`. One process at a time can be
 * registered with a queue. On engine shm a thread of this process waits for the message and sends the
 * signal.
 *
 * - Ownership: none changes; the registration is this process's until it fires, is cancelled or this
 *   handle is closed; on engine posix, any handle of the queue in this process.
 * - Blocking: never.
 * - Errors: EBUSY: some process is registered; EINVAL: no such signal; EAGAIN: no thread can be made.
 * - Safety: threads: any; fork: the child has no registration; signals: no.
 * - See: mq_notify(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_queue_notify_signal(struct unipc_queue *queue,
                              int signal,
                              size_t value);

/**
 * Has `callback` called with `argument`, once and on a thread of its own, when a message comes
 * into the empty queue and nobody waits for it. It may register anew, and must return: neither
 * pthread_exit(3) nor an exception of C++ may leave it. Its thread has 2 MiB of stack, and all
 * signals blocked but those of its own faults.
 *
 * - Ownership: `argument` is only passed on; it must be good until the call has returned or
 *   unipc_queue_cancel_notify() has. Closing this handle cancels too, on engine posix any handle of
 *   the queue in this process, but a call that is due by then may still come.
 * - Blocking: never.
 * - Errors: EBUSY: some process is registered; EAGAIN: no thread can be made; EMFILE.
 * - Safety: threads: any; fork: the child has no registration, but a descriptor of it until it
 *   calls exec; signals: no.
 * - See: mq_notify(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_queue_notify_callback(struct unipc_queue *queue,
                                void (*callback)(void *argument),
                                void *argument);

/**
 * Cancels what unipc_queue_notify_signal() or unipc_queue_notify_callback() registered in this
 * process, if anything. When it returns, no callback of this handle runs or will run.
 *
 * - Ownership: none changes.
 * - Blocking: while a callback that is due runs, unless it is the callback that calls.
 * - Errors: those of every call.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: mq_notify(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_queue_cancel_notify(struct unipc_queue *queue);

/**
 * Closes the handle. NULL is allowed. The queue and its messages stay.
 *
 * On engine shm other threads may be in calls on the handle: their waits end with EBADF, and this
 * call returns when all of them are out. The bytes of slots are not there any more. What slots of this
 * thread hold goes back to the queue at once; what those of another hold, when that thread next comes
 * to another queue, or ends.
 *
 * - Ownership: takes the handle; this process's notification by the queue is cancelled.
 * - Blocking: on engine shm for as long as other threads are in calls, of which none goes on waiting
 *   but unipc_queue_cancel_notify(); otherwise never.
 * - Errors: EBADF: it is closed already.
 * - Safety: threads: any on engine shm; on engine posix none may be in a call on the handle, as with
 *   close(2); fork: the handles of parent and child are closed separately; signals: no.
 * - See: mq_close(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_queue_close(struct unipc_queue *queue);

/**
 * Makes a semaphore of `value` that must not exist yet, and opens it.
 *
 * `name` is "/lock": one slash at its beginning, no other, and 1 to 251 bytes behind it.
 * `options` may be NULL.
 *
 * - Ownership: the handle is the caller's, until unipc_semaphore_close(). The semaphore itself
 *   stays until unipc_semaphore_unlink() and the last close, or the end of the system.
 * - Blocking: never.
 * - Errors: EEXIST; EINVAL: the name, the mode, a value beyond UNIPC_SEMAPHORE_MAX; EACCES;
 *   ENAMETOOLONG; ENOSPC; EMFILE; ENFILE; ENOMEM; E2BIG: options of a newer header; EOPNOTSUPP: engine
 *   shm.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: sem_open(3)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_semaphore *unipc_semaphore_create(const char *name,
                                               unsigned int value,
                                               const struct unipc_semaphore_options *options);

/**
 * Opens a semaphore that exists.
 *
 * - Ownership: the handle is the caller's, until unipc_semaphore_close().
 * - Blocking: never.
 * - Errors: ENOENT; EACCES; EINVAL: the name, or what is there is no semaphore; ENAMETOOLONG;
 *   EMFILE; ENFILE; ENOMEM; E2BIG: options of a newer header; EOPNOTSUPP: engine shm.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: sem_open(3)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_semaphore *unipc_semaphore_open(const char *name,
                                             const struct unipc_semaphore_options *options);

/**
 * Opens a semaphore, or makes it with `value` if it does not exist, and stores in `created`, which
 * may be NULL, 1 if this call made it and else 0.
 *
 * - Ownership: as unipc_semaphore_create().
 * - Blocking: never.
 * - Errors: those of unipc_semaphore_create() and unipc_semaphore_open() but EEXIST and ENOENT.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: sem_open(3)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_semaphore *unipc_semaphore_open_or_create(const char *name,
                                                       unsigned int value,
                                                       const struct unipc_semaphore_options *options,
                                                       int *created);

/**
 * Makes a semaphore of `value` inside shared memory, UNIPC_SEMAPHORE_SIZE bytes at `offset`, a
 * multiple of UNIPC_SEMAPHORE_ALIGN. Nobody may use what was there before.
 *
 * - Ownership: the handle is the caller's, until unipc_semaphore_close(), and keeps the bytes mapped,
 *   also when the memory is closed before it.
 * - Blocking: never.
 * - Errors: ERANGE: it does not fit; EINVAL: the offset is not aligned, the memory is private, the
 *   value is beyond UNIPC_SEMAPHORE_MAX; EACCES: the memory may not be written.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: sem_init(3)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_semaphore *unipc_semaphore_init_in(struct unipc_memory *memory,
                                                size_t offset,
                                                unsigned int value);

/**
 * Uses a semaphore that somebody made inside shared memory, with unipc_semaphore_init_in() or
 * sem_init(3).
 *
 * - Ownership: the handle is the caller's, until unipc_semaphore_close(), and keeps the bytes mapped,
 *   also when the memory is closed before it.
 * - Blocking: never.
 * - Errors: ERANGE: it does not fit; EINVAL: the offset is not aligned, the memory is private;
 *   EACCES: the memory may not be written; EBADMSG: what stands there is no semaphore that
 *   processes share.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: sem_overview(7)
 *
 * @return the handle, or NULL with errno set.
 */
struct unipc_semaphore *unipc_semaphore_open_in(struct unipc_memory *memory,
                                                size_t offset);

/**
 * Takes one off the value, and waits while it is 0.
 *
 * - Ownership: none changes: who takes and who gives back need not be the same.
 * - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
 * - Errors: EAGAIN: 0, and not to wait; ETIMEDOUT; EINTR: a signal handler ran, and nothing was
 *   taken; EINVAL: the timeout.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: sem_wait(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_semaphore_wait(struct unipc_semaphore *semaphore, int64_t timeout);

/**
 * Waits as unipc_semaphore_wait(), until `seconds` and `nanoseconds` since 1970 on the realtime
 * clock, as POSIX has it: setting that clock moves the end of the wait.
 *
 * - Ownership: none changes.
 * - Blocking: up to that time; a time that has passed does not wait.
 * - Errors: those of unipc_semaphore_wait(); EINVAL: `nanoseconds` not in 0 to 999999999,
 *   `seconds` negative.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: sem_timedwait(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_semaphore_wait_until(struct unipc_semaphore *semaphore,
                               int64_t seconds,
                               int64_t nanoseconds);

/**
 * Adds one to the value, and lets one that waits go on.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: EOVERFLOW: the value is UNIPC_SEMAPHORE_MAX. unipc_last_error() does not tell.
 * - Safety: threads: any; fork: yes; signals: yes, as sem_post(3): a handler may call it, and keeps
 *   errno itself.
 * - See: sem_post(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_semaphore_post(struct unipc_semaphore *semaphore);

/**
 * Adds `count` to the value, one after another.
 *
 * - Ownership: none changes. `posted`, which may be NULL, receives how many were added, on failure
 *   too.
 * - Blocking: never.
 * - Errors: EOVERFLOW: the value would exceed UNIPC_SEMAPHORE_MAX.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: sem_post(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_semaphore_post_many(struct unipc_semaphore *semaphore,
                              unsigned int count,
                              unsigned int *posted);

/**
 * The value as it is now.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: those of every call.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: sem_getvalue(3)
 *
 * @return the value, or -1 with errno set.
 */
int unipc_semaphore_value(const struct unipc_semaphore *semaphore);

/**
 * Removes the name of a semaphore. Who has it open keeps it; it goes with the last of them.
 *
 * - Ownership: none changes.
 * - Blocking: never.
 * - Errors: ENOENT; EACCES; EINVAL; ENAMETOOLONG.
 * - Safety: threads: any; fork: yes; signals: no.
 * - See: sem_unlink(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_semaphore_unlink(const char *name);

/**
 * Closes the handle. NULL is allowed. The semaphore and its value stay.
 *
 * - Ownership: takes the handle.
 * - Blocking: never.
 * - Errors: EBADF: it is closed already.
 * - Safety: threads: none may be in a call on the handle, as with close(2); fork: the handles of
 *   parent and child are closed separately; signals: no.
 * - See: sem_close(3)
 *
 * @return 0, or -1 with errno set.
 */
int unipc_semaphore_close(struct unipc_semaphore *semaphore);

#ifdef __cplusplus
}
#endif

#endif /* UNIPC_H */
