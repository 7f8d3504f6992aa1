/* Programs as streams of stdio. */
#include "child.h"

/* The stream's next line is this. */
#define READS(stream, expected)                                                                    \
    do {                                                                                           \
        char line_[256] = "";                                                                      \
        CHECK(fgets(line_, sizeof line_, stream) != NULL);                                         \
        CHECK(strcmp(line_, expected) == 0);                                                       \
    } while (0)

static FILE *opened(const char *line, const char *mode) {
    FILE *stream = unipc_popen(line, mode);
    CHECK(stream != NULL);
    return stream;
}

static int closed(FILE *stream) {
    unipc_status status;
    CHECK(unipc_pclose(stream, &status, LONG) == 0);
    return status.shell_code;
}

TEST(what_a_program_writes_is_read_and_its_status_told) {
    FILE *stream = opened("echo one; echo two | tr a-z A-Z; exit 3", "r");
    READS(stream, "one\n");
    READS(stream, "TWO\n");
    CHECK(fgetc(stream) == EOF && feof(stream) && !ferror(stream));
    CHECK(closed(stream) == 3);
}

TEST(what_is_written_a_program_reads) {
    const char *path = unique_path("out");
    char line[128], text[16] = "";
    snprintf(line, sizeof line, "tr a-z A-Z > %s; exit 4", path);
    FILE *stream = opened(line, "w");
    CHECK(fprintf(stream, "hello %d\n", 42) == 9 && fputs("bye\n", stream) >= 0);
    CHECK(closed(stream) == 4);
    FILE *file = fopen(path, "r");
    CHECK(fread(text, 1, sizeof text, file) == 13 && strcmp(text, "HELLO 42\nBYE\n") == 0);
    fclose(file);
}

TEST(a_stream_of_both_directions_talks_back_and_forth) {
    FILE *stream = opened("while read word; do echo \"<$word>\"; done; echo end; exit 5", "r+");
    for (int i = 0; i < 100; i++) {
        char expected[32];
        CHECK(fprintf(stream, "%d\n", i) > 0);
        snprintf(expected, sizeof expected, "<%d>\n", i);
        READS(stream, expected);
    }
    CHECK(fputs("two\nlines\n", stream) >= 0);
    READS(stream, "<two>\n"); /* with more to read behind */
    CHECK(fputs("more\n", stream) >= 0);
    READS(stream, "<lines>\n");
    READS(stream, "<more>\n");
    CHECK(unipc_popen_finish(stream) == 0);
    CHECK(unipc_popen_finish(stream) == 0); /* it stays finished */
    READS(stream, "end\n");
    CHECK(fgetc(stream) == EOF && feof(stream));
    CHECK(fputs("too late", stream) == EOF && errno == EBADF);
    SAYS("that side is closed");
    CHECK(closed(stream) == 5);
}

TEST(what_was_written_and_not_flushed_is_written_before_the_end) {
    FILE *stream = opened("test \"$(cat)\" = 'in the buffer'", "w");
    CHECK(fputs("in the buffer", stream) >= 0);
    CHECK(unipc_popen_finish(stream) == 0);
    CHECK(closed(stream) == 0);
}

TEST(large_amounts_go_through_the_buffers_of_both) {
    enum { MUCH = 1000000 };
    char *much = malloc(MUCH), *back = malloc(MUCH);
    for (int i = 0; i < MUCH; i++) much[i] = (char)(i * 31 / 7);
    FILE *stream = opened("wc -c | grep -qx 1000000", "w");
    CHECK(fwrite(much, 1, MUCH, stream) == MUCH);
    CHECK(closed(stream) == 0);
    stream = opened("head -c 1000000 /dev/zero | tr '\\0' x", "r");
    CHECK(fread(back, 1, MUCH, stream) == MUCH && back[0] == 'x' && back[MUCH - 1] == 'x');
    CHECK(fgetc(stream) == EOF && closed(stream) == 0);
    stream = opened("cat >/dev/null; head -c 1000000 /dev/zero | tr '\\0' y", "r+");
    CHECK(fwrite(much, 1, MUCH, stream) == MUCH && unipc_popen_finish(stream) == 0);
    CHECK(fgetc(stream) == 'y' && fread(back, 1, MUCH, stream) == MUCH - 1 && back[MUCH - 2] == 'y');
    CHECK(fgetc(stream) == EOF && closed(stream) == 0);
    free(much);
    free(back);
}

TEST(no_shell_reads_an_argument_vector) {
    unipc_command command = run(ARGV("echo", "$HOME", "*"));
    FILE *stream = unipc_popen_command(&command, "r");
    CHECK(stream != NULL);
    READS(stream, "$HOME *\n");
    CHECK(closed(stream) == 0);
}

TEST(the_other_streams_stay_as_the_command_sets_them) {
    unipc_command command = sh("cat; echo oh >&2");
    command.input.kind = UNIPC_REDIRECT_NULL;
    command.error.kind = UNIPC_REDIRECT_STDOUT;
    FILE *stream = unipc_popen_command(&command, "r");
    READS(stream, "oh\n");
    CHECK(closed(stream) == 0);
    command.error.kind = UNIPC_REDIRECT_PIPE;
    REFUSED(unipc_popen_command(&command, "r"), EINVAL, "no end for a pipe besides its own");
    command.error.kind = UNIPC_REDIRECT_NULL;
    command.output.kind = UNIPC_REDIRECT_PIPE;
    REFUSED(unipc_popen_command(&command, "w"), EINVAL, "no end for a pipe besides its own");
    stream = unipc_popen_command(&command, "r+");
    CHECK(fputs("both\n", stream) >= 0);
    READS(stream, "both\n");
    CHECK(closed(stream) == 0);
}

TEST(a_program_that_still_writes_is_told_of_the_close_by_sigpipe) {
    FILE *stream = opened("exec yes", "r");
    READS(stream, "y\n");
    CHECK(closed(stream) == 128 + SIGPIPE);
}

TEST(a_program_that_does_not_read_is_an_error_of_writing_and_no_signal) {
    FILE *stream = opened("exec <&-; echo closed; read word; exit 6", "r+"); /* SIGPIPE would end this test */
    READS(stream, "closed\n");
    CHECK(fputs("for nobody", stream) == EOF && errno == EPIPE);
    CHECK(closed(stream) == 6);
    stream = opened("exit 7", "w");
    UNTIL(state(unipc_popen_pid(stream)) == 'Z');
    CHECK(fputs("for nobody", stream) >= 0); /* in the buffer */
    CHECK(closed(stream) == 7);
}

TEST(closing_waits_no_longer_than_it_is_told_to_and_can_be_gone_on_with) {
    unipc_status status;
    const char *modes[] = {"r", "w", "r+"};
    for (int i = 0; i < 3; i++) {
        FILE *stream = opened("exec sleep 60", modes[i]);
        FAILS(unipc_pclose(stream, &status, 0), EAGAIN, "wait for /bin/sh: ");
        FAILS(unipc_pclose(stream, &status, SHORT), ETIMEDOUT, "wait for /bin/sh: ");
        FAILS(unipc_pclose(stream, &status, -2), EINVAL, "a timeout of -2 ns");
        CHECK(unipc_popen_signal(stream, SIGTERM) == 0);
        CHECK(unipc_pclose(stream, &status, LONG) == 0 && status.signal == SIGTERM);
    }
}

TEST(what_the_pipe_had_no_room_for_at_a_close_in_time_is_written_by_the_next) {
    enum { MUCH = 200000 };
    int hold[2];
    char line[64];
    CHECK(pipe(hold) == 0);
    unipc_descriptor passed = {9, 0};
    passed.fd = hold[0];
    snprintf(line, sizeof line, "read go <&9; test $(wc -c) = %d", MUCH);
    unipc_command command = sh(line);
    command.descriptors = &passed;
    command.descriptor_count = 1;
    FILE *stream = unipc_popen_command(&command, "w");
    char *much = calloc(1, MUCH), *buffer = malloc(MUCH + 1);
    CHECK(setvbuf(stream, buffer, _IOFBF, MUCH + 1) == 0);
    CHECK(fwrite(much, 1, MUCH, stream) == MUCH);
    FAILS(unipc_pclose(stream, NULL, 0), EAGAIN, "would block");
    FAILS(unipc_pclose(stream, NULL, SHORT), ETIMEDOUT, "timed out");
    CHECK(write(hold[1], "go\n", 3) == 3);
    CHECK(closed(stream) == 0);
    CHECK(close(hold[0]) == 0 && close(hold[1]) == 0);
    free(much);
    free(buffer);
}

TEST(a_signal_handler_ends_reading_and_closing_which_go_on_afterwards) {
    FILE *stream = opened("exec sleep 60", "r");
    be_interrupted();
    errno = 0;
    CHECK(fgetc(stream) == EOF && errno == EINTR && ferror(stream) && !feof(stream));
    FAILS(unipc_pclose(stream, NULL, UNIPC_FOREVER), EINTR, "interrupted");
    signal(SIGUSR1, SIG_IGN);
    CHECK(unipc_popen_signal(stream, SIGKILL) == 0);
    CHECK(closed(stream) == 128 + SIGKILL);
    stream = opened("read go; echo went", "r+");
    be_interrupted();
    CHECK(fgetc(stream) == EOF && errno == EINTR);
    signal(SIGUSR1, SIG_IGN);
    clearerr(stream);
    CHECK(fputs("go\n", stream) >= 0);
    READS(stream, "went\n");
    CHECK(closed(stream) == 0);
}

TEST(a_stream_that_fclose_closes_neither_waits_nor_leaves_a_zombie) {
    FILE *stream = opened("read word; exit 0", "w"), *volatile gone = stream;
    int pid = unipc_popen_pid(stream);
    CHECK(fclose(stream) == 0); /* its input ends */
    UNTIL(state(pid) == 0);
    FAILS(unipc_pclose(gone, NULL, 0), EBADF, "none that unipc_popen() or unipc_popen_command() made, or it is closed");
}

TEST(a_strangers_stream_is_refused) {
    FILE *libcs = popen("true", "r"), *ours = opened("true", "r");
    FAILS(unipc_pclose(libcs, NULL, LONG), EBADF, "unipc_pclose: the stream is none that unipc_popen()");
    FAILS(unipc_pclose(stdin, NULL, LONG), EBADF, "unipc_pclose: the stream is none that unipc_popen()");
    FAILS(unipc_popen_finish(stdout), EBADF, "unipc_popen_finish: the stream is none");
    FAILS(unipc_popen_pid(stdout), EBADF, "unipc_popen_pid: the stream is none");
    FAILS(unipc_popen_signal(stdout, 0), EBADF, "unipc_popen_signal: the stream is none");
    FAILS(unipc_pclose(NULL, NULL, LONG), EINVAL, "unipc_pclose: stream is NULL");
    CHECK(pclose(libcs) == 0);
    CHECK(closed(ours) == 0);
    FAILS(unipc_pclose(ours, NULL, LONG), EBADF, "or it is closed");
}

TEST(a_mode_that_there_is_not_is_refused) {
    unipc_command command = run(ARGV("true"));
    const char *modes[] = {"", "rw", "re", "w+", "a", "r+b"};
    for (int i = 0; i < 6; i++) {
        REFUSED(unipc_popen("true", modes[i]), EINVAL, "is no mode; there is \"r\", \"w\" and \"r+\"");
        REFUSED(unipc_popen_command(&command, modes[i]), EINVAL, "is no mode");
    }
    REFUSED(unipc_popen("true", NULL), EINVAL, "mode is NULL");
    REFUSED(unipc_popen(NULL, "r"), EINVAL, "line is NULL");
    REFUSED(unipc_popen_command(NULL, "r"), EINVAL, "command is NULL");
}

TEST(a_command_that_cannot_be_started_is_no_stream) {
    unipc_command command = run(ARGV("no-such-program-of-unipc"));
    const char *modes[] = {"r", "w", "r+"};
    for (int i = 0; i < 3; i++) REFUSED(unipc_popen_command(&command, modes[i]), ENOENT, "spawn no-such-program-of-unipc");
    command.argv = ARGV(NULL);
    REFUSED(unipc_popen_command(&command, "r"), EINVAL, "the argument vector is empty");
    FILE *stream = opened("no-such-program-of-unipc 2>/dev/null", "r"); /* the shell is there, and says so */
    CHECK(closed(stream) == 127);
}

TEST(a_host_that_ignores_sigchld_loses_the_status_and_not_the_stream) {
    CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    FILE *stream = opened("echo here", "r");
    READS(stream, "here\n");
    FAILS(unipc_pclose(stream, NULL, LONG), ECHILD, "its status is lost");
    FAILS(unipc_pclose(stream, NULL, LONG), EBADF, "or it is closed");
}

static void *talk(void *nothing) {
    for (int i = 500; i > 0; i--) {
        FILE *stream = opened("cat", "r+");
        CHECK(fprintf(stream, "%d\n", i) > 0 && unipc_popen_finish(stream) == 0);
        int back = 0;
        CHECK(fscanf(stream, "%d", &back) == 1 && back == i);
        CHECK(closed(stream) == 0);
    }
    return nothing;
}

TEST(many_streams_in_many_threads_leak_nothing) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, talk, NULL) == 0);
    for (int i = 0; i < 4; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}
