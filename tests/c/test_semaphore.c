#include "harness.h"

static unipc_semaphore *fresh(unsigned int value) {
    unipc_semaphore *semaphore = unipc_semaphore_create(unique("semaphore"), value, NULL);
    CHECK(semaphore != NULL);
    return semaphore;
}

TEST(a_semaphore_counts) {
    unipc_semaphore *semaphore = fresh(2);
    CHECK(unipc_semaphore_value(semaphore) == 2);
    CHECK(unipc_semaphore_wait(semaphore, UNIPC_FOREVER) == 0);
    CHECK(unipc_semaphore_wait(semaphore, 0) == 0);
    FAILS(unipc_semaphore_wait(semaphore, 0), EAGAIN, "its value is 0");
    CHECK(unipc_semaphore_post(semaphore) == 0 && unipc_semaphore_value(semaphore) == 1);
    CHECK(unipc_semaphore_wait(semaphore, UNIPC_SECONDS(1)) == 0);
    CHECK(unipc_semaphore_close(semaphore) == 0);
}

TEST(a_wait_ends_in_time) {
    unipc_semaphore *semaphore = fresh(0);
    int64_t before = now(CLOCK_MONOTONIC);
    FAILS(unipc_semaphore_wait(semaphore, UNIPC_MILLISECONDS(30)), ETIMEDOUT, "timed out");
    CHECK(now(CLOCK_MONOTONIC) - before >= UNIPC_MILLISECONDS(30));
    int64_t until = now(CLOCK_REALTIME) + UNIPC_MILLISECONDS(30), second = UNIPC_SECONDS(1);
    FAILS(unipc_semaphore_wait_until(semaphore, until / second, until % second), ETIMEDOUT, "timed out");
    CHECK(now(CLOCK_REALTIME) >= until);
    FAILS(unipc_semaphore_wait_until(semaphore, 1, 0), ETIMEDOUT, "timed out");
    FAILS(unipc_semaphore_wait_until(semaphore, 1, -1), EINVAL, "-1 ns");
    FAILS(unipc_semaphore_wait(semaphore, -3), EINVAL, "timeout of -3");
    CHECK(unipc_semaphore_post(semaphore) == 0 && unipc_semaphore_wait_until(semaphore, 1, 0) == 0);
    CHECK(unipc_semaphore_close(semaphore) == 0);
}

TEST(a_wait_is_ended_by_a_signal_handler) {
    unipc_semaphore *semaphore = fresh(0);
    be_interrupted();
    FAILS(unipc_semaphore_wait(semaphore, UNIPC_FOREVER), EINTR, "signal handler");
    FAILS(unipc_semaphore_wait(semaphore, UNIPC_SECONDS(50)), EINTR, "signal handler");
    int64_t until = now(CLOCK_REALTIME) / UNIPC_SECONDS(1) + 50;
    FAILS(unipc_semaphore_wait_until(semaphore, until, 0), EINTR, "signal handler");
    CHECK(unipc_semaphore_close(semaphore) == 0);
}

TEST(a_waiter_is_woken_by_a_post) {
    unipc_semaphore *semaphore = fresh(0);
    pid_t child = fork();
    if (child == 0) {
        pause_ms(30);
        CHECK(unipc_semaphore_post(semaphore) == 0);
        leave();
    }
    CHECK(unipc_semaphore_wait(semaphore, UNIPC_SECONDS(50)) == 0);
    ends_well(child);
    CHECK(unipc_semaphore_close(semaphore) == 0);
}

TEST(many_are_posted_or_told_how_many) {
    unsigned int posted = 99;
    unipc_semaphore *semaphore = fresh(0);
    CHECK(unipc_semaphore_post_many(semaphore, 5, &posted) == 0 && posted == 5);
    CHECK(unipc_semaphore_post_many(semaphore, 2, NULL) == 0 && unipc_semaphore_value(semaphore) == 7);
    CHECK(unipc_semaphore_post_many(semaphore, 0, &posted) == 0 && posted == 0);
    posted = 99;
    FAILS(unipc_semaphore_post_many(semaphore, UNIPC_SEMAPHORE_MAX, &posted), EOVERFLOW, "2147483647");
    CHECK(posted == 0 && unipc_semaphore_value(semaphore) == 7);
    CHECK(unipc_semaphore_close(semaphore) == 0);
}

TEST(a_value_has_a_maximum) {
    unipc_semaphore *semaphore = fresh(UNIPC_SEMAPHORE_MAX);
    errno = 0;
    CHECK(unipc_semaphore_post(semaphore) == -1 && errno == EOVERFLOW);
    CHECK(unipc_semaphore_value(semaphore) == INT32_MAX);
    CHECK(unipc_semaphore_close(semaphore) == 0);
    FAILS_NULL(unipc_semaphore_create(unique("more"), UNIPC_SEMAPHORE_MAX + 1u, NULL), EINVAL, "2147483648");
}

TEST(a_semaphore_is_made_once_found_by_name_and_gone_when_unlinked) {
    const char *name = unique("semaphore");
    int created = -1;
    FAILS_NULL(unipc_semaphore_open(name, NULL), ENOENT, name);
    unipc_semaphore *first = unipc_semaphore_open_or_create(name, 3, NULL, &created);
    CHECK(first != NULL && created == 1);
    FAILS_NULL(unipc_semaphore_create(name, 1, NULL), EEXIST, name);
    unipc_semaphore *second = unipc_semaphore_open_or_create(name, 9, NULL, &created);
    CHECK(second != NULL && created == 0 && unipc_semaphore_value(second) == 3);
    unipc_semaphore *third = unipc_semaphore_open(name, NULL);
    CHECK(third != NULL && unipc_semaphore_wait(third, 0) == 0 && unipc_semaphore_value(first) == 2);
    CHECK(unipc_semaphore_unlink(name) == 0);
    FAILS(unipc_semaphore_unlink(name), ENOENT, name);
    CHECK(unipc_semaphore_post(third) == 0 && unipc_semaphore_value(first) == 3);
    CHECK(unipc_semaphore_close(first) == 0 && unipc_semaphore_close(second) == 0 && unipc_semaphore_close(third) == 0);
}

TEST(glibc_shares_a_semaphore_by_name_in_both_directions) {
    const char *ours = unique("ours"), *theirs = unique("theirs");
    unipc_semaphore *semaphore = unipc_semaphore_create(ours, 1, NULL);
    sem_t *sem = sem_open(ours, 0);
    CHECK(semaphore != NULL && sem != SEM_FAILED);
    CHECK(sem_wait(sem) == 0 && unipc_semaphore_value(semaphore) == 0);
    CHECK(sem_post(sem) == 0 && unipc_semaphore_wait(semaphore, 0) == 0);
    CHECK(sem_close(sem) == 0 && unipc_semaphore_close(semaphore) == 0);
    sem = sem_open(theirs, O_CREAT | O_EXCL, 0600, 4);
    semaphore = unipc_semaphore_open(theirs, NULL);
    CHECK(sem != SEM_FAILED && semaphore != NULL && unipc_semaphore_value(semaphore) == 4);
    CHECK(sem_close(sem) == 0 && unipc_semaphore_close(semaphore) == 0);
}

TEST(a_semaphore_lives_in_shared_memory_and_is_a_sem_t) {
    unipc_memory *memory = unipc_memory_anonymous(4096, NULL);
    unipc_semaphore *semaphore = unipc_semaphore_init_in(memory, 64, 0);
    CHECK(semaphore != NULL && UNIPC_SEMAPHORE_SIZE == sizeof(sem_t));
    IN_CHILD(
        unipc_semaphore *same = unipc_semaphore_open_in(memory, 64);
        CHECK(same != NULL && unipc_semaphore_post(same) == 0));
    CHECK(unipc_semaphore_wait(semaphore, UNIPC_FOREVER) == 0);
    CHECK(sem_post((sem_t *)((char *)unipc_memory_address(memory) + 64)) == 0);
    CHECK(unipc_semaphore_value(semaphore) == 1);
    FAILS(unipc_memory_resize(memory, 8192), EOPNOTSUPP, "memory");
    FAILS(unipc_memory_protect(memory, UNIPC_PROTECTION_READ), EBUSY, "semaphore");
    CHECK(unipc_memory_close(memory) == 0);
    CHECK(unipc_semaphore_wait(semaphore, 0) == 0); /* it keeps the bytes mapped */
    CHECK(unipc_semaphore_close(semaphore) == 0);
}

TEST(a_semaphore_fits_aligned_into_shared_memory_or_not_at_all) {
    unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
    unipc_memory *memory = unipc_memory_anonymous(4096, NULL);
    FAILS_NULL(unipc_semaphore_init_in(memory, 4096 - UNIPC_SEMAPHORE_SIZE + UNIPC_SEMAPHORE_ALIGN, 0), ERANGE, "4096");
    FAILS_NULL(unipc_semaphore_open_in(memory, SIZE_MAX - 7), ERANGE, "4096");
    FAILS_NULL(unipc_semaphore_init_in(memory, UNIPC_SEMAPHORE_ALIGN / 2, 0), EINVAL, "multiple of 8");
    FAILS_NULL(unipc_semaphore_init_in(memory, 0, UNIPC_SEMAPHORE_MAX + 1u), EINVAL, "2147483648");
    CHECK(unipc_memory_close(memory) == 0);
    options.sharing = UNIPC_SHARING_PRIVATE;
    memory = unipc_memory_anonymous(4096, &options);
    FAILS_NULL(unipc_semaphore_init_in(memory, 0, 0), EINVAL, "private");
    CHECK(unipc_memory_close(memory) == 0);
}

TEST(two_processes_count_to_two_thousand_under_one_semaphore) {
    unipc_memory *memory = unipc_memory_anonymous(4096, NULL);
    unipc_semaphore *lock = unipc_semaphore_init_in(memory, 0, 1);
    volatile int *counter = (volatile int *)((char *)unipc_memory_address(memory) + UNIPC_SEMAPHORE_SIZE);
    pid_t children[2];
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        if (children[i] != 0) continue;
        for (int n = 0; n < 1000; n++) {
            CHECK(unipc_semaphore_wait(lock, UNIPC_FOREVER) == 0);
            ++*counter;
            CHECK(unipc_semaphore_post(lock) == 0);
        }
        leave();
    }
    ends_well(children[0]);
    ends_well(children[1]);
    CHECK(*counter == 2000);
    CHECK(unipc_semaphore_close(lock) == 0 && unipc_memory_close(memory) == 0);
}

TEST(what_is_no_semaphore_is_refused) {
    const char *name = unique("short");
    char file[80];
    snprintf(file, sizeof file, "/sem.%s", name + 1);
    int fd = shm_open(file, O_CREAT | O_EXCL | O_RDWR, 0600);
    CHECK(fd >= 0 && ftruncate(fd, 8) == 0 && close(fd) == 0);
    FAILS_NULL(unipc_semaphore_open(name, NULL), EINVAL, "no semaphore");
}

TEST(a_bad_name_engine_or_mode_is_refused) {
    unipc_semaphore_options options = UNIPC_SEMAPHORE_OPTIONS_INIT;
    char name[300];
    memset(name, 'x', sizeof name);
    name[0] = '/';
    name[253] = 0;
    FAILS_NULL(unipc_semaphore_create(name, 0, NULL), ENAMETOOLONG, "251");
    FAILS_NULL(unipc_semaphore_create("lock", 0, NULL), EINVAL, "slash");
    FAILS_NULL(unipc_semaphore_open(NULL, NULL), EINVAL, "unipc_semaphore_open: name is NULL");
    options.engine = 7;
    FAILS_NULL(unipc_semaphore_create(unique("engine"), 0, &options), EINVAL, "7 is no engine");
    options.engine = UNIPC_ENGINE_SHM;
    FAILS_NULL(unipc_semaphore_create(unique("engine"), 0, &options), EOPNOTSUPP, "use engine posix");
    FAILS_NULL(unipc_semaphore_open(unique("engine"), &options), EOPNOTSUPP, "use engine posix");
    options.engine = UNIPC_ENGINE_POSIX;
    options.mode = 010000;
    FAILS_NULL(unipc_semaphore_create(unique("mode"), 0, &options), EINVAL, "mode");
    options.mode = 0600;
    options.reserved = -1;
    FAILS_NULL(unipc_semaphore_create(unique("reserved"), 0, &options), EINVAL, "-1 is no value of a reserved field");
}

TEST(a_mode_is_masked_or_exact) {
    unipc_semaphore_options options = UNIPC_SEMAPHORE_OPTIONS_INIT;
    const char *names[2];
    mode_t modes[2] = {0640, 0666};
    umask(027);
    options.mode = 0666;
    for (int exact = 0; exact < 2; exact++) {
        char path[100];
        struct stat found;
        names[exact] = unique(exact ? "exact" : "masked");
        options.exact_mode = exact;
        CHECK(unipc_semaphore_close(unipc_semaphore_create(names[exact], 0, &options)) == 0);
        snprintf(path, sizeof path, "/dev/shm/sem.%s", names[exact] + 1);
        CHECK(stat(path, &found) == 0 && (found.st_mode & 0777) == modes[exact]);
    }
}
