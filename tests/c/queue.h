/* What the tests of queues share: small ones, and a promise that holds on each engine. */
#ifndef QUEUE_H
#define QUEUE_H
#include "harness.h"
#include <dirent.h>

enum { SIZE = 64 };
static char buffer[SIZE];
static unsigned int priority;
static unipc_engine engine;

#define TEST_ON_EACH_ENGINE(promise)                                             \
    static void promise(void);                                                   \
    TEST(promise##_on_posix) { engine = UNIPC_ENGINE_POSIX; promise(); }         \
    TEST(promise##_on_shm) { engine = UNIPC_ENGINE_SHM; promise(); }             \
    static void promise(void)

static inline unipc_queue_options of_engine(void) {
    unipc_queue_options options = UNIPC_QUEUE_OPTIONS_INIT;
    options.engine = engine;
    return options;
}

static inline unipc_queue *small_queue(const char *name, int nonblocking) {
    unipc_queue_options options = of_engine();
    options.max_messages = 4;
    options.message_size = SIZE;
    options.nonblocking = nonblocking;
    unipc_queue *queue = unipc_queue_create(name, &options);
    CHECK(queue != NULL);
    return queue;
}

static inline unipc_queue *fresh(void) { return small_queue(unique("queue"), 0); }

static inline unipc_queue *open_again(const char *name) {
    unipc_queue_options options = of_engine();
    unipc_queue *queue = unipc_queue_open(name, &options);
    CHECK(queue != NULL);
    return queue;
}

static inline void put(unipc_queue *queue, const char *text, unsigned int at) {
    CHECK(unipc_queue_send(queue, text, strlen(text), at, UNIPC_FOREVER) == 0);
}

static inline void get(unipc_queue *queue, const char *text, unsigned int at) {
    CHECK(unipc_queue_receive(queue, buffer, SIZE, &priority, UNIPC_FOREVER) == (ssize_t)strlen(text));
    CHECK(memcmp(buffer, text, strlen(text)) == 0 && priority == at);
}

static inline void fill(unipc_queue *queue) { for (int i = 0; i < 4; i++) put(queue, "full", 0); }

static inline size_t queued(const unipc_queue *queue) {
    unipc_queue_attributes attributes = UNIPC_QUEUE_ATTRIBUTES_INIT;
    CHECK(unipc_queue_get_attributes(queue, &attributes) == 0);
    return attributes.queued;
}

/* Waits until this process has one thread: the others, which a queue of engine shm may need, have given back
 * what they had. */
static inline void until_alone(void) {
    for (int threads = 0; threads != 1; pause_ms(1)) {
        DIR *all = opendir("/proc/self/task");
        CHECK(all != NULL);
        threads = 0;
        for (const struct dirent *entry; (entry = readdir(all)) != NULL;) threads += entry->d_name[0] != '.';
        closedir(all);
    }
}

/* The file of a queue of engine shm. */
static inline const char *file_of(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "/dev/shm/unipc.queue.%s", name + 1);
    return path;
}
#endif
