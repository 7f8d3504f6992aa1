/*
 * Sends each of its arguments to queue_server; "quit" ends the server.
 *
 * Run it: cc queue_client.c $(pkg-config --cflags --libs unipc) -o queue_client && ./queue_client [NAME [TEXT...]]
 * while queue_server runs, in any language.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unipc.h>

static int fail(void) {
    fprintf(stderr, "queue_client: %s\n", unipc_last_error());
    return EXIT_FAILURE;
}

int main(int argc, char **argv) {
    char *defaults[] = {"hello, server", "quit", NULL};
    const char *name = argc > 1 ? argv[1] : "/unipc-example-server";
    char **texts = argc > 2 ? argv + 2 : defaults;

    unipc_queue *queue = unipc_queue_open(name, NULL);
    if (!queue) return fail();

    for (; *texts; texts++) {
        if (unipc_queue_send(queue, *texts, strlen(*texts), 0, UNIPC_SECONDS(10)) < 0) return fail();
        printf("sent: %s\n", *texts);
    }
    unipc_queue_close(queue);
    return EXIT_SUCCESS;
}
