/*
 * A test is a promise: TEST(a_closed_queue_is_refused) { ... }. Each runs in a process of its own,
 * under a watchdog, and fails if it leaves a descriptor open or a child, be it a zombie. What it names with
 * unique(), and every process that it started, is gone afterwards, also when it failed. `program NAME` runs
 * the one test NAME here, for a debugger.
 */
#ifndef HARNESS_H
#define HARNESS_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <unipc.h>
#ifdef WITHOUT_LIBRARY /* the program loads it by itself, if at all */
#define unipc_last_error() ""
#endif

enum { WATCHDOG_SECONDS = 60, MOST_TESTS = 100, MOST_NAMES = 16, DESCRIPTORS = 256 };

static struct { const char *name; void (*run)(void); } tests[MOST_TESTS];
static int test_count;
/* Shared with the test's process, so that its parent can remove what it leaves. */
static struct { char names[MOST_NAMES][64]; int count; char skipped[128]; } *shared;
static pid_t program;

#define TEST(promise)                                                                      \
    static void promise(void);                                                             \
    __attribute__((constructor)) static void register_##promise(void) {                    \
        tests[test_count].name = #promise;                                                 \
        tests[test_count++].run = promise;                                                 \
    }                                                                                      \
    static void promise(void)

#define CHECK(condition)                                                                          \
    do {                                                                                          \
        if (!(condition)) {                                                                       \
            int error_ = errno;                                                                   \
            fprintf(stderr, "%s:%d: %s\n    errno %d (%s), last error \"%s\"\n", __FILE__, __LINE__, \
                    #condition, error_, strerror(error_), unipc_last_error());                    \
            _exit(1);                                                                             \
        }                                                                                         \
    } while (0)

/* The call fails so, and says this. */
#define FAILS(call, error, sentence) do { errno = 0; CHECK((call) == -1); CHECK(errno == (error)); SAYS(sentence); } while (0)
#define FAILS_NULL(call, error, sentence) do { errno = 0; CHECK((call) == NULL); CHECK(errno == (error)); SAYS(sentence); } while (0)
#define SAYS(sentence) CHECK(strstr(unipc_last_error(), (sentence)) != NULL)

/* The test cannot run here: the reason is printed. */
#define SKIP(reason) do { snprintf(shared->skipped, sizeof shared->skipped, "%s", (reason)); exit(0); } while (0)

static inline const char *remembered(const char *prefix, const char *what) {
    CHECK(shared->count < MOST_NAMES);
    snprintf(shared->names[shared->count], sizeof shared->names[0], "%sunipc-c-%d-%d-%s", prefix, (int)program,
             shared->count, what);
    return shared->names[shared->count++];
}

/* A name, or a path, that nobody else has. */
static inline const char *unique(const char *what) { return remembered("/", what); }
static inline const char *unique_path(const char *what) { return remembered("/tmp/", what); }

static inline void pause_ms(int milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

static inline int64_t now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/* From now on a handler without SA_RESTART runs every few milliseconds. */
static volatile sig_atomic_t interruptions;
static inline void on_interruption(int number) { (void)number; interruptions++; }
static inline void be_interrupted(void) {
    struct sigaction action;
    struct sigevent event;
    struct itimerspec every = {{0, 5000000}, {0, 5000000}};
    timer_t timer;
    memset(&action, 0, sizeof action);
    memset(&event, 0, sizeof event);
    action.sa_handler = on_interruption;
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR1;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    CHECK(timer_settime(timer, 0, &every, NULL) == 0);
}

/* Ends a child well, and as another program: valgrind would find lost there what the parent holds. */
static inline void leave(void) {
    execl("/bin/true", "true", (char *)NULL);
    _exit(127);
}

/* Runs the block in a child, and expects it to end well. */
static inline void ends_well(pid_t child) {
    int status;
    CHECK(child > 0);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
#define IN_CHILD(...) do { pid_t child_ = fork(); if (child_ == 0) { __VA_ARGS__; leave(); } ends_well(child_); } while (0)

static inline int open_descriptors(void) {
    int count = 0;
    for (int fd = 0; fd < DESCRIPTORS; fd++) count += fcntl(fd, F_GETFD) != -1;
    return count;
}

static inline int has_children(void) {
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Becomes true: what another thread or process does in its time. */
enum { PATIENCE_MS = 50000 };
#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        int left_ = PATIENCE_MS;                                                                   \
        while (!(condition) && left_-- > 0) pause_ms(1);                                           \
        CHECK(condition);                                                                          \
    } while (0)

static inline int run_here(int test) {
    alarm(WATCHDOG_SECONDS);
    signal(SIGPIPE, SIG_DFL);
    int before = open_descriptors();
    tests[test].run();
    /* Children that a test abandoned are reaped when they end, and the descriptors for that closed. */
    for (int left = 5000; left > 0 && (open_descriptors() != before || has_children()); left--) pause_ms(1);
    int after = open_descriptors();
    if (after != before) fprintf(stderr, "%d descriptors before, %d after\n", before, after);
    if (has_children()) fprintf(stderr, "a child is left\n");
    return after != before || has_children();
}

/* Runs the test in a child; returns what waitpid(2) says. */
static inline int run_apart(int test) {
    int status;
    shared->count = 0;
    shared->skipped[0] = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        exit(run_here(test));
    }
    if (waitpid(child, &status, 0) != child) return -1;
    kill(-child, SIGKILL); /* children that a failed test left waiting */
    for (int i = 0; i < shared->count; i++) {
        mq_unlink(shared->names[i]);
        shm_unlink(shared->names[i]);
        sem_unlink(shared->names[i]);
        unlink(shared->names[i]);
        char path[128];
        snprintf(path, sizeof path, "/dev/shm/unipc.queue.%s", shared->names[i] + 1);
        unlink(path);
    }
    return status;
}

int main(int argc, char **argv) {
    int failed = 0;
    const char *suite = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    program = getpid();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return 2;
    for (int i = 0; i < test_count; i++) {
        if (argc > 1) {
            if (strcmp(argv[1], tests[i].name) == 0) return run_here(i);
            continue;
        }
        int status = run_apart(i);
        if (status == 0 && shared->skipped[0]) {
            printf("skipped %s: %s (%s)\n", suite, tests[i].name, shared->skipped);
        } else if (status == 0) {
            printf("ok      %s: %s\n", suite, tests[i].name);
        } else {
            failed++;
            printf("FAILED  %s: %s (%s %d%s)\n", suite, tests[i].name, WIFSIGNALED(status) ? "signal" : "exit code",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                   WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? ", the watchdog" : "");
        }
    }
    return failed > 0;
}
#endif
