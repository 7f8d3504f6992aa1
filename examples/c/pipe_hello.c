/*
 * A parent greets its child through one pipe, and the child answers through another.
 *
 * Run it: cc pipe_hello.c $(pkg-config --cflags --libs unipc) -o pipe_hello && ./pipe_hello
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unipc.h>
#include <unistd.h>

static int fail(void) {
    fprintf(stderr, "pipe_hello: %s\n", unipc_last_error());
    return EXIT_FAILURE;
}

static int child(unipc_pipe_reader *from_parent, unipc_pipe_writer *to_parent) {
    char greeting[64], answer[128];
    ssize_t length = unipc_pipe_read_full(from_parent, greeting, sizeof greeting, UNIPC_FOREVER, NULL);
    if (length < 0) return fail();
    snprintf(answer, sizeof answer, "hello, parent; you said \"%.*s\"", (int)length, greeting);
    if (unipc_pipe_write_full(to_parent, answer, strlen(answer), UNIPC_FOREVER, NULL) < 0) return fail();
    return EXIT_SUCCESS;
}

int main(void) {
    unipc_pipe_reader *from_child, *from_parent;
    unipc_pipe_writer *to_child, *to_parent;
    if (unipc_pipe_duplex(&from_child, &to_child, &from_parent, &to_parent) < 0) return fail();

    pid_t pid = fork();
    if (pid < 0) return perror("fork"), EXIT_FAILURE;
    if (pid == 0) {
        /* Each side closes what is the other's, or nobody would ever see an end of file. */
        unipc_pipe_reader_close(from_child);
        unipc_pipe_writer_close(to_child);
        return child(from_parent, to_parent);
    }
    unipc_pipe_reader_close(from_parent);
    unipc_pipe_writer_close(to_parent);

    const char *greeting = "hello, child";
    printf("parent: %s\n", greeting);
    if (unipc_pipe_write_full(to_child, greeting, strlen(greeting), UNIPC_FOREVER, NULL) < 0) return fail();
    unipc_pipe_writer_close(to_child); /* the child reads up to here */

    char answer[128];
    ssize_t length = unipc_pipe_read_full(from_child, answer, sizeof answer, UNIPC_FOREVER, NULL);
    if (length < 0) return fail();
    printf("child: %.*s\n", (int)length, answer);
    unipc_pipe_reader_close(from_child);

    int status;
    return waitpid(pid, &status, 0) == pid && status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
