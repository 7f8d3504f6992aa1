/*
 * Connects two programs by a pipe: the output of the first is the input of the second.
 *
 * By hand, to show what happens; unipc_pipeline_spawn() does it for any number of programs, and ends those
 * before one that cannot be started.
 *
 * Run it: cc connect2.c $(pkg-config --cflags --libs unipc) -o connect2 && ./connect2 ls -l -- wc -l
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unipc.h>

static int fail(void) {
    fprintf(stderr, "connect2: %s\n", unipc_last_error());
    return EXIT_FAILURE;
}

int main(int argc, char **argv) {
    char *sample[] = {"connect2", "printf", "%s\\n", "pear", "apple", "fig", "--", "sort", NULL};
    if (argc == 1) argv = sample;
    unipc_command first = UNIPC_COMMAND_INIT, second = UNIPC_COMMAND_INIT;
    first.argv = (const char *const *)++argv;
    while (*argv && strcmp(*argv, "--") != 0) argv++;
    if (!*argv) return fprintf(stderr, "usage: connect2 PROGRAM [ARG...] -- PROGRAM [ARG...]\n"), EXIT_FAILURE;
    *argv = NULL; /* the end of the first one's arguments */
    second.argv = (const char *const *)argv + 1;

    unipc_pipe_reader *reader;
    unipc_pipe_writer *writer;
    if (unipc_pipe_create(&reader, &writer) < 0) return fail();
    first.output.kind = second.input.kind = UNIPC_REDIRECT_FD;
    first.output.fd = unipc_pipe_writer_fd(writer);
    second.input.fd = unipc_pipe_reader_fd(reader);

    unipc_child *one = unipc_spawn(&first);
    if (!one) return fail();
    unipc_pipe_writer_close(writer); /* the first has it: or the second would never see the end of file */
    unipc_child *two = unipc_spawn(&second);
    if (!two) return fail();
    unipc_pipe_reader_close(reader);

    unipc_status ended[2];
    if (unipc_child_wait(one, &ended[0], UNIPC_FOREVER) < 0) return fail();
    if (unipc_child_wait(two, &ended[1], UNIPC_FOREVER) < 0) return fail();
    unipc_child_close(one);
    unipc_child_close(two);
    printf("the first ended with %d, the second with %d\n", ended[0].shell_code, ended[1].shell_code);
    return EXIT_SUCCESS;
}
