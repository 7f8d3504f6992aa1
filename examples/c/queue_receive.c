/*
 * Takes every message out of the queue that queue_send filled, and removes the queue.
 *
 * Run it: cc queue_receive.c $(pkg-config --cflags --libs unipc) -o queue_receive && ./queue_receive [NAME]
 * The highest priority comes first and, within one, the oldest message.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unipc.h>

static int fail(void) {
    fprintf(stderr, "queue_receive: %s\n", unipc_last_error());
    return EXIT_FAILURE;
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "/unipc-example-queue";

    unipc_queue *queue = unipc_queue_open(name, NULL);
    if (!queue) return fail();

    char text[64]; /* the message_size that queue_send gave it */
    unsigned priority;
    ssize_t length;
    while ((length = unipc_queue_receive(queue, text, sizeof text, &priority, 0)) >= 0) {
        printf("received with priority %u: %.*s\n", priority, (int)length, text);
    }
    if (errno != EAGAIN) return fail();
    printf("the queue is empty\n");

    unipc_queue_close(queue);
    if (unipc_queue_unlink(name) < 0) return fail();
    return EXIT_SUCCESS;
}
