/* A program that has never heard of the library under test: POSIX, as the C library has it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../talk.h"

enum { COUNTER = 1024 };

static mqd_t queue;
static char *memory;
static size_t memory_size;
static sem_t *semaphore;

static void refuse(void) {
    int error = errno;
    say("error\t%d\t%s", error, strerror(error));
}

static size_t number(const char *text) { return strtoul(text, NULL, 10); }

/* So many milliseconds from now. */
static struct timespec until(const char *milliseconds) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    long wait = milliseconds ? (long)number(milliseconds) : 0;
    time.tv_sec += wait / 1000 + (time.tv_nsec + wait % 1000 * 1000000) / 1000000000;
    time.tv_nsec = (time.tv_nsec + wait % 1000 * 1000000) % 1000000000;
    return time;
}

/* ---- queues */

static void queue_create(char **a) {
    struct mq_attr attributes = {.mq_maxmsg = (long)number(a[1]), .mq_msgsize = (long)number(a[2])};
    TRY((queue = mq_open(a[0], O_RDWR | O_CREAT | O_EXCL, 0600, &attributes)) != (mqd_t)-1);
    OK();
}

static void queue_open(char **a) {
    TRY((queue = mq_open(a[0], O_RDWR)) != (mqd_t)-1);
    OK();
}

static void queue_unlink(char **a) {
    TRY(mq_unlink(a[0]) == 0);
    OK();
}

static void queue_send(char **a) {
    TRY(mq_send(queue, a[1], strlen(a[1]), (unsigned)number(a[0])) == 0);
    OK();
}

static void queue_receive(char **a) {
    char text[LONGEST];
    unsigned priority;
    struct timespec end = until(a[0]);
    ssize_t length = a[0] ? mq_timedreceive(queue, text, sizeof text, &priority, &end)
                          : mq_receive(queue, text, sizeof text, &priority);
    TRY(length >= 0);
    OK("%u %.*s", priority, (int)length, text);
}

static void queue_try(char **a) {
    (void)a;
    char text[LONGEST];
    unsigned priority;
    struct timespec past = {0, 0};
    ssize_t length = mq_timedreceive(queue, text, sizeof text, &priority, &past);
    if (length < 0 && errno == ETIMEDOUT) errno = EAGAIN;
    TRY(length >= 0);
    OK("%u %.*s", priority, (int)length, text);
}

static void queue_attributes(char **a) {
    (void)a;
    struct mq_attr now;
    TRY(mq_getattr(queue, &now) == 0);
    OK("%ld %ld %ld", now.mq_maxmsg, now.mq_msgsize, now.mq_curmsgs);
}

static void queue_notify(char **a) {
    (void)a;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    TRY(mq_notify(queue, &event) == 0);
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

static void map(int fd, size_t size) {
    struct stat status;
    TRY(fd >= 0);
    TRY(size == 0 || ftruncate(fd, (off_t)size) == 0);
    TRY(fstat(fd, &status) == 0);
    void *address = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    TRY(address != MAP_FAILED);
    memory = address;
    memory_size = (size_t)status.st_size;
    OK("%zu", memory_size);
}

static void memory_create(char **a) { map(shm_open(a[0], O_RDWR | O_CREAT | O_EXCL, 0600), number(a[1])); }
static void memory_open(char **a) { map(shm_open(a[0], O_RDWR, 0), 0); }
static void memory_create_file(char **a) { map(open(a[0], O_RDWR | O_CREAT | O_EXCL, 0600), number(a[1])); }
static void memory_open_file(char **a) { map(open(a[0], O_RDWR), 0); }

static void memory_unlink(char **a) {
    TRY(shm_unlink(a[0]) == 0);
    OK();
}

static void memory_write(char **a) {
    memcpy(memory + number(a[0]), a[1], strlen(a[1]));
    OK();
}

static void memory_read(char **a) { OK("%.*s", (int)number(a[1]), memory + number(a[0])); }

/* ---- semaphores */

static void semaphore_create(char **a) {
    TRY((semaphore = sem_open(a[0], O_CREAT | O_EXCL, 0600, (unsigned)number(a[1]))) != SEM_FAILED);
    OK();
}

static void semaphore_open(char **a) {
    TRY((semaphore = sem_open(a[0], 0)) != SEM_FAILED);
    OK();
}

static void semaphore_unlink(char **a) {
    TRY(sem_unlink(a[0]) == 0);
    OK();
}

static void semaphore_init(char **a) {
    semaphore = (sem_t *)(memory + number(a[0]));
    TRY(sem_init(semaphore, 1, (unsigned)number(a[1])) == 0);
    OK();
}

static void semaphore_at(char **a) {
    semaphore = (sem_t *)(memory + number(a[0]));
    OK();
}

static void semaphore_wait(char **a) {
    struct timespec end = until(a[0]);
    TRY((a[0] ? sem_timedwait(semaphore, &end) : sem_wait(semaphore)) == 0);
    OK();
}

static void semaphore_try(char **a) {
    (void)a;
    TRY(sem_trywait(semaphore) == 0);
    OK();
}

static void semaphore_post(char **a) {
    (void)a;
    TRY(sem_post(semaphore) == 0);
    OK();
}

static void semaphore_value(char **a) {
    (void)a;
    int value;
    TRY(sem_getvalue(semaphore, &value) == 0);
    OK("%d", value);
}

static void count(char **a) {
    volatile uint32_t *counter = (uint32_t *)(memory + COUNTER);
    for (size_t rounds = number(a[0]); rounds > 0; rounds--) {
        TRY(sem_wait(semaphore) == 0);
        *counter += 1;
        TRY(sem_post(semaphore) == 0);
    }
    OK();
}

static void counted(char **a) {
    (void)a;
    OK("%u", *(uint32_t *)(memory + COUNTER));
}

/* ---- FIFOs and pipes */

/* Reads to the end of file; the length, or -1. */
static ssize_t read_all(int fd, char *text, size_t room) {
    size_t done = 0;
    ssize_t count = 0;
    while (done < room && (count = read(fd, text + done, room - done)) > 0) done += (size_t)count;
    return count < 0 ? -1 : (ssize_t)done;
}

static void fifo_create(char **a) {
    TRY(mkfifo(a[0], 0600) == 0);
    OK();
}

static void fifo_read(char **a) {
    char text[LONGEST];
    int fd = open(a[0], O_RDONLY);
    TRY(fd >= 0);
    ssize_t length = read_all(fd, text, sizeof text);
    close(fd);
    TRY(length >= 0);
    OK("%.*s", (int)length, text);
}

static void fifo_write(char **a) {
    int fd = open(a[0], O_WRONLY);
    TRY(fd >= 0);
    ssize_t length = write(fd, a[1], strlen(a[1]));
    close(fd);
    TRY(length == (ssize_t)strlen(a[1]));
    OK();
}

/* Starts the program of a[1] and so on with two more arguments, the ends that it inherits. */
static void pipe_exec(char **a) {
    int there[2], back[2], status;
    char text[LONGEST], reader[16], writer[16], **more = a + 1;
    TRY(pipe(there) == 0 && pipe(back) == 0);
    pid_t child = fork();
    TRY(child >= 0);
    if (child == 0) {
        close(there[1]);
        close(back[0]);
        snprintf(reader, sizeof reader, "%d", there[0]);
        snprintf(writer, sizeof writer, "%d", back[1]);
        while (*more) more++;
        more[0] = reader;
        more[1] = writer;
        execvp(a[1], a + 1);
        _exit(127);
    }
    close(there[0]);
    close(back[1]);
    TRY(write(there[1], a[0], strlen(a[0])) == (ssize_t)strlen(a[0]));
    close(there[1]);
    ssize_t length = read_all(back[0], text, sizeof text);
    close(back[0]);
    TRY(length >= 0);
    TRY(waitpid(child, &status, 0) == child);
    errno = ECHILD;
    TRY(status == 0);
    OK("%.*s", (int)length, text);
}

/* What the program is when it inherits two ends: it says what it heard. */
static int echo(int reader, int writer) {
    char text[LONGEST];
    ssize_t length = read_all(reader, text, sizeof text);
    return length >= 0 && dprintf(writer, "heard %.*s", (int)length, text) > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
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
