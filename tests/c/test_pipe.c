#include "harness.h"

static unipc_pipe_reader *reader;
static unipc_pipe_writer *writer;
static char buffer[1 << 20];

static void make(void) { CHECK(unipc_pipe_create(&reader, &writer) == 0); }

static void close_both(void) {
    CHECK(unipc_pipe_reader_close(reader) == 0);
    CHECK(unipc_pipe_writer_close(writer) == 0);
}

static void fill(void) {
    while (unipc_pipe_write(writer, buffer, 4096, 0) == 4096) {}
    CHECK(errno == EAGAIN);
}

TEST(what_is_written_is_read) {
    make();
    CHECK(unipc_pipe_write(writer, "hello", 5, UNIPC_FOREVER) == 5);
    CHECK(unipc_pipe_available(reader) == 5);
    CHECK(unipc_pipe_read(reader, buffer, sizeof buffer, UNIPC_FOREVER) == 5);
    CHECK(memcmp(buffer, "hello", 5) == 0);
    CHECK(unipc_pipe_available(reader) == 0);
    close_both();
}

TEST(a_read_takes_as_much_as_fits_and_leaves_the_rest) {
    make();
    CHECK(unipc_pipe_write(writer, "abcdef", 6, UNIPC_FOREVER) == 6);
    CHECK(unipc_pipe_read(reader, buffer, 4, UNIPC_FOREVER) == 4);
    CHECK(unipc_pipe_read(reader, buffer, 4, UNIPC_FOREVER) == 2);
    CHECK(memcmp(buffer, "ef", 2) == 0);
    close_both();
}

TEST(the_end_of_file_comes_when_the_last_writer_is_closed) {
    make();
    unipc_pipe_writer *second = unipc_pipe_writer_duplicate(writer);
    CHECK(second != NULL);
    CHECK(unipc_pipe_writer_close(writer) == 0);
    FAILS(unipc_pipe_read(reader, buffer, 8, 0), EAGAIN, "would block");
    CHECK(unipc_pipe_write(second, "x", 1, UNIPC_FOREVER) == 1);
    CHECK(unipc_pipe_writer_close(second) == 0);
    CHECK(unipc_pipe_read(reader, buffer, 8, UNIPC_FOREVER) == 1);
    CHECK(unipc_pipe_read(reader, buffer, 8, UNIPC_FOREVER) == 0);
    CHECK(unipc_pipe_read(reader, buffer, 8, 0) == 0);
    CHECK(unipc_pipe_reader_close(reader) == 0);
}

TEST(writing_without_a_reader_is_an_error_and_no_signal) {
    make();
    CHECK(unipc_pipe_reader_close(reader) == 0);
    FAILS(unipc_pipe_write(writer, "x", 1, UNIPC_FOREVER), EPIPE, "write to pipe");
    FAILS(unipc_pipe_write(writer, "x", 1, 0), EPIPE, "write to pipe");
    FAILS(unipc_pipe_write(writer, "x", 1, UNIPC_SECONDS(5)), EPIPE, "write to pipe");
    FAILS(unipc_pipe_write_full(writer, "x", 1, UNIPC_FOREVER, NULL), EPIPE, "write to pipe");
    CHECK(unipc_pipe_writer_close(writer) == 0);
}

TEST(an_empty_pipe_is_read_at_once_or_in_time_or_not_at_all) {
    make();
    FAILS(unipc_pipe_read(reader, buffer, 8, 0), EAGAIN, "read from pipe: it would block");
    int64_t before = now(CLOCK_MONOTONIC);
    FAILS(unipc_pipe_read(reader, buffer, 8, UNIPC_MILLISECONDS(30)), ETIMEDOUT, "read from pipe: timed out");
    CHECK(now(CLOCK_MONOTONIC) - before >= UNIPC_MILLISECONDS(30));
    close_both();
}

TEST(a_full_pipe_is_written_at_once_or_in_time_or_not_at_all) {
    make();
    fill();
    FAILS(unipc_pipe_write(writer, "x", 1, 0), EAGAIN, "write to pipe: it would block");
    int64_t before = now(CLOCK_MONOTONIC);
    FAILS(unipc_pipe_write(writer, "x", 1, UNIPC_MILLISECONDS(30)), ETIMEDOUT, "write to pipe: timed out");
    CHECK(now(CLOCK_MONOTONIC) - before >= UNIPC_MILLISECONDS(30));
    close_both();
}

TEST(a_negative_timeout_other_than_forever_is_refused) {
    make();
    FAILS(unipc_pipe_read(reader, buffer, 1, -2), EINVAL, "unipc_pipe_read: a timeout of -2 ns");
    FAILS(unipc_pipe_write(writer, buffer, 1, INT64_MIN), EINVAL, "unipc_pipe_write: a timeout of");
    close_both();
}

TEST(the_longest_timeout_is_as_good_as_none) {
    make();
    CHECK(unipc_pipe_write(writer, "x", 1, INT64_MAX) == 1);
    CHECK(unipc_pipe_read(reader, buffer, 1, INT64_MAX) == 1);
    close_both();
}

TEST(a_wait_is_ended_by_a_signal_handler) {
    unipc_pipe_reader *other_reader;
    unipc_pipe_writer *other_writer;
    make();
    CHECK(unipc_pipe_create(&other_reader, &other_writer) == 0);
    be_interrupted();
    FAILS(unipc_pipe_read(reader, buffer, 1, UNIPC_FOREVER), EINTR, "signal handler");
    FAILS(unipc_pipe_read(reader, buffer, 1, UNIPC_SECONDS(50)), EINTR, "signal handler");
    FAILS(unipc_pipe_read_full(reader, buffer, 1, UNIPC_FOREVER, NULL), EINTR, "signal handler");
    FAILS(unipc_pipe_splice_to(reader, unipc_pipe_writer_fd(other_writer), 1, UNIPC_FOREVER), EINTR, "signal handler");
    FAILS(unipc_pipe_splice_from(writer, unipc_pipe_reader_fd(other_reader), 1, UNIPC_FOREVER), EINTR, "signal handler");
    FAILS(unipc_pipe_tee(reader, other_writer, 1, UNIPC_FOREVER), EINTR, "signal handler");
    fill();
    FAILS(unipc_pipe_write(writer, "x", 1, UNIPC_FOREVER), EINTR, "signal handler");
    FAILS(unipc_pipe_write(writer, "x", 1, UNIPC_SECONDS(50)), EINTR, "signal handler");
    FAILS(unipc_pipe_write_full(writer, "x", 1, UNIPC_FOREVER, NULL), EINTR, "signal handler");
    FAILS(unipc_pipe_vmsplice(writer, buffer, 1, UNIPC_FOREVER), EINTR, "signal handler");
    CHECK(unipc_pipe_reader_close(other_reader) == 0 && unipc_pipe_writer_close(other_writer) == 0);
    close_both();
}

TEST(a_full_read_gathers_the_pieces) {
    size_t done = 99;
    make();
    IN_CHILD(
        for (const char *piece = "abcdef"; *piece; piece++) {
            CHECK(unipc_pipe_write(writer, piece, 1, UNIPC_FOREVER) == 1);
            pause_ms(2);
        });
    CHECK(unipc_pipe_read_full(reader, buffer, 6, UNIPC_FOREVER, &done) == 6);
    CHECK(done == 6 && memcmp(buffer, "abcdef", 6) == 0);
    close_both();
}

TEST(a_full_read_that_ends_early_says_how_much_it_has) {
    size_t done = 99;
    make();
    CHECK(unipc_pipe_write(writer, "abc", 3, UNIPC_FOREVER) == 3);
    FAILS(unipc_pipe_read_full(reader, buffer, 8, UNIPC_MILLISECONDS(10), &done), ETIMEDOUT, "timed out");
    CHECK(done == 3 && memcmp(buffer, "abc", 3) == 0);
    CHECK(unipc_pipe_write(writer, "de", 2, UNIPC_FOREVER) == 2);
    CHECK(unipc_pipe_writer_close(writer) == 0);
    CHECK(unipc_pipe_read_full(reader, buffer, 8, UNIPC_FOREVER, &done) == 2);
    CHECK(done == 2);
    CHECK(unipc_pipe_read_full(reader, buffer, 8, UNIPC_FOREVER, NULL) == 0);
    FAILS(unipc_pipe_read_full(NULL, buffer, 8, UNIPC_FOREVER, &done), EINVAL, "pipe reader is NULL");
    CHECK(done == 0);
    CHECK(unipc_pipe_reader_close(reader) == 0);
}

TEST(a_full_write_that_ends_early_says_how_much_went) {
    size_t done = 99;
    make();
    ssize_t capacity = unipc_pipe_writer_capacity(writer);
    FAILS(unipc_pipe_write_full(writer, buffer, sizeof buffer, UNIPC_MILLISECONDS(10), &done), ETIMEDOUT, "timed out");
    CHECK((ssize_t)done == capacity && unipc_pipe_available(reader) == capacity);
    CHECK(unipc_pipe_reader_close(reader) == 0);
    FAILS(unipc_pipe_write_full(writer, buffer, 10, UNIPC_FOREVER, &done), EPIPE, "write to pipe");
    CHECK(done == 0);
    CHECK(unipc_pipe_writer_close(writer) == 0);
}

TEST(a_full_write_goes_through_whatever_its_length) {
    make();
    pid_t child = fork();
    if (child == 0) {
        size_t done;
        CHECK(unipc_pipe_reader_close(reader) == 0);
        memset(buffer, 'z', sizeof buffer);
        CHECK(unipc_pipe_write_full(writer, buffer, sizeof buffer, UNIPC_FOREVER, &done) == (ssize_t)sizeof buffer);
        CHECK(done == sizeof buffer);
        leave();
    }
    CHECK(unipc_pipe_writer_close(writer) == 0);
    CHECK(unipc_pipe_read_full(reader, buffer, sizeof buffer, UNIPC_SECONDS(50), NULL) == (ssize_t)sizeof buffer);
    CHECK(buffer[0] == 'z' && buffer[sizeof buffer - 1] == 'z');
    CHECK(unipc_pipe_read(reader, buffer, 1, UNIPC_FOREVER) == 0);
    ends_well(child);
    CHECK(unipc_pipe_reader_close(reader) == 0);
}

TEST(an_atomic_write_goes_whole_or_not_at_all) {
    make();
    fill();
    CHECK(unipc_pipe_read(reader, buffer, 100, UNIPC_FOREVER) == 100);
    FAILS(unipc_pipe_write(writer, buffer, UNIPC_PIPE_BUF, 0), EAGAIN, "would block");
    FAILS(unipc_pipe_write(writer, buffer, UNIPC_PIPE_BUF, UNIPC_MILLISECONDS(5)), ETIMEDOUT, "timed out");
    ssize_t left = unipc_pipe_available(reader);
    CHECK(left == unipc_pipe_reader_capacity(reader) - 100);
    close_both();
}

TEST(writers_of_atomic_size_do_not_mix) {
    enum { WRITERS = 4, EACH = 50, SIZE = UNIPC_PIPE_BUF };
    pid_t children[WRITERS];
    make();
    for (int i = 0; i < WRITERS; i++) {
        children[i] = fork();
        if (children[i] != 0) continue;
        memset(buffer, 'a' + i, SIZE);
        for (int n = 0; n < EACH; n++) CHECK(unipc_pipe_write(writer, buffer, SIZE, UNIPC_FOREVER) == SIZE);
        leave();
    }
    CHECK(unipc_pipe_writer_close(writer) == 0);
    int pieces = 0;
    while (unipc_pipe_read_full(reader, buffer, SIZE, UNIPC_FOREVER, NULL) == SIZE) {
        for (int i = 1; i < SIZE; i++) CHECK(buffer[i] == buffer[0]);
        pieces++;
    }
    CHECK(pieces == WRITERS * EACH);
    for (int i = 0; i < WRITERS; i++) ends_well(children[i]);
    CHECK(unipc_pipe_reader_close(reader) == 0);
}

TEST(nothing_can_be_written_and_read_without_a_buffer) {
    make();
    CHECK(unipc_pipe_write(writer, NULL, 0, UNIPC_FOREVER) == 0);
    CHECK(unipc_pipe_read_full(reader, NULL, 0, UNIPC_FOREVER, NULL) == 0);
    FAILS(unipc_pipe_write(writer, NULL, 1, UNIPC_FOREVER), EINVAL, "unipc_pipe_write: data is NULL");
    FAILS(unipc_pipe_read(reader, NULL, 1, UNIPC_FOREVER), EINVAL, "unipc_pipe_read: buffer is NULL");
    FAILS(unipc_pipe_write(writer, "x", SIZE_MAX, UNIPC_FOREVER), EINVAL, "data cannot have");
    close_both();
}

TEST(the_capacity_is_told_and_set_at_both_ends) {
    make();
    CHECK(unipc_pipe_reader_capacity(reader) == 65536);
    CHECK(unipc_pipe_writer_set_capacity(writer, 100000) == 131072);
    CHECK(unipc_pipe_reader_capacity(reader) == 131072);
    CHECK(unipc_pipe_reader_set_capacity(reader, 4096) == 4096);
    CHECK(unipc_pipe_writer_capacity(writer) == 4096);
    FAILS(unipc_pipe_writer_set_capacity(writer, SIZE_MAX), EINVAL, "capacity");
    close_both();
}

TEST(a_nonblocking_end_never_waits) {
    make();
    CHECK(unipc_pipe_reader_is_nonblocking(reader) == 0);
    CHECK(unipc_pipe_reader_set_nonblocking(reader, 1) == 0);
    CHECK(unipc_pipe_reader_is_nonblocking(reader) == 1);
    CHECK(unipc_pipe_writer_is_nonblocking(writer) == 0);
    FAILS(unipc_pipe_read(reader, buffer, 1, UNIPC_FOREVER), EAGAIN, "would block");
    CHECK(unipc_pipe_reader_set_nonblocking(reader, 0) == 0);
    CHECK(unipc_pipe_reader_is_nonblocking(reader) == 0);
    CHECK(unipc_pipe_writer_set_nonblocking(writer, O_NONBLOCK) == 0); /* any value but 0 */
    fill();
    FAILS(unipc_pipe_write(writer, "x", 1, UNIPC_FOREVER), EAGAIN, "would block");
    close_both();
}

TEST(descriptors_close_on_exec_until_they_are_made_inheritable) {
    make();
    CHECK(unipc_pipe_reader_is_inheritable(reader) == 0 && unipc_pipe_writer_is_inheritable(writer) == 0);
    CHECK(fcntl(unipc_pipe_reader_fd(reader), F_GETFD) == FD_CLOEXEC);
    CHECK(unipc_pipe_reader_set_inheritable(reader, 1) == 0 && unipc_pipe_writer_set_inheritable(writer, 1) == 0);
    CHECK(unipc_pipe_reader_is_inheritable(reader) == 1 && unipc_pipe_writer_is_inheritable(writer) == 1);
    CHECK(unipc_pipe_reader_set_inheritable(reader, 0) == 0);
    CHECK(fcntl(unipc_pipe_reader_fd(reader), F_GETFD) == FD_CLOEXEC);
    CHECK(fcntl(unipc_pipe_writer_fd(writer), F_GETFD) == 0);
    close_both();
}

TEST(an_inheritable_end_reaches_the_next_program) {
    char command[64];
    make();
    CHECK(unipc_pipe_writer_set_inheritable(writer, 1) == 0);
    snprintf(command, sizeof command, "echo from sh >&%d", unipc_pipe_writer_fd(writer));
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    CHECK(unipc_pipe_writer_close(writer) == 0);
    CHECK(unipc_pipe_read_full(reader, buffer, 64, UNIPC_FOREVER, NULL) == 8);
    CHECK(memcmp(buffer, "from sh\n", 8) == 0);
    ends_well(child);
    CHECK(unipc_pipe_reader_close(reader) == 0);
}

TEST(a_descriptor_becomes_a_handle_that_owns_it) {
    int fds[2];
    CHECK(pipe(fds) == 0);
    reader = unipc_pipe_reader_from_fd(fds[0]);
    writer = unipc_pipe_writer_from_fd(fds[1]);
    CHECK(reader != NULL && writer != NULL);
    CHECK(unipc_pipe_reader_fd(reader) == fds[0] && unipc_pipe_writer_fd(writer) == fds[1]);
    CHECK(unipc_pipe_write(writer, "x", 1, UNIPC_FOREVER) == 1);
    CHECK(unipc_pipe_read(reader, buffer, 1, UNIPC_FOREVER) == 1);
    close_both();
    CHECK(fcntl(fds[0], F_GETFD) == -1 && fcntl(fds[1], F_GETFD) == -1);
}

TEST(a_descriptor_that_is_refused_stays_the_callers) {
    int fds[2];
    CHECK(pipe(fds) == 0);
    FAILS_NULL(unipc_pipe_reader_from_fd(fds[1]), EBADF, "not open for this direction");
    FAILS_NULL(unipc_pipe_writer_from_fd(fds[0]), EBADF, "not open for this direction");
    CHECK(fcntl(fds[0], F_GETFD) != -1 && fcntl(fds[1], F_GETFD) != -1);
    CHECK(close(fds[0]) == 0 && close(fds[1]) == 0);
    FAILS_NULL(unipc_pipe_reader_from_fd(fds[0]), EBADF, "the descriptor is closed");
    FAILS_NULL(unipc_pipe_writer_from_fd(-1), EBADF, "-1 is no open descriptor");
    int file = open("/dev/null", O_RDWR);
    FAILS_NULL(unipc_pipe_reader_from_fd(file), EINVAL, "no pipe or FIFO");
    CHECK(close(file) == 0);
}

TEST(standard_output_goes_into_the_pipe_and_back) {
    make();
    fflush(stdout);
    int before = dup(STDOUT_FILENO);
    CHECK(unipc_pipe_writer_duplicate_onto(writer, STDOUT_FILENO) == 0);
    CHECK(system("echo captured") == 0);
    printf("me too\n");
    fflush(stdout);
    CHECK(dup2(before, STDOUT_FILENO) == STDOUT_FILENO && close(before) == 0);
    CHECK(unipc_pipe_writer_close(writer) == 0);
    CHECK(unipc_pipe_read_full(reader, buffer, sizeof buffer, UNIPC_FOREVER, NULL) == 16);
    CHECK(memcmp(buffer, "captured\nme too\n", 16) == 0);
    CHECK(unipc_pipe_reader_close(reader) == 0);
}

TEST(a_program_reads_its_standard_input_from_the_pipe) {
    make();
    CHECK(unipc_pipe_write(writer, "one\ntwo\n", 8, UNIPC_FOREVER) == 8);
    CHECK(unipc_pipe_writer_close(writer) == 0);
    IN_CHILD(
        CHECK(unipc_pipe_reader_duplicate_onto(reader, STDIN_FILENO) == 0);
        CHECK(system("test \"$(wc -l)\" -eq 2") == 0));
    CHECK(unipc_pipe_reader_close(reader) == 0);
}

TEST(duplicating_onto_no_descriptor_is_refused) {
    make();
    FAILS(unipc_pipe_writer_duplicate_onto(writer, -1), EBADF, "-1 is no descriptor");
    FAILS(unipc_pipe_reader_duplicate_onto(reader, 1 << 30), EBADF, "is no descriptor");
    close_both();
}

TEST(splice_moves_a_file_into_the_pipe_and_the_pipe_into_a_file) {
    int in = open(unique_path("in"), O_RDWR | O_CREAT | O_EXCL, 0600);
    int out = open(unique_path("out"), O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(write(in, "spliced text", 12) == 12 && lseek(in, 0, SEEK_SET) == 0);
    make();
    CHECK(unipc_pipe_splice_from(writer, in, 100, UNIPC_FOREVER) == 12);
    CHECK(unipc_pipe_splice_from(writer, in, 100, UNIPC_FOREVER) == 0);
    CHECK(unipc_pipe_splice_to(reader, out, 7, UNIPC_FOREVER) == 7);
    CHECK(unipc_pipe_splice_to(reader, out, 100, UNIPC_FOREVER) == 5);
    FAILS(unipc_pipe_splice_to(reader, out, 100, 0), EAGAIN, "splice from pipe");
    FAILS(unipc_pipe_splice_to(reader, out, 100, UNIPC_MILLISECONDS(5)), ETIMEDOUT, "timed out");
    CHECK(pread(out, buffer, 100, 0) == 12 && memcmp(buffer, "spliced text", 12) == 0);
    CHECK(unipc_pipe_writer_close(writer) == 0);
    CHECK(unipc_pipe_splice_to(reader, out, 100, UNIPC_FOREVER) == 0);
    FAILS(unipc_pipe_splice_to(reader, -1, 100, 0), EBADF, "no open descriptor");
    CHECK(unipc_pipe_reader_close(reader) == 0);
    CHECK(close(in) == 0 && close(out) == 0);
}

TEST(splice_and_tee_join_two_pipes) {
    unipc_pipe_reader *end;
    unipc_pipe_writer *way;
    make();
    CHECK(unipc_pipe_create(&end, &way) == 0);
    CHECK(unipc_pipe_write(writer, "twice", 5, UNIPC_FOREVER) == 5);
    CHECK(unipc_pipe_tee(reader, way, 100, UNIPC_FOREVER) == 5);
    CHECK(unipc_pipe_available(reader) == 5 && unipc_pipe_available(end) == 5);
    CHECK(unipc_pipe_splice_to(reader, unipc_pipe_writer_fd(way), 100, UNIPC_FOREVER) == 5);
    CHECK(unipc_pipe_read_full(end, buffer, 10, UNIPC_FOREVER, NULL) == 10);
    CHECK(memcmp(buffer, "twicetwice", 10) == 0);
    FAILS(unipc_pipe_tee(reader, writer, 1, 0), EINVAL, "tee from pipe");
    CHECK(unipc_pipe_reader_close(end) == 0);
    CHECK(unipc_pipe_write(writer, "x", 1, UNIPC_FOREVER) == 1);
    FAILS(unipc_pipe_tee(reader, way, 1, UNIPC_FOREVER), EPIPE, "tee from pipe");
    FAILS(unipc_pipe_splice_to(reader, unipc_pipe_writer_fd(way), 1, UNIPC_FOREVER), EPIPE, "splice from pipe");
    CHECK(unipc_pipe_writer_close(way) == 0);
    close_both();
}

TEST(pages_are_lent_to_the_pipe) {
    static const char lent[] = "lent, not copied";
    make();
    CHECK(unipc_pipe_vmsplice(writer, lent, sizeof lent, UNIPC_FOREVER) == (ssize_t)sizeof lent);
    CHECK(unipc_pipe_read(reader, buffer, 100, UNIPC_FOREVER) == (ssize_t)sizeof lent);
    CHECK(strcmp(buffer, lent) == 0);
    CHECK(unipc_pipe_reader_close(reader) == 0);
    FAILS(unipc_pipe_vmsplice(writer, lent, sizeof lent, UNIPC_FOREVER), EPIPE, "pipe");
    CHECK(unipc_pipe_writer_close(writer) == 0);
}

TEST(a_duplex_pair_talks_both_ways) {
    unipc_pipe_reader *reader2;
    unipc_pipe_writer *writer2;
    CHECK(unipc_pipe_duplex(&reader, &writer, &reader2, &writer2) == 0);
    pid_t child = fork();
    if (child == 0) {
        ssize_t count = unipc_pipe_read(reader2, buffer, 100, UNIPC_FOREVER);
        CHECK(count == 3 && unipc_pipe_write(writer2, buffer, 3, UNIPC_FOREVER) == 3);
        leave();
    }
    CHECK(unipc_pipe_reader_close(reader2) == 0 && unipc_pipe_writer_close(writer2) == 0);
    CHECK(unipc_pipe_write(writer, "abc", 3, UNIPC_FOREVER) == 3);
    CHECK(unipc_pipe_read(reader, buffer, 100, UNIPC_FOREVER) == 3);
    CHECK(unipc_pipe_read(reader, buffer, 100, UNIPC_FOREVER) == 0);
    ends_well(child);
    close_both();
}

TEST(a_place_for_a_result_is_checked_before_anything_is_made) {
    FAILS(unipc_pipe_create(NULL, &writer), EINVAL, "unipc_pipe_create: reader is NULL");
    FAILS(unipc_pipe_create(&reader, NULL), EINVAL, "unipc_pipe_create: writer is NULL");
    FAILS(unipc_pipe_duplex(&reader, &writer, NULL, &writer), EINVAL, "unipc_pipe_duplex: reader2 is NULL");
    FAILS(unipc_pipe_duplex(&reader, &writer, &reader, NULL), EINVAL, "unipc_pipe_duplex: writer2 is NULL");
}
