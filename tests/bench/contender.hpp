/* The harness of contenders in C and C++: it speaks the protocol of docs/contenders.md, does its works, and knows no
 * queue. A contender is a struct after Channel; a program is a table of them, given to serve(). */
#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <endian.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- What the processes of one run share; all zero when it begins. */

enum { SIDES = 64, SAMPLES = 20000 };

struct alignas(128) Side {
    double begin, end, cpu;
    long counted;
    uint64_t sent, received; /* sums of checks */
};

struct Control {
    std::atomic<bool> failing, failed, begun;
    std::atomic<int> ready, producing, samples;
    std::atomic<pid_t> pid[2];
    pthread_barrier_t finish;
    char failure[512];
    double ns, cpu; /* what is answered, with the samples; 0: nothing */
    alignas(128) std::atomic<double> sent_at;
    Side side[SIDES];
    double sample[SAMPLES];
};
inline Control *control;

/* Ends this process and with it the run, of which the first such sentence is the answer. */
[[noreturn, gnu::cold, gnu::noinline]] inline void fail(const char *what, const char *why = nullptr)
{
    if (!why)
        why = strerror(errno);
    if (!control->failing.exchange(true)) {
        snprintf(control->failure, sizeof control->failure, "%s: %s", what, why);
        control->failed = true;
    }
    _exit(1);
}

/* ---- Messages. */

inline constexpr uint64_t THE_END = UINT64_MAX;
inline constexpr size_t CHECKED = 16; /* bytes of the least message that carries its check */

inline uint64_t word(unsigned priority, unsigned producer, uint64_t sequence)
{
    return uint64_t(priority) << 56 | uint64_t(producer) << 48 | sequence;
}

/* The end is to come last. */
inline unsigned priority_of(uint64_t word) { return word == THE_END ? 0 : unsigned(word >> 56); }

inline uint64_t check(uint64_t word) { return word * 0x9e3779b97f4a7c15; }

inline void write_message(void *message, size_t size, uint64_t word)
{
    uint64_t first = htole64(word), last = htole64(check(word));
    memcpy(message, &first, sizeof first);
    if (size >= CHECKED)
        memcpy(static_cast<char *>(message) + size - sizeof last, &last, sizeof last);
}

/* What came, `length` bytes where `size` are due, is what was sent. */
inline uint64_t read_message(const void *message, size_t length, size_t size, unsigned priority = 0)
{
    uint64_t first, last;
    if (length != size)
        fail("receive", "a message of another length than was sent");
    memcpy(&first, message, sizeof first);
    first = le64toh(first);
    if (size >= CHECKED) {
        memcpy(&last, static_cast<const char *>(message) + size - sizeof last, sizeof last);
        if (le64toh(last) != check(first))
            fail("receive", "a torn message");
    }
    if (priority != priority_of(first))
        fail("receive", "a message of another priority than was sent");
    return first;
}

/* For those that copy: where a process writes messages before it sends them, and reads those that came. */
inline std::vector<char> outgoing, incoming;

/* ---- Contenders. */

struct Shape {
    size_t size, depth;
    bool many;
};

enum Role { SENDS = 1, RECEIVES = 2, BOTH = SENDS | RECEIVES };

/* What a contender cannot have, in a sentence: which is no failure. */
struct Cannot : std::runtime_error {
    using runtime_error::runtime_error;
};

/* One process's handle. It waits as long as it takes, in both directions, and fails by fail() or an exception. What a
 * contender derives from it has a constructor of (name, shape, role), which returns when messages can go, and may have
 * functions of its own in place of the static ones. */
struct Channel {
    virtual void send(uint64_t word) = 0;
    virtual uint64_t receive() = 0;
    virtual ~Channel() = default;

    /* The shape that it can have instead, or throws Cannot. */
    static Shape fit(Shape shape) { return shape; }
    /* Makes what the constructor opens. A process of its own does, unless it can only be inherited. */
    static void make(const char *, Shape) {}
    static constexpr bool inherited = false;
    /* Removes all that has the name, and is quiet where there is nothing. */
    static void unlink(const char *) {}
};

/* The way back is an object of its own. Its messages are producer 1's. */
inline const std::string BACK = ".back";

/* A semaphore carries nothing: what comes is taken for the next that is due. */
struct Semaphore : Channel {
    uint64_t next;

    explicit Semaphore(const std::string &name)
        : next(word(0, name.size() > BACK.size() && name.substr(name.size() - BACK.size()) == BACK, 0))
    {
    }
};

struct Contender {
    std::string name, language, kind, waits, abilities;
    std::string absent = {}; /* what to do to have it; the rest is for those that are there */
    Shape (*fit)(Shape) = nullptr;
    void (*make)(const char *name, Shape shape) = nullptr;
    Channel *(*open)(const char *name, Shape shape, Role role) = nullptr;
    void (*unlink)(const char *name) = nullptr;
    bool inherited = false;

    bool can(const std::string &ability) const
    {
        return ("," + abilities + ",").find("," + ability + ",") != std::string::npos;
    }
};

template <class Kind>
Contender contender(const char *name, const char *language, const char *kind, const char *waits, const char *abilities)
{
    auto open = [](const char *name, Shape shape, Role role) -> Channel * { return new Kind(name, shape, role); };
    return {name, language, kind, waits, abilities, "", Kind::fit, Kind::make, open, Kind::unlink, Kind::inherited};
}

inline Contender absent(const char *name, const char *language, const char *remedy)
{
    return {name, language, "", "", "", remedy};
}

/* A request, understood. */
struct Run {
    const Contender *who = nullptr;
    std::string here, there; /* names of two objects */
    Shape shape = {64, 64, false};
    long messages = 100000;
    unsigned producers = 1, consumers = 1, priorities = 1;
    int cpus[2] = {0, 1};

    Channel *open(const std::string &name, Role role) const { return who->open(name.c_str(), shape, role); }

    void unlink() const
    {
        who->unlink(here.c_str());
        who->unlink(there.c_str());
    }
};

/* ---- Processes at work together. */

inline double now(clockid_t clock = CLOCK_MONOTONIC)
{
    timespec time;
    clock_gettime(clock, &time);
    return double(time.tv_sec) * 1e9 + double(time.tv_nsec);
}

inline double cpu() { return now(CLOCK_PROCESS_CPUTIME_ID); }

inline void nap(long milliseconds)
{
    timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nullptr);
}

/* With all threads that it will make. */
inline void pin(const Run &run, int which)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(size_t(run.cpus[which]), &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        fail("sched_setaffinity");
}

inline std::string contending; /* the contender's name, for what it throws */

/* A process that does this, and dies with its parent. */
inline pid_t start(const std::function<void()> &what)
{
    pid_t parent = getpid(), pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    try {
        what();
    } catch (const std::exception &error) {
        fail(contending.c_str(), error.what());
    }
    _exit(0);
}

inline std::string killed(const char *who, int status)
{
    return std::string(who) + " was killed by signal " + std::to_string(WTERMSIG(status)) + " (" +
           strsignal(WTERMSIG(status)) + ")";
}

inline int workers;

/* Runs each in a process of its own. If one fails, none is left, and nor is this one. */
inline void together(const std::vector<std::function<void()>> &works)
{
    std::vector<pid_t> pids;
    workers = int(works.size());
    control->ready = 0;
    pthread_barrierattr_t shared;
    pthread_barrierattr_init(&shared);
    pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&control->finish, &shared, unsigned(workers));
    std::string failure;
    for (const auto &work : works) {
        /* Nobody leaves before all are done: what some send is theirs until it has come, and goes with them. */
        pid_t pid = start([&] { work(), pthread_barrier_wait(&control->finish); });
        if (pid < 0) {
            failure = std::string("fork: ") + strerror(errno);
            break;
        }
        pids.push_back(pid);
    }
    int status;
    while (failure.empty() && !pids.empty()) {
        pid_t pid = waitpid(-1, &status, 0);
        pids.erase(std::find(pids.begin(), pids.end(), pid));
        if (WIFSIGNALED(status))
            failure = killed("one of its processes", status);
        else if (WEXITSTATUS(status) != 0)
            failure = "one of its processes ended";
    }
    for (pid_t pid : pids)
        kill(pid, SIGKILL);
    for (pid_t pid : pids)
        waitpid(pid, nullptr, 0);
    if (failure.empty())
        return;
    if (!control->failed)
        control->failing = false; /* whoever was about to say why was killed before it had */
    fail("the run", failure.c_str());
}

inline void start_line()
{
    control->ready++;
    while (control->ready < workers)
        sched_yield();
}

inline void make(const Run &run, const std::vector<std::string> &names)
{
    auto all = [&] {
        for (const std::string &name : names)
            run.who->make(name.c_str(), run.shape);
    };
    if (run.who->inherited)
        all();
    else
        together({all});
}

/* ---- Works. */

inline unsigned mixed(long i, unsigned priorities)
{
    return priorities == 1 ? 0 : (uint32_t(i) * 2654435761u >> 16) % priorities;
}

/* Whether what comes is what went: in order for each producer and priority. */
struct Ledger {
    unsigned producers, priorities;
    uint64_t gap; /* how many may be missing between two: as others receive them */
    uint64_t sum = 0;
    std::vector<uint64_t> due;

    explicit Ledger(const Run &run)
        : producers(run.producers), priorities(run.priorities),
          gap(run.producers * run.consumers * run.priorities == 1 ? 0 : 1ull << 48), due(producers * priorities)
    {
    }

    void enter(uint64_t word)
    {
        unsigned producer = word >> 48 & 0xff, priority = unsigned(word >> 56);
        uint64_t sequence = word & 0xffffffffffff;
        if (producer >= producers || priority >= priorities)
            fail("receive", "a message that nobody sent");
        uint64_t &next = due[producer * priorities + priority];
        if (sequence - next > gap)
            fail("receive", "a message is lost, there twice or out of order");
        next = sequence + 1;
        sum += check(word);
    }
};

inline void produce(const Run &run, unsigned me)
{
    Side &side = control->side[me];
    Channel *channel = run.open(run.here, SENDS);
    uint64_t sum = 0;
    long i = 0, each = run.messages / run.producers + (me < run.messages % run.producers);
    auto send_until = [&](long end) {
        while (i < end) {
            uint64_t next = word(mixed(i, run.priorities), me, uint64_t(i));
            sum += check(next);
            channel->send(next);
            i++;
        }
    };
    /* Mixed priorities cost by the depth: so the object is full when the race begins, if the messages allow. */
    if (run.priorities > 1)
        send_until(std::min(each / 2, long(run.shape.depth / run.producers)));
    start_line();
    if (me == 0)
        run.unlink();
    send_until(each / 10);
    side.counted = each - i;
    double before = cpu();
    send_until(each);
    side.cpu = cpu() - before;
    side.sent = sum;
    if (--control->producing == 0)
        for (unsigned consumer = 0; consumer < run.consumers; consumer++)
            channel->send(THE_END);
}

inline void consume(const Run &run, Side &side)
{
    Channel *channel = run.open(run.here, RECEIVES);
    Ledger ledger(run);
    long count = 0, tenth = run.messages / run.consumers / 10;
    auto receive = [&] {
        uint64_t word = channel->receive();
        if (word == THE_END)
            return false;
        ledger.enter(word);
        count++;
        return true;
    };
    bool more = true;
    start_line();
    while (more && count < tenth && !control->begun.load(std::memory_order_relaxed))
        more = receive();
    control->begun = true;
    double before = cpu();
    long uncounted = count;
    side.begin = now();
    while (more)
        more = receive();
    side.end = now();
    side.cpu = cpu() - before;
    side.counted = count - uncounted;
    side.received = ledger.sum;
}

/* From producers to consumers; all as fast as they can. */
inline void stream(const Run &run)
{
    make(run, {run.here});
    control->producing = int(run.producers);
    std::vector<std::function<void()>> works;
    for (unsigned i = 0; i < run.producers + run.consumers; i++)
        works.push_back([&, i] {
            if (!run.shape.many)
                pin(run, int(i));
            if (i < run.producers)
                produce(run, i);
            else
                consume(run, control->side[i]);
        });
    together(works);
    uint64_t sent = 0, received = 0;
    double begin = INFINITY, end = 0, cpu[2] = {};
    long counted[2] = {};
    for (unsigned i = 0; i < run.producers + run.consumers; i++) {
        const Side &side = control->side[i];
        bool consumer = i >= run.producers;
        sent += side.sent, received += side.received;
        cpu[consumer] += side.cpu, counted[consumer] += side.counted;
        if (consumer)
            begin = std::min(begin, side.begin), end = std::max(end, side.end);
    }
    if (sent != received)
        fail("stream", "messages were lost");
    if (counted[0] == 0 || counted[1] == 0)
        fail("stream", "the messages are too few to be timed");
    control->ns = (end - begin) / double(counted[1]);
    control->cpu = cpu[0] / double(counted[0]) + cpu[1] / double(counted[1]);
}

/* One process sends, and receives; with priorities, at the full depth all the time. */
inline void pair(const Run &run)
{
    make(run, {run.here});
    together({[&] {
        pin(run, 0);
        Channel *channel = run.open(run.here, BOTH);
        run.unlink();
        Ledger ledger(run);
        uint64_t sum = 0;
        long i = 0, received = 0;
        auto send = [&] {
            uint64_t next = word(mixed(i, run.priorities), 0, uint64_t(i));
            sum += check(next);
            channel->send(next);
            i++;
        };
        auto pairs = [&](long count) {
            for (; received < count; received++) {
                send();
                ledger.enter(channel->receive());
            }
        };
        while (run.priorities > 1 && i + 1 < long(run.shape.depth))
            send();
        pairs(run.messages / 10);
        double begin = now();
        pairs(run.messages);
        control->ns = (now() - begin) / double(run.messages - run.messages / 10);
        for (unsigned highest = run.priorities; received < i; received++) {
            uint64_t word = channel->receive();
            ledger.enter(word);
            if (priority_of(word) > highest)
                fail("receive", "a message of lower priority before one of higher");
            highest = priority_of(word);
        }
        if (ledger.sum != sum)
            fail("pair", "messages were lost");
    }});
}

/* Two processes, an object in each direction: what each does with the one to the other and the one from it. */
using Way = std::function<void(Channel *to, Channel *from)>;

inline void two_ways(const Run &run, const Way &first, const Way &second)
{
    make(run, {run.here, run.there});
    together({[&] {
                  pin(run, 0);
                  Channel *to = run.open(run.here, SENDS), *from = run.open(run.there, RECEIVES);
                  start_line();
                  run.unlink();
                  first(to, from);
              },
              [&] {
                  pin(run, 1);
                  Channel *from = run.open(run.here, RECEIVES), *to = run.open(run.there, SENDS);
                  start_line();
                  second(to, from);
              }});
}

inline void send_one(Channel *to, unsigned me, long i) { to->send(word(0, me, uint64_t(i))); }

inline void receive_one(Channel *from, unsigned whose, long i)
{
    if (from->receive() != word(0, whose, uint64_t(i)))
        fail("receive", "another message than was sent");
}

inline void ping_pong(const Run &run)
{
    long warm = run.messages / 10, samples = std::min<long>(run.messages, SAMPLES);
    two_ways(
        run,
        [&](Channel *to, Channel *from) {
            long i = 0;
            auto round = [&] { send_one(to, 0, i), receive_one(from, 1, i), i++; };
            while (i < warm)
                round();
            double begin = now();
            while (i < run.messages)
                round();
            control->ns = (now() - begin) / double(run.messages - warm);
            std::vector<double> sample(size_t(samples), 0.0); /* pages of its own, which are there: no fault is timed */
            double last = now();
            for (double &time : sample) {
                round();
                double done = now();
                time = done - last;
                last = done;
            }
            std::copy(sample.begin(), sample.end(), control->sample);
            control->samples = int(samples);
        },
        [&](Channel *to, Channel *from) {
            for (long i = 0; i < run.messages + samples; i++)
                receive_one(from, 0, i), send_one(to, 1, i);
        });
}

inline void asleep(const Run &run)
{
    auto send = [&](Channel *to, unsigned me, long i) {
        nap(1);
        control->sent_at = now();
        send_one(to, me, i);
    };
    auto receive = [&](Channel *from, unsigned whose, long i) {
        receive_one(from, whose, i);
        double time = now() - control->sent_at;
        if (i >= run.messages / 10 && control->samples < SAMPLES)
            control->sample[control->samples++] = time; /* one at a time: the other sleeps */
    };
    two_ways(
        run,
        [&](Channel *to, Channel *from) {
            for (long i = 0; i < run.messages; i++)
                send(to, 0, i), receive(from, 1, i);
        },
        [&](Channel *to, Channel *from) {
            for (long i = 0; i < run.messages; i++)
                receive(from, 0, i), send(to, 1, i);
        });
    std::vector<double> sorted(control->sample, control->sample + control->samples);
    std::sort(sorted.begin(), sorted.end());
    control->ns = sorted[sorted.size() / 2];
}

/* Another process holds the other side meanwhile. */
inline void open_and_close(const Run &run)
{
    make(run, {run.here});
    together({[&] {
                  pin(run, 0);
                  auto open = [&](long times) {
                      for (long i = 0; i < times; i++)
                          delete run.open(run.here, RECEIVES);
                  };
                  open(run.messages / 10 + 1);
                  double begin = now();
                  open(run.messages);
                  control->ns = (now() - begin) / double(run.messages);
              },
              [&] {
                  pin(run, 1);
                  run.open(run.here, SENDS);
              }});
}

/* CPU time of a second of waiting: one process where nothing is, one where no room is. */
inline void idle(const Run &run)
{
    bool bounded = run.who->can("depth");
    make(run, {run.here, run.there});
    std::vector<std::function<void()>> works = {
        [&] {
            Channel *empty = run.open(run.here, RECEIVES);
            control->pid[0] = getpid();
            start_line();
            receive_one(empty, 0, 0);
        },
        [&] {
            Channel *empty = run.open(run.here, SENDS), *full = bounded ? run.open(run.there, RECEIVES) : nullptr;
            auto spent = [](pid_t pid) {
                clockid_t clock;
                if (clock_getcpuclockid(pid, &clock) != 0)
                    fail("clock_getcpuclockid", "of a process that has ended");
                return now(clock);
            };
            auto both = [&] { return spent(control->pid[0]) + (bounded ? spent(control->pid[1]) : 0); };
            start_line();
            run.unlink();
            nap(1500); /* until they sleep for good */
            double before = both();
            nap(1000);
            control->cpu = both() - before;
            send_one(empty, 0, 0);
            if (bounded)
                receive_one(full, 0, 0);
        }};
    if (bounded)
        works.push_back([&] {
            Channel *full = run.open(run.there, SENDS);
            control->pid[1] = getpid();
            long i = 0;
            while (i < long(run.shape.depth))
                send_one(full, 0, i++);
            start_line();
            send_one(full, 0, i);
        });
    together(works);
}

static const std::map<std::string, void (*)(const Run &)> WORKS = {
    {"stream", stream}, {"pair", pair},           {"ping-pong", ping_pong},
    {"asleep", asleep}, {"open", open_and_close}, {"idle", idle},
};

/* ---- The protocol. */

using Fields = std::map<std::string, std::string>;

/* The sentence of an answer that is no result. */
struct Refused : std::runtime_error {
    using runtime_error::runtime_error;
};

inline bool is_name(const std::string &name)
{
    return name.size() > 1 && name.size() < 64 && name.rfind('/') == 0;
}

/* A whole number of the field, from least to most; `fallback` where there is no such field. */
inline long number(const Fields &fields, const char *name, long fallback, long least, long most)
{
    auto field = fields.find(name);
    if (field == fields.end())
        return fallback;
    char *end;
    long value = strtol(field->second.c_str(), &end, 10);
    if (field->second.empty() || *end || value < least || value > most)
        throw Refused(std::string(name) + "=" + field->second + " is not a number from " + std::to_string(least) +
                      " to " + std::to_string(most));
    return value;
}

inline Run understood(const std::vector<Contender> &contenders, Fields &fields)
{
    Run run;
    std::string name = fields["contender"], language = fields["language"], work = fields["work"];
    for (const Contender &contender : contenders)
        if (contender.name == name && contender.language == language)
            run.who = &contender;
    if (!run.who)
        throw Refused("there is no contender \"" + name + "\" in \"" + language + "\" here");
    if (!run.who->absent.empty())
        throw Refused(name + " is not installed: " + run.who->absent);
    if (!WORKS.count(work) || !run.who->can(work))
        throw Refused(name + " does not do \"" + work + "\"");
    run.here = fields["name"];
    run.there = run.here + BACK;
    if (!is_name(run.here))
        throw Refused("name=" + run.here + " is not a slash and up to 62 letters");
    run.messages = number(fields, "messages", run.messages, 1, 1l << 47);
    run.shape.size = size_t(number(fields, "size", 64, sizeof(uint64_t), 1 << 30));
    run.shape.depth = size_t(number(fields, "depth", 64, 1, 1 << 24));
    run.producers = unsigned(number(fields, "producers", 1, 1, SIDES / 2));
    run.consumers = unsigned(number(fields, "consumers", 1, 1, SIDES / 2));
    run.priorities = unsigned(number(fields, "priorities", 1, 1, 256));
    run.shape.many = run.producers + run.consumers > 2;
    if (run.shape.many && (work != "stream" || !run.who->can("many")))
        throw Refused(name + " does " + work + " only from one producer to one consumer");
    if (run.priorities > 1 && !run.who->can("priorities"))
        throw Refused(name + " has no priorities");
    std::string &cpus = fields["cpus"];
    if (!cpus.empty() && sscanf(cpus.c_str(), "%d,%d", &run.cpus[0], &run.cpus[1]) != 2)
        throw Refused("cpus=" + cpus + " are not two numbers");
    for (int cpu : run.cpus)
        if (cpu < 0 || cpu >= CPU_SETSIZE)
            throw Refused("cpus=" + cpus + " are not two processors");
    return run;
}

/* One process conducts the run, and leaves nothing behind in this one. */
inline void answer(const Run &run, void (*work)(const Run &))
{
    memset(static_cast<void *>(control), 0, sizeof *control);
    contending = run.who->name;
    Run fitting = run;
    fitting.shape = run.who->fit(run.shape);
    pid_t pid = start([&] {
        outgoing.assign(fitting.shape.size, 'x');
        incoming.assign(fitting.shape.size, 0);
        work(fitting);
    });
    if (pid < 0)
        throw Refused(std::string("fork: ") + strerror(errno));
    int status = 0;
    waitpid(pid, &status, 0);
    while (waitpid(-1, nullptr, 0) > 0) /* if it was killed, those that die with it are ours */
        ;
    run.unlink();
    if (control->failed)
        throw Refused(control->failure);
    if (WIFSIGNALED(status))
        throw Refused(killed("the process that conducts it", status));
    if (status != 0)
        throw Refused("the process that conducts it ended");
    printf("ok");
    if (control->ns)
        printf("\tns=%.1f", control->ns);
    if (work == stream || work == idle)
        printf("\tcpu=%.1f", control->cpu);
    if (fitting.shape.depth != run.shape.depth)
        printf("\tdepth=%zu", fitting.shape.depth);
    for (int i = 0; i < control->samples; i++)
        printf("%s%.0f", i ? "," : "\tsamples=", control->sample[i]);
    printf("\n");
}

inline void respond(const std::vector<Contender> &contenders, const std::string &line)
{
    Fields fields;
    size_t begin = line.find('\t');
    try {
        if (line.substr(0, begin) != "run")
            throw Refused("\"" + line.substr(0, begin) + "\" is no request");
        while (begin != std::string::npos) {
            size_t end = line.find('\t', ++begin);
            std::string field = line.substr(begin, end - begin);
            size_t equals = std::min(field.find('='), field.size());
            fields[field.substr(0, equals)] = field.substr(std::min(equals + 1, field.size()));
            begin = end;
        }
        Run run = understood(contenders, fields);
        answer(run, WORKS.at(fields["work"]));
    } catch (const Cannot &cannot) {
        printf("cannot\t%s\n", cannot.what());
    } catch (const Refused &refused) {
        std::string sentence = refused.what();
        std::replace_if(sentence.begin(), sentence.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
        printf("failed\t%s\n", sentence.c_str());
    }
    fflush(stdout);
}

/* The whole of a program: with "clean NAME" removes what a run of that name may have left, else serves. */
inline int serve(int argc, char **argv, const std::vector<Contender> &contenders)
{
    if (argc == 3 && argv[1] == std::string("clean") && is_name(argv[2])) {
        for (const Contender &contender : contenders)
            for (const std::string &name : {std::string(argv[2]), argv[2] + BACK})
                if (contender.unlink)
                    contender.unlink(name.c_str());
        return 0;
    }
    if (argc != 1) {
        fprintf(stderr, "usage: %s [clean /NAME]\n", argv[0]);
        return 2;
    }
    void *shared = mmap(nullptr, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror(argv[0]);
        return 1;
    }
    control = static_cast<Control *>(shared);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (const Contender &each : contenders)
        if (each.absent.empty())
            printf("contender\t%s\t%s\t%s\t%s\t%s\n", each.name.c_str(), each.language.c_str(), each.kind.c_str(),
                   each.waits.c_str(), each.abilities.c_str());
        else
            printf("absent\t%s\t%s\t%s\n", each.name.c_str(), each.language.c_str(), each.absent.c_str());
    printf("ready\n");
    fflush(stdout);
    char *line = nullptr;
    size_t room = 0;
    for (ssize_t length; (length = getline(&line, &room, stdin)) > 0;)
        respond(contenders, std::string(line, size_t(length) - (line[length - 1] == '\n')));
    free(line);
    return 0;
}
