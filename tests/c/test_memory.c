#include "harness.h"

enum { SIZE = 10000 };
static char buffer[SIZE];

static void on_fault(int number) { (void)number; leave(); }

static int mapped_as_zero(const unipc_memory *memory) {
    const char *bytes = unipc_memory_address(memory);
    for (ssize_t i = 0; i < unipc_memory_length(memory); i++) if (bytes[i]) return 0;
    return 1;
}

TEST(named_memory_is_seen_by_whoever_opens_it) {
    const char *name = unique("memory");
    unipc_memory *memory = unipc_memory_create(name, SIZE, NULL);
    CHECK(memory != NULL && unipc_memory_length(memory) == SIZE && mapped_as_zero(memory));
    IN_CHILD(
        unipc_memory *same = unipc_memory_open(name, 0, NULL);
        CHECK(same != NULL && unipc_memory_length(same) == SIZE);
        CHECK(unipc_memory_write(same, SIZE - 5, "tail!", 5) == 0);
        strcpy(unipc_memory_address(same), "head"));
    CHECK(unipc_memory_read(memory, SIZE - 5, buffer, 5) == 0 && memcmp(buffer, "tail!", 5) == 0);
    CHECK(strcmp(unipc_memory_address(memory), "head") == 0);
    CHECK(unipc_memory_close(memory) == 0 && unipc_memory_unlink(name) == 0);
    FAILS_NULL(unipc_memory_open(name, 0, NULL), ENOENT, name);
    FAILS(unipc_memory_unlink(name), ENOENT, name);
}

TEST(memory_is_made_once_and_open_or_create_tells_which) {
    const char *name = unique("memory");
    int created = -1;
    unipc_memory *first = unipc_memory_open_or_create(name, 100, NULL, &created);
    CHECK(first != NULL && created == 1);
    FAILS_NULL(unipc_memory_create(name, 100, NULL), EEXIST, name);
    unipc_memory *second = unipc_memory_open_or_create(name, 50, NULL, &created);
    CHECK(second != NULL && created == 0 && unipc_memory_length(second) == 50);
    CHECK(unipc_memory_close(first) == 0 && unipc_memory_close(second) == 0);
}

TEST(more_than_there_is_cannot_be_mapped) {
    const char *name = unique("memory");
    unipc_memory *memory = unipc_memory_create(name, 100, NULL);
    FAILS_NULL(unipc_memory_open(name, 101, NULL), EINVAL, "101");
    FAILS_NULL(unipc_memory_create(unique("none"), 0, NULL), EINVAL, "size");
    CHECK(close(shm_open(unique("empty"), O_CREAT | O_EXCL | O_RDWR, 0600)) == 0);
    FAILS_NULL(unipc_memory_open(shared->names[2], 0, NULL), EINVAL, "empty");
    CHECK(unipc_memory_close(memory) == 0);
}

TEST(more_than_the_system_has_is_refused_when_it_is_made) {
    FAILS_NULL(unipc_memory_create(unique("memory"), (size_t)1 << 46, NULL), ENOSPC, "create memory");
}

TEST(a_bad_name_is_refused_with_what_is_wrong) {
    FAILS_NULL(unipc_memory_create("no-slash", 10, NULL), EINVAL, "slash");
    FAILS_NULL(unipc_memory_open(NULL, 10, NULL), EINVAL, "unipc_memory_open: name is NULL");
    FAILS_NULL(unipc_memory_create_file(NULL, 10, NULL), EINVAL, "path is NULL");
    FAILS_NULL(unipc_memory_memfd(NULL, 10, NULL), EINVAL, "label is NULL");
    FAILS(unipc_memory_unlink("/a/b"), EINVAL, "slash");
}

TEST(a_file_keeps_what_shared_memory_writes) {
    const char *path = unique_path("file");
    int created = -1;
    unipc_memory *memory = unipc_memory_create_file(path, SIZE, NULL);
    CHECK(memory != NULL && unipc_memory_write(memory, 0, "kept", 4) == 0);
    CHECK(unipc_memory_sync(memory) == 0 && unipc_memory_sync_range(memory, 4096, 10) == 0);
    FAILS(unipc_memory_sync_range(memory, SIZE, 1), ERANGE, "sync memory");
    CHECK(unipc_memory_close(memory) == 0);
    FAILS_NULL(unipc_memory_create_file(path, SIZE, NULL), EEXIST, path);
    memory = unipc_memory_open_file(path, 4, NULL);
    CHECK(memory != NULL && memcmp(unipc_memory_address(memory), "kept", 4) == 0);
    CHECK(unipc_memory_close(memory) == 0);
    memory = unipc_memory_open_or_create_file(path, SIZE, NULL, &created);
    CHECK(memory != NULL && created == 0 && unipc_memory_close(memory) == 0);
    CHECK(unlink(path) == 0);
    memory = unipc_memory_open_or_create_file(path, SIZE, NULL, &created);
    CHECK(memory != NULL && created == 1 && unipc_memory_close(memory) == 0);
    FAILS_NULL(unipc_memory_open_file("/no/such/file", 0, NULL), ENOENT, "/no/such/file");
    FAILS_NULL(unipc_memory_open_file("/dev/null", 0, NULL), EINVAL, "regular file");
}

TEST(private_memory_stays_with_who_wrote_it) {
    unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
    const char *path = unique_path("file");
    unipc_memory *file = unipc_memory_create_file(path, 100, NULL);
    options.sharing = UNIPC_SHARING_PRIVATE;
    unipc_memory *copy = unipc_memory_open_file(path, 0, &options);
    unipc_memory *own = unipc_memory_anonymous(100, &options);
    CHECK(file && copy && own);
    IN_CHILD(CHECK(unipc_memory_write(copy, 0, "child", 5) == 0 && unipc_memory_write(own, 0, "child", 5) == 0));
    CHECK(unipc_memory_write(copy, 0, "mine", 4) == 0);
    CHECK(mapped_as_zero(own) && mapped_as_zero(file));
    CHECK(memcmp(unipc_memory_address(copy), "mine", 5) == 0);
    CHECK(unipc_memory_close(file) == 0 && unipc_memory_close(copy) == 0 && unipc_memory_close(own) == 0);
}

TEST(anonymous_memory_is_shared_with_children) {
    unipc_memory *memory = unipc_memory_anonymous(SIZE, NULL);
    CHECK(memory != NULL && mapped_as_zero(memory));
    IN_CHILD(CHECK(unipc_memory_write(memory, 0, "child", 5) == 0));
    CHECK(memcmp(unipc_memory_address(memory), "child", 5) == 0);
    FAILS(unipc_memory_fd(memory), EBADF, "no descriptor");
    FAILS(unipc_memory_resize(memory, 2 * SIZE), EOPNOTSUPP, "anonymous");
    CHECK(unipc_memory_close(memory) == 0);
}

TEST(reading_and_writing_stay_inside) {
    unipc_memory *memory = unipc_memory_anonymous(100, NULL);
    CHECK(unipc_memory_write(memory, 100, NULL, 0) == 0 && unipc_memory_read(memory, 100, NULL, 0) == 0);
    FAILS(unipc_memory_write(memory, 99, "xy", 2), ERANGE, "2 bytes at offset 99");
    FAILS(unipc_memory_read(memory, 101, buffer, 0), ERANGE, "offset 101");
    FAILS(unipc_memory_read(memory, SIZE_MAX, buffer, 2), ERANGE, "offset");
    FAILS(unipc_memory_read(memory, 0, NULL, 1), EINVAL, "buffer is NULL");
    CHECK(unipc_memory_close(memory) == 0);
}

TEST(a_read_only_view_cannot_be_written) {
    unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
    const char *name = unique("memory");
    unipc_memory *memory = unipc_memory_create(name, 100, NULL);
    options.read_only = 1;
    unipc_memory *view = unipc_memory_open(name, 0, &options);
    CHECK(view != NULL && unipc_memory_write(memory, 0, "seen", 4) == 0);
    CHECK(unipc_memory_read(view, 0, buffer, 4) == 0 && memcmp(buffer, "seen", 4) == 0);
    FAILS(unipc_memory_write(view, 0, "x", 1), EACCES, "reading only");
    FAILS(unipc_memory_protect(view, UNIPC_PROTECTION_READ_WRITE), EACCES, "reading only");
    FAILS(unipc_memory_resize(view, 200), EACCES, "reading only");
    CHECK(unipc_memory_close(view) == 0 && unipc_memory_close(memory) == 0);
}

TEST(protection_holds_and_can_be_taken_back) {
    unipc_memory *memory = unipc_memory_anonymous(100, NULL);
    CHECK(unipc_memory_protect(memory, UNIPC_PROTECTION_READ) == 0);
    FAILS(unipc_memory_write(memory, 0, "x", 1), EACCES, "protection");
    IN_CHILD(
        signal(SIGSEGV, on_fault);
        *(volatile char *)unipc_memory_address(memory) = 'x';
        _exit(1));
    CHECK(unipc_memory_protect(memory, UNIPC_PROTECTION_NONE) == 0);
    FAILS(unipc_memory_read(memory, 0, buffer, 1), EACCES, "protection");
    CHECK(unipc_memory_protect(memory, UNIPC_PROTECTION_READ_WRITE) == 0);
    CHECK(unipc_memory_write(memory, 0, "x", 1) == 0);
    FAILS(unipc_memory_protect(memory, 3), EINVAL, "3 is no protection");
    CHECK(unipc_memory_close(memory) == 0);
}

TEST(memory_grows_and_shrinks) {
    const char *name = unique("memory");
    unipc_memory *memory = unipc_memory_create(name, 100, NULL);
    CHECK(unipc_memory_write(memory, 0, "kept", 4) == 0);
    CHECK(unipc_memory_resize(memory, SIZE) == 0 && unipc_memory_length(memory) == SIZE);
    CHECK(memcmp(unipc_memory_address(memory), "kept", 4) == 0);
    CHECK(unipc_memory_write(memory, SIZE - 1, "x", 1) == 0);
    unipc_memory *other = unipc_memory_open(name, 0, NULL);
    CHECK(other != NULL && unipc_memory_length(other) == SIZE && unipc_memory_close(other) == 0);
    CHECK(unipc_memory_resize(memory, 50) == 0 && unipc_memory_length(memory) == 50);
    FAILS(unipc_memory_read(memory, 50, buffer, 1), ERANGE, "offset 50");
    FAILS(unipc_memory_resize(memory, 0), EINVAL, "0");
    CHECK(unipc_memory_close(memory) == 0);
}

TEST(a_memfd_is_sealed_for_good) {
    unipc_memory *memory = unipc_memory_memfd("label", 100, NULL);
    CHECK(memory != NULL && unipc_memory_fd(memory) >= 0 && unipc_memory_seals(memory) == 0);
    FAILS(unipc_memory_seal(memory, UNIPC_SEAL_WRITE), EBUSY, "FUTURE_WRITE");
    FAILS(unipc_memory_seal(memory, 64), EINVAL, "64 is no set of seals");
    CHECK(unipc_memory_seal(memory, UNIPC_SEAL_GROW | UNIPC_SEAL_SHRINK) == 0);
    FAILS(unipc_memory_resize(memory, 200), EPERM, "seal");
    FAILS(unipc_memory_resize(memory, 50), EPERM, "seal");
    CHECK(unipc_memory_seal(memory, UNIPC_SEAL_FUTURE_WRITE | UNIPC_SEAL_SEAL) == 0);
    CHECK(unipc_memory_seals(memory) == (UNIPC_SEAL_SEAL | UNIPC_SEAL_SHRINK | UNIPC_SEAL_GROW | UNIPC_SEAL_FUTURE_WRITE));
    FAILS(unipc_memory_seal(memory, UNIPC_SEAL_WRITE), EPERM, "seal");
    CHECK(unipc_memory_close(memory) == 0);
    memory = unipc_memory_anonymous(100, NULL);
    FAILS(unipc_memory_seal(memory, UNIPC_SEAL_GROW), EINVAL, "memfd");
    FAILS(unipc_memory_seals(memory), EINVAL, "memfd");
    CHECK(unipc_memory_close(memory) == 0);
}

TEST(a_descriptor_is_taken_over_or_left_alone) {
    int fd = memfd_create("raw", MFD_CLOEXEC);
    FAILS_NULL(unipc_memory_from_fd(fd, 0, NULL), EINVAL, "empty");
    CHECK(ftruncate(fd, 100) == 0);
    FAILS_NULL(unipc_memory_from_fd(fd, 101, NULL), EINVAL, "101");
    unipc_memory *memory = unipc_memory_from_fd(fd, 0, NULL);
    CHECK(memory != NULL && unipc_memory_fd(memory) == fd && unipc_memory_length(memory) == 100);
    CHECK(unipc_memory_write(memory, 0, "both", 4) == 0);
    CHECK(pread(fd, buffer, 4, 0) == 4 && memcmp(buffer, "both", 4) == 0);
    CHECK(unipc_memory_close(memory) == 0 && fcntl(fd, F_GETFD) == -1);
    FAILS_NULL(unipc_memory_from_fd(fd, 0, NULL), EBADF, "the descriptor is closed");
}

TEST(an_unknown_sharing_or_mode_is_refused) {
    unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
    options.sharing = 2;
    FAILS_NULL(unipc_memory_anonymous(10, &options), EINVAL, "2 is no sharing");
    options.sharing = UNIPC_SHARING_SHARED;
    options.mode = 07777;
    FAILS_NULL(unipc_memory_create(unique("memory"), 10, &options), EINVAL, "mode");
}

TEST(a_mode_is_masked_or_exact) {
    unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
    struct stat stat;
    umask(027);
    options.mode = 0666;
    unipc_memory *memory = unipc_memory_create(unique("masked"), 10, &options);
    CHECK(memory != NULL && fstat(unipc_memory_fd(memory), &stat) == 0 && (stat.st_mode & 0777) == 0640);
    CHECK(unipc_memory_close(memory) == 0);
    options.exact_mode = 1;
    memory = unipc_memory_create(unique("exact"), 10, &options);
    CHECK(memory != NULL && fstat(unipc_memory_fd(memory), &stat) == 0 && (stat.st_mode & 0777) == 0666);
    CHECK(unipc_memory_close(memory) == 0);
}
