/* What starting a program and waiting for it costs over the bare posix_spawn(3) and waitpid(2), and popen
 * over libc's own.
 *
 * Both sides run in this one process, in turn, round by round; a column is the median of the rounds, a ratio
 * the median of the ratios round by round. Prints a Markdown table. QUICK=1: few rounds. */
#define _GNU_SOURCE
#include <unipc.h>

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 41, QUICK = 11, STARTS = 50 };

extern char **environ;
static char *const words[] = {"true", NULL};

static void must(int so, const char *what)
{
    if (!so) {
        fprintf(stderr, "spawn: %s: %s\n", what, unipc_last_error());
        exit(1);
    }
}

static pid_t bare(const posix_spawn_file_actions_t *actions)
{
    pid_t child;
    must(posix_spawnp(&child, words[0], actions, NULL, words, environ) == 0, "posix_spawnp");
    return child;
}

static void bare_wait(pid_t child)
{
    int status;
    must(waitpid(child, &status, 0) == child && status == 0, "waitpid");
}

static unipc_child *start(int output)
{
    unipc_command command = UNIPC_COMMAND_INIT;
    command.argv = (const char *const *)words;
    command.output.kind = output;
    unipc_child *child = unipc_spawn(&command);
    must(child != NULL, "unipc_spawn");
    return child;
}

static void end(unipc_child *child)
{
    unipc_status status;
    must(unipc_child_wait(child, &status, UNIPC_FOREVER) == 0 && status.code == 0, "unipc_child_wait");
    unipc_child_close(child);
}

static void plain_bare(void) { bare_wait(bare(NULL)); }

static void plain_unipc(void) { end(start(UNIPC_REDIRECT_INHERIT)); }

static void piped_bare(void)
{
    int ends[2];
    char byte;
    posix_spawn_file_actions_t actions;
    must(pipe2(ends, O_CLOEXEC) == 0, "pipe2");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    pid_t child = bare(&actions);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    must(read(ends[0], &byte, 1) == 0, "read");
    close(ends[0]);
    bare_wait(child);
}

static void piped_unipc(void)
{
    char byte;
    unipc_child *child = start(UNIPC_REDIRECT_PIPE);
    unipc_pipe_reader *output = unipc_child_take_output(child);
    must(unipc_pipe_read(output, &byte, 1, UNIPC_FOREVER) == 0, "unipc_pipe_read");
    unipc_pipe_reader_close(output);
    end(child);
}

static void popen_bare(void)
{
    FILE *stream = popen("exit 0", "r");
    must(stream != NULL && fgetc(stream) == EOF && pclose(stream) == 0, "popen");
}

static void popen_unipc(void)
{
    FILE *stream = unipc_popen("exit 0", "r");
    must(stream != NULL && fgetc(stream) == EOF && unipc_pclose(stream, NULL, UNIPC_FOREVER) == 0, "unipc_popen");
}

static double microseconds(void (*side)(void))
{
    struct timespec begin, finish;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < STARTS; i++) side();
    clock_gettime(CLOCK_MONOTONIC, &finish);
    return ((double)(finish.tv_sec - begin.tv_sec) * 1e6 + (double)(finish.tv_nsec - begin.tv_nsec) / 1e3) / STARTS;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, count, sizeof *values, ascending);
    return values[count / 2];
}

int main(void)
{
    const struct { const char *what; void (*bare)(void), (*unipc)(void); } rows[] = {
        {"spawn `true` + wait", plain_bare, plain_unipc},
        {"spawn `true` with its output in a pipe, read to the end, wait", piped_bare, piped_unipc},
        {"popen `exit 0`, read to the end, pclose", popen_bare, popen_unipc},
    };
    int rounds = getenv("QUICK") ? QUICK : ROUNDS;
    printf("| C, one process, median of %d rounds of %d | libc us | unipc us | unipc / libc |\n", rounds, STARTS);
    printf("|---|---:|---:|---:|\n");
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        double libc[ROUNDS], ours[ROUNDS], ratio[ROUNDS];
        microseconds(rows[row].bare);
        microseconds(rows[row].unipc);
        for (int i = 0; i < rounds; i++) {
            /* Each is the first as often as the other is. */
            if (i % 2) ours[i] = microseconds(rows[row].unipc);
            libc[i] = microseconds(rows[row].bare);
            if (i % 2 == 0) ours[i] = microseconds(rows[row].unipc);
            ratio[i] = ours[i] / libc[i];
        }
        printf("| %s | %.0f | %.0f | %.2f |\n", rows[row].what, median(libc, rounds), median(ours, rounds),
               median(ratio, rounds));
    }
    return 0;
}
