/* What C may get wrong: NULL, closed and mistaken handles, structs of other versions. */
#include "harness.h"
#include <sys/resource.h>
#include <sys/stat.h>

static struct {
    unipc_pipe_reader *reader;
    unipc_pipe_writer *writer;
    unipc_fifo *fifo;
    unipc_queue *queue;
    unipc_memory *memory;
    unipc_semaphore *semaphore;
} all;

/* Some pointer where another type is expected: what a cast in a program can do. */
#define AS(type, handle) ((unipc_##type *)(void *)(handle))

static void open_all(void) {
    unipc_queue_options options = UNIPC_QUEUE_OPTIONS_INIT;
    options.max_messages = options.message_size = 1;
    CHECK(unipc_pipe_create(&all.reader, &all.writer) == 0);
    CHECK((all.fifo = unipc_fifo_create(unique_path("fifo"), NULL)) != NULL);
    CHECK((all.queue = unipc_queue_create(unique("queue"), &options)) != NULL);
    CHECK((all.memory = unipc_memory_anonymous(100, NULL)) != NULL);
    CHECK((all.semaphore = unipc_semaphore_create(unique("semaphore"), 0, NULL)) != NULL);
}

static void close_all(void) {
    CHECK(unipc_pipe_reader_close(all.reader) == 0 && unipc_pipe_writer_close(all.writer) == 0);
    CHECK(unipc_fifo_close(all.fifo) == 0 && unipc_queue_close(all.queue) == 0);
    CHECK(unipc_memory_close(all.memory) == 0 && unipc_semaphore_close(all.semaphore) == 0);
}

/* Every function that takes a handle, with `handle` in its place: each must fail alike. */
#define EVERY_PIPE_END(end, error, sentence, handle)                                              \
    FAILS(unipc_pipe_##end##_capacity(AS(pipe_##end, handle)), error, sentence);                 \
    FAILS(unipc_pipe_##end##_set_capacity(AS(pipe_##end, handle), 4096), error, sentence);       \
    FAILS(unipc_pipe_##end##_set_nonblocking(AS(pipe_##end, handle), 1), error, sentence);       \
    FAILS(unipc_pipe_##end##_is_nonblocking(AS(pipe_##end, handle)), error, sentence);           \
    FAILS(unipc_pipe_##end##_set_inheritable(AS(pipe_##end, handle), 1), error, sentence);       \
    FAILS(unipc_pipe_##end##_is_inheritable(AS(pipe_##end, handle)), error, sentence);           \
    FAILS(unipc_pipe_##end##_fd(AS(pipe_##end, handle)), error, sentence);                       \
    FAILS_NULL(unipc_pipe_##end##_duplicate(AS(pipe_##end, handle)), error, sentence);           \
    FAILS(unipc_pipe_##end##_duplicate_onto(AS(pipe_##end, handle), 200), error, sentence)

static char byte[1];
static unipc_queue_attributes attributes = UNIPC_QUEUE_ATTRIBUTES_INIT;
static void never(void *argument) { (void)argument; }

static void every_reader_call(void *handle, int error, const char *sentence) {
    EVERY_PIPE_END(reader, error, sentence, handle);
    FAILS(unipc_pipe_read(AS(pipe_reader, handle), byte, 1, 0), error, sentence);
    FAILS(unipc_pipe_read_full(AS(pipe_reader, handle), byte, 1, 0, NULL), error, sentence);
    FAILS(unipc_pipe_available(AS(pipe_reader, handle)), error, sentence);
    FAILS(unipc_pipe_splice_to(AS(pipe_reader, handle), 1, 1, 0), error, sentence);
    FAILS(unipc_pipe_tee(AS(pipe_reader, handle), NULL, 1, 0), error, sentence);
}

static void every_writer_call(void *handle, int error, const char *sentence) {
    EVERY_PIPE_END(writer, error, sentence, handle);
    FAILS(unipc_pipe_write(AS(pipe_writer, handle), byte, 1, 0), error, sentence);
    FAILS(unipc_pipe_write_full(AS(pipe_writer, handle), byte, 1, 0, NULL), error, sentence);
    FAILS(unipc_pipe_splice_from(AS(pipe_writer, handle), 0, 1, 0), error, sentence);
    FAILS(unipc_pipe_vmsplice(AS(pipe_writer, handle), byte, 1, 0), error, sentence);
}

static void every_fifo_call(void *handle, int error, const char *sentence) {
    FAILS_NULL(unipc_fifo_open_reader(AS(fifo, handle), 0), error, sentence);
    FAILS_NULL(unipc_fifo_open_writer(AS(fifo, handle), 0), error, sentence);
}

static void every_queue_call(void *handle, int error, const char *sentence) {
    void *data;
    FAILS(unipc_queue_send(AS(queue, handle), byte, 1, 0, 0), error, sentence);
    FAILS(unipc_queue_send_until(AS(queue, handle), byte, 1, 0, 0, 0), error, sentence);
    FAILS(unipc_queue_receive(AS(queue, handle), byte, 1, NULL, 0), error, sentence);
    FAILS(unipc_queue_receive_until(AS(queue, handle), byte, 1, NULL, 0, 0), error, sentence);
    FAILS(unipc_queue_receive_alloc(AS(queue, handle), &data, NULL, 0), error, sentence);
    FAILS(unipc_queue_get_attributes(AS(queue, handle), &attributes), error, sentence);
    FAILS(unipc_queue_set_nonblocking(AS(queue, handle), 1), error, sentence);
    FAILS(unipc_queue_fd(AS(queue, handle)), error, sentence);
    FAILS(unipc_queue_notify_signal(AS(queue, handle), SIGUSR1, 0), error, sentence);
    FAILS(unipc_queue_notify_callback(AS(queue, handle), never, NULL), error, sentence);
    FAILS(unipc_queue_cancel_notify(AS(queue, handle)), error, sentence);
}

static void every_memory_call(void *handle, int error, const char *sentence) {
    FAILS_NULL(unipc_memory_address(AS(memory, handle)), error, sentence);
    FAILS(unipc_memory_length(AS(memory, handle)), error, sentence);
    FAILS(unipc_memory_read(AS(memory, handle), 0, byte, 1), error, sentence);
    FAILS(unipc_memory_write(AS(memory, handle), 0, byte, 1), error, sentence);
    FAILS(unipc_memory_resize(AS(memory, handle), 10), error, sentence);
    FAILS(unipc_memory_protect(AS(memory, handle), UNIPC_PROTECTION_READ), error, sentence);
    FAILS(unipc_memory_sync(AS(memory, handle)), error, sentence);
    FAILS(unipc_memory_sync_range(AS(memory, handle), 0, 1), error, sentence);
    FAILS(unipc_memory_seal(AS(memory, handle), UNIPC_SEAL_GROW), error, sentence);
    FAILS(unipc_memory_seals(AS(memory, handle)), error, sentence);
    FAILS(unipc_memory_fd(AS(memory, handle)), error, sentence);
    FAILS_NULL(unipc_semaphore_init_in(AS(memory, handle), 0, 0), error, sentence);
    FAILS_NULL(unipc_semaphore_open_in(AS(memory, handle), 0), error, sentence);
}

static void every_semaphore_call(void *handle, int error, const char *sentence) {
    FAILS(unipc_semaphore_wait(AS(semaphore, handle), 0), error, sentence);
    FAILS(unipc_semaphore_wait_until(AS(semaphore, handle), 0, 0), error, sentence);
    errno = 0;
    CHECK(unipc_semaphore_post(AS(semaphore, handle)) == -1 && errno == error); /* it has no sentence */
    FAILS(unipc_semaphore_post_many(AS(semaphore, handle), 1, NULL), error, sentence);
    FAILS(unipc_semaphore_value(AS(semaphore, handle)), error, sentence);
}

TEST(null_is_refused_by_every_call) {
    every_reader_call(NULL, EINVAL, "pipe reader is NULL");
    every_writer_call(NULL, EINVAL, "pipe writer is NULL");
    every_fifo_call(NULL, EINVAL, "FIFO is NULL");
    every_queue_call(NULL, EINVAL, "queue is NULL");
    every_memory_call(NULL, EINVAL, "memory object is NULL");
    every_semaphore_call(NULL, EINVAL, "semaphore is NULL");
}

TEST(null_can_be_closed) {
    CHECK(unipc_pipe_reader_close(NULL) == 0 && unipc_pipe_writer_close(NULL) == 0);
    CHECK(unipc_fifo_close(NULL) == 0 && unipc_queue_close(NULL) == 0);
    CHECK(unipc_memory_close(NULL) == 0 && unipc_semaphore_close(NULL) == 0);
}

TEST(a_closed_handle_is_refused_by_every_call) {
    open_all();
    close_all();
    every_reader_call(all.reader, EBADF, "the pipe reader is closed");
    every_writer_call(all.writer, EBADF, "the pipe writer is closed");
    every_fifo_call(all.fifo, EBADF, "the FIFO is closed");
    every_queue_call(all.queue, EBADF, "the queue is closed");
    every_memory_call(all.memory, EBADF, "the memory object is closed");
    every_semaphore_call(all.semaphore, EBADF, "the semaphore is closed");
}

TEST(a_handle_is_closed_once) {
    open_all();
    close_all();
    FAILS(unipc_pipe_reader_close(all.reader), EBADF, "unipc_pipe_reader_close: the pipe reader is closed");
    FAILS(unipc_pipe_writer_close(all.writer), EBADF, "unipc_pipe_writer_close: the pipe writer is closed");
    FAILS(unipc_fifo_close(all.fifo), EBADF, "unipc_fifo_close: the FIFO is closed");
    FAILS(unipc_queue_close(all.queue), EBADF, "unipc_queue_close: the queue is closed");
    FAILS(unipc_memory_close(all.memory), EBADF, "unipc_memory_close: the memory object is closed");
    FAILS(unipc_semaphore_close(all.semaphore), EBADF, "unipc_semaphore_close: the semaphore is closed");
}

TEST(a_handle_of_another_kind_is_refused_by_every_call) {
    open_all();
    every_reader_call(all.writer, EINVAL, "the handle is a pipe writer, not a pipe reader");
    every_writer_call(all.reader, EINVAL, "the handle is a pipe reader, not a pipe writer");
    every_fifo_call(all.queue, EINVAL, "the handle is a queue, not a FIFO");
    every_queue_call(all.semaphore, EINVAL, "the handle is a semaphore, not a queue");
    every_memory_call(all.fifo, EINVAL, "the handle is a FIFO, not a memory object");
    every_semaphore_call(all.memory, EINVAL, "the handle is a memory object, not a semaphore");
    FAILS(unipc_queue_close(AS(queue, all.semaphore)), EINVAL, "the handle is a semaphore, not a queue");
    FAILS(unipc_pipe_tee(all.reader, AS(pipe_writer, all.reader), 1, 0), EINVAL, "not a pipe writer");
    close_all(); /* nobody was closed by mistake */
}

TEST(a_pointer_to_something_else_is_refused_by_every_call) {
    static size_t something[8] = {1, 2, 3};
    every_reader_call(something, EINVAL, "the pointer given as pipe reader is no handle of unipc");
    every_queue_call(something, EINVAL, "the pointer given as queue is no handle of unipc");
    every_memory_call(something, EINVAL, "the pointer given as memory object is no handle of unipc");
    every_semaphore_call(something, EINVAL, "the pointer given as semaphore is no handle of unipc");
    FAILS(unipc_queue_close(AS(queue, something)), EINVAL, "no handle of unipc");
}

enum { THREADS = 4, ROUNDS = 200000, HELD = 2 };
static void *open_and_close(void *memory) {
    unipc_semaphore *held[HELD] = {0};
    unsigned int dice = (unsigned int)(size_t)&held;
    for (int i = 0; i < ROUNDS; i++) {
        dice = dice * 1103515245 + 12345;
        unipc_semaphore **slot = &held[(dice >> 16) % HELD];
        if (*slot) {
            CHECK(unipc_semaphore_close(*slot) == 0); /* a handle that another thread had too is closed by now */
            *slot = NULL;
        } else {
            CHECK((*slot = unipc_semaphore_open_in(memory, 0)) != NULL);
        }
    }
    for (int i = 0; i < HELD; i++) CHECK(unipc_semaphore_close(held[i]) == 0);
    return NULL;
}

TEST(threads_that_open_and_close_never_share_a_handle) {
    pthread_t threads[THREADS];
    unipc_memory *memory = unipc_memory_anonymous(UNIPC_SEMAPHORE_SIZE, NULL);
    CHECK(unipc_semaphore_close(unipc_semaphore_init_in(memory, 0, 1)) == 0);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, open_and_close, memory) == 0);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(unipc_memory_close(memory) == 0);
}

static unipc_memory *contested;
static pthread_barrier_t start;
static void *close_contested(void *won) {
    pthread_barrier_wait(&start);
    if (unipc_memory_close(contested) == 0) *(int *)won = 1;
    else CHECK(errno == EBADF);
    return NULL;
}

TEST(of_two_threads_that_close_a_handle_one_succeeds) {
    for (int i = 0; i < 200; i++) {
        pthread_t other;
        int won[2] = {0, 0};
        CHECK((contested = unipc_memory_anonymous(1, NULL)) != NULL);
        CHECK(pthread_barrier_init(&start, NULL, 2) == 0);
        CHECK(pthread_create(&other, NULL, close_contested, &won[0]) == 0);
        close_contested(&won[1]);
        CHECK(pthread_join(other, NULL) == 0);
        CHECK(won[0] + won[1] == 1);
    }
}

/* ---- structs of other versions */

TEST(options_of_an_older_program_have_defaults_where_they_end) {
    unipc_queue_options options = UNIPC_QUEUE_OPTIONS_INIT;
    unipc_queue_attributes now = UNIPC_QUEUE_ATTRIBUTES_INIT;
    options.size = offsetof(unipc_queue_options, mode);
    options.max_messages = 2;
    options.message_size = 8;
    options.engine = 77; /* beyond its end: never looked at */
    unipc_queue *queue = unipc_queue_create(unique("queue"), &options);
    CHECK(queue != NULL && unipc_queue_get_attributes(queue, &now) == 0 && now.max_messages == 2);
    CHECK(unipc_queue_close(queue) == 0);
}

TEST(options_of_a_newer_program_work_until_they_ask_for_what_is_not_here) {
    struct { unipc_fifo_options known; int later; int filler; } options = {UNIPC_FIFO_OPTIONS_INIT, 0, 0};
    options.known.size = sizeof options;
    unipc_fifo *fifo = unipc_fifo_create(unique_path("fifo"), &options.known);
    CHECK(fifo != NULL && unipc_fifo_close(fifo) == 0);
    options.later = 1;
    FAILS_NULL(unipc_fifo_create(unique_path("other"), &options.known), E2BIG, "fields beyond are set");
}

TEST(options_without_a_size_are_refused) {
    unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
    options.size = 0;
    FAILS_NULL(unipc_memory_anonymous(1, &options), EINVAL, "begin with its _INIT macro");
    options.size = sizeof(size_t) - 1;
    FAILS_NULL(unipc_memory_anonymous(1, &options), EINVAL, "begin with its _INIT macro");
    options.size = SIZE_MAX;
    FAILS_NULL(unipc_memory_anonymous(1, &options), EINVAL, "begin with its _INIT macro");
}

TEST(attributes_are_filled_as_far_as_the_caller_has_room) {
    struct { unipc_queue_attributes known; size_t later; } now = {UNIPC_QUEUE_ATTRIBUTES_INIT, 99};
    open_all();
    now.known.size = offsetof(unipc_queue_attributes, message_size);
    now.known.message_size = 99;
    CHECK(unipc_queue_get_attributes(all.queue, &now.known) == 0);
    CHECK(now.known.max_messages == 1 && now.known.message_size == 99);
    CHECK(now.known.size == offsetof(unipc_queue_attributes, message_size));
    now.known.size = sizeof now;
    CHECK(unipc_queue_get_attributes(all.queue, &now.known) == 0);
    CHECK(now.known.message_size == 1 && now.later == 0 && now.known.size == sizeof now);
    now.known.size = 0;
    FAILS(unipc_queue_get_attributes(all.queue, &now.known), EINVAL, "_INIT macro");
    close_all();
}

TEST(options_that_are_all_zero_but_for_their_size_are_the_defaults) {
    unipc_fifo_options options;
    struct stat found;
    const char *path = unique_path("fifo");
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    CHECK(unipc_fifo_close(unipc_fifo_create(path, &options)) == 0);
    CHECK(stat(path, &found) == 0 && (found.st_mode & 0777) == 0600);
}

/* ---- errors */

TEST(the_last_error_is_each_threads_own_and_stays_until_the_next) {
    CHECK(strcmp(unipc_last_error(), "") == 0);
    FAILS_NULL(unipc_queue_open("/unipc-c-none", NULL), ENOENT, "open queue /unipc-c-none: it does not exist");
    open_all();
    close_all();
    SAYS("/unipc-c-none"); /* success leaves it alone */
    IN_CHILD(SAYS("/unipc-c-none"));
}

static void *asks_for_the_last_error(void *empty) {
    *(int *)empty = unipc_last_error()[0] == 0;
    return NULL;
}

TEST(a_new_thread_has_no_last_error) {
    pthread_t thread;
    int empty = 0;
    FAILS_NULL(unipc_queue_open("/unipc-c-none", NULL), ENOENT, "/unipc-c-none");
    CHECK(pthread_create(&thread, NULL, asks_for_the_last_error, &empty) == 0 && pthread_join(thread, NULL) == 0);
    CHECK(empty);
}

TEST(a_path_that_is_too_long_is_shown_by_its_ends_and_the_cause_is_kept) {
    char path[4000] = "/";
    for (int shift = 0; shift < 3; shift++) {
        memset(path + 1, 'a', shift);
        for (size_t i = 1 + shift; i + 4 < sizeof path; i += 3) memcpy(path + i, "\xe2\x82\xac", 4); /* the euro sign */
        errno = 0;
        CHECK(unipc_fifo_open(path, NULL) == NULL && errno == ENAMETOOLONG);
        const char *sentence = unipc_last_error();
        CHECK(strncmp(sentence, "open FIFO /", 11) == 0);
        CHECK(strstr(sentence, "\xe2\x82\xac\xe2\x80\xa6\xe2\x82\xac") != NULL); /* the cut is between characters */
        CHECK(strstr(sentence, ": the name is too long") != NULL);
    }
}

TEST(errno_is_left_as_the_failure_set_it) {
    int fds[2];
    CHECK(pipe(fds) == 0);
    /* Refusing closes and frees things after the cause is known. */
    for (int i = 0; i < 3; i++) {
        errno = 0;
        CHECK(unipc_memory_from_fd(fds[0], 0, NULL) == NULL && errno == EINVAL);
        CHECK(unipc_fifo_open("/dev/null", NULL) == NULL && errno == EINVAL);
        CHECK(unipc_queue_receive_alloc(NULL, NULL, NULL, 0) == -1 && errno == EINVAL);
    }
    CHECK(close(fds[0]) == 0 && close(fds[1]) == 0);
}

TEST(a_descriptor_that_is_refused_stays_the_callers_and_one_that_is_adopted_keeps_its_locks) {
    unipc_memory *memory;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct rlimit before, full;
    int fds[2], file = open(unique_path("file"), O_RDWR | O_CREAT, 0600);
    CHECK(file != -1 && ftruncate(file, 100) == 0 && pipe(fds) == 0);
    CHECK(unipc_pipe_writer_from_fd(fds[0]) == NULL && errno == EBADF && fcntl(fds[0], F_GETFD) != -1);
    CHECK(unipc_pipe_reader_from_fd(file) == NULL && errno == EINVAL && fcntl(file, F_GETFD) != -1);
    /* The last descriptor of all can be adopted too: that takes no other. */
    CHECK(fcntl(file, F_SETLK, &lock) == 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    full = before;
    full.rlim_cur = file + 1;
    CHECK(setrlimit(RLIMIT_NOFILE, &full) == 0);
    memory = unipc_memory_from_fd(file, 0, NULL);
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(memory != NULL);
    IN_CHILD(struct flock other = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
             CHECK(fcntl(file, F_GETLK, &other) == 0 && other.l_type == F_WRLCK));
    CHECK(unipc_memory_close(memory) == 0);
    CHECK(close(fds[0]) == 0 && close(fds[1]) == 0);
}

TEST(an_exact_mode_of_0_is_0600_whatever_the_umask) {
    unipc_fifo_options options = UNIPC_FIFO_OPTIONS_INIT;
    struct stat status;
    const char *path = unique_path("fifo");
    mode_t before = umask(0277);
    unipc_fifo *fifo;
    options.exact_mode = 1;
    fifo = unipc_fifo_create(path, &options);
    umask(before);
    CHECK(fifo != NULL && stat(path, &status) == 0 && (status.st_mode & 0777) == 0600);
    CHECK(unipc_fifo_close(fifo) == 0);
}

TEST(a_struct_that_ends_within_a_field_is_refused) {
    unipc_queue_options options = UNIPC_QUEUE_OPTIONS_INIT;
    for (options.size = 9; options.size < 16; options.size++)
        CHECK(unipc_queue_open("/none", &options) == NULL && errno == EINVAL);
}

TEST(the_version_of_the_library_is_that_of_the_header) {
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", UNIPC_VERSION_MAJOR, UNIPC_VERSION_MINOR, UNIPC_VERSION_PATCH);
    CHECK(strcmp(unipc_version(), version) == 0);
    CHECK(UNIPC_VERSION_NUMBER == UNIPC_VERSION_MAJOR * 1000000 + UNIPC_VERSION_MINOR * 1000 + UNIPC_VERSION_PATCH);
}
