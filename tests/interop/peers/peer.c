/* The C face, as one of the programs that the tests put side by side. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unipc.h>
#include <unistd.h>
#include "../talk.h"

enum { COUNTER = 1024 };

static unipc_queue *queue;
static unipc_memory *memory;
static unipc_semaphore *semaphore;

static void refuse(void) {
    int error = errno;
    say("error\t%d\t%s", error, unipc_last_error());
}

static size_t number(const char *text) { return strtoul(text, NULL, 10); }
static int64_t timeout(const char *wait) { return wait ? UNIPC_MILLISECONDS(number(wait)) : UNIPC_FOREVER; }

/* ---- queues */

static void queue_create(char **a) {
    unipc_queue_options options = UNIPC_QUEUE_OPTIONS_INIT;
    options.max_messages = number(a[1]);
    options.message_size = number(a[2]);
    TRY((queue = unipc_queue_create(a[0], &options)) != NULL);
    OK();
}

static void queue_open(char **a) {
    TRY((queue = unipc_queue_open(a[0], NULL)) != NULL);
    OK();
}

static void queue_unlink(char **a) {
    TRY(unipc_queue_unlink(a[0]) == 0);
    OK();
}

static void queue_send(char **a) {
    TRY(unipc_queue_send(queue, a[1], strlen(a[1]), (unsigned)number(a[0]), UNIPC_FOREVER) == 0);
    OK();
}

static void receive(int64_t patience) {
    void *text;
    unsigned priority;
    ssize_t length = unipc_queue_receive_alloc(queue, &text, &priority, patience);
    TRY(length >= 0);
    OK("%u %.*s", priority, (int)length, (char *)text);
    unipc_free(text);
}

static void queue_receive(char **a) { receive(timeout(a[0])); }

static void queue_try(char **a) {
    (void)a;
    receive(0);
}

static void queue_attributes(char **a) {
    (void)a;
    unipc_queue_attributes now = UNIPC_QUEUE_ATTRIBUTES_INIT;
    TRY(unipc_queue_get_attributes(queue, &now) == 0);
    OK("%zu %zu %zu", now.max_messages, now.message_size, now.queued);
}

static void queue_notify(char **a) {
    (void)a;
    TRY(unipc_queue_notify_signal(queue, SIGUSR1, 0) == 0);
    OK();
}

static void queue_notified(char **a) {
    (void)a;
    sigset_t signals;
    siginfo_t info;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    TRY(sigwaitinfo(&signals, &info) == SIGUSR1);
    errno = EPROTO;
    TRY(info.si_code == SI_MESGQ);
    OK();
}

/* ---- memory */

static void mapped(unipc_memory *made) {
    TRY((memory = made) != NULL);
    OK("%zd", unipc_memory_length(memory));
}

static void memory_create(char **a) { mapped(unipc_memory_create(a[0], number(a[1]), NULL)); }
static void memory_open(char **a) { mapped(unipc_memory_open(a[0], 0, NULL)); }
static void memory_create_file(char **a) { mapped(unipc_memory_create_file(a[0], number(a[1]), NULL)); }
static void memory_open_file(char **a) { mapped(unipc_memory_open_file(a[0], 0, NULL)); }

static void memory_unlink(char **a) {
    TRY(unipc_memory_unlink(a[0]) == 0);
    OK();
}

static void memory_write(char **a) {
    TRY(unipc_memory_write(memory, number(a[0]), a[1], strlen(a[1])) == 0);
    OK();
}

static void memory_read(char **a) {
    char text[LONGEST];
    TRY(unipc_memory_read(memory, number(a[0]), text, number(a[1])) == 0);
    OK("%.*s", (int)number(a[1]), text);
}

/* ---- semaphores */

static void semaphore_create(char **a) {
    TRY((semaphore = unipc_semaphore_create(a[0], (unsigned)number(a[1]), NULL)) != NULL);
    OK();
}

static void semaphore_open(char **a) {
    TRY((semaphore = unipc_semaphore_open(a[0], NULL)) != NULL);
    OK();
}

static void semaphore_unlink(char **a) {
    TRY(unipc_semaphore_unlink(a[0]) == 0);
    OK();
}

static void semaphore_init(char **a) {
    TRY((semaphore = unipc_semaphore_init_in(memory, number(a[0]), (unsigned)number(a[1]))) != NULL);
    OK();
}

static void semaphore_at(char **a) {
    TRY((semaphore = unipc_semaphore_open_in(memory, number(a[0]))) != NULL);
    OK();
}

static void semaphore_wait(char **a) {
    TRY(unipc_semaphore_wait(semaphore, timeout(a[0])) == 0);
    OK();
}

static void semaphore_try(char **a) {
    (void)a;
    TRY(unipc_semaphore_wait(semaphore, 0) == 0);
    OK();
}

static void semaphore_post(char **a) {
    (void)a;
    if (unipc_semaphore_post(semaphore) == 0) {
        OK();
    } else {
        say("error\t%d\tunipc_semaphore_post() leaves the last error alone", errno);
    }
}

static void semaphore_value(char **a) {
    (void)a;
    int value = unipc_semaphore_value(semaphore);
    TRY(value >= 0);
    OK("%d", value);
}

static void count(char **a) {
    volatile uint32_t *counter = (uint32_t *)((char *)unipc_memory_address(memory) + COUNTER);
    for (size_t rounds = number(a[0]); rounds > 0; rounds--) {
        TRY(unipc_semaphore_wait(semaphore, UNIPC_FOREVER) == 0);
        *counter += 1;
        TRY(unipc_semaphore_post(semaphore) == 0);
    }
    OK();
}

static void counted(char **a) {
    (void)a;
    OK("%u", *(uint32_t *)((char *)unipc_memory_address(memory) + COUNTER));
}

/* ---- FIFOs and pipes */

static void fifo_create(char **a) {
    unipc_fifo *fifo = unipc_fifo_create(a[0], NULL);
    TRY(fifo != NULL);
    unipc_fifo_close(fifo);
    OK();
}

static void fifo_read(char **a) {
    char text[LONGEST];
    unipc_fifo *fifo = unipc_fifo_open(a[0], NULL);
    TRY(fifo != NULL);
    unipc_pipe_reader *reader = unipc_fifo_open_reader(fifo, UNIPC_FOREVER);
    TRY(reader != NULL);
    ssize_t length = unipc_pipe_read_full(reader, text, sizeof text, UNIPC_FOREVER, NULL);
    TRY(length >= 0);
    unipc_pipe_reader_close(reader);
    unipc_fifo_close(fifo);
    OK("%.*s", (int)length, text);
}

static void fifo_write(char **a) {
    unipc_fifo *fifo = unipc_fifo_open(a[0], NULL);
    TRY(fifo != NULL);
    unipc_pipe_writer *writer = unipc_fifo_open_writer(fifo, UNIPC_FOREVER);
    TRY(writer != NULL);
    TRY(unipc_pipe_write_full(writer, a[1], strlen(a[1]), UNIPC_FOREVER, NULL) >= 0);
    unipc_pipe_writer_close(writer);
    unipc_fifo_close(fifo);
    OK();
}

/* Starts the program of a[1] and so on with two more arguments, the ends that it inherits. */
static void pipe_exec(char **a) {
    char text[LONGEST], reader[16], writer[16], **more = a + 1;
    unipc_pipe_reader *from_child, *from_parent;
    unipc_pipe_writer *to_child, *to_parent;
    int status;
    TRY(unipc_pipe_duplex(&from_child, &to_child, &from_parent, &to_parent) == 0);
    pid_t child = fork();
    TRY(child >= 0);
    if (child == 0) {
        /* The two that stay close-on-exec are the parent's. */
        unipc_pipe_reader_set_inheritable(from_parent, 1);
        unipc_pipe_writer_set_inheritable(to_parent, 1);
        snprintf(reader, sizeof reader, "%d", unipc_pipe_reader_fd(from_parent));
        snprintf(writer, sizeof writer, "%d", unipc_pipe_writer_fd(to_parent));
        while (*more) more++;
        more[0] = reader;
        more[1] = writer;
        execvp(a[1], a + 1);
        _exit(127);
    }
    unipc_pipe_reader_close(from_parent);
    unipc_pipe_writer_close(to_parent);
    TRY(unipc_pipe_write_full(to_child, a[0], strlen(a[0]), UNIPC_FOREVER, NULL) >= 0);
    unipc_pipe_writer_close(to_child);
    ssize_t length = unipc_pipe_read_full(from_child, text, sizeof text, UNIPC_FOREVER, NULL);
    TRY(length >= 0);
    unipc_pipe_reader_close(from_child);
    waitpid(child, &status, 0);
    if (status != 0) {
        say("error\t%d\tthe child failed", ECHILD);
    } else {
        OK("%.*s", (int)length, text);
    }
}

/* What the program is when it inherits two ends: it says what it heard. */
static int echo(int inherited_reader, int inherited_writer) {
    char text[LONGEST], answer[LONGEST + 8];
    unipc_pipe_reader *reader = unipc_pipe_reader_from_fd(inherited_reader);
    unipc_pipe_writer *writer = unipc_pipe_writer_from_fd(inherited_writer);
    if (!reader || !writer) return EXIT_FAILURE;
    ssize_t length = unipc_pipe_read_full(reader, text, sizeof text, UNIPC_FOREVER, NULL);
    if (length < 0) return EXIT_FAILURE;
    snprintf(answer, sizeof answer, "heard %.*s", (int)length, text);
    return unipc_pipe_write_full(writer, answer, strlen(answer), UNIPC_FOREVER, NULL) < 0;
}

#define COMMAND(name) {#name, name}

int main(int argc, char **argv) {
    static const command commands[] = {
        COMMAND(queue_create), COMMAND(queue_open), COMMAND(queue_unlink), COMMAND(queue_send),
        COMMAND(queue_receive), COMMAND(queue_try), COMMAND(queue_attributes), COMMAND(queue_notify),
        COMMAND(queue_notified), COMMAND(memory_create), COMMAND(memory_open), COMMAND(memory_create_file),
        COMMAND(memory_open_file), COMMAND(memory_unlink), COMMAND(memory_write), COMMAND(memory_read),
        COMMAND(semaphore_create), COMMAND(semaphore_open), COMMAND(semaphore_unlink), COMMAND(semaphore_init),
        COMMAND(semaphore_at), COMMAND(semaphore_wait), COMMAND(semaphore_try), COMMAND(semaphore_post),
        COMMAND(semaphore_value), COMMAND(count), COMMAND(counted), COMMAND(fifo_create), COMMAND(fifo_read),
        COMMAND(fifo_write), COMMAND(pipe_exec), {NULL, NULL},
    };
    if (argc == 4 && strcmp(argv[1], "echo") == 0) return echo(atoi(argv[2]), atoi(argv[3]));
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* for queue_notified to take */
    return talk(commands);
}
