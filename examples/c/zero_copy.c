/*
 * Messages of a mebibyte that are never copied: a child writes each where it lies in the queue, and the
 * parent reads it there.
 *
 * Run it: cc zero_copy.c $(pkg-config --cflags --libs unipc) -o zero_copy && ./zero_copy
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unipc.h>
#include <unistd.h>

enum { SIZE = 1 << 20, LAST = 3 };

static void fail(const char *why) {
    fprintf(stderr, "zero_copy: %s\n", why);
    exit(EXIT_FAILURE);
}

/* Room in the queue for a message, filled with one byte. */
static unipc_queue_slot written(unipc_queue *queue, int byte) {
    unipc_queue_slot slot = UNIPC_QUEUE_SLOT_INIT;
    if (unipc_queue_reserve(queue, SIZE, 0, &slot, UNIPC_FOREVER) != 0) fail(unipc_last_error());
    memset(slot.data, byte, slot.length);
    return slot;
}

static void produce(unipc_queue *queue) {
    for (int number = 1; number <= LAST; number++) {
        unipc_queue_slot message = written(queue, number);
        if (unipc_queue_commit(queue, &message) != 0) fail(unipc_last_error());
        if (number == 2) {
            unipc_queue_slot mistake = written(queue, 99); /* nobody ever sees it */
            if (unipc_queue_abort(queue, &mistake) != 0) fail(unipc_last_error());
        }
    }
}

static void consume(unipc_queue *queue) {
    unipc_queue_slot message = UNIPC_QUEUE_SLOT_INIT;
    if (unipc_queue_borrow(queue, &message, UNIPC_FOREVER) != 0) fail(unipc_last_error());
    printf("borrowed message %d of %zu bytes, and put it back\n", *(const char *)message.data, message.length);
    if (unipc_queue_put_back(queue, &message) != 0) fail(unipc_last_error());

    for (int number = 1; number <= LAST; number++) {
        if (unipc_queue_borrow(queue, &message, UNIPC_FOREVER) != 0) fail(unipc_last_error());
        const char *bytes = message.data;
        for (size_t i = 0; i < message.length; i++) {
            if (bytes[i] != number) fail("a message has a wrong byte");
        }
        printf("message %d: %zu bytes, read in place\n", number, message.length);
        /* Until now, the message would have come back to the queue if this process had died. */
        if (unipc_queue_release(queue, &message) != 0) fail(unipc_last_error());
    }
}

int main(void) {
    unipc_queue_options options = UNIPC_QUEUE_OPTIONS_INIT;
    unipc_queue_attributes attributes = UNIPC_QUEUE_ATTRIBUTES_INIT;
    char name[64];
    int status;
    options.engine = UNIPC_ENGINE_SHM;
    options.max_messages = 2;
    options.message_size = SIZE;
    snprintf(name, sizeof name, "/unipc-example-zero-copy-%ld", (long)getpid());
    unipc_queue *queue = unipc_queue_create(name, &options);
    if (!queue || unipc_queue_unlink(name) != 0) fail(unipc_last_error());

    pid_t pid = fork(); /* the child has the queue, though its name is gone */
    if (pid < 0) fail("fork failed");
    if (pid == 0) {
        produce(queue);
        _exit(EXIT_SUCCESS);
    }
    consume(queue);
    if (waitpid(pid, &status, 0) != pid || status != 0) fail("the child failed");
    if (unipc_queue_get_attributes(queue, &attributes) != 0) fail(unipc_last_error());
    if (attributes.queued == 0) printf("the queue is empty\n");
    unipc_queue_close(queue);
    return EXIT_SUCCESS;
}
