/*
 * Sends four messages of different priority to a queue, which is made if it is not there.
 *
 * Run it: cc queue_send.c $(pkg-config --cflags --libs unipc) -o queue_send && ./queue_send [NAME]
 * and then queue_receive, in any language: it takes the most urgent first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unipc.h>

static int fail(void) {
    fprintf(stderr, "queue_send: %s\n", unipc_last_error());
    return EXIT_FAILURE;
}

int main(int argc, char **argv) {
    static const struct { unsigned priority; const char *text; } messages[] = {
        {1, "tidy the desk"}, {5, "answer the letter"}, {9, "put out the fire"}, {5, "water the plants"},
    };
    const char *name = argc > 1 ? argv[1] : "/unipc-example-queue";

    unipc_queue_options options = UNIPC_QUEUE_OPTIONS_INIT;
    options.max_messages = 8;
    options.message_size = 64;
    unipc_queue *queue = unipc_queue_open_or_create(name, &options, NULL);
    if (!queue) return fail();

    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        const char *text = messages[i].text;
        if (unipc_queue_send(queue, text, strlen(text), messages[i].priority, UNIPC_FOREVER) < 0) return fail();
        printf("sent with priority %u: %s\n", messages[i].priority, text);
    }
    unipc_queue_close(queue);
    return EXIT_SUCCESS;
}
