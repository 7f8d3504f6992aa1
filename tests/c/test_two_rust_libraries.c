/* libunipc.a in one program with another Rust static library, which brings its own std. */
#include "harness.h"

int second_adds(int left, int right);
int second_catches_its_panic(void);

TEST(two_rust_libraries_live_in_one_program) {
    unipc_pipe_reader *reader;
    unipc_pipe_writer *writer;
    CHECK(second_adds(20, 22) == 42 && second_catches_its_panic() == 1);
    CHECK(unipc_pipe_create(&reader, &writer) == 0);
    FAILS(unipc_pipe_read(reader, NULL, 1, 0), EINVAL, "buffer is NULL");
    CHECK(unipc_pipe_reader_close(reader) == 0 && unipc_pipe_writer_close(writer) == 0);
    CHECK(second_catches_its_panic() == 1);
}
