/* Linked with a library that has one function more, in which Rust panics. */
#include "harness.h"

int unipc_test_panic(void);

TEST(a_panic_becomes_an_error_and_prints_nothing) {
    unipc_pipe_reader *reader;
    unipc_pipe_writer *writer;
    char printed[100];
    int before = dup(STDERR_FILENO);
    CHECK(unipc_pipe_create(&reader, &writer) == 0);
    CHECK(unipc_pipe_writer_duplicate_onto(writer, STDERR_FILENO) == 0);
    for (int i = 0; i < 3; i++) FAILS(unipc_test_panic(), ENOTRECOVERABLE, "a bug in unipc, at ipc-ffi/src/lib.rs:");
    CHECK(dup2(before, STDERR_FILENO) == STDERR_FILENO && close(before) == 0);
    SAYS(": provoked");
    FAILS(unipc_pipe_read(reader, printed, sizeof printed, 0), EAGAIN, "would block");
    CHECK(unipc_pipe_reader_close(reader) == 0 && unipc_pipe_writer_close(writer) == 0);
}

static void *panics(void *unused) {
    FAILS(unipc_test_panic(), ENOTRECOVERABLE, "provoked");
    return unused;
}

TEST(a_thread_goes_on_after_a_panic) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, panics, NULL) == 0 && pthread_join(thread, NULL) == 0);
    IN_CHILD(panics(NULL));
}
