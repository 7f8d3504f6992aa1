/*
 * The four kinds of mapping: a child made by fork writes to each of them, and the parent shows
 * whether it sees that itself, and what then stands in the file.
 *
 * Run it: cc memory_modes.c $(pkg-config --cflags --libs unipc) -o memory_modes && ./memory_modes [PATH]
 * The path is that of a file to be made and removed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unipc.h>
#include <unistd.h>

enum { LENGTH = 6 };

static void fail(const char *why) {
    fprintf(stderr, "memory_modes: %s\n", why);
    exit(EXIT_FAILURE);
}

/* Writes "parent", lets a child write "child!", and shows what then stands in the memory. */
static void show_after_child(unipc_memory *memory, const char *kind) {
    char seen[LENGTH];
    if (!memory || unipc_memory_write(memory, 0, "parent", LENGTH) < 0) fail(unipc_last_error());
    pid_t pid = fork();
    if (pid < 0) fail("fork failed");
    if (pid == 0) _exit(unipc_memory_write(memory, 0, "child!", LENGTH) < 0);
    waitpid(pid, NULL, 0);
    if (unipc_memory_read(memory, 0, seen, LENGTH) < 0) fail(unipc_last_error());
    printf("%-19s%-13.*s", kind, LENGTH, seen);
    unipc_memory_close(memory);
}

static void with_file(const char *path, const unipc_memory_options *options, const char *kind) {
    char stored[LENGTH + 1] = "";
    FILE *file = fopen(path, "w+x");
    if (!file || fputs("before", file) < 0 || fflush(file) != 0) fail("the file cannot be made");
    unipc_memory *memory = unipc_memory_open_file(path, 0, options); /* 0: all of it */
    unlink(path);
    show_after_child(memory, kind);
    rewind(file);
    printf("%s\n", fgets(stored, sizeof stored, file) ? stored : "nothing");
    fclose(file);
}

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "/tmp/unipc-example-modes";
    unipc_memory_options shared = UNIPC_MEMORY_OPTIONS_INIT, private = UNIPC_MEMORY_OPTIONS_INIT;
    private.sharing = UNIPC_SHARING_PRIVATE;
    setvbuf(stdout, NULL, _IONBF, 0); /* what is not printed yet, the child would print too */

    printf("mapping            parent sees  file holds\n");
    show_after_child(unipc_memory_anonymous(LENGTH, &shared), "shared anonymous");
    printf("-\n");
    show_after_child(unipc_memory_anonymous(LENGTH, &private), "private anonymous");
    printf("-\n");
    with_file(path, &shared, "shared file");
    with_file(path, &private, "private file");
    return EXIT_SUCCESS;
}
