/* The queues that are compared, behind one face. A contender is four functions: create, open and
 * unlink by name, and a Queue that sends and receives. */
#pragma once

#include <unipc.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if __has_include(<boost/interprocess/ipc/message_queue.hpp>)
#include <boost/interprocess/ipc/message_queue.hpp>
#define HAVE_BOOST 1
#else
#define HAVE_BOOST 0
#endif

[[noreturn]] inline void fail(const char *what, const char *why = nullptr)
{
    fprintf(stderr, "queue: %s: %s\n", what, why ? why : strerror(errno));
    _exit(1);
}

/* ---- Messages. Each begins with its stamp and ends with a check of it, whoever carries it, and
 * whoever receives it looks at both: nobody wins by losing messages, or by not touching them. */

struct Stamp {
    uint64_t sequence;
    uint32_t producer;
    uint32_t priority;

    uint64_t check() const
    {
        return (sequence ^ uint64_t(producer) << 56 ^ uint64_t(priority) << 40) * 0x9e3779b97f4a7c15;
    }

    void write(void *message, size_t size) const
    {
        uint64_t sum = check();
        memcpy(message, this, sizeof *this);
        memcpy(static_cast<char *>(message) + size - sizeof sum, &sum, sizeof sum);
    }

    static Stamp read(const void *message, size_t size, unsigned priority)
    {
        Stamp stamp;
        uint64_t sum;
        memcpy(&stamp, message, sizeof stamp);
        memcpy(&sum, static_cast<const char *>(message) + size - sizeof sum, sizeof sum);
        if (sum != stamp.check() || priority != stamp.priority)
            fail("receive", "a torn message, or one of another priority");
        return stamp;
    }
};

/* One process's handle of a queue. It waits as long as it takes, in both directions. */
struct Queue {
    virtual void send(const Stamp &stamp) = 0;
    virtual Stamp receive() = 0;
    virtual ~Queue() = default;
};

struct Shape {
    size_t size, depth;
};

struct Contender {
    const char *name;
    Queue *(*create)(const char *name, Shape shape);
    Queue *(*open)(const char *name, Shape shape);
    void (*unlink)(const char *name);
};

/* For those that copy: where messages are written before they are sent, and read when they came. */
struct Copying : Queue {
    explicit Copying(size_t size) : buffer(size, 'x') {}
    std::vector<char> buffer;
};

/* ---- unipc */

inline unipc_queue *unipc_handle(const char *name, const Shape *make)
{
    unipc_queue_options options = UNIPC_QUEUE_OPTIONS_INIT;
    options.engine = UNIPC_ENGINE_SHM;
    if (make) {
        options.max_messages = make->depth;
        options.message_size = make->size;
    }
    unipc_queue *queue = make ? unipc_queue_create(name, &options) : unipc_queue_open(name, &options);
    if (!queue)
        fail("unipc", unipc_last_error());
    return queue;
}

struct Unipc final : Copying {
    unipc_queue *queue;

    Unipc(const char *name, Shape shape, bool make)
        : Copying(shape.size), queue(unipc_handle(name, make ? &shape : nullptr))
    {
    }
    ~Unipc() override { unipc_queue_close(queue); }

    void send(const Stamp &stamp) override
    {
        stamp.write(buffer.data(), buffer.size());
        if (unipc_queue_send(queue, buffer.data(), buffer.size(), stamp.priority, UNIPC_FOREVER) != 0)
            fail("unipc send", unipc_last_error());
    }

    Stamp receive() override
    {
        unsigned priority;
        if (unipc_queue_receive(queue, buffer.data(), buffer.size(), &priority, UNIPC_FOREVER) !=
            ssize_t(buffer.size()))
            fail("unipc receive", unipc_last_error());
        return Stamp::read(buffer.data(), buffer.size(), priority);
    }
};

struct UnipcInPlace final : Queue {
    size_t size;
    unipc_queue *queue;

    UnipcInPlace(const char *name, Shape shape, bool make)
        : size(shape.size), queue(unipc_handle(name, make ? &shape : nullptr))
    {
    }
    ~UnipcInPlace() override { unipc_queue_close(queue); }

    void send(const Stamp &stamp) override
    {
        unipc_queue_slot slot = UNIPC_QUEUE_SLOT_INIT;
        if (unipc_queue_reserve(queue, size, stamp.priority, &slot, UNIPC_FOREVER) != 0)
            fail("unipc reserve", unipc_last_error());
        stamp.write(slot.data, size);
        if (unipc_queue_commit(queue, &slot) != 0)
            fail("unipc commit", unipc_last_error());
    }

    Stamp receive() override
    {
        unipc_queue_slot message = UNIPC_QUEUE_SLOT_INIT;
        if (unipc_queue_borrow(queue, &message, UNIPC_FOREVER) != 0)
            fail("unipc borrow", unipc_last_error());
        Stamp stamp = Stamp::read(message.data, message.length, message.priority);
        if (unipc_queue_release(queue, &message) != 0)
            fail("unipc release", unipc_last_error());
        return stamp;
    }
};

/* ---- The kernel's, through libc. */

inline long mqueue_limit()
{
    long limit = 10;
    if (FILE *file = fopen("/proc/sys/fs/mqueue/msg_max", "r")) {
        if (fscanf(file, "%ld", &limit) != 1)
            limit = 10;
        fclose(file);
    }
    return limit;
}

struct Kernel final : Copying {
    mqd_t queue;

    Kernel(const char *name, Shape shape, bool make) : Copying(shape.size)
    {
        mq_attr attributes{};
        attributes.mq_maxmsg = std::min(long(shape.depth), mqueue_limit());
        attributes.mq_msgsize = long(shape.size);
        queue = make ? mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes) : mq_open(name, O_RDWR);
        if (queue == mqd_t(-1))
            fail("mq_open");
    }
    ~Kernel() override { mq_close(queue); }

    void send(const Stamp &stamp) override
    {
        stamp.write(buffer.data(), buffer.size());
        if (mq_send(queue, buffer.data(), buffer.size(), stamp.priority) != 0)
            fail("mq_send");
    }

    Stamp receive() override
    {
        unsigned priority;
        if (mq_receive(queue, buffer.data(), buffer.size(), &priority) != ssize_t(buffer.size()))
            fail("mq_receive");
        return Stamp::read(buffer.data(), buffer.size(), priority);
    }
};

/* ---- boost::interprocess::message_queue */

#if HAVE_BOOST
struct Boost final : Copying {
    boost::interprocess::message_queue queue;

    Boost(const char *name, Shape shape, bool make)
        : Copying(shape.size),
          queue(make ? boost::interprocess::message_queue(boost::interprocess::create_only, name + 1, shape.depth,
                                                          shape.size)
                     : boost::interprocess::message_queue(boost::interprocess::open_only, name + 1))
    {
    }

    void send(const Stamp &stamp) override
    {
        stamp.write(buffer.data(), buffer.size());
        queue.send(buffer.data(), buffer.size(), stamp.priority);
    }

    Stamp receive() override
    {
        unsigned priority;
        boost::interprocess::message_queue::size_type length;
        queue.receive(buffer.data(), buffer.size(), length, priority);
        return Stamp::read(buffer.data(), length, priority);
    }
};
#endif

/* ---- A plain ring of many producers and consumers after Dmitry Vyukov, written for the comparison:
 * nothing in it survives a death, it has no priorities, no bounds checks, no timeouts. Whoever has to
 * wait spins for about as long as a wake-up takes, and then sleeps on a futex. */

inline void relax()
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

struct Sleepers {
    std::atomic<uint32_t> asleep; /* 1: somebody may be, and is to be woken */
    std::atomic<uint32_t> count;

    void wake()
    {
        if (asleep.load(std::memory_order_relaxed) && asleep.exchange(0))
            syscall(SYS_futex, &asleep, FUTEX_WAKE, 1, nullptr, nullptr, 0);
    }

    template <class Ready> void wait(int &budget, Ready ready)
    {
        enum { FULL = 800 };
        if (budget == 0)
            budget = FULL;
        for (int i = 0; i < budget; i++) {
            if (ready()) {
                budget = FULL;
                return;
            }
            relax();
        }
        budget = std::max(budget / 2, FULL / 32);
        count.fetch_add(1);
        for (;;) {
            asleep.store(1);
            if (ready())
                break;
            syscall(SYS_futex, &asleep, FUTEX_WAIT, 1, nullptr, nullptr, 0);
            if (ready()) {
                /* Who was woken hands on: one wake-up may stand for several messages. */
                if (count.load() > 1) {
                    asleep.store(1);
                    wake();
                }
                break;
            }
        }
        count.fetch_sub(1);
    }
};

struct Vyukov : Copying {
    struct Slot {
        std::atomic<uint64_t> turn;
        uint32_t length, priority;
        char data[];
    };
    struct Ring {
        alignas(128) std::atomic<uint64_t> tail;
        alignas(128) std::atomic<uint64_t> head;
        alignas(128) Sleepers receivers;
        Sleepers senders;
        alignas(128) char slots[];
    };

    size_t depth, stride, bytes;
    Ring *ring;
    int sending = 0, receiving = 0; /* what is left of the will to spin */

    Vyukov(const char *name, Shape shape, bool make)
        : Copying(shape.size), depth(shape.depth), stride((sizeof(Slot) + shape.size + 127) & ~size_t(127)),
          bytes(sizeof(Ring) + depth * stride)
    {
        if (depth & (depth - 1))
            fail("vyukov", "the depth is no power of two");
        int fd = shm_open((name + std::string(".ring")).c_str(), O_RDWR | (make ? O_CREAT | O_EXCL : 0), 0600);
        if (fd < 0 || (make && ftruncate(fd, off_t(bytes)) != 0))
            fail("vyukov");
        void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
        if (memory == MAP_FAILED)
            fail("vyukov");
        close(fd);
        ring = static_cast<Ring *>(memory);
        for (size_t i = 0; make && i < depth; i++)
            slot(i).turn = i;
    }
    ~Vyukov() override { munmap(ring, bytes); }

    Slot &slot(uint64_t ticket) { return *reinterpret_cast<Slot *>(ring->slots + (ticket & (depth - 1)) * stride); }

    /* The slot of the next ticket, once its turn has come: `ahead` is 0 to send, 1 to receive. */
    Slot &claim(std::atomic<uint64_t> &counter, uint64_t ahead, Sleepers &sleepers, int &budget, uint64_t &ticket)
    {
        for (;;) {
            ticket = counter.load(std::memory_order_relaxed);
            Slot &candidate = slot(ticket);
            int64_t early = int64_t(candidate.turn.load(std::memory_order_acquire) - (ticket + ahead));
            if (early == 0) {
                if (counter.compare_exchange_weak(ticket, ticket + 1, std::memory_order_relaxed))
                    return candidate;
            } else if (early < 0) {
                sleepers.wait(budget, [&] {
                    uint64_t now = counter.load(std::memory_order_relaxed);
                    return int64_t(slot(now).turn.load(std::memory_order_acquire) - (now + ahead)) >= 0;
                });
            }
        }
    }

    void send(const Stamp &stamp) override
    {
        uint64_t ticket;
        stamp.write(buffer.data(), buffer.size());
        Slot &mine = claim(ring->tail, 0, ring->senders, sending, ticket);
        mine.length = uint32_t(buffer.size());
        mine.priority = stamp.priority;
        memcpy(mine.data, buffer.data(), buffer.size());
        mine.turn.exchange(ticket + 1); /* and a full fence, before a look at who sleeps */
        ring->receivers.wake();
    }

    Stamp receive() override
    {
        uint64_t ticket;
        Slot &mine = claim(ring->head, 1, ring->receivers, receiving, ticket);
        size_t length = mine.length;
        unsigned priority = mine.priority;
        memcpy(buffer.data(), mine.data, length);
        mine.turn.exchange(ticket + depth);
        ring->senders.wake();
        return Stamp::read(buffer.data(), length, priority);
    }
};

/* The same, with messages written and read where they are. */
struct VyukovInPlace final : Vyukov {
    using Vyukov::Vyukov;

    void send(const Stamp &stamp) override
    {
        uint64_t ticket;
        Slot &mine = claim(ring->tail, 0, ring->senders, sending, ticket);
        mine.length = uint32_t(buffer.size());
        mine.priority = stamp.priority;
        stamp.write(mine.data, mine.length);
        mine.turn.exchange(ticket + 1);
        ring->receivers.wake();
    }

    Stamp receive() override
    {
        uint64_t ticket;
        Slot &mine = claim(ring->head, 1, ring->receivers, receiving, ticket);
        Stamp stamp = Stamp::read(mine.data, mine.length, mine.priority);
        mine.turn.exchange(ticket + depth);
        ring->senders.wake();
        return stamp;
    }
};

/* ---- The table. Those without functions are measured by means of their own: see queue.cpp. */

template <class Kind> Queue *made(const char *name, Shape shape) { return new Kind(name, shape, true); }
template <class Kind> Queue *opened(const char *name, Shape shape) { return new Kind(name, shape, false); }

static void unlink_boost([[maybe_unused]] const char *name)
{
#if HAVE_BOOST
    boost::interprocess::message_queue::remove(name + 1);
#endif
}

/* iceoryx2 leaves files behind, also when nothing went wrong. */
static void unlink_iceoryx2(const char *name)
{
    std::string prefix = name + std::string(".iceoryx2");
    std::error_code none;
    std::filesystem::remove_all("/tmp" + prefix, none);
    for (const auto &file : std::filesystem::directory_iterator("/dev/shm", none))
        if (file.path().string().rfind("/dev/shm" + prefix, 0) == 0)
            std::filesystem::remove(file.path(), none);
}

static void unlink_unipc(const char *name) { unipc_queue_unlink(name); }
static void unlink_kernel(const char *name) { mq_unlink(name); }
static void unlink_vyukov(const char *name) { shm_unlink((name + std::string(".ring")).c_str()); }

static const Contender UNIPC = {"unipc", made<Unipc>, opened<Unipc>, unlink_unipc};
static const Contender UNIPC_IN_PLACE = {"unipc in place", made<UnipcInPlace>, opened<UnipcInPlace>, unlink_unipc};
static const Contender KERNEL = {"kernel", made<Kernel>, opened<Kernel>, unlink_kernel};
#if HAVE_BOOST
static const Contender BOOST = {"boost", made<Boost>, opened<Boost>, unlink_boost};
#else
static const Contender BOOST = {"boost", nullptr, nullptr, unlink_boost};
#endif
static const Contender VYUKOV = {"Vyukov ring", made<Vyukov>, opened<Vyukov>, unlink_vyukov};
static const Contender VYUKOV_IN_PLACE = {"Vyukov ring in place", made<VyukovInPlace>, opened<VyukovInPlace>,
                                          unlink_vyukov};
static const Contender LINE = {"cache line", nullptr, nullptr, [](const char *) {}};
static const Contender ICEORYX2 = {"iceoryx2", nullptr, nullptr, unlink_iceoryx2};
