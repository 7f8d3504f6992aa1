/*
 * Prints the lines that fifo_writer, or any program, writes to a FIFO, and removes it at the end.
 *
 * Run it: cc fifo_reader.c $(pkg-config --cflags --libs unipc) -o fifo_reader && ./fifo_reader [PATH]
 * and, in another terminal, fifo_writer with the same path, or `ls > PATH`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unipc.h>
#include <unistd.h>

static int fail(void) {
    fprintf(stderr, "fifo_reader: %s\n", unipc_last_error());
    return EXIT_FAILURE;
}

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "/tmp/unipc-example-fifo";

    unipc_fifo *fifo = unipc_fifo_open_or_create(path, NULL, NULL);
    if (!fifo) return fail();
    unipc_pipe_reader *reader = unipc_fifo_open_reader(fifo, UNIPC_FOREVER); /* waits for a writer */
    if (!reader) return fail();

    /* A stream of stdio cuts the bytes into lines; it has a descriptor of its own to close. */
    FILE *stream = fdopen(dup(unipc_pipe_reader_fd(reader)), "r");
    if (!stream) return perror("fdopen"), EXIT_FAILURE;
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stream) >= 0) printf("received: %s", line);
    printf("the last writer is gone\n");

    free(line);
    fclose(stream);
    unipc_pipe_reader_close(reader);
    unipc_fifo_close(fifo);
    if (unipc_fifo_unlink(path) < 0) return fail();
    return EXIT_SUCCESS;
}
