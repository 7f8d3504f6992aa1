/*
 * The demo's C process: takes the calls that the Python process sent, answers each, and counts.
 * `run` starts it; what the others share with it stands in shared memory as below.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unipc.h>

enum { CALLS_ARE_IN = 0, ANSWERS_ARE_IN = 32, READY = 64, GO = 96, ONE_AT_A_TIME = 128, COUNTER = 160 };
enum { MOST = 8, LENGTH = 64 };

static const int64_t PATIENCE = UNIPC_SECONDS(30); /* no partner is waited for longer */

static void require(int done) {
    if (done) return;
    fprintf(stderr, "crew: %s\n", unipc_last_error());
    exit(EXIT_FAILURE);
}

static unipc_semaphore *semaphore_at(unipc_memory *memory, size_t offset) {
    unipc_semaphore *semaphore = unipc_semaphore_open_in(memory, offset);
    require(semaphore != NULL);
    return semaphore;
}

static void answer_calls(unipc_queue *queue, unipc_semaphore *calls_are_in, unipc_semaphore *answers_are_in) {
    struct { unsigned priority; char text[LENGTH]; } calls[MOST];
    int taken = 0;
    require(unipc_semaphore_wait(calls_are_in, PATIENCE) == 0);
    for (; taken < MOST; taken++) {
        char *text = calls[taken].text;
        ssize_t length = unipc_queue_receive(queue, text, LENGTH, &calls[taken].priority, 0);
        if (length < 0 && errno == EAGAIN) break;
        require(length >= 0);
        printf("took\t%u\t%.*s\n", calls[taken].priority, (int)length, text);
        text[length < LENGTH ? length : LENGTH - 1] = 0;
    }
    /* The last call is answered first, and yet the queue delivers the most urgent answer first. */
    while (taken-- > 0) {
        char answer[LENGTH];
        snprintf(answer, sizeof answer, "%.40s: we are coming", calls[taken].text);
        require(unipc_queue_send(queue, answer, strlen(answer), calls[taken].priority, PATIENCE) == 0);
        printf("sent\t%u\t%s\n", calls[taken].priority, answer);
    }
    require(unipc_semaphore_post(answers_are_in) == 0);
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "crew NAME ROUNDS\n"), EXIT_FAILURE;
    unipc_queue *queue = unipc_queue_open(argv[1], NULL);
    require(queue != NULL);
    unipc_memory *memory = unipc_memory_open(argv[1], 0, NULL);
    require(memory != NULL);
    answer_calls(queue, semaphore_at(memory, CALLS_ARE_IN), semaphore_at(memory, ANSWERS_ARE_IN));

    unipc_semaphore *one_at_a_time = semaphore_at(memory, ONE_AT_A_TIME);
    volatile unsigned *counter = (unsigned *)((char *)unipc_memory_address(memory) + COUNTER);
    require(unipc_semaphore_post(semaphore_at(memory, READY)) == 0);
    require(unipc_semaphore_wait(semaphore_at(memory, GO), PATIENCE) == 0);
    int rounds = atoi(argv[2]);
    for (int i = 0; i < rounds; i++) {
        require(unipc_semaphore_wait(one_at_a_time, PATIENCE) == 0);
        *counter += 1;
        require(unipc_semaphore_post(one_at_a_time) == 0);
    }
    printf("added\t%d\n", rounds);
    return EXIT_SUCCESS; /* the end of the process closes what it has open */
}
