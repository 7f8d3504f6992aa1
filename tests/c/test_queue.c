#include "queue.h"
#include <poll.h>
#include <sys/resource.h>

TEST_ON_EACH_ENGINE(the_highest_priority_comes_first_and_equals_in_order) {
    unipc_queue *queue = fresh();
    put(queue, "low", 0);
    put(queue, "first", 7);
    put(queue, "top", UNIPC_QUEUE_PRIORITY_MAX);
    put(queue, "second", 7);
    get(queue, "top", 32767);
    get(queue, "first", 7);
    get(queue, "second", 7);
    get(queue, "low", 0);
    CHECK(unipc_queue_close(queue) == 0);
}

TEST_ON_EACH_ENGINE(a_message_may_be_empty_or_as_long_as_the_queue_allows) {
    unipc_queue *queue = fresh();
    char longest[SIZE + 1];
    memset(longest, 'x', sizeof longest);
    CHECK(unipc_queue_send(queue, NULL, 0, 1, 0) == 0);
    CHECK(unipc_queue_receive(queue, buffer, SIZE, NULL, 0) == 0);
    CHECK(unipc_queue_send(queue, longest, SIZE, 1, 0) == 0);
    CHECK(unipc_queue_receive(queue, buffer, SIZE, NULL, 0) == SIZE);
    FAILS(unipc_queue_send(queue, longest, SIZE + 1, 1, 0), EMSGSIZE, "65");
    FAILS(unipc_queue_send(queue, NULL, 1, 1, 0), EINVAL, "data is NULL");
    FAILS(unipc_queue_send(queue, "x", 1, UNIPC_QUEUE_PRIORITY_MAX + 1, 0), EINVAL, "32768");
    CHECK(unipc_queue_close(queue) == 0);
}

TEST_ON_EACH_ENGINE(a_short_buffer_is_told_what_it_needs_and_the_message_stays) {
    unipc_queue *queue = fresh();
    put(queue, "stays", 3);
    FAILS(unipc_queue_receive(queue, buffer, SIZE - 1, NULL, 0), EMSGSIZE, "64");
    get(queue, "stays", 3);
    CHECK(unipc_queue_close(queue) == 0);
}

TEST_ON_EACH_ENGINE(a_message_comes_into_memory_of_its_own) {
    unipc_queue *queue = fresh();
    void *data = NULL;
    put(queue, "own", 5);
    CHECK(unipc_queue_receive_alloc(queue, &data, &priority, UNIPC_FOREVER) == 3);
    CHECK(data != NULL && memcmp(data, "own", 3) == 0 && priority == 5);
    unipc_free(data);
    put(queue, "", 0);
    CHECK(unipc_queue_receive_alloc(queue, &data, NULL, UNIPC_FOREVER) == 0);
    CHECK(data != NULL);
    unipc_free(data);
    data = buffer;
    FAILS(unipc_queue_receive_alloc(queue, &data, NULL, 0), EAGAIN, "receive from queue");
    CHECK(data == buffer); /* nothing is stored on failure */
    FAILS(unipc_queue_receive_alloc(queue, NULL, NULL, 0), EINVAL, "data is NULL");
    unipc_free(NULL);
    CHECK(unipc_queue_close(queue) == 0);
}

TEST_ON_EACH_ENGINE(an_empty_queue_is_waited_for_as_long_as_told) {
    unipc_queue *queue = fresh();
    FAILS(unipc_queue_receive(queue, buffer, SIZE, NULL, 0), EAGAIN, "receive from queue");
    int64_t before = now(CLOCK_MONOTONIC);
    FAILS(unipc_queue_receive(queue, buffer, SIZE, NULL, UNIPC_MILLISECONDS(30)), ETIMEDOUT, "timed out");
    CHECK(now(CLOCK_MONOTONIC) - before >= UNIPC_MILLISECONDS(30));
    FAILS(unipc_queue_receive(queue, buffer, SIZE, NULL, -2), EINVAL, "timeout of -2");
    CHECK(unipc_queue_close(queue) == 0);
}

TEST_ON_EACH_ENGINE(a_full_queue_is_waited_for_as_long_as_told) {
    unipc_queue *queue = fresh();
    fill(queue);
    FAILS(unipc_queue_send(queue, "x", 1, 0, 0), EAGAIN, "send to queue");
    int64_t before = now(CLOCK_MONOTONIC);
    FAILS(unipc_queue_send(queue, "x", 1, 0, UNIPC_MILLISECONDS(30)), ETIMEDOUT, "timed out");
    CHECK(now(CLOCK_MONOTONIC) - before >= UNIPC_MILLISECONDS(30));
    CHECK(unipc_queue_close(queue) == 0);
}

TEST_ON_EACH_ENGINE(a_deadline_on_the_realtime_clock_is_kept) {
    unipc_queue *queue = fresh();
    int64_t until = now(CLOCK_REALTIME) + UNIPC_MILLISECONDS(40), second = UNIPC_SECONDS(1);
    FAILS(unipc_queue_receive_until(queue, buffer, SIZE, NULL, until / second, until % second), ETIMEDOUT, "timed out");
    CHECK(now(CLOCK_REALTIME) >= until);
    FAILS(unipc_queue_receive_until(queue, buffer, SIZE, NULL, 1, 0), ETIMEDOUT, "timed out");
    CHECK(unipc_queue_send_until(queue, "x", 1, 2, 1, 0) == 0); /* there is room: no wait, no timeout */
    CHECK(unipc_queue_receive_until(queue, buffer, SIZE, &priority, 1, 0) == 1 && priority == 2);
    fill(queue);
    FAILS(unipc_queue_send_until(queue, "x", 1, 0, 1, 0), ETIMEDOUT, "timed out");
    FAILS(unipc_queue_send_until(queue, "x", 1, 0, 0, 1000000000), EINVAL, "1000000000 ns");
    FAILS(unipc_queue_receive_until(queue, buffer, SIZE, NULL, -1, 0), EINVAL, "-1 s");
    CHECK(unipc_queue_close(queue) == 0);
}

TEST_ON_EACH_ENGINE(a_wait_is_ended_by_a_signal_handler) {
    unipc_queue *queue = fresh();
    void *data;
    int64_t until = now(CLOCK_REALTIME) / UNIPC_SECONDS(1) + 50;
    be_interrupted();
    FAILS(unipc_queue_receive(queue, buffer, SIZE, NULL, UNIPC_FOREVER), EINTR, "signal handler");
    FAILS(unipc_queue_receive(queue, buffer, SIZE, NULL, UNIPC_SECONDS(50)), EINTR, "signal handler");
    FAILS(unipc_queue_receive_until(queue, buffer, SIZE, NULL, until, 0), EINTR, "signal handler");
    FAILS(unipc_queue_receive_alloc(queue, &data, NULL, UNIPC_FOREVER), EINTR, "signal handler");
    fill(queue);
    FAILS(unipc_queue_send(queue, "x", 1, 0, UNIPC_FOREVER), EINTR, "signal handler");
    FAILS(unipc_queue_send(queue, "x", 1, 0, UNIPC_SECONDS(50)), EINTR, "signal handler");
    FAILS(unipc_queue_send_until(queue, "x", 1, 0, until, 0), EINTR, "signal handler");
    CHECK(unipc_queue_close(queue) == 0);
}

TEST_ON_EACH_ENGINE(a_receiver_is_woken_by_a_sender) {
    unipc_queue *queue = fresh();
    pid_t child = fork();
    if (child == 0) {
        pause_ms(30);
        put(queue, "woken", 9);
        leave();
    }
    CHECK(unipc_queue_receive(queue, buffer, SIZE, &priority, UNIPC_SECONDS(50)) == 5 && priority == 9);
    ends_well(child);
    CHECK(unipc_queue_close(queue) == 0);
}

TEST_ON_EACH_ENGINE(a_queue_is_made_once_found_by_name_and_gone_when_unlinked) {
    const char *name = unique("queue");
    unipc_queue_options options = of_engine();
    FAILS_NULL(unipc_queue_open(name, &options), ENOENT, name);
    unipc_queue *first = small_queue(name, 0);
    FAILS_NULL(unipc_queue_create(name, &options), EEXIST, name);
    unipc_queue *second = open_again(name);
    put(first, "between handles", 1);
    get(second, "between handles", 1);
    CHECK(unipc_queue_unlink(name) == 0);
    FAILS(unipc_queue_unlink(name), ENOENT, name);
    put(second, "still there", 1);
    get(first, "still there", 1);
    CHECK(unipc_queue_close(first) == 0 && unipc_queue_close(second) == 0);
}

TEST_ON_EACH_ENGINE(open_or_create_tells_which) {
    const char *name = unique("queue");
    int created = -1;
    unipc_queue_options options = of_engine();
    unipc_queue_attributes attributes = UNIPC_QUEUE_ATTRIBUTES_INIT;
    options.max_messages = 2;
    options.message_size = 16;
    unipc_queue *first = unipc_queue_open_or_create(name, &options, &created);
    CHECK(first != NULL && created == 1);
    options.max_messages = 3;
    unipc_queue *second = unipc_queue_open_or_create(name, &options, &created);
    CHECK(second != NULL && created == 0);
    CHECK(unipc_queue_get_attributes(second, &attributes) == 0 && attributes.max_messages == 2);
    CHECK(unipc_queue_close(first) == 0 && unipc_queue_close(second) == 0);
    first = unipc_queue_open_or_create(name, &options, NULL);
    CHECK(first != NULL && unipc_queue_close(first) == 0);
}

TEST_ON_EACH_ENGINE(the_attributes_tell_sizes_and_how_many_wait) {
    unipc_queue *queue = fresh();
    unipc_queue_attributes attributes = UNIPC_QUEUE_ATTRIBUTES_INIT;
    put(queue, "one", 0);
    put(queue, "two", 0);
    CHECK(unipc_queue_get_attributes(queue, &attributes) == 0);
    CHECK(attributes.size == sizeof attributes);
    CHECK(attributes.max_messages == 4 && attributes.message_size == SIZE);
    CHECK(attributes.queued == 2 && attributes.nonblocking == 0 && attributes.reserved == 0);
    FAILS(unipc_queue_get_attributes(queue, NULL), EINVAL, "attributes is NULL");
    CHECK(unipc_queue_close(queue) == 0);
}

TEST_ON_EACH_ENGINE(a_nonblocking_queue_never_waits) {
    unipc_queue_attributes attributes = UNIPC_QUEUE_ATTRIBUTES_INIT;
    unipc_queue *queue = small_queue(unique("queue"), 1);
    FAILS(unipc_queue_receive(queue, buffer, SIZE, NULL, UNIPC_FOREVER), EAGAIN, "receive from queue");
    CHECK(unipc_queue_get_attributes(queue, &attributes) == 0 && attributes.nonblocking == 1);
    CHECK(unipc_queue_set_nonblocking(queue, 0) == 0);
    FAILS(unipc_queue_receive(queue, buffer, SIZE, NULL, UNIPC_MILLISECONDS(5)), ETIMEDOUT, "timed out");
    CHECK(unipc_queue_set_nonblocking(queue, 1) == 0);
    fill(queue);
    FAILS(unipc_queue_send(queue, "x", 1, 0, UNIPC_FOREVER), EAGAIN, "send to queue");
    CHECK(unipc_queue_close(queue) == 0);
}

TEST_ON_EACH_ENGINE(a_handle_opened_for_one_direction_has_no_other) {
    const char *name = unique("queue");
    unipc_queue_options options = of_engine();
    unipc_queue *both = small_queue(name, 0);
    options.access = UNIPC_ACCESS_READ_ONLY;
    unipc_queue *in = unipc_queue_open(name, &options);
    options.access = UNIPC_ACCESS_WRITE_ONLY;
    unipc_queue *out = unipc_queue_open(name, &options);
    CHECK(in != NULL && out != NULL);
    FAILS(unipc_queue_send(in, "x", 1, 0, 0), EBADF, name);
    FAILS(unipc_queue_receive(out, buffer, SIZE, NULL, 0), EBADF, name);
    CHECK(unipc_queue_send(out, "x", 1, 0, 0) == 0);
    CHECK(unipc_queue_receive(in, buffer, SIZE, NULL, 0) == 1);
    options.access = UNIPC_ACCESS_READ_WRITE;
    unipc_queue *again = unipc_queue_open(name, &options);
    CHECK(again != NULL && unipc_queue_send(again, "x", 1, 0, 0) == 0);
    CHECK(unipc_queue_close(in) == 0 && unipc_queue_close(out) == 0);
    CHECK(unipc_queue_close(again) == 0 && unipc_queue_close(both) == 0);
}

/* The permission bits, which the system has at the descriptor or at the file. */
static mode_t mode_of(unipc_queue *queue, const char *name) {
    struct stat about;
    CHECK(queue != NULL);
    CHECK((engine == UNIPC_ENGINE_SHM ? stat(file_of(name), &about) : fstat(unipc_queue_fd(queue), &about)) == 0);
    CHECK(unipc_queue_close(queue) == 0);
    return about.st_mode & 0777;
}

TEST_ON_EACH_ENGINE(a_mode_is_masked_or_exact) {
    unipc_queue_options options = of_engine();
    const char *masked = unique("masked"), *exact = unique("exact");
    umask(027);
    options.max_messages = options.message_size = 1;
    options.mode = 0666;
    CHECK(mode_of(unipc_queue_create(masked, &options), masked) == 0640);
    options.exact_mode = 1;
    CHECK(mode_of(unipc_queue_create(exact, &options), exact) == 0666);
}

TEST(a_bad_name_is_refused_with_what_is_wrong) {
    char name[300];
    FAILS_NULL(unipc_queue_create(NULL, NULL), EINVAL, "unipc_queue_create: name is NULL");
    FAILS_NULL(unipc_queue_create("", NULL), EINVAL, "slash");
    FAILS_NULL(unipc_queue_create("orders", NULL), EINVAL, "slash");
    FAILS_NULL(unipc_queue_open("/a/b", NULL), EINVAL, "slash");
    FAILS_NULL(unipc_queue_open("/", NULL), EINVAL, "at least one character");
    FAILS_NULL(unipc_queue_open("/latin-\xfc", NULL), EINVAL, "name is not UTF-8");
    memset(name, 'x', sizeof name);
    name[0] = '/';
    name[sizeof name - 1] = 0;
    FAILS_NULL(unipc_queue_open(name, NULL), ENAMETOOLONG, "255");
    FAILS(unipc_queue_unlink(name), ENAMETOOLONG, "255");
}

TEST(a_refused_size_names_the_limit) {
    unipc_queue_options options = UNIPC_QUEUE_OPTIONS_INIT;
    options.max_messages = 1 << 24;
    FAILS_NULL(unipc_queue_create(unique("queue"), &options), EINVAL, "no kernel takes more than 65536 of 16777216");
    options.max_messages = 1;
    options.message_size = (size_t)1 << 40;
    FAILS_NULL(unipc_queue_create(unique("queue"), &options), EINVAL, "no kernel takes more than 65536 of 16777216");
}

TEST(a_refused_size_of_engine_shm_names_what_there_is) {
    unipc_queue_options options = UNIPC_QUEUE_OPTIONS_INIT;
    options.engine = UNIPC_ENGINE_SHM;
    options.max_messages = 1;
    options.message_size = (size_t)1 << 40;
    FAILS_NULL(unipc_queue_create(unique("queue"), &options), EINVAL, "1 messages of 1099511627776 bytes");
    options.max_messages = 2147483647;
    options.message_size = 32;
    FAILS_NULL(unipc_queue_create(unique("queue"), &options), ENOSPC, "/dev/shm");
}

TEST(an_unknown_engine_access_or_reserved_field_is_refused) {
    unipc_queue_options options = UNIPC_QUEUE_OPTIONS_INIT;
    options.engine = 7;
    FAILS_NULL(unipc_queue_create(unique("queue"), &options), EINVAL, "7 is no engine; there is UNIPC_ENGINE_POSIX (0) and UNIPC_ENGINE_SHM (1)");
    options.engine = UNIPC_ENGINE_POSIX;
    options.access = -1;
    FAILS_NULL(unipc_queue_create(unique("queue"), &options), EINVAL, "-1 is no access");
    options.access = UNIPC_ACCESS_READ_WRITE;
    options.reserved = 1;
    FAILS_NULL(unipc_queue_create(unique("queue"), &options), EINVAL, "reserved");
}

static struct iovec piece(const void *data, size_t length) {
    struct iovec made;
    made.iov_base = (void *)data;
    made.iov_len = length;
    return made;
}

TEST_ON_EACH_ENGINE(a_batch_goes_as_far_as_there_is_room_and_comes_in_order) {
    unipc_queue *queue = fresh();
    char room[6][SIZE];
    struct iovec messages[6], buffers[6];
    size_t lengths[6] = {99, 99, 99, 99, 99, 99};
    unsigned int priorities[6];
    for (int i = 0; i < 6; i++) messages[i] = piece("abcdef" + i, (size_t)i), buffers[i] = piece(room[i], SIZE);
    CHECK(unipc_queue_send_many(queue, messages, 6, 3, UNIPC_FOREVER) == 4); /* of 0, 1, 2 and 3 bytes */
    FAILS(unipc_queue_send_many(queue, messages, 6, 3, 0), EAGAIN, "full");
    CHECK(unipc_queue_receive_many(queue, buffers, lengths, priorities, 3, UNIPC_FOREVER) == 3);
    for (int i = 0; i < 3; i++) {
        CHECK(lengths[i] == (size_t)i && priorities[i] == 3 && memcmp(room[i], "abcdef" + i, (size_t)i) == 0);
    }
    CHECK(lengths[3] == 99); /* nothing is said of what did not come */
    CHECK(unipc_queue_receive_many(queue, buffers, lengths, NULL, 6, UNIPC_MILLISECONDS(5)) == 1 && lengths[0] == 3);
    FAILS(unipc_queue_receive_many(queue, buffers, lengths, NULL, 6, 0), EAGAIN, "empty");
    FAILS(unipc_queue_receive_many(queue, buffers, lengths, NULL, 6, UNIPC_MILLISECONDS(5)), ETIMEDOUT, "empty");
    CHECK(unipc_queue_send_many(queue, NULL, 0, 0, 0) == 0);
    CHECK(unipc_queue_receive_many(queue, NULL, NULL, NULL, 0, 0) == 0);
    CHECK(unipc_queue_close(queue) == 0);
}

TEST_ON_EACH_ENGINE(a_batch_says_what_is_wrong_with_its_first_and_stops_before_a_later_one) {
    unipc_queue *queue = fresh();
    char room[2][SIZE] = {{0}};
    struct iovec messages[2], buffers[2];
    size_t lengths[2];
    messages[0] = piece(room, SIZE + 1), messages[1] = piece("x", 1);
    FAILS(unipc_queue_send_many(queue, messages, 2, 0, 0), EMSGSIZE, "65");
    messages[0] = piece("x", 1), messages[1] = piece(room, SIZE + 1);
    CHECK(unipc_queue_send_many(queue, messages, 2, 0, 0) == 1);
    messages[1] = piece(NULL, 1);
    FAILS(unipc_queue_send_many(queue, messages, 2, 0, 0), EINVAL, "messages is NULL");
    FAILS(unipc_queue_send_many(queue, NULL, 2, 0, 0), EINVAL, "messages is NULL");
    FAILS(unipc_queue_send_many(queue, messages, (size_t)-1, 0, 0), EINVAL, "messages cannot have");
    CHECK(queued(queue) == 1);
    put(queue, "y", 0);
    buffers[0] = piece(room[0], SIZE - 1), buffers[1] = piece(room[1], SIZE);
    FAILS(unipc_queue_receive_many(queue, buffers, lengths, NULL, 2, 0), EMSGSIZE, "64");
    buffers[0] = piece(NULL, SIZE);
    FAILS(unipc_queue_receive_many(queue, buffers, lengths, NULL, 2, 0), EINVAL, "buffers is NULL");
    FAILS(unipc_queue_receive_many(queue, NULL, lengths, NULL, 2, 0), EINVAL, "buffers is NULL");
    buffers[0] = piece(room[0], SIZE), buffers[1] = piece(room[1], SIZE - 1);
    FAILS(unipc_queue_receive_many(queue, buffers, NULL, NULL, 2, 0), EINVAL, "lengths is NULL");
    CHECK(unipc_queue_receive_many(queue, buffers, lengths, NULL, 2, 0) == 1);
    CHECK(queued(queue) == 1);
    CHECK(unipc_queue_close(queue) == 0);
}

TEST_ON_EACH_ENGINE(a_queue_is_used_by_parent_and_child_of_a_fork_with_one_handle) {
    enum { EACH = 500 };
    unipc_queue *queue = fresh();
    put(queue, "before", 0); /* the parent takes part already */
    get(queue, "before", 0);
    pid_t child = fork();
    for (int i = 0; child == 0 && i < EACH; i++) put(queue, "child", 0);
    if (child == 0) leave();
    for (int i = 0; i < EACH; i++) CHECK(unipc_queue_receive(queue, buffer, SIZE, NULL, UNIPC_SECONDS(50)) == 5);
    ends_well(child);
    CHECK(queued(queue) == 0);
    IN_CHILD(CHECK(unipc_queue_close(queue) == 0));
    put(queue, "after", 0); /* the child closed its own */
    get(queue, "after", 0);
    CHECK(unipc_queue_close(queue) == 0);
}

/* Whether a process has the one thing that was named open or mapped; `process` as in /proc, for the shell. */
static int has(const char *process) {
    char command[200];
    snprintf(command, sizeof command, "{ ls -l /proc/%s/fd; cat /proc/%s/maps; } | grep -q '%s'", process, process,
             shared->names[0] + 1);
    return system(command) == 0;
}

TEST_ON_EACH_ENGINE(a_program_that_is_executed_has_nothing_of_the_queue) {
    CHECK(unipc_queue_close(fresh()) == 0); /* who made it may have it under another name */
    unipc_queue *queue = open_again(shared->names[0]);
    CHECK(has("$PPID") && !has("self"));
    CHECK(unipc_queue_close(queue) == 0);
    CHECK(!has("$PPID"));
}

TEST_ON_EACH_ENGINE(a_queue_is_opened_with_the_engine_that_made_it) {
    const char *name = unique("queue");
    unipc_queue *queue = small_queue(name, 0);
    unipc_queue_options other = UNIPC_QUEUE_OPTIONS_INIT;
    other.engine = engine == UNIPC_ENGINE_POSIX ? UNIPC_ENGINE_SHM : UNIPC_ENGINE_POSIX;
    FAILS_NULL(unipc_queue_open(name, &other), EINVAL, engine == UNIPC_ENGINE_POSIX ? "engine posix" : "engine shm");
    FAILS_NULL(unipc_queue_create(name, &other), EEXIST, name);
    FAILS_NULL(unipc_queue_open_or_create(name, &other, NULL), EINVAL, name);
    CHECK(unipc_queue_unlink(name) == 0); /* whichever it is */
    FAILS(unipc_queue_unlink(name), ENOENT, name);
    CHECK(unipc_queue_close(queue) == 0);
}

TEST_ON_EACH_ENGINE(poll_shows_when_there_is_a_message_or_room) {
    unipc_queue *queue = fresh();
    struct pollfd entry = {unipc_queue_fd(queue), POLLIN | POLLOUT, 0};
    CHECK(poll(&entry, 1, 0) == 1 && entry.revents == POLLOUT);
    put(queue, "x", 0);
    CHECK(poll(&entry, 1, 0) == 1 && entry.revents == (POLLIN | POLLOUT));
    for (int i = 0; i < 3; i++) put(queue, "x", 0);
    CHECK(poll(&entry, 1, 0) == 1 && entry.revents == POLLIN);
    CHECK(unipc_queue_close(queue) == 0);
    until_alone();
}

TEST_ON_EACH_ENGINE(a_poll_is_ended_by_what_another_process_does) {
    unipc_queue *queue = fresh();
    struct pollfd entry = {unipc_queue_fd(queue), POLLIN, 0};
    CHECK(poll(&entry, 1, 0) == 0);
    pid_t child = fork();
    if (child == 0) {
        pause_ms(30);
        put(queue, "x", 0);
        leave();
    }
    CHECK(poll(&entry, 1, 50000) == 1 && entry.revents == POLLIN);
    get(queue, "x", 0);
    CHECK(poll(&entry, 1, 0) == 0);
    ends_well(child);
    CHECK(unipc_queue_close(queue) == 0);
    until_alone();
}

static volatile sig_atomic_t notified, code, value;
static void on_notification(int number, siginfo_t *info, void *context) {
    (void)number, (void)context;
    code = info->si_code;
    value = (int)(intptr_t)info->si_value.sival_ptr;
    notified++;
}

TEST_ON_EACH_ENGINE(a_signal_tells_of_the_first_message_once) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_notification;
    action.sa_flags = SA_SIGINFO;
    CHECK(sigaction(SIGUSR2, &action, NULL) == 0);
    unipc_queue *queue = fresh();
    CHECK(unipc_queue_notify_signal(queue, SIGUSR2, 42) == 0);
    FAILS(unipc_queue_notify_signal(queue, SIGUSR2, 42), EBUSY, "queue");
    put(queue, "x", 0);
    for (int i = 0; i < 1000 && !notified; i++) pause_ms(1);
    CHECK(notified == 1 && code == SI_MESGQ && value == 42);
    get(queue, "x", 0);
    put(queue, "y", 0);
    pause_ms(20);
    CHECK(notified == 1);
    FAILS(unipc_queue_notify_signal(queue, 1000, 0), EINVAL, "signal");
    CHECK(unipc_queue_close(queue) == 0);
    until_alone();
}

static sem_t called;
static void on_message(void *argument) {
    *(pthread_t *)argument = pthread_self();
    sem_post(&called);
}

TEST_ON_EACH_ENGINE(a_callback_runs_on_a_thread_of_its_own) {
    pthread_t thread = pthread_self();
    CHECK(sem_init(&called, 0, 0) == 0);
    unipc_queue *queue = fresh();
    CHECK(unipc_queue_notify_callback(queue, on_message, &thread) == 0);
    FAILS(unipc_queue_notify_callback(queue, on_message, NULL), EBUSY, "queue");
    put(queue, "x", 0);
    CHECK(sem_wait(&called) == 0);
    CHECK(!pthread_equal(thread, pthread_self()));
    FAILS(unipc_queue_notify_callback(queue, NULL, NULL), EINVAL, "callback is NULL");
    CHECK(unipc_queue_close(queue) == 0);
    until_alone();
}

TEST_ON_EACH_ENGINE(a_cancelled_notification_never_comes) {
    CHECK(sem_init(&called, 0, 0) == 0);
    unipc_queue *queue = fresh();
    pthread_t thread = pthread_self();
    CHECK(unipc_queue_cancel_notify(queue) == 0); /* nothing to cancel is no error */
    CHECK(unipc_queue_notify_callback(queue, on_message, &thread) == 0);
    CHECK(unipc_queue_cancel_notify(queue) == 0);
    put(queue, "x", 0);
    pause_ms(50);
    CHECK(sem_trywait(&called) == -1);
    CHECK(unipc_queue_close(queue) == 0);
    until_alone();
}
