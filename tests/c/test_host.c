/* What a host program may do to a library, and what a library must not do to its host. */
#include "harness.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { SIZE = 16 };

static unipc_queue *small_queue(const char *name) {
    unipc_queue_options options = UNIPC_QUEUE_OPTIONS_INIT;
    options.max_messages = 2;
    options.message_size = SIZE;
    unipc_queue *queue = unipc_queue_open_or_create(name, &options, NULL);
    CHECK(queue != NULL);
    return queue;
}

/* ---- signals */

TEST(a_broken_pipe_never_kills_a_host_with_the_default_disposition) {
    unipc_pipe_reader *reader, *source;
    unipc_pipe_writer *writer, *into_source;
    struct sigaction action;
    sigset_t blocked, pending;
    CHECK(sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    CHECK(unipc_pipe_create(&reader, &writer) == 0 && unipc_pipe_create(&source, &into_source) == 0);
    CHECK(unipc_pipe_write(into_source, "x", 1, 0) == 1);
    CHECK(unipc_pipe_reader_close(reader) == 0);
    for (int i = 0; i < 3; i++) {
        FAILS(unipc_pipe_write(writer, "x", 1, UNIPC_FOREVER), EPIPE, "pipe");
        FAILS(unipc_pipe_write(writer, "x", 1, 0), EPIPE, "pipe");
        FAILS(unipc_pipe_write(writer, "x", 1, UNIPC_SECONDS(1)), EPIPE, "pipe");
        FAILS(unipc_pipe_write_full(writer, "x", 1, UNIPC_FOREVER, NULL), EPIPE, "pipe");
        FAILS(unipc_pipe_vmsplice(writer, "x", 1, UNIPC_FOREVER), EPIPE, "pipe");
        FAILS(unipc_pipe_tee(source, writer, 1, UNIPC_FOREVER), EPIPE, "pipe");
        FAILS(unipc_pipe_splice_to(source, unipc_pipe_writer_fd(writer), 1, UNIPC_FOREVER), EPIPE, "pipe");
        FAILS(unipc_pipe_splice_from(writer, unipc_pipe_reader_fd(source), 1, UNIPC_FOREVER), EPIPE, "pipe");
    }
    CHECK(sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    CHECK(sigprocmask(SIG_SETMASK, NULL, &blocked) == 0 && !sigismember(&blocked, SIGPIPE));
    CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGPIPE));
    CHECK(unipc_pipe_writer_close(writer) == 0);
    CHECK(unipc_pipe_reader_close(source) == 0 && unipc_pipe_writer_close(into_source) == 0);
}

TEST(a_blocked_and_pending_signal_of_the_hosts_is_left_to_it) {
    unipc_pipe_reader *reader;
    unipc_pipe_writer *writer;
    sigset_t sigpipe, pending;
    CHECK(unipc_pipe_create(&reader, &writer) == 0 && unipc_pipe_reader_close(reader) == 0);
    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    CHECK(sigprocmask(SIG_BLOCK, &sigpipe, NULL) == 0 && raise(SIGPIPE) == 0);
    FAILS(unipc_pipe_write(writer, "x", 1, UNIPC_FOREVER), EPIPE, "pipe");
    FAILS(unipc_pipe_vmsplice(writer, "x", 1, UNIPC_FOREVER), EPIPE, "pipe");
    CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE));
    CHECK(unipc_pipe_writer_close(writer) == 0);
}

/* From now on pwritev2(2) has no flag against SIGPIPE, as before Linux 6.18. */
static void be_on_an_older_kernel(void) {
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pwritev2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof steps / sizeof steps[0], steps};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) SKIP("no seccomp filter can be set here");
}

TEST(a_broken_pipe_never_kills_a_host_on_an_older_kernel) {
    unipc_pipe_reader *reader;
    unipc_pipe_writer *writer;
    sigset_t blocked, pending;
    be_on_an_older_kernel();
    CHECK(unipc_pipe_create(&reader, &writer) == 0);
    CHECK(unipc_pipe_write(writer, "x", 1, UNIPC_FOREVER) == 1 && unipc_pipe_reader_close(reader) == 0);
    FAILS(unipc_pipe_write(writer, "x", 1, UNIPC_FOREVER), EPIPE, "pipe");
    FAILS(unipc_pipe_write(writer, "x", 1, UNIPC_SECONDS(1)), EPIPE, "pipe");
    CHECK(sigprocmask(SIG_SETMASK, NULL, &blocked) == 0 && !sigismember(&blocked, SIGPIPE));
    CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGPIPE));
    CHECK(unipc_pipe_writer_close(writer) == 0);
}

static unipc_semaphore *posted;
static volatile sig_atomic_t posts;
static void on_tick(int number) {
    int error = errno;
    (void)number;
    if (unipc_semaphore_post(posted) == 0) posts++;
    errno = error;
}

TEST(a_signal_handler_posts_in_the_middle_of_anything) {
    const char *name = unique("queue");
    struct sigaction action;
    be_interrupted();
    CHECK((posted = unipc_semaphore_create(unique("semaphore"), 0, NULL)) != NULL);
    memset(&action, 0, sizeof action);
    action.sa_handler = on_tick;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    for (int i = 0; posts < 20; i++) {
        void *memory = malloc(100 + i % 5000);
        unipc_queue *queue = small_queue(name);
        CHECK(memory != NULL);
        CHECK(unipc_queue_open("/unipc-c-none", NULL) == NULL && errno == ENOENT);
        CHECK(unipc_queue_close(queue) == 0);
        free(memory);
    }
    signal(SIGUSR1, SIG_IGN);
    CHECK(unipc_semaphore_value(posted) == posts);
    CHECK(unipc_semaphore_close(posted) == 0);
}

TEST(a_post_that_fails_sets_errno_and_no_sentence) {
    unipc_semaphore *full = unipc_semaphore_create(unique("semaphore"), UNIPC_SEMAPHORE_MAX, NULL);
    FAILS_NULL(unipc_queue_open("/unipc-c-none", NULL), ENOENT, "/unipc-c-none");
    CHECK(unipc_semaphore_post(full) == -1 && errno == EOVERFLOW);
    SAYS("/unipc-c-none");
    CHECK(unipc_semaphore_close(full) == 0);
}

/* ---- cancellation */

static unipc_pipe_reader *reader;
static unipc_pipe_writer *writer;
static unipc_queue *queue;
static unipc_semaphore *semaphore;
static unipc_fifo *fifo;
static sem_t entered;
static int outcome, nowhere;

static void *cancelled_in(void *call) {
    outcome = 99;
    sem_post(&entered);
    ((void (*)(void))(size_t)call)();
    pthread_testcancel();
    return NULL;
}

/* The thread is cancelled inside `call`, which ends only when `release` has run, and well. */
static void cancel_in(void (*call)(void), void (*release)(void)) {
    pthread_t thread;
    void *result;
    CHECK(sem_init(&entered, 0, 0) == 0);
    CHECK(pthread_create(&thread, NULL, cancelled_in, (void *)(size_t)call) == 0);
    CHECK(sem_wait(&entered) == 0);
    pause_ms(30);
    CHECK(pthread_cancel(thread) == 0);
    pause_ms(30);
    CHECK(outcome == 99);
    release();
    CHECK(pthread_join(thread, &result) == 0);
    CHECK(outcome == 1 && result == PTHREAD_CANCELED);
}

static char buffer[65536];
static void receives(void) { outcome = unipc_queue_receive(queue, buffer, SIZE, NULL, UNIPC_FOREVER) == 1; }
static void receives_in_time(void) { outcome = unipc_queue_receive(queue, buffer, SIZE, NULL, UNIPC_SECONDS(50)) == 1; }
static void receives_until(void) { outcome = unipc_queue_receive_until(queue, buffer, SIZE, NULL, now(CLOCK_REALTIME) / UNIPC_SECONDS(1) + 50, 0) == 1; }
static void sends(void) { CHECK(unipc_queue_send(queue, "x", 1, 0, 0) == 0); }
static void reads(void) { outcome = unipc_pipe_read(reader, buffer, 1, UNIPC_FOREVER) == 1; }
static void reads_in_time(void) { outcome = unipc_pipe_read(reader, buffer, 1, UNIPC_SECONDS(50)) == 1; }
static void splices(void) {
    outcome = unipc_pipe_splice_to(reader, nowhere, 1, UNIPC_FOREVER) == 1;
}
static void writes(void) { CHECK(unipc_pipe_write(writer, "x", 1, 0) == 1); }
static void writes_much(void) { outcome = unipc_pipe_write(writer, buffer, 65536, UNIPC_FOREVER) == 65536; }
static void reads_much(void) { CHECK(unipc_pipe_read_full(reader, buffer, 65536, UNIPC_SECONDS(50), NULL) == 65536); }
static void waits(void) { outcome = unipc_semaphore_wait(semaphore, UNIPC_FOREVER) == 0; }
static void waits_in_time(void) { outcome = unipc_semaphore_wait(semaphore, UNIPC_SECONDS(50)) == 0; }
static void posts_one(void) { CHECK(unipc_semaphore_post(semaphore) == 0); }
static void opens_reader(void) {
    unipc_pipe_reader *end = unipc_fifo_open_reader(fifo, UNIPC_FOREVER);
    outcome = end != NULL && unipc_pipe_reader_close(end) == 0;
}
static void opens_reader_in_time(void) {
    unipc_pipe_reader *end = unipc_fifo_open_reader(fifo, UNIPC_SECONDS(50));
    outcome = end != NULL && unipc_pipe_reader_close(end) == 0;
}
static void opens_writer(void) {
    unipc_pipe_writer *end = unipc_fifo_open_writer(fifo, UNIPC_SECONDS(50));
    CHECK(end != NULL && unipc_pipe_writer_close(end) == 0);
}

TEST(a_thread_that_is_cancelled_in_a_call_ends_after_it) {
    CHECK(unipc_pipe_create(&reader, &writer) == 0);
    queue = small_queue(unique("queue"));
    semaphore = unipc_semaphore_create(unique("semaphore"), 0, NULL);
    fifo = unipc_fifo_create(unique_path("fifo"), NULL);
    nowhere = open("/dev/null", O_WRONLY);
    cancel_in(receives, sends);
    cancel_in(receives_in_time, sends);
    cancel_in(receives_until, sends);
    cancel_in(reads, writes);
    cancel_in(reads_in_time, writes);
    cancel_in(splices, writes);
    writes();
    cancel_in(writes_much, reads_much);
    CHECK(unipc_pipe_read(reader, buffer, 1, 0) == 1);
    cancel_in(waits, posts_one);
    cancel_in(waits_in_time, posts_one);
    cancel_in(opens_reader, opens_writer);
    cancel_in(opens_reader_in_time, opens_writer);
    CHECK(close(nowhere) == 0);
    CHECK(unipc_pipe_reader_close(reader) == 0 && unipc_pipe_writer_close(writer) == 0);
    CHECK(unipc_queue_close(queue) == 0 && unipc_semaphore_close(semaphore) == 0 && unipc_fifo_close(fifo) == 0);
}

static void ignore(void *argument) { (void)argument; }

static void *uses_everything_while_cancelled(void *name) {
    unipc_pipe_reader *r;
    unipc_pipe_writer *w;
    const char **names = name;
    CHECK(pthread_cancel(pthread_self()) == 0); /* every cancellation point would end it from now on */
    CHECK(unipc_pipe_create(&r, &w) == 0);
    CHECK(unipc_pipe_write(w, "abcd", 4, UNIPC_SECONDS(1)) == 4);
    CHECK(unipc_pipe_read(r, buffer, 1, UNIPC_FOREVER) == 1);
    CHECK(unipc_pipe_read(r, buffer, 1, UNIPC_SECONDS(1)) == 1);
    CHECK(unipc_pipe_splice_to(r, 1000000, 1, 0) == -1);
    CHECK(unipc_pipe_read_full(r, buffer, 4, UNIPC_MILLISECONDS(5), NULL) == -1 && errno == ETIMEDOUT);
    CHECK(unipc_pipe_reader_close(r) == 0);
    CHECK(unipc_pipe_write(w, "x", 1, UNIPC_FOREVER) == -1 && errno == EPIPE);
    CHECK(unipc_pipe_write(w, "x", 1, 0) == -1 && errno == EPIPE);
    CHECK(unipc_pipe_vmsplice(w, "x", 1, 0) == -1 && errno == EPIPE);
    CHECK(unipc_pipe_writer_close(w) == 0);
    unipc_queue *q = small_queue(names[0]);
    CHECK(unipc_queue_receive(q, buffer, SIZE, NULL, UNIPC_MILLISECONDS(5)) == -1 && errno == ETIMEDOUT);
    CHECK(unipc_queue_send(q, "x", 1, 0, UNIPC_FOREVER) == 0);
    CHECK(unipc_queue_send(q, buffer, SIZE + 1, 0, UNIPC_FOREVER) == -1 && errno == EMSGSIZE);
    CHECK(unipc_queue_close(q) == 0 && unipc_queue_unlink(names[0]) == 0);
    unipc_semaphore *s = unipc_semaphore_create(names[1], 1, NULL);
    CHECK(s != NULL && unipc_semaphore_wait(s, UNIPC_FOREVER) == 0);
    CHECK(unipc_semaphore_wait(s, UNIPC_MILLISECONDS(5)) == -1 && errno == ETIMEDOUT);
    CHECK(unipc_semaphore_post(s) == 0 && unipc_semaphore_post_many(s, 2, NULL) == 0);
    CHECK(unipc_semaphore_close(s) == 0 && unipc_semaphore_unlink(names[1]) == 0);
    unipc_memory *m = unipc_memory_create_file(names[2], 100, NULL);
    CHECK(m != NULL && unipc_memory_sync(m) == 0 && unipc_memory_resize(m, 5000) == 0 && unipc_memory_close(m) == 0);
    unipc_fifo *f = unipc_fifo_create(names[3], NULL);
    CHECK(f != NULL && unipc_fifo_open_writer(f, UNIPC_MILLISECONDS(5)) == NULL && errno == ETIMEDOUT);
    CHECK(unipc_fifo_open_reader(f, UNIPC_MILLISECONDS(5)) == NULL && errno == ETIMEDOUT);
    CHECK((r = unipc_fifo_open_reader(f, 0)) != NULL && (w = unipc_fifo_open_writer(f, UNIPC_FOREVER)) != NULL);
    CHECK(unipc_pipe_tee(r, w, 1, UNIPC_MILLISECONDS(5)) == -1);
    CHECK(unipc_pipe_reader_duplicate_onto(r, unipc_pipe_reader_fd(r)) == 0);
    CHECK(unipc_pipe_reader_close(r) == 0 && unipc_pipe_writer_close(w) == 0);
    CHECK(unipc_fifo_close(f) == 0 && unipc_fifo_unlink(names[3]) == 0);
    q = small_queue(names[0]);
    CHECK(unipc_queue_notify_callback(q, ignore, NULL) == 0 && unipc_queue_cancel_notify(q) == 0);
    void *data;
    CHECK(unipc_queue_receive_alloc(q, &data, NULL, UNIPC_MILLISECONDS(5)) == -1 && errno == ETIMEDOUT);
    CHECK(unipc_queue_close(q) == 0 && unipc_queue_unlink(names[0]) == 0);
    outcome = 1;
    pthread_testcancel();
    return NULL;
}

TEST(no_call_is_a_cancellation_point) {
    const char *names[4] = {unique("queue"), unique("semaphore"), unique_path("file"), unique_path("fifo")};
    pthread_t thread;
    void *result;
    outcome = 0;
    CHECK(pthread_create(&thread, NULL, uses_everything_while_cancelled, names) == 0);
    CHECK(pthread_join(thread, &result) == 0);
    CHECK(outcome == 1 && result == PTHREAD_CANCELED);
}

TEST(no_call_is_a_cancellation_point_on_an_older_kernel) {
    be_on_an_older_kernel();
    no_call_is_a_cancellation_point();
}

/* ---- fork */

static volatile int enough;
static void *works(void *name) {
    while (!enough) {
        unipc_pipe_reader *r;
        unipc_pipe_writer *w;
        unipc_queue *q = small_queue(name);
        CHECK(unipc_pipe_create(&r, &w) == 0);
        CHECK(unipc_pipe_write(w, "x", 1, UNIPC_SECONDS(1)) == 1);
        CHECK(unipc_queue_receive(q, buffer, 1, NULL, 0) == -1 && errno == EMSGSIZE);
        CHECK(unipc_pipe_reader_close(r) == 0 && unipc_pipe_writer_close(w) == 0 && unipc_queue_close(q) == 0);
    }
    return NULL;
}

TEST(a_child_of_a_process_with_threads_goes_on) {
    const char *names[2] = {unique("one"), unique("two")}, *own = unique("own");
    pthread_t threads[2];
    char received[SIZE];
    CHECK(unipc_pipe_create(&reader, &writer) == 0);
    queue = small_queue(own);
    for (int i = 0; i < 2; i++) CHECK(pthread_create(&threads[i], NULL, works, (void *)(size_t)names[i]) == 0);
    for (int i = 0; i < 100; i++) {
        IN_CHILD(
            unipc_queue *fresh; unipc_memory *memory;
            alarm(WATCHDOG_SECONDS / 2);
            CHECK(unipc_queue_send(queue, "child", 5, 0, UNIPC_FOREVER) == 0);
            CHECK(unipc_queue_send(queue, buffer, SIZE + 1, 0, 0) == -1 && errno == EMSGSIZE);
            fresh = small_queue(own);
            CHECK(unipc_queue_close(fresh) == 0);
            CHECK((memory = unipc_memory_anonymous(10, NULL)) != NULL && unipc_memory_close(memory) == 0);
            CHECK(unipc_pipe_write(writer, "c", 1, UNIPC_SECONDS(1)) == 1));
        CHECK(unipc_queue_receive(queue, received, SIZE, NULL, 0) == 5);
        CHECK(unipc_pipe_read(reader, received, 1, UNIPC_SECONDS(1)) == 1);
    }
    enough = 1;
    for (int i = 0; i < 2; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(unipc_pipe_reader_close(reader) == 0 && unipc_pipe_writer_close(writer) == 0);
    CHECK(unipc_queue_close(queue) == 0);
}

/* ---- the rest of the process */

TEST(nothing_is_started_or_changed_behind_the_hosts_back) {
    struct sigaction action;
    unipc_queue *q = small_queue(unique("queue"));
    CHECK(unipc_queue_close(q) == 0);
    for (int number = 1; number < 32; number++) {
        if (sigaction(number, NULL, &action) != 0) continue;
        CHECK(action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN);
    }
    CHECK(access("/proc/self/task", F_OK) == 0);
    CHECK(system("test $(ls /proc/$PPID/task | wc -l) -eq 1") == 0); /* one thread: this one */
}
