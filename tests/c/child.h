/* What the tests of processes have in common. */
#ifndef CHILD_H
#define CHILD_H
#include "harness.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
static const int64_t LONG = UNIPC_SECONDS(50), SHORT = UNIPC_MILLISECONDS(20);

static inline unipc_command run(const char *const *argv) {
    unipc_command command = UNIPC_COMMAND_INIT;
    command.argv = argv;
    return command;
}

static inline unipc_command sh(const char *line) {
    unipc_command command = UNIPC_COMMAND_INIT;
    command.shell = line;
    return command;
}

static inline unipc_redirect bound(int kind) { unipc_redirect to = {0, 0, NULL}; to.kind = kind; return to; }
static inline unipc_redirect to_fd(int fd) { unipc_redirect to = bound(UNIPC_REDIRECT_FD); to.fd = fd; return to; }
static inline unipc_redirect to_file(int kind, const char *path) { unipc_redirect to = bound(kind); to.path = path; return to; }

/* How a child ends that is to end by itself. */
static inline unipc_status ended(unipc_child *child) {
    unipc_status status;
    CHECK(unipc_child_wait(child, &status, LONG) == 0);
    CHECK(unipc_child_close(child) == 0);
    return status;
}

static inline unipc_child *spawned(unipc_command command) {
    unipc_child *child = unipc_spawn(&command);
    CHECK(child != NULL);
    return child;
}

static inline int code(unipc_command command) { return ended(spawned(command)).code; }

/* Whether what a command that succeeds says on its standard output is this. */
static inline int says(unipc_command command, const char *expected) {
    struct iovec output;
    unipc_status status;
    command.output.kind = UNIPC_REDIRECT_PIPE;
    unipc_child *child = spawned(command);
    CHECK(unipc_child_communicate(child, NULL, 0, &output, NULL, &status, LONG) == 0);
    CHECK(unipc_child_close(child) == 0);
    int same = strcmp(output.iov_base, expected) == 0 && status.code == 0;
    if (!same) fprintf(stderr, "said: %s", (char *)output.iov_base);
    unipc_free(output.iov_base);
    return same;
}

static inline int is_readable(int fd) {
    struct pollfd entry = {fd, POLLIN, 0};
    return poll(&entry, 1, 0) == 1;
}

/* The letter of a process's state; 0: there is none of this number. */
static inline int state(int pid) {
    char path[64], letter = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) return 0;
    if (fscanf(file, "%*d (%*[^)]) %c", &letter) != 1) letter = 0;
    fclose(file);
    return letter;
}

/* A call fails so, and leaves no descriptor and no child. There may be fewer than before: those of a thread that
 * kept an earlier child. The end of the test counts exactly. */
#define REFUSED(call, error, sentence)                                                             \
    do {                                                                                           \
        int open_ = open_descriptors();                                                            \
        FAILS_NULL(call, error, sentence);                                                         \
        UNTIL(open_descriptors() <= open_ && !has_children());                                     \
    } while (0)

/* The two ways in which a child is started: posix_spawn(3), and what does more than it can. */
#define BOTH_WAYS for (int tied = 0; tied <= SIGKILL; tied += SIGKILL)
static inline unipc_command way(unipc_command command, int tied) { command.death_signal = tied; return command; }

/* From now on no pidfd stands for a group, as before Linux 6.9. */
static inline void be_on_an_older_kernel(void) {
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_send_signal, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof steps / sizeof steps[0], steps};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) SKIP("no seccomp filter can be set here");
}

#endif
