/*
 * Reads what a command line of the shell writes, line by line.
 *
 * Run it: cc popen_read.c $(pkg-config --cflags --libs unipc) -o popen_read && ./popen_read 'ls | sort -r'
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unipc.h>

static int fail(void) {
    fprintf(stderr, "popen_read: %s\n", unipc_last_error());
    return EXIT_FAILURE;
}

int main(int argc, char **argv) {
    FILE *stream = unipc_popen(argc > 1 ? argv[1] : "echo one; echo two; exit 3", "r");
    if (!stream) return fail();

    char line[1024];
    for (int number = 1; fgets(line, sizeof line, stream); number++) {
        line[strcspn(line, "\n")] = 0;
        printf("line %d: %s\n", number, line);
    }
    if (ferror(stream)) return fail();

    unipc_status ended;
    if (unipc_pclose(stream, &ended, UNIPC_FOREVER) < 0) return fail();
    printf("it ended with %d\n", ended.shell_code);
    return EXIT_SUCCESS;
}
