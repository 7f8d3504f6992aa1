/* The contenders of `unipc bench` in C and C++: unipc through its C interface, boost, ZeroMQ, nng, and a plain ring.
 *
 * usage: contenders            speaks the protocol of docs/contenders.md
 *        contenders clean NAME
 *
 * tests/bench/build-contenders compiles it. */
#include "contender.hpp"

#include <unipc.h>

#include <filesystem>

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#if __has_include(<boost/interprocess/ipc/message_queue.hpp>)
#define HAVE_BOOST
#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/interprocess/sync/named_semaphore.hpp>
#endif

#if __has_include(<zmq.h>)
#define HAVE_ZMQ
#include <zmq.h>
#endif

#if __has_include(<nng/nng.h>)
#define HAVE_NNG
#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#endif

static std::string in_tmp(const char *name, const char *suffix) { return std::string("/tmp") + name + suffix; }

/* A limit of the kernel's message queues, where /proc tells it. */
static size_t mqueue_limit(const char *name)
{
    size_t limit = SIZE_MAX;
    if (FILE *file = fopen((std::string("/proc/sys/fs/mqueue/") + name).c_str(), "r")) {
        if (fscanf(file, "%zu", &limit) != 1)
            limit = SIZE_MAX;
        fclose(file);
    }
    return limit;
}

/* ---- unipc: queues */

template <class Handle> Handle *good(Handle *handle)
{
    if (!handle)
        fail("unipc", unipc_last_error());
    return handle;
}

static void good(ssize_t result, ssize_t due = 0)
{
    if (result != due)
        fail("unipc", result < 0 ? unipc_last_error() : "less than was due: whoever was to write has ended");
}

template <unipc_engine ENGINE> struct UnipcObject : Channel {
    size_t size;
    unipc_queue *queue;

    UnipcObject(const char *name, Shape shape, Role) : size(shape.size)
    {
        unipc_queue_options options = UNIPC_QUEUE_OPTIONS_INIT;
        options.engine = ENGINE;
        queue = good(unipc_queue_open(name, &options));
    }
    ~UnipcObject() override { unipc_queue_close(queue); }

    static void make(const char *name, Shape shape)
    {
        unipc_queue_options options = UNIPC_QUEUE_OPTIONS_INIT;
        options.engine = ENGINE;
        options.max_messages = shape.depth;
        options.message_size = shape.size;
        unipc_queue_close(good(unipc_queue_create(name, &options)));
    }

    static void unlink(const char *name) { unipc_queue_unlink(name); }
};

template <unipc_engine ENGINE> struct UnipcQueue final : UnipcObject<ENGINE> {
    using Base = UnipcObject<ENGINE>;
    using Base::Base, Base::queue, Base::size;

    void send(uint64_t word) override
    {
        write_message(outgoing.data(), size, word);
        good(unipc_queue_send(queue, outgoing.data(), size, priority_of(word), UNIPC_FOREVER));
    }

    uint64_t receive() override
    {
        unsigned priority;
        ssize_t length = unipc_queue_receive(queue, incoming.data(), size, &priority, UNIPC_FOREVER);
        if (length < 0)
            fail("unipc", unipc_last_error());
        return read_message(incoming.data(), size_t(length), size, priority);
    }

    static Shape fit(Shape shape)
    {
        if (ENGINE != UNIPC_ENGINE_POSIX)
            return shape;
        auto refuse = [&](const char *name, size_t most) -> Shape {
            throw Cannot(name + ("=" + std::to_string(most)) + " allows no messages of " + std::to_string(shape.size) +
                         " bytes");
        };
        size_t largest = mqueue_limit("msgsize_max");
        if (shape.size > largest)
            return refuse("fs.mqueue.msgsize_max", largest);
        /* Of two queues, with what the kernel adds to a message where it counts it, or less. */
        rlimit bytes;
        getrlimit(RLIMIT_MSGQUEUE, &bytes);
        size_t depth = bytes.rlim_cur / 2 / (shape.size + 128);
        if (depth == 0)
            return refuse("RLIMIT_MSGQUEUE", bytes.rlim_cur);
        shape.depth = std::min({shape.depth, mqueue_limit("msg_max"), depth});
        return shape;
    }
};

struct UnipcInPlace final : UnipcObject<UNIPC_ENGINE_SHM> {
    using UnipcObject::UnipcObject;

    void send(uint64_t word) override
    {
        unipc_queue_slot slot = UNIPC_QUEUE_SLOT_INIT;
        good(unipc_queue_reserve(queue, size, priority_of(word), &slot, UNIPC_FOREVER));
        write_message(slot.data, size, word);
        good(unipc_queue_commit(queue, &slot));
    }

    uint64_t receive() override
    {
        unipc_queue_slot slot = UNIPC_QUEUE_SLOT_INIT;
        good(unipc_queue_borrow(queue, &slot, UNIPC_FOREVER));
        uint64_t word = read_message(slot.data, slot.length, size, slot.priority);
        good(unipc_queue_release(queue, &slot));
        return word;
    }
};

/* ---- unipc: pipes and FIFOs. They carry bytes, and so messages of one size. */

struct Stream : Channel {
    size_t size;
    unipc_pipe_reader *reader = nullptr;
    unipc_pipe_writer *writer = nullptr;

    explicit Stream(Shape shape) : size(shape.size) {}
    ~Stream() override
    {
        unipc_pipe_reader_close(reader);
        unipc_pipe_writer_close(writer);
    }

    void send(uint64_t word) override
    {
        write_message(outgoing.data(), size, word);
        good(unipc_pipe_write(writer, outgoing.data(), size, UNIPC_FOREVER), ssize_t(size));
    }

    uint64_t receive() override
    {
        good(unipc_pipe_read_full(reader, incoming.data(), size, UNIPC_FOREVER, nullptr), ssize_t(size));
        return read_message(incoming.data(), size, size);
    }

    /* Who is alone must not wait for room. */
    void alone() const
    {
        if (unipc_pipe_writer_capacity(writer) < ssize_t(size))
            fail("unipc", "a message is larger than the pipe, and nobody else reads");
    }

    static Shape fit(Shape shape)
    {
        if (shape.many && shape.size > UNIPC_PIPE_BUF)
            throw Cannot("several share a pipe only with messages of up to 4096 bytes: longer ones are torn");
        return shape;
    }
};

struct UnipcPipe final : Stream {
    struct Ends {
        unipc_pipe_reader *reader;
        unipc_pipe_writer *writer;
    };
    inline static std::map<std::string, Ends> pipes;

    static constexpr bool inherited = true;
    static void make(const char *name, Shape) { good(unipc_pipe_create(&pipes[name].reader, &pipes[name].writer)); }

    UnipcPipe(const char *name, Shape shape, Role role) : Stream(shape)
    {
        Ends &ends = pipes.at(name);
        if (role & RECEIVES)
            reader = ends.reader;
        else
            unipc_pipe_reader_close(ends.reader);
        if (role & SENDS)
            writer = ends.writer;
        else
            unipc_pipe_writer_close(ends.writer);
        if (role == BOTH)
            alone();
    }
};

struct UnipcFifo final : Stream {
    static std::string path(const char *name) { return in_tmp(name, ".fifo"); }
    static void make(const char *name, Shape)
    {
        unipc_fifo_close(good(unipc_fifo_create(path(name).c_str(), nullptr)));
    }
    static void unlink(const char *name) { unipc_fifo_unlink(path(name).c_str()); }

    UnipcFifo(const char *name, Shape shape, Role role) : Stream(shape)
    {
        unipc_fifo *fifo = good(unipc_fifo_open(path(name).c_str(), nullptr));
        if (role & RECEIVES)
            reader = good(unipc_fifo_open_reader(fifo, role == BOTH ? 0 : UNIPC_FOREVER));
        if (role & SENDS)
            writer = good(unipc_fifo_open_writer(fifo, UNIPC_FOREVER));
        unipc_fifo_close(fifo);
        if (role == BOTH)
            alone();
    }
};

/* ---- unipc: semaphores */

struct UnipcSemaphore final : Semaphore {
    unipc_semaphore *semaphore;

    UnipcSemaphore(const char *name, Shape, Role)
        : Semaphore(name), semaphore(good(unipc_semaphore_open(name, nullptr)))
    {
    }
    static void make(const char *name, Shape) { unipc_semaphore_close(good(unipc_semaphore_create(name, 0, nullptr))); }
    static void unlink(const char *name) { unipc_semaphore_unlink(name); }

    void send(uint64_t) override { good(unipc_semaphore_post(semaphore)); }
    uint64_t receive() override
    {
        good(unipc_semaphore_wait(semaphore, UNIPC_FOREVER));
        return next++;
    }
};

/* ---- boost::interprocess. Exceptions tell what fails. */

#ifdef HAVE_BOOST
using namespace boost::interprocess;

struct BoostQueue final : Channel {
    size_t size;
    message_queue queue;

    BoostQueue(const char *name, Shape shape, Role) : size(shape.size), queue(open_only, name + 1) {}
    static void make(const char *name, Shape shape) { message_queue(create_only, name + 1, shape.depth, shape.size); }
    static void unlink(const char *name) { message_queue::remove(name + 1); }

    void send(uint64_t word) override
    {
        write_message(outgoing.data(), size, word);
        queue.send(outgoing.data(), size, priority_of(word));
    }

    uint64_t receive() override
    {
        unsigned priority;
        message_queue::size_type length;
        queue.receive(incoming.data(), size, length, priority);
        return read_message(incoming.data(), length, size, priority);
    }
};

struct BoostSemaphore final : Semaphore {
    named_semaphore semaphore;

    BoostSemaphore(const char *name, Shape, Role) : Semaphore(name), semaphore(open_only, name + 1) {}
    static void make(const char *name, Shape) { named_semaphore(create_only, name + 1, 0); }
    static void unlink(const char *name) { named_semaphore::remove(name + 1); }

    void send(uint64_t) override { semaphore.post(); }
    uint64_t receive() override
    {
        semaphore.wait();
        return next++;
    }
};
#endif

/* ---- Sockets in a directory of their own. The receiver binds. */

struct Socket : Channel {
    size_t size;

    explicit Socket(Shape shape) : size(shape.size) {}

    static std::string directory(const char *name) { return in_tmp(name, ".sockets"); }
    static std::string address(const char *name) { return "ipc://" + directory(name) + "/socket"; }

    static void make(const char *name, Shape)
    {
        if (mkdir(directory(name).c_str(), 0700) != 0)
            fail("mkdir");
    }

    static void unlink(const char *name)
    {
        std::error_code none;
        std::filesystem::remove_all(directory(name), none);
    }
};

#ifdef HAVE_ZMQ
struct ZeroMQ final : Socket {
    void *pull = nullptr, *push = nullptr;

    /* One for a process, as its guide wants it. */
    static void *context()
    {
        static void *one = zmq_ctx_new();
        return one;
    }

    ZeroMQ(const char *name, Shape shape, Role role) : Socket(shape)
    {
        int depth = int(shape.depth), soon = 1;
        if (role & RECEIVES) {
            pull = zmq_socket(context(), ZMQ_PULL);
            due(zmq_setsockopt(pull, ZMQ_RCVHWM, &depth, sizeof depth));
            due(zmq_bind(pull, address(name).c_str()));
        }
        if (role & SENDS) {
            push = zmq_socket(context(), ZMQ_PUSH);
            due(zmq_setsockopt(push, ZMQ_SNDHWM, &depth, sizeof depth));
            due(zmq_setsockopt(push, ZMQ_RECONNECT_IVL, &soon, sizeof soon));
            /* Nothing goes before there is a connection, after which no name is needed. */
            due(zmq_setsockopt(push, ZMQ_IMMEDIATE, &soon, sizeof soon));
            due(zmq_connect(push, address(name).c_str()));
            zmq_pollitem_t connected = {push, -1, ZMQ_POLLOUT, 0};
            due(zmq_poll(&connected, 1, -1), 1);
        }
    }

    static void due(int result, int expected = 0)
    {
        if (result != expected)
            fail("ZeroMQ", zmq_strerror(zmq_errno()));
    }

    void send(uint64_t word) override
    {
        write_message(outgoing.data(), size, word);
        due(zmq_send(push, outgoing.data(), size, 0), int(size));
    }

    uint64_t receive() override
    {
        int length = zmq_recv(pull, incoming.data(), size, 0);
        if (length < 0)
            fail("ZeroMQ", zmq_strerror(zmq_errno()));
        return read_message(incoming.data(), size_t(length), size);
    }
};
#endif

#ifdef HAVE_NNG
struct Nng final : Socket {
    nng_socket pull, push;

    Nng(const char *name, Shape shape, Role role) : Socket(shape)
    {
        int depth = std::min(int(shape.depth), 8192); /* which is nng's most */
        if (role & RECEIVES) {
            due(nng_pull0_open(&pull));
            due(nng_socket_set_int(pull, NNG_OPT_RECVBUF, depth));
            due(nng_socket_set_size(pull, NNG_OPT_RECVMAXSZ, 0));
            due(nng_listen(pull, address(name).c_str(), nullptr, 0));
        }
        if (role & SENDS) {
            due(nng_push0_open(&push));
            due(nng_socket_set_int(push, NNG_OPT_SENDBUF, depth));
            auto dial = [&] { return nng_dial(push, address(name).c_str(), nullptr, 0); };
            int result = dial();
            for (; result == NNG_ECONNREFUSED || result == NNG_ENOENT; result = dial())
                nap(1); /* until the other listens */
            due(result);
        }
    }

    static void due(int result)
    {
        if (result != 0)
            fail("nng", nng_strerror(result));
    }

    void send(uint64_t word) override
    {
        write_message(outgoing.data(), size, word);
        due(nng_send(push, outgoing.data(), size, 0));
    }

    uint64_t receive() override
    {
        size_t length = size;
        due(nng_recv(pull, incoming.data(), &length, 0));
        return read_message(incoming.data(), length, size);
    }
};
#endif

/* ---- A plain ring of many producers and consumers after Dmitry Vyukov, written for the comparison:
 * nothing in it survives a death, it has no priorities, no bounds checks, no timeouts. Whoever has to
 * wait spins for about as long as a wake-up takes, and then sleeps on a futex. */

static void relax()
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

struct Vyukov : Channel {
    struct Slot {
        std::atomic<uint64_t> turn;
        uint32_t length;
        alignas(16) char data[];
    };
    struct Ring {
        alignas(128) std::atomic<uint64_t> tail;
        alignas(128) std::atomic<uint64_t> head;
        alignas(128) Sleepers receivers;
        Sleepers senders;
        alignas(128) char slots[];
    };

    size_t size, depth, stride, bytes;
    Ring *ring;
    int sending = 0, receiving = 0; /* what is left of the will to spin */

    Vyukov(const char *name, Shape shape, Role) : Vyukov(name, shape, O_RDWR) {}

    Vyukov(const char *name, Shape shape, int flags)
        : size(shape.size), depth(shape.depth), stride((sizeof(Slot) + size + 127) & ~size_t(127)),
          bytes(sizeof(Ring) + depth * stride)
    {
        int fd = shm_open(file(name).c_str(), flags, 0600);
        if (fd < 0 || (flags & O_CREAT && ftruncate(fd, off_t(bytes)) != 0))
            fail("the ring");
        void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
        if (memory == MAP_FAILED)
            fail("the ring");
        close(fd);
        ring = static_cast<Ring *>(memory);
    }
    ~Vyukov() override { munmap(ring, bytes); }

    static std::string file(const char *name) { return name + std::string(".ring"); }
    static void unlink(const char *name) { shm_unlink(file(name).c_str()); }

    static void make(const char *name, Shape shape)
    {
        Vyukov made(name, shape, O_RDWR | O_CREAT | O_EXCL);
        for (size_t i = 0; i < made.depth; i++)
            made.slot(i).turn = i;
    }

    static Shape fit(Shape shape)
    {
        if (shape.depth < 2 || shape.depth & (shape.depth - 1))
            throw Cannot("its depth must be a power of two, from 2");
        return shape;
    }

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

    void send(uint64_t word) override
    {
        uint64_t ticket;
        write_message(outgoing.data(), size, word);
        Slot &mine = claim(ring->tail, 0, ring->senders, sending, ticket);
        mine.length = uint32_t(size);
        memcpy(mine.data, outgoing.data(), size);
        mine.turn.exchange(ticket + 1); /* and a full fence, before a look at who sleeps */
        ring->receivers.wake();
    }

    uint64_t receive() override
    {
        uint64_t ticket;
        Slot &mine = claim(ring->head, 1, ring->receivers, receiving, ticket);
        size_t length = mine.length;
        memcpy(incoming.data(), mine.data, std::min(length, size));
        mine.turn.exchange(ticket + depth);
        ring->senders.wake();
        return read_message(incoming.data(), length, size);
    }
};

/* The same, with messages written and read where they are. */
struct VyukovInPlace final : Vyukov {
    using Vyukov::Vyukov;

    void send(uint64_t word) override
    {
        uint64_t ticket;
        Slot &mine = claim(ring->tail, 0, ring->senders, sending, ticket);
        mine.length = uint32_t(size);
        write_message(mine.data, size, word);
        mine.turn.exchange(ticket + 1);
        ring->receivers.wake();
    }

    uint64_t receive() override
    {
        uint64_t ticket;
        Slot &mine = claim(ring->head, 1, ring->receivers, receiving, ticket);
        uint64_t word = read_message(mine.data, mine.length, size);
        mine.turn.exchange(ticket + depth);
        ring->senders.wake();
        return word;
    }
};

int main(int argc, char **argv)
{
    rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_MSGQUEUE, &unlimited); /* where we may */
    signal(SIGPIPE, SIG_IGN);               /* as the others have it, by their languages */

    const char *spins = "spins, then blocks", *blocks = "blocks", *messages = "messages", *semaphore = "semaphore";
    return serve(argc, argv, {
        contender<UnipcQueue<UNIPC_ENGINE_SHM>>("unipc shm", "C", messages, spins,
            "stream,pair,ping-pong,asleep,open,idle,many,priorities,depth"),
        contender<UnipcInPlace>("unipc shm in place", "C", messages, spins,
            "stream,pair,ping-pong,asleep,idle,many,priorities,depth,in-place"),
        contender<UnipcQueue<UNIPC_ENGINE_POSIX>>("unipc posix", "C", messages, blocks,
            "stream,pair,ping-pong,asleep,open,idle,many,priorities,depth"),
        contender<UnipcPipe>("unipc pipe", "C", messages, blocks, "stream,pair,ping-pong,asleep,idle,many"),
        contender<UnipcFifo>("unipc fifo", "C", messages, blocks, "stream,pair,ping-pong,asleep,open,idle,many"),
        contender<UnipcSemaphore>("unipc semaphore", "C", semaphore, blocks, "pair,ping-pong"),
#ifdef HAVE_BOOST
        contender<BoostQueue>("boost", "C++", messages, blocks,
            "stream,pair,ping-pong,asleep,open,idle,many,priorities,depth"),
        contender<BoostSemaphore>("boost semaphore", "C++", semaphore, blocks, "pair,ping-pong"),
#else
        absent("boost", "C++", "apt-get install libboost-dev"),
        absent("boost semaphore", "C++", "apt-get install libboost-dev"),
#endif
#ifdef HAVE_ZMQ
        contender<ZeroMQ>("ZeroMQ", "C", messages, blocks, "stream,pair,ping-pong,asleep,idle"),
#else
        absent("ZeroMQ", "C", "apt-get install libzmq3-dev"),
#endif
#ifdef HAVE_NNG
        contender<Nng>("nng", "C", messages, blocks, "stream,pair,ping-pong,asleep,idle"),
#else
        absent("nng", "C", "apt-get install libnng-dev"),
#endif
        contender<Vyukov>("Vyukov ring", "C++", messages, spins, "stream,pair,ping-pong,asleep,open,idle,many,depth"),
        contender<VyukovInPlace>("Vyukov ring in place", "C++", messages, spins,
            "stream,pair,ping-pong,asleep,idle,many,depth,in-place"),
    });
}
