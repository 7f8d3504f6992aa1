/*
 * A host that loads the library at run time, as a plugin does. UNIPC_SO is where it is, and
 * UNIPC_OTHER_SO where a second copy of it is.
 */
#define WITHOUT_LIBRARY
#include "harness.h"
#include <dlfcn.h>

static struct {
    void *library;
    int (*pipe_create)(unipc_pipe_reader **, unipc_pipe_writer **);
    ssize_t (*pipe_read)(unipc_pipe_reader *, void *, size_t, int64_t);
    ssize_t (*pipe_write)(unipc_pipe_writer *, const void *, size_t, int64_t);
    int (*reader_close)(unipc_pipe_reader *);
    int (*writer_close)(unipc_pipe_writer *);
    const char *(*last_error)(void);
} unipc;

static void find(void *function, const char *name) {
    void *address = dlsym(unipc.library, name);
    CHECK(address != NULL);
    memcpy(function, &address, sizeof address); /* ISO C has no cast from data to function */
}

static void load(void) {
    unipc.library = dlopen(UNIPC_SO, RTLD_NOW | RTLD_LOCAL);
    CHECK(unipc.library != NULL);
    find(&unipc.pipe_create, "unipc_pipe_create");
    find(&unipc.pipe_read, "unipc_pipe_read");
    find(&unipc.pipe_write, "unipc_pipe_write");
    find(&unipc.reader_close, "unipc_pipe_reader_close");
    find(&unipc.writer_close, "unipc_pipe_writer_close");
    find(&unipc.last_error, "unipc_last_error");
}

static void use(void) {
    unipc_pipe_reader *reader;
    unipc_pipe_writer *writer;
    char byte;
    CHECK(unipc.pipe_create(&reader, &writer) == 0);
    CHECK(unipc.pipe_write(writer, "x", 1, -1) == 1 && unipc.pipe_read(reader, &byte, 1, -1) == 1);
    CHECK(unipc.pipe_read(reader, &byte, 1, 0) == -1 && errno == EAGAIN);
    CHECK(strcmp(unipc.last_error(), "read from pipe: it would block") == 0);
    CHECK(unipc.reader_close(reader) == 0 && unipc.writer_close(writer) == 0);
}

TEST(loading_and_unloading_again_and_again_is_harmless) {
    for (int i = 0; i < 50; i++) {
        load();
        use();
        CHECK(dlclose(unipc.library) == 0);
    }
}

static sem_t used, unloaded;
static void *outlives_the_library(void *unused) {
    use();
    sem_post(&used);
    sem_wait(&unloaded);
    return unused; /* its thread-locals go now */
}

TEST(a_thread_that_used_the_library_may_end_after_it_was_unloaded) {
    pthread_t thread;
    CHECK(sem_init(&used, 0, 0) == 0 && sem_init(&unloaded, 0, 0) == 0);
    load();
    CHECK(pthread_create(&thread, NULL, outlives_the_library, NULL) == 0);
    CHECK(sem_wait(&used) == 0);
    CHECK(dlclose(unipc.library) == 0);
    CHECK(sem_post(&unloaded) == 0 && pthread_join(thread, NULL) == 0);
}

static void *loads(void *unused) {
    load();
    use();
    CHECK(dlclose(unipc.library) == 0);
    return unused;
}

TEST(a_thread_may_load_it) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, loads, NULL) == 0 && pthread_join(thread, NULL) == 0);
    load();
    use();
    CHECK(dlclose(unipc.library) == 0);
}

TEST(loading_starts_no_thread_opens_no_descriptor_and_sets_no_handler) {
    struct sigaction before[32], after;
    for (int number = 1; number < 32; number++) sigaction(number, NULL, &before[number]);
    load();
    for (int number = 1; number < 32; number++) {
        sigaction(number, NULL, &after);
        CHECK(after.sa_handler == before[number].sa_handler);
    }
    CHECK(system("test $(ls /proc/$PPID/task | wc -l) -eq 1") == 0);
    CHECK(dlclose(unipc.library) == 0);
}

/* What two copies, which know nothing of each other, need to meet at a queue. */
struct copy {
    void *library;
    unipc_queue *queue;
    unipc_queue *(*open_or_create)(const char *, const unipc_queue_options *, int *);
    int (*send)(unipc_queue *, const void *, size_t, unsigned int, int64_t);
    ssize_t (*receive)(unipc_queue *, void *, size_t, unsigned int *, int64_t);
    int (*reserve)(unipc_queue *, size_t, unsigned int, unipc_queue_slot *, int64_t);
    int (*commit)(unipc_queue *, unipc_queue_slot *);
    int (*close)(unipc_queue *);
};

static struct copy load_copy(const char *path, const char *name) {
    struct copy copy;
    unipc_queue_options options = UNIPC_QUEUE_OPTIONS_INIT;
    unipc.library = copy.library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    CHECK(copy.library != NULL);
    find(&copy.open_or_create, "unipc_queue_open_or_create");
    find(&copy.send, "unipc_queue_send");
    find(&copy.receive, "unipc_queue_receive");
    find(&copy.reserve, "unipc_queue_reserve");
    find(&copy.commit, "unipc_queue_commit");
    find(&copy.close, "unipc_queue_close");
    options.engine = UNIPC_ENGINE_SHM;
    options.max_messages = 4;
    options.message_size = 16;
    copy.queue = copy.open_or_create(name, &options, NULL);
    CHECK(copy.queue != NULL);
    return copy;
}

static void *answers(void *argument) {
    struct copy *copy = argument;
    char word[16];
    for (int i = 0; i < 2000; i++) {
        unsigned int priority;
        CHECK(copy->receive(copy->queue, word, sizeof word, &priority, UNIPC_SECONDS(50)) == 4 && priority == 0);
        CHECK(memcmp(word, "ping", 4) == 0);
    }
    return NULL;
}

TEST(two_copies_in_one_process_share_a_queue) {
    const char *name = unique("queue");
    struct copy first = load_copy(UNIPC_SO, name), second = load_copy(UNIPC_OTHER_SO, name);
    CHECK(first.library != second.library && first.send != second.send);
    unipc_queue_slot slot = UNIPC_QUEUE_SLOT_INIT;
    pthread_t thread;
    char word[16];
    /* In one thread, which takes part twice ... */
    CHECK(first.reserve(first.queue, 2, 0, &slot, 0) == 0);
    CHECK(second.send(second.queue, "b", 1, 0, 0) == 0);
    memcpy(slot.data, "aa", 2);
    CHECK(first.commit(first.queue, &slot) == 0);
    CHECK(second.receive(second.queue, word, sizeof word, NULL, 0) == 2 && memcmp(word, "aa", 2) == 0);
    CHECK(first.receive(first.queue, word, sizeof word, NULL, 0) == 1 && word[0] == 'b');
    CHECK(first.receive(first.queue, word, sizeof word, NULL, 0) == -1 && errno == EAGAIN);
    CHECK(second.receive(second.queue, word, sizeof word, NULL, UNIPC_MILLISECONDS(5)) == -1 && errno == ETIMEDOUT);
    /* ... and across threads, where each wakes the other. */
    CHECK(pthread_create(&thread, NULL, answers, &second) == 0);
    for (int i = 0; i < 2000; i++) CHECK(first.send(first.queue, "ping", 4, 0, UNIPC_SECONDS(50)) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(first.close(first.queue) == 0 && second.close(second.queue) == 0);
    CHECK(dlclose(first.library) == 0 && dlclose(second.library) == 0);
}
