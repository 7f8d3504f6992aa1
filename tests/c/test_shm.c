/* What queues of engine shm can do beyond the others: messages in place, waits that end, files that lie. */
#include "queue.h"
#include <stdatomic.h>

/* Before main: `engine` is what the helpers make queues of. */
__attribute__((constructor)) static void choose(void) { engine = UNIPC_ENGINE_SHM; }

static unipc_queue_slot empty_slot(void) {
    unipc_queue_slot slot = UNIPC_QUEUE_SLOT_INIT;
    return slot;
}

static int is_empty(const unipc_queue_slot *slot) {
    unipc_queue_slot none = empty_slot();
    return memcmp(slot, &none, sizeof none) == 0;
}

/* ---- messages in place */

TEST(a_reserved_message_is_written_in_place_and_sent_by_its_commit) {
    unipc_queue *queue = fresh();
    unipc_queue_slot slot = empty_slot();
    CHECK(unipc_queue_reserve(queue, 5, 7, &slot, UNIPC_FOREVER) == 0);
    CHECK(slot.data != NULL && (uintptr_t)slot.data % 16 == 0 && slot.length == 5 && slot.priority == 7);
    memcpy(slot.data, "hello", 5);
    CHECK(queued(queue) == 0);
    CHECK(unipc_queue_commit(queue, &slot) == 0);
    CHECK(is_empty(&slot));
    get(queue, "hello", 7);
    CHECK(unipc_queue_close(queue) == 0);
}

TEST(a_reservation_is_cut_to_what_was_written_and_never_grows) {
    unipc_queue *queue = fresh();
    unipc_queue_slot slot = empty_slot();
    CHECK(unipc_queue_reserve(queue, 8, 0, &slot, 0) == 0);
    memcpy(slot.data, "cut", 3);
    slot.length = 9;
    FAILS(unipc_queue_commit(queue, &slot), EMSGSIZE, "length is 9, and 8 bytes were reserved");
    slot.length = 3;
    CHECK(unipc_queue_commit(queue, &slot) == 0);
    get(queue, "cut", 0);
    CHECK(unipc_queue_close(queue) == 0);
}

TEST(an_aborted_reservation_sends_nothing_and_gives_its_room_back) {
    unipc_queue *queue = fresh();
    unipc_queue_slot slots[4];
    for (int i = 0; i < 4; i++) {
        slots[i] = empty_slot();
        CHECK(unipc_queue_reserve(queue, SIZE, 0, &slots[i], 0) == 0);
    }
    FAILS(unipc_queue_send(queue, "x", 1, 0, 0), EAGAIN, "full");
    for (int i = 0; i < 4; i++) CHECK(unipc_queue_abort(queue, &slots[i]) == 0 && is_empty(&slots[i]));
    CHECK(queued(queue) == 0);
    fill(queue);
    CHECK(unipc_queue_close(queue) == 0);
}

TEST(a_borrowed_message_is_read_in_place_and_consumed_by_its_release) {
    unipc_queue *queue = fresh();
    unipc_queue_slot first = empty_slot(), second = empty_slot();
    put(queue, "low", 1);
    put(queue, "high", 2);
    CHECK(unipc_queue_borrow(queue, &first, UNIPC_FOREVER) == 0);
    CHECK(first.length == 4 && first.priority == 2 && memcmp(first.data, "high", 4) == 0);
    CHECK(unipc_queue_borrow(queue, &second, 0) == 0);
    CHECK(second.length == 3 && second.priority == 1 && memcmp(second.data, "low", 3) == 0);
    FAILS(unipc_queue_receive(queue, buffer, SIZE, NULL, 0), EAGAIN, "empty");
    CHECK(unipc_queue_release(queue, &first) == 0 && is_empty(&first));
    CHECK(unipc_queue_release(queue, &second) == 0);
    CHECK(queued(queue) == 0);
    CHECK(unipc_queue_close(queue) == 0);
}

TEST(a_message_that_is_put_back_is_received_at_its_old_place) {
    unipc_queue *queue = fresh();
    unipc_queue_slot slot = empty_slot();
    put(queue, "first", 3);
    put(queue, "second", 3);
    CHECK(unipc_queue_borrow(queue, &slot, 0) == 0);
    CHECK(unipc_queue_put_back(queue, &slot) == 0 && is_empty(&slot));
    get(queue, "first", 3);
    get(queue, "second", 3);
    CHECK(unipc_queue_close(queue) == 0);
}

TEST(reserving_and_borrowing_wait_as_sending_and_receiving_do) {
    unipc_queue *queue = fresh();
    unipc_queue_slot slot = empty_slot();
    FAILS(unipc_queue_borrow(queue, &slot, 0), EAGAIN, "empty");
    FAILS(unipc_queue_borrow(queue, &slot, UNIPC_MILLISECONDS(5)), ETIMEDOUT, "empty");
    FAILS(unipc_queue_borrow(queue, &slot, -2), EINVAL, "timeout of -2");
    FAILS(unipc_queue_reserve(queue, SIZE + 1, 0, &slot, 0), EMSGSIZE, "65");
    FAILS(unipc_queue_reserve(queue, 1, 32768, &slot, 0), EINVAL, "32768");
    fill(queue);
    FAILS(unipc_queue_reserve(queue, 1, 0, &slot, 0), EAGAIN, "full");
    FAILS(unipc_queue_reserve(queue, 1, 0, &slot, UNIPC_MILLISECONDS(5)), ETIMEDOUT, "full");
    CHECK(is_empty(&slot));
    pid_t child = fork();
    if (child == 0) {
        pause_ms(20);
        get(queue, "full", 0);
        leave();
    }
    CHECK(unipc_queue_reserve(queue, 1, 0, &slot, UNIPC_SECONDS(50)) == 0);
    ends_well(child);
    CHECK(unipc_queue_abort(queue, &slot) == 0);
    CHECK(unipc_queue_close(queue) == 0);
}

TEST(a_slot_that_holds_nothing_or_too_much_is_refused) {
    unipc_queue *queue = fresh();
    unipc_queue_slot slot = empty_slot(), copy;
    FAILS(unipc_queue_commit(queue, &slot), EINVAL, "holds no message");
    FAILS(unipc_queue_abort(queue, &slot), EINVAL, "holds no message");
    FAILS(unipc_queue_release(queue, &slot), EINVAL, "holds no message");
    FAILS(unipc_queue_put_back(queue, &slot), EINVAL, "holds no message");
    FAILS(unipc_queue_commit(queue, NULL), EINVAL, "slot is NULL");
    FAILS(unipc_queue_reserve(queue, 1, 0, NULL, 0), EINVAL, "slot is NULL");
    FAILS(unipc_queue_borrow(queue, NULL, 0), EINVAL, "slot is NULL");
    slot.size = 0;
    FAILS(unipc_queue_reserve(queue, 1, 0, &slot, 0), EINVAL, "_INIT");
    slot.size = sizeof slot - 8;
    FAILS(unipc_queue_borrow(queue, &slot, 0), EINVAL, "_INIT");
    slot = empty_slot();
    CHECK(unipc_queue_reserve(queue, 1, 0, &slot, 0) == 0);
    copy = slot;
    FAILS(unipc_queue_reserve(queue, 1, 0, &slot, 0), EINVAL, "holds a message already");
    FAILS(unipc_queue_borrow(queue, &slot, 0), EINVAL, "holds a message already");
    FAILS(unipc_queue_release(queue, &slot), EINVAL, "no reservation or borrowed message");
    CHECK(slot.data == copy.data); /* it still holds what it held */
    CHECK(unipc_queue_commit(queue, &slot) == 0);
    CHECK(queued(queue) == 1);
    CHECK(unipc_queue_close(queue) == 0);
}

TEST(a_slot_of_a_longer_header_works_and_keeps_what_is_behind) {
    struct { unipc_queue_slot slot; uint64_t behind; } longer = {UNIPC_QUEUE_SLOT_INIT, 77};
    unipc_queue *queue = fresh();
    longer.slot.size = sizeof longer;
    CHECK(unipc_queue_reserve(queue, 1, 0, &longer.slot, 0) == 0);
    CHECK(unipc_queue_commit(queue, &longer.slot) == 0);
    CHECK(longer.slot.size == sizeof longer && longer.behind == 77);
    CHECK(unipc_queue_close(queue) == 0);
}

TEST(a_stale_copy_of_a_slot_is_refused) {
    unipc_queue *queue = fresh();
    unipc_queue_slot slot = empty_slot(), stale;
    CHECK(unipc_queue_reserve(queue, 1, 0, &slot, 0) == 0);
    stale = slot;
    CHECK(unipc_queue_commit(queue, &slot) == 0);
    FAILS(unipc_queue_commit(queue, &stale), EOWNERDEAD, "ended before");
    CHECK(is_empty(&stale) && queued(queue) == 1);
    CHECK(unipc_queue_borrow(queue, &slot, 0) == 0);
    stale = slot;
    CHECK(unipc_queue_release(queue, &slot) == 0);
    FAILS(unipc_queue_put_back(queue, &stale), EOWNERDEAD, "ended before");
    CHECK(queued(queue) == 0);
    fill(queue);
    CHECK(unipc_queue_close(queue) == 0);
}

TEST(a_forged_slot_is_refused_or_harmless) {
    unipc_queue *queue = fresh();
    uint64_t state = 88172645463325252ULL;
    put(queue, "true", 0);
    for (int i = 0; i < 20000; i++) {
        unipc_queue_slot slot = empty_slot();
        for (int word = 0; word < 3; word++) {
            for (int turn = 0; turn < 3; turn++) state ^= turn == 0 ? state << 13 : turn == 1 ? state >> 7 : state << 17;
            slot.loan[word] = state;
        }
        if (i % 2) slot.loan[0] %= 8, slot.loan[2] %= 2 * SIZE; /* nearer the truth */
        slot.loan[1] |= 1;
        slot.length = slot.loan[2] % 100;
        int (*ends[])(unipc_queue *, unipc_queue_slot *) = {
            unipc_queue_commit, unipc_queue_abort, unipc_queue_release, unipc_queue_put_back,
        };
        CHECK(ends[i % 4](queue, &slot) == -1);
        CHECK(errno == EINVAL || errno == EOWNERDEAD || errno == EMSGSIZE);
    }
    /* A priority that nobody can have does not come out of it. */
    unipc_queue_slot slot = empty_slot();
    CHECK(unipc_queue_reserve(queue, 2, 0, &slot, 0) == 0);
    slot.loan[0] |= UINT64_C(0xffffffff) << 32;
    if (unipc_queue_commit(queue, &slot) == 0) {
        CHECK(unipc_queue_receive(queue, buffer, SIZE, &priority, 0) > 0 && priority <= UNIPC_QUEUE_PRIORITY_MAX);
    }
    put(queue, "other", 9);
    while (unipc_queue_receive(queue, buffer, SIZE, &priority, 0) >= 0) CHECK(priority <= UNIPC_QUEUE_PRIORITY_MAX);
    CHECK(errno == EAGAIN);
    fill(queue);
    CHECK(unipc_queue_close(queue) == 0);
}

TEST(a_queue_of_engine_posix_has_no_messages_in_place_and_no_shutdown) {
    unipc_queue_slot slot = empty_slot();
    engine = UNIPC_ENGINE_POSIX;
    unipc_queue *queue = fresh();
    FAILS(unipc_queue_reserve(queue, 1, 0, &slot, 0), EOPNOTSUPP, "make it with engine shm");
    FAILS(unipc_queue_borrow(queue, &slot, 0), EOPNOTSUPP, "make it with engine shm");
    FAILS(unipc_queue_shutdown(queue), EOPNOTSUPP, "make it with engine shm");
    slot.loan[1] = 1;
    FAILS(unipc_queue_commit(queue, &slot), EOPNOTSUPP, "make it with engine shm");
    FAILS(unipc_queue_abort(queue, &slot), EOPNOTSUPP, "make it with engine shm");
    FAILS(unipc_queue_release(queue, &slot), EOPNOTSUPP, "make it with engine shm");
    FAILS(unipc_queue_put_back(queue, &slot), EOPNOTSUPP, "make it with engine shm");
    CHECK(unipc_queue_close(queue) == 0);
}

struct handover { unipc_queue *queue; unipc_queue_slot slot; };
static void *commits(void *argument) {
    struct handover *given = argument;
    CHECK(unipc_queue_commit(given->queue, &given->slot) == 0);
    return NULL;
}
static void *reserves(void *argument) {
    struct handover *given = argument;
    CHECK(unipc_queue_reserve(given->queue, 1, 0, &given->slot, 0) == 0);
    return NULL;
}
static void *borrows(void *argument) {
    struct handover *given = argument;
    CHECK(unipc_queue_borrow(given->queue, &given->slot, 0) == 0);
    return NULL;
}
static void on_thread(void *(*work)(void *), void *argument) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, work, argument) == 0 && pthread_join(thread, NULL) == 0);
}

TEST(another_thread_may_commit_what_this_one_reserved) {
    struct handover given = {fresh(), UNIPC_QUEUE_SLOT_INIT};
    CHECK(unipc_queue_reserve(given.queue, 2, 4, &given.slot, 0) == 0);
    memcpy(given.slot.data, "ok", 2);
    on_thread(commits, &given);
    get(given.queue, "ok", 4);
    CHECK(unipc_queue_close(given.queue) == 0);
}

TEST(the_others_take_back_what_a_thread_held_when_it_ended) {
    struct handover given = {fresh(), UNIPC_QUEUE_SLOT_INIT};
    on_thread(reserves, &given);
    fill(given.queue);
    FAILS(unipc_queue_commit(given.queue, &given.slot), EOWNERDEAD, "has ended");
    CHECK(is_empty(&given.slot));
    for (int i = 0; i < 4; i++) get(given.queue, "full", 0);
    put(given.queue, "held", 0);
    on_thread(borrows, &given);
    get(given.queue, "held", 0);
    FAILS(unipc_queue_release(given.queue, &given.slot), EOWNERDEAD, "has ended");
    CHECK(unipc_queue_close(given.queue) == 0);
}

TEST(what_a_killed_process_held_is_there_again) {
    unipc_queue *queue = fresh();
    unipc_queue_slot slots[2] = {UNIPC_QUEUE_SLOT_INIT, UNIPC_QUEUE_SLOT_INIT};
    put(queue, "work", 0);
    pid_t child = fork();
    if (child == 0) {
        CHECK(unipc_queue_reserve(queue, 1, 0, &slots[1], 0) == 0 && unipc_queue_borrow(queue, &slots[0], 0) == 0);
        pause();
    }
    while (queued(queue) > 0) pause_ms(1);
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    get(queue, "work", 0);
    fill(queue);
    CHECK(unipc_queue_close(queue) == 0);
}

TEST(what_is_held_when_a_handle_is_closed_goes_back) {
    const char *name = unique("queue");
    unipc_queue *queue = small_queue(name, 0), *other = open_again(name);
    unipc_queue_slot borrowed = empty_slot(), reserved = empty_slot();
    put(queue, "work", 0);
    CHECK(unipc_queue_borrow(queue, &borrowed, 0) == 0 && unipc_queue_reserve(queue, 1, 0, &reserved, 0) == 0);
    CHECK(unipc_queue_close(queue) == 0);
    FAILS(unipc_queue_release(queue, &borrowed), EBADF, "closed");
    CHECK(unipc_queue_receive(other, buffer, SIZE, NULL, 0) == 4);
    fill(other);
    CHECK(unipc_queue_close(other) == 0);
}

/* ---- waits that another thread ends */

static atomic_int waiting, ended;
struct waiter { unipc_queue *queue; int sends; int64_t timeout; int expected; };

static void *waits(void *argument) {
    const struct waiter *given = argument;
    unipc_queue_slot slot = UNIPC_QUEUE_SLOT_INIT;
    char mine[SIZE];
    int outcome;
    waiting++;
    outcome = given->sends == 0 ? (int)unipc_queue_receive(given->queue, mine, SIZE, NULL, given->timeout)
            : given->sends == 1 ? unipc_queue_send(given->queue, "x", 1, 0, given->timeout)
                                : unipc_queue_borrow(given->queue, &slot, given->timeout);
    CHECK(outcome == -1 && errno == given->expected);
    ended++;
    return NULL;
}

/* Eight that wait, more and less long ago. */
static void begin_waits(pthread_t *threads, struct waiter *what) {
    for (int i = 0; i < 8; i++) CHECK(pthread_create(&threads[i], NULL, waits, what) == 0);
    while (waiting < 8) pause_ms(1);
    pause_ms(20);
    CHECK(ended == 0);
}

static void waits_end_at_a_close(int sends, int64_t timeout) {
    struct waiter what = {fresh(), sends, timeout, EBADF};
    pthread_t threads[8];
    if (sends == 1) fill(what.queue);
    begin_waits(threads, &what);
    CHECK(unipc_queue_close(what.queue) == 0);
    for (int i = 0; i < 8; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(ended == 8);
    FAILS(unipc_queue_close(what.queue), EBADF, "the queue is closed");
}
TEST(closing_ends_receives_that_wait_for_ever) { waits_end_at_a_close(0, UNIPC_FOREVER); }
TEST(closing_ends_receives_that_wait_for_a_time) { waits_end_at_a_close(0, UNIPC_SECONDS(50)); }
TEST(closing_ends_sends_that_wait) { waits_end_at_a_close(1, UNIPC_FOREVER); }
TEST(closing_ends_borrows_that_wait) { waits_end_at_a_close(2, UNIPC_FOREVER); }

TEST(a_shutdown_ends_waits_now_and_later_and_nothing_else) {
    const char *name = unique("queue");
    struct waiter what = {small_queue(name, 0), 0, UNIPC_FOREVER, ESHUTDOWN};
    unipc_queue *other = open_again(name);
    pthread_t threads[8];
    begin_waits(threads, &what);
    CHECK(unipc_queue_shutdown(what.queue) == 0);
    for (int i = 0; i < 8; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    FAILS(unipc_queue_receive(what.queue, buffer, SIZE, NULL, UNIPC_FOREVER), ESHUTDOWN, "shutdown");
    FAILS(unipc_queue_receive(what.queue, buffer, SIZE, NULL, 0), EAGAIN, "empty");
    put(what.queue, "still", 0);
    get(what.queue, "still", 0);
    FAILS(unipc_queue_receive(other, buffer, SIZE, NULL, UNIPC_MILLISECONDS(5)), ETIMEDOUT, "empty");
    CHECK(unipc_queue_shutdown(what.queue) == 0); /* again does no harm */
    CHECK(unipc_queue_close(what.queue) == 0 && unipc_queue_close(other) == 0);
}

/* Calls of all kinds without an end, until the handle is closed under them. */
static void *works_until_closed(void *argument) {
    unipc_queue *queue = *(unipc_queue **)argument;
    char mine[SIZE] = {0};
    int outcome = 0;
    waiting++;
    for (unsigned int i = 0; outcome >= 0; i++) {
        unipc_queue_attributes attributes = UNIPC_QUEUE_ATTRIBUTES_INIT;
        unipc_queue_slot slot = UNIPC_QUEUE_SLOT_INIT;
        switch (i % 4) {
        case 0: outcome = unipc_queue_send(queue, mine, i % SIZE, 0, UNIPC_FOREVER); break;
        case 1: outcome = (int)unipc_queue_receive(queue, mine, SIZE, NULL, UNIPC_SECONDS(50)); break;
        case 2: outcome = unipc_queue_get_attributes(queue, &attributes); break;
        default:
            outcome = unipc_queue_reserve(queue, 1, 0, &slot, UNIPC_FOREVER);
            if (outcome == 0) outcome = unipc_queue_commit(queue, &slot);
            if (outcome == 0) outcome = unipc_queue_borrow(queue, &slot, UNIPC_FOREVER);
            if (outcome == 0) outcome = unipc_queue_release(queue, &slot);
        }
    }
    CHECK(errno == EBADF);
    return NULL;
}

TEST(a_handle_may_be_closed_while_threads_are_in_calls_of_every_kind) {
    const char *name = unique("queue");
    unipc_queue *keeper = small_queue(name, 0), *queue;
    for (int round = 0; round < 100; round++) {
        pthread_t threads[4];
        queue = open_again(name);
        waiting = 0;
        for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, works_until_closed, &queue) == 0);
        while (waiting < 4) sched_yield();
        for (volatile int i = 0; i < round * 500; i++) {}
        CHECK(unipc_queue_close(queue) == 0);
        for (int i = 0; i < 4; i++) CHECK(pthread_join(threads[i], NULL) == 0);
        while (unipc_queue_receive(keeper, buffer, SIZE, NULL, 0) >= 0) {}
        CHECK(errno == EAGAIN);
    }
    CHECK(unipc_queue_close(keeper) == 0);
}

static void *closes(void *argument) {
    waiting++;
    int outcome = unipc_queue_close(*(unipc_queue **)argument);
    CHECK(outcome == 0 || errno == EBADF);
    ended += outcome == 0;
    return NULL;
}

TEST(of_two_that_close_one_does) {
    for (int round = 0; round < 200; round++) {
        pthread_t threads[2];
        unipc_queue *queue = small_queue(shared->count ? shared->names[0] : unique("queue"), 0);
        CHECK(unipc_queue_unlink(shared->names[0]) == 0);
        waiting = ended = 0;
        for (int i = 0; i < 2; i++) CHECK(pthread_create(&threads[i], NULL, closes, &queue) == 0);
        for (int i = 0; i < 2; i++) CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(ended == 1);
    }
}

TEST(a_child_closes_a_handle_in_which_threads_of_the_parent_wait) {
    struct waiter what = {fresh(), 0, UNIPC_FOREVER, EBADF};
    pthread_t threads[8];
    begin_waits(threads, &what);
    IN_CHILD(alarm(30); CHECK(unipc_queue_close(what.queue) == 0));
    pause_ms(20);
    CHECK(ended == 0); /* it was the child's */
    IN_CHILD( /* and one that goes on has threads of its own, whose calls it ends */
        pthread_t thread;
        alarm(30);
        CHECK(queued(what.queue) == 0);
        waiting = ended = 0;
        CHECK(pthread_create(&thread, NULL, waits, &what) == 0);
        while (waiting < 1) pause_ms(1);
        pause_ms(20);
        CHECK(unipc_queue_close(what.queue) == 0 && pthread_join(thread, NULL) == 0 && ended == 1));
    CHECK(unipc_queue_close(what.queue) == 0);
    for (int i = 0; i < 8; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

static unipc_queue *last_words_go_to;
static void says_goodbye(void *unused) {
    (void)unused;
    put(last_words_go_to, "goodbye", 0);
}
static void *dies_talking(void *argument) {
    put(last_words_go_to, "alive", 0);
    CHECK(pthread_setspecific(*(pthread_key_t *)argument, argument) == 0);
    return NULL;
}

TEST(a_destructor_of_a_thread_may_send) {
    pthread_key_t key;
    CHECK(pthread_key_create(&key, says_goodbye) == 0);
    last_words_go_to = fresh();
    on_thread(dies_talking, &key);
    get(last_words_go_to, "alive", 0);
    get(last_words_go_to, "goodbye", 0);
    CHECK(unipc_queue_close(last_words_go_to) == 0);
}

/* Everything that a thread may do first, and more, while its cancellation is pending. */
static void *works_while_cancelled(void *argument) {
    unipc_queue *queue = *(unipc_queue **)argument;
    unipc_queue_slot slot = UNIPC_QUEUE_SLOT_INIT;
    struct iovec piece;
    size_t length;
    char mine[SIZE] = {0};
    CHECK(pthread_cancel(pthread_self()) == 0);
    CHECK(unipc_queue_send(queue, "x", 1, 0, UNIPC_FOREVER) == 0);
    CHECK(unipc_queue_receive(queue, mine, SIZE, NULL, UNIPC_SECONDS(50)) == 1);
    CHECK(unipc_queue_reserve(queue, 1, 0, &slot, 0) == 0 && unipc_queue_abort(queue, &slot) == 0);
    CHECK(unipc_queue_reserve(queue, 1, 3, &slot, 0) == 0 && unipc_queue_commit(queue, &slot) == 0);
    CHECK(unipc_queue_borrow(queue, &slot, 0) == 0 && unipc_queue_put_back(queue, &slot) == 0);
    CHECK(unipc_queue_borrow(queue, &slot, 0) == 0 && unipc_queue_release(queue, &slot) == 0);
    piece.iov_base = mine, piece.iov_len = SIZE;
    CHECK(unipc_queue_send_many(queue, &piece, 1, 0, 0) == 1);
    CHECK(unipc_queue_receive_many(queue, &piece, &length, NULL, 1, 0) == 1 && length == SIZE);
    CHECK(unipc_queue_receive(queue, mine, SIZE, NULL, UNIPC_MILLISECONDS(5)) == -1 && errno == ETIMEDOUT);
    ended++;
    pthread_testcancel();
    return NULL;
}

TEST(no_call_is_a_cancellation_point) {
    unipc_queue *queue = fresh();
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        void *result;
        CHECK(pthread_create(&thread, NULL, works_while_cancelled, &queue) == 0);
        CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED && ended == i + 1);
    }
    CHECK(unipc_queue_close(queue) == 0);
}

/* ---- files that lie */

static void refused_as(const char *name, int error, const char *sentence) {
    unipc_queue_options options = of_engine();
    FAILS_NULL(unipc_queue_open(name, &options), error, sentence);
    FAILS_NULL(unipc_queue_open_or_create(name, &options, NULL), error, sentence);
    CHECK(unipc_queue_unlink(name) == 0);
}

static void make_file(const char *name, const void *contents, size_t length) {
    FILE *file = fopen(file_of(name), "wx");
    CHECK(file != NULL && fwrite(contents, 1, length, file) == length && fclose(file) == 0);
}

TEST(a_file_that_is_no_queue_is_refused) {
    static char garbage[1 << 16];
    const char *empty = unique("empty"), *few = unique("few"), *many = unique("many"), *zero = unique("zero");
    make_file(empty, "", 0);
    refused_as(empty, EBADMSG, "it has 0 bytes");
    make_file(few, "#!/bin/sh\n", 10);
    refused_as(few, EBADMSG, "it has 10 bytes");
    make_file(zero, garbage, sizeof garbage);
    refused_as(zero, EBADMSG, "begins with other bytes");
    for (size_t i = 0; i < sizeof garbage; i++) garbage[i] = (char)(i * 2654435761u >> 13);
    make_file(many, garbage, sizeof garbage);
    refused_as(many, EBADMSG, "begins with other bytes");
}

/* A queue of which some bytes were overwritten. */
static const char *spoiled(const char *what, long offset, const void *bytes, size_t length) {
    const char *name = unique(what);
    CHECK(unipc_queue_close(small_queue(name, 0)) == 0);
    int fd = open(file_of(name), O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0 && pwrite(fd, bytes, length, offset) == (ssize_t)length && close(fd) == 0);
    return name;
}

TEST(a_queue_of_another_version_or_machine_is_refused_with_a_sentence) {
    uint32_t version = 999, page = 12345;
    refused_as(spoiled("version", 8, &version, 4), EPROTO, "version 999");
    refused_as(spoiled("order", 12, "\1\2\3\4", 4), EPROTO, "byte order");
    refused_as(spoiled("page", 20, &page, 4), EPROTO, "12345");
}

TEST(a_queue_whose_numbers_do_not_fit_is_refused) {
    uint64_t number = 5000;
    refused_as(spoiled("slots", 64, &number, 8), EBADMSG, "do not fit together");
    number = UINT64_MAX;
    refused_as(spoiled("bytes", 72, &number, 8), EBADMSG, "do not fit together");
    refused_as(spoiled("size", 24, &number, 8), EBADMSG, "another size");
    refused_as(spoiled("name", 256, "elsewhere", 9), EBADMSG, "another name");
}

TEST(whatever_stands_in_a_queue_the_worst_is_an_error) {
    static char garbage[3000];
    unipc_queue_options options = of_engine();
    unsigned int state = 1;
    for (int round = 0; round < 60; round++) {
        for (size_t i = 0; i < sizeof garbage; i++) garbage[i] = (char)((state = state * 1103515245u + 12345u) >> 16);
        const char *name = shared->count ? shared->names[0] : unique("queue");
        CHECK(unipc_queue_close(small_queue(name, 0)) == 0);
        int fd = open(file_of(name), O_RDWR | O_CLOEXEC);
        CHECK(fd >= 0 && pwrite(fd, garbage, sizeof garbage, round < 30 ? 1024 : 4096) > 0 && close(fd) == 0);
        unipc_queue *queue = unipc_queue_open(name, &options);
        unipc_queue_slot slot = UNIPC_QUEUE_SLOT_INIT;
        for (int i = 0; queue && i < 20; i++) {
            (void)!unipc_queue_send(queue, "x", 1, (unsigned int)i, 0);
            ssize_t length = unipc_queue_receive(queue, buffer, SIZE, &priority, 0);
            CHECK(length <= SIZE && (length < 0 || priority <= UNIPC_QUEUE_PRIORITY_MAX));
            if (unipc_queue_borrow(queue, &slot, 0) == 0) {
                CHECK(slot.length <= SIZE && slot.priority <= UNIPC_QUEUE_PRIORITY_MAX);
                memcpy(buffer, slot.data, slot.length);
                if (unipc_queue_release(queue, &slot) != 0) slot = empty_slot();
            }
        }
        CHECK(queue == NULL || unipc_queue_close(queue) == 0);
        CHECK(unipc_queue_unlink(name) == 0);
    }
}
