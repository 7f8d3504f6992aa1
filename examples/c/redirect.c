/*
 * Sends standard output, this process's and its child's, into a pipe for a while.
 *
 * Run it: cc redirect.c $(pkg-config --cflags --libs unipc) -o redirect && ./redirect
 */
#include <stdio.h>
#include <stdlib.h>
#include <unipc.h>
#include <unistd.h>

static int fail(void) {
    fprintf(stderr, "redirect: %s\n", unipc_last_error());
    return EXIT_FAILURE;
}

int main(void) {
    printf("before: to the terminal\n");

    unipc_pipe_reader *reader;
    unipc_pipe_writer *writer;
    if (unipc_pipe_create(&reader, &writer) < 0) return fail();
    fflush(stdout); /* stdio keeps lines back; each must come out where it belongs */
    int terminal = dup(STDOUT_FILENO);
    if (terminal < 0) return perror("dup"), EXIT_FAILURE;
    if (unipc_pipe_writer_duplicate_onto(writer, STDOUT_FILENO) < 0) return fail(); /* dup2(2) */

    printf("a line of this process\n");
    fflush(stdout);
    int status = system("echo a line of its child");

    /* Both writers go, the duplicate and the original: the reader comes to an end. */
    if (dup2(terminal, STDOUT_FILENO) < 0) return perror("dup2"), EXIT_FAILURE;
    close(terminal);
    unipc_pipe_writer_close(writer);

    FILE *stream = fdopen(dup(unipc_pipe_reader_fd(reader)), "r");
    if (!stream) return perror("fdopen"), EXIT_FAILURE;
    char line[256];
    while (fgets(line, sizeof line, stream)) printf("from the pipe: %s", line);
    fclose(stream);
    unipc_pipe_reader_close(reader);
    printf("after: to the terminal\n");
    return status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
