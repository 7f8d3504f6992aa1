/*
 * Prints what clients send, until one of them sends "quit".
 *
 * Run it: cc queue_server.c $(pkg-config --cflags --libs unipc) -o queue_server && ./queue_server [NAME]
 * and, in other terminals, queue_client in any language.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unipc.h>

static int fail(void) {
    fprintf(stderr, "queue_server: %s\n", unipc_last_error());
    return EXIT_FAILURE;
}

static int serve(unipc_queue *queue) {
    for (;;) {
        void *text;
        ssize_t length = unipc_queue_receive_alloc(queue, &text, NULL, UNIPC_FOREVER);
        if (length < 0) return fail();
        int quit = length == 4 && memcmp(text, "quit", 4) == 0;
        if (!quit) printf("received: %.*s\n", (int)length, (char *)text);
        unipc_free(text);
        if (quit) break;
    }
    printf("told to quit\n");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "/unipc-example-server";
    setvbuf(stdout, NULL, _IOLBF, 0); /* lines come out at once, also into a pipe */

    unipc_queue_options options = UNIPC_QUEUE_OPTIONS_INIT;
    options.max_messages = 8;
    options.message_size = 64;
    unipc_queue *queue = unipc_queue_open_or_create(name, &options, NULL);
    if (!queue) return fail();
    printf("waiting for clients\n");

    int result = serve(queue);
    unipc_queue_close(queue);
    if (unipc_queue_unlink(name) < 0) return fail();
    return result;
}
