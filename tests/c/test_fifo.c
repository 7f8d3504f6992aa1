#include "harness.h"

static char buffer[64];

static mode_t mode_of(const char *path) {
    struct stat stat;
    CHECK(lstat(path, &stat) == 0);
    return stat.st_mode;
}

TEST(a_fifo_joins_two_processes) {
    const char *path = unique_path("fifo");
    unipc_fifo *fifo = unipc_fifo_create(path, NULL);
    CHECK(fifo != NULL);
    pid_t child = fork();
    if (child == 0) {
        unipc_pipe_writer *writer = unipc_fifo_open_writer(fifo, UNIPC_FOREVER);
        CHECK(writer != NULL && unipc_pipe_write(writer, "hello", 5, UNIPC_FOREVER) == 5);
        leave();
    }
    unipc_pipe_reader *reader = unipc_fifo_open_reader(fifo, UNIPC_FOREVER);
    CHECK(reader != NULL);
    CHECK(unipc_pipe_read_full(reader, buffer, sizeof buffer, UNIPC_FOREVER, NULL) == 5);
    ends_well(child);
    CHECK(unipc_pipe_reader_close(reader) == 0);
    CHECK(unipc_fifo_close(fifo) == 0);
    CHECK(unipc_fifo_unlink(path) == 0);
    CHECK(access(path, F_OK) == -1);
}

TEST(a_fifo_is_made_once) {
    const char *path = unique_path("fifo");
    unipc_fifo *fifo = unipc_fifo_create(path, NULL);
    CHECK(fifo != NULL);
    FAILS_NULL(unipc_fifo_create(path, NULL), EEXIST, path);
    CHECK(unipc_fifo_close(fifo) == 0);
}

TEST(open_or_create_tells_which) {
    int created = -1;
    const char *path = unique_path("fifo");
    unipc_fifo *first = unipc_fifo_open_or_create(path, NULL, &created);
    CHECK(first != NULL && created == 1);
    unipc_fifo *second = unipc_fifo_open_or_create(path, NULL, &created);
    CHECK(second != NULL && created == 0);
    CHECK(unipc_fifo_close(second) == 0);
    second = unipc_fifo_open_or_create(path, NULL, NULL);
    CHECK(second != NULL);
    CHECK(unipc_fifo_close(first) == 0 && unipc_fifo_close(second) == 0);
}

TEST(the_umask_applies_to_a_mode_and_not_to_an_exact_one) {
    unipc_fifo_options options = UNIPC_FIFO_OPTIONS_INIT;
    const char *plain = unique_path("plain"), *masked = unique_path("masked"), *exact = unique_path("exact");
    umask(027);
    CHECK(unipc_fifo_close(unipc_fifo_create(plain, NULL)) == 0);
    CHECK(mode_of(plain) == (S_IFIFO | 0600));
    options.mode = 0666;
    CHECK(unipc_fifo_close(unipc_fifo_create(masked, &options)) == 0);
    CHECK(mode_of(masked) == (S_IFIFO | 0640));
    options.exact_mode = 1;
    CHECK(unipc_fifo_close(unipc_fifo_create(exact, &options)) == 0);
    CHECK(mode_of(exact) == (S_IFIFO | 0666));
    options.mode = 01777;
    FAILS_NULL(unipc_fifo_create(unique_path("sticky"), &options), EINVAL, "mode");
}

TEST(what_is_no_fifo_is_refused_and_never_opened) {
    const char *path = unique_path("file");
    CHECK(close(open(path, O_CREAT | O_EXCL | O_WRONLY, 0600)) == 0);
    FAILS_NULL(unipc_fifo_open(path, NULL), EINVAL, "FIFO");
    FAILS_NULL(unipc_fifo_open_or_create(path, NULL, NULL), EINVAL, "FIFO");
    FAILS(unipc_fifo_unlink(path), EINVAL, "FIFO");
    CHECK(access(path, F_OK) == 0);
    FAILS_NULL(unipc_fifo_open("/dev/null", NULL), EINVAL, "FIFO");
}

TEST(a_fifo_that_does_not_exist_is_not_found) {
    const char *path = unique_path("none");
    FAILS_NULL(unipc_fifo_open(path, NULL), ENOENT, path);
    FAILS(unipc_fifo_unlink(path), ENOENT, path);
    FAILS_NULL(unipc_fifo_create("/no/such/directory/fifo", NULL), ENOENT, "/no/such/directory/fifo");
    FAILS_NULL(unipc_fifo_open(NULL, NULL), EINVAL, "unipc_fifo_open: path is NULL");
    FAILS_NULL(unipc_fifo_open("", NULL), ENOENT, "");
}

TEST(a_reader_opens_at_once_and_a_writer_without_reader_does_not) {
    unipc_fifo *fifo = unipc_fifo_create(unique_path("fifo"), NULL);
    FAILS_NULL(unipc_fifo_open_writer(fifo, 0), ENXIO, "open for reading");
    unipc_pipe_reader *reader = unipc_fifo_open_reader(fifo, 0);
    CHECK(reader != NULL);
    CHECK(unipc_pipe_read(reader, buffer, 1, 0) == 0); /* no writer has come yet */
    unipc_pipe_writer *writer = unipc_fifo_open_writer(fifo, 0);
    CHECK(writer != NULL);
    FAILS(unipc_pipe_read(reader, buffer, 1, 0), EAGAIN, "would block");
    CHECK(unipc_pipe_write(writer, "x", 1, 0) == 1 && unipc_pipe_read(reader, buffer, 1, 0) == 1);
    CHECK(unipc_pipe_writer_close(writer) == 0 && unipc_pipe_reader_close(reader) == 0);
    CHECK(unipc_fifo_close(fifo) == 0);
}

TEST(opening_waits_no_longer_than_told) {
    unipc_fifo *fifo = unipc_fifo_create(unique_path("fifo"), NULL);
    int64_t before = now(CLOCK_MONOTONIC);
    FAILS_NULL(unipc_fifo_open_reader(fifo, UNIPC_MILLISECONDS(20)), ETIMEDOUT, "in time");
    FAILS_NULL(unipc_fifo_open_writer(fifo, UNIPC_MILLISECONDS(20)), ETIMEDOUT, "in time");
    CHECK(now(CLOCK_MONOTONIC) - before >= UNIPC_MILLISECONDS(40));
    FAILS_NULL(unipc_fifo_open_writer(fifo, -7), EINVAL, "timeout");
    CHECK(unipc_fifo_close(fifo) == 0);
}

TEST(opening_is_ended_by_a_signal_handler) {
    unipc_fifo *fifo = unipc_fifo_create(unique_path("fifo"), NULL);
    be_interrupted();
    FAILS_NULL(unipc_fifo_open_reader(fifo, UNIPC_FOREVER), EINTR, "signal handler");
    FAILS_NULL(unipc_fifo_open_writer(fifo, UNIPC_FOREVER), EINTR, "signal handler");
    FAILS_NULL(unipc_fifo_open_reader(fifo, UNIPC_SECONDS(50)), EINTR, "signal handler");
    FAILS_NULL(unipc_fifo_open_writer(fifo, UNIPC_SECONDS(50)), EINTR, "signal handler");
    CHECK(unipc_fifo_close(fifo) == 0);
}

TEST(a_reader_waits_for_its_writer) {
    unipc_fifo *fifo = unipc_fifo_create(unique_path("fifo"), NULL);
    pid_t child = fork();
    if (child == 0) {
        pause_ms(30);
        unipc_pipe_writer *writer = unipc_fifo_open_writer(fifo, UNIPC_SECONDS(50));
        CHECK(writer != NULL && unipc_pipe_write(writer, "x", 1, UNIPC_FOREVER) == 1);
        leave();
    }
    unipc_pipe_reader *reader = unipc_fifo_open_reader(fifo, UNIPC_SECONDS(50));
    CHECK(reader != NULL && unipc_pipe_read(reader, buffer, 1, UNIPC_FOREVER) == 1);
    ends_well(child);
    CHECK(unipc_pipe_reader_close(reader) == 0 && unipc_fifo_close(fifo) == 0);
}

TEST(several_readers_and_writers_share_a_fifo) {
    unipc_fifo *fifo = unipc_fifo_create(unique_path("fifo"), NULL);
    unipc_pipe_reader *reader1 = unipc_fifo_open_reader(fifo, 0), *reader2 = unipc_fifo_open_reader(fifo, 0);
    unipc_pipe_writer *writer1 = unipc_fifo_open_writer(fifo, 0), *writer2 = unipc_fifo_open_writer(fifo, 0);
    CHECK(reader1 && reader2 && writer1 && writer2);
    CHECK(unipc_pipe_write(writer1, "a", 1, 0) == 1 && unipc_pipe_write(writer2, "b", 1, 0) == 1);
    CHECK(unipc_pipe_read(reader1, buffer, 1, 0) == 1 && buffer[0] == 'a');
    CHECK(unipc_pipe_read(reader2, buffer, 1, 0) == 1 && buffer[0] == 'b');
    CHECK(unipc_pipe_writer_close(writer1) == 0);
    FAILS(unipc_pipe_read(reader1, buffer, 1, 0), EAGAIN, "would block"); /* writer2 is there */
    CHECK(unipc_pipe_writer_close(writer2) == 0);
    CHECK(unipc_pipe_read(reader1, buffer, 1, 0) == 0 && unipc_pipe_read(reader2, buffer, 1, 0) == 0);
    CHECK(unipc_pipe_reader_close(reader1) == 0 && unipc_pipe_reader_close(reader2) == 0);
    CHECK(unipc_fifo_close(fifo) == 0);
}

TEST(a_path_need_not_be_utf8) {
    char path[96];
    snprintf(path, sizeof path, "%s", unique_path("latin-\xfc"));
    unipc_fifo *fifo = unipc_fifo_create(path, NULL);
    CHECK(fifo != NULL && unipc_fifo_close(fifo) == 0);
    CHECK(unipc_fifo_unlink(path) == 0);
}
