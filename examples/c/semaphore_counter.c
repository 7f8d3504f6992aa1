/*
 * Two processes count in shared memory, 1000 times each; a semaphore beside the counter lets one
 * at a time do so, and no count is lost.
 *
 * Run it: cc semaphore_counter.c $(pkg-config --cflags --libs unipc) -o semaphore_counter && ./semaphore_counter
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unipc.h>
#include <unistd.h>

static int fail(void) {
    fprintf(stderr, "semaphore_counter: %s\n", unipc_last_error());
    return EXIT_FAILURE;
}

static int count(unipc_semaphore *semaphore, volatile unsigned *counter) {
    for (int i = 0; i < 1000; i++) {
        if (unipc_semaphore_wait(semaphore, UNIPC_FOREVER) < 0) return fail();
        *counter += 1;
        if (unipc_semaphore_post(semaphore) < 0) return fail();
    }
    return EXIT_SUCCESS;
}

int main(void) {
    /* Anonymous memory has no name to be found by: the child inherits it. */
    unipc_memory *memory = unipc_memory_anonymous(4096, NULL);
    if (!memory) return fail();
    unipc_semaphore *semaphore = unipc_semaphore_init_in(memory, 0, 1);
    if (!semaphore) return fail();
    unsigned *counter = (unsigned *)((char *)unipc_memory_address(memory) + UNIPC_SEMAPHORE_SIZE);

    pid_t pid = fork();
    if (pid < 0) return perror("fork"), EXIT_FAILURE;
    int result = count(semaphore, counter);
    if (pid == 0) return result;

    int status;
    if (waitpid(pid, &status, 0) != pid || status != 0) return EXIT_FAILURE;
    printf("two processes added 1000 each: %u\n", *counter);
    unipc_semaphore_close(semaphore);
    unipc_memory_close(memory);
    return result;
}
