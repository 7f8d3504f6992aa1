/*
 * Writes lines to a FIFO, which is made if it is not there; fifo_reader prints them.
 *
 * Run it: cc fifo_writer.c $(pkg-config --cflags --libs unipc) -o fifo_writer && ./fifo_writer [PATH [LINE...]]
 * and fifo_reader, in any language, with the same path in another terminal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unipc.h>

static int fail(void) {
    fprintf(stderr, "fifo_writer: %s\n", unipc_last_error());
    return EXIT_FAILURE;
}

int main(int argc, char **argv) {
    char *defaults[] = {"hello, reader", "goodbye", NULL};
    const char *path = argc > 1 ? argv[1] : "/tmp/unipc-example-fifo";
    char **lines = argc > 2 ? argv + 2 : defaults;

    unipc_fifo *fifo = unipc_fifo_open_or_create(path, NULL, NULL);
    if (!fifo) return fail();
    unipc_pipe_writer *writer = unipc_fifo_open_writer(fifo, UNIPC_FOREVER); /* waits for a reader */
    if (!writer) return fail();

    for (; *lines; lines++) {
        char line[256];
        int length = snprintf(line, sizeof line, "%.254s\n", *lines);
        if (unipc_pipe_write_full(writer, line, length, UNIPC_FOREVER, NULL) < 0) return fail();
        printf("sent: %s", line);
    }
    unipc_pipe_writer_close(writer);
    unipc_fifo_close(fifo);
    return EXIT_SUCCESS;
}
