/* What a message costs: unipc's queue in shared memory against the kernel's, boost's and others.
 *
 * usage: queue [WORK...]       only the rows whose text has one of these words
 *   QUICK=1          few and short rounds
 *   ICEORYX2=FILE    the program that measures iceoryx2 (tests/bench/iceoryx2)
 *
 * Contenders take turns within each round, in another order each time. Figures are medians of the
 * rounds, ratios the medians of the rounds' own ratios, with the least and the greatest. Every
 * contender carries the same stamped messages, and every receiver checks them. Prints Markdown. */
#include "contenders.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- Processes at work together. */

enum { WORKERS = 4, PRIORITIES = 8, SAMPLES = 4096, WATCHDOG_SECONDS = 20 };
static const uint64_t THE_END = UINT64_MAX;

struct Side {
    double begin, end, cpu;
    uint64_t sent, received; /* sums of checks */
};

/* What the processes of one run share; all zero when it begins. */
struct Control {
    std::atomic<int> ready, producing, samples;
    std::atomic<pid_t> pid[WORKERS];
    alignas(128) std::atomic<double> sent_at;
    alignas(128) std::atomic<uint64_t> ping;
    alignas(128) std::atomic<uint64_t> pong;
    alignas(128) Side side[WORKERS];
    double sample[SAMPLES];
};
static Control *control;
static int workers_now;
static std::string here, there; /* names of two queues */
static std::vector<int> cpus;   /* two that we may run on; the same one twice if there is no other */

static double now(clockid_t clock = CLOCK_MONOTONIC)
{
    timespec time;
    clock_gettime(clock, &time);
    return double(time.tv_sec) * 1e9 + double(time.tv_nsec);
}

static double cpu() { return now(CLOCK_PROCESS_CPUTIME_ID); }

static void nap(long milliseconds)
{
    timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nullptr);
}

static void pin(int which)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(size_t(cpus[size_t(which) % 2]), &set);
    sched_setaffinity(0, sizeof set, &set);
}

static void start_line()
{
    control->ready++;
    while (control->ready < workers_now)
        sched_yield();
}

static double median(std::vector<double> values)
{
    if (values.empty())
        return NAN;
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/* Runs each in a process of its own; false if one failed or hung, and then none is left. */
static bool together(const std::vector<std::function<void()>> &workers)
{
    std::vector<pid_t> pids;
    workers_now = int(workers.size());
    fflush(nullptr);
    for (size_t i = 0; i < workers.size(); i++) {
        pid_t pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            control->pid[i] = getpid();
            workers[i]();
            _exit(0);
        }
        if (pid < 0)
            fail("fork");
        pids.push_back(pid);
    }
    bool good = true;
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    double deadline = now() + WATCHDOG_SECONDS * 1e9;
    while (!pids.empty()) {
        int status;
        pid_t pid;
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
            pids.erase(std::find(pids.begin(), pids.end(), pid));
            good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
        }
        double left = deadline - now();
        if (!good || left <= 0) {
            if (good)
                fprintf(stderr, "queue: killed after %d s: it hung\n", WATCHDOG_SECONDS);
            good = false;
            for (pid_t victim : pids) {
                kill(victim, SIGKILL);
                waitpid(victim, nullptr, 0);
            }
            break;
        }
        timespec wait = {time_t(left / 1e9) + 1, 0};
        if (!pids.empty())
            sigtimedwait(&child, nullptr, &wait);
    }
    return good;
}

/* ---- Works: what is measured, in nanoseconds. NAN: it failed. */

struct Row;
using Work = double (*)(const Row &row, const Contender &who, long messages);

/* A ratio that is looked at, and what is asked of it: what must be reached, and what is aimed for. */
struct Against {
    const Contender *who;
    double target = 0, aim = 0;
    bool at_most = false; /* unipc's cost over theirs; else theirs over unipc's */
};

struct Row {
    const char *text;
    Work work;
    Shape shape;
    std::vector<Against> against;
    const Contender *ours = &UNIPC;
    int priorities = 1;
    int pairs = 1;     /* producers, and as many consumers; several are not pinned */
    long messages = 0; /* 0: as many as fit into a run */
};

static Stamp stamp(long i, int producer, int priorities)
{
    return {uint64_t(i), uint32_t(producer), (uint32_t(i) * 2654435761u >> 16) % uint32_t(priorities)};
}

/* Whether what comes is what went: in order for each producer and priority, and all of it. */
struct Ledger {
    uint64_t next[WORKERS][PRIORITIES] = {};
    uint64_t sum = 0;

    void enter(const Stamp &stamp)
    {
        uint64_t &least = next[stamp.producer % WORKERS][stamp.priority % PRIORITIES];
        if (stamp.sequence < least)
            fail("receive", "a message twice, or out of order");
        least = stamp.sequence + 1;
        sum += stamp.check();
    }
};

/* Made by a process that is gone when the others begin. */
static bool create(const Row &row, const Contender &who, const std::vector<std::string> &names)
{
    return together({[&] {
        for (const std::string &name : names)
            delete who.create(name.c_str(), row.shape);
    }});
}

static void produce(const Row &row, const Contender &who, int me, long messages, long warm)
{
    Side &side = control->side[me];
    Queue *queue = who.open(here.c_str(), row.shape);
    uint64_t sum = 0;
    long i = 0;
    auto send = [&] {
        Stamp next = stamp(i++, me, row.priorities);
        sum += next.check();
        queue->send(next);
    };
    /* Mixed priorities cost by the depth: so the queue is full when the race begins. */
    while (row.priorities > 1 && i < long(row.shape.depth))
        send();
    start_line();
    if (me == 0)
        who.unlink(here.c_str());
    double before = 0;
    while (i < messages) {
        if (i == warm)
            before = cpu();
        send();
    }
    side.cpu = cpu() - before;
    side.sent = sum;
    if (--control->producing == 0)
        for (int consumer = 0; consumer < row.pairs; consumer++)
            queue->send({THE_END, 0, 0});
    delete queue;
}

static void consume(const Row &row, const Contender &who, Side &side, long warm)
{
    Queue *queue = who.open(here.c_str(), row.shape);
    Ledger ledger;
    double before = 0;
    start_line();
    for (;;) {
        Stamp stamp = queue->receive();
        if (stamp.sequence == THE_END)
            break;
        ledger.enter(stamp);
        if (side.begin == 0 && stamp.sequence >= uint64_t(warm)) {
            side.begin = now();
            before = cpu();
        }
    }
    side.end = now();
    side.cpu = before ? cpu() - before : 0;
    side.received = ledger.sum;
    delete queue;
}

/* From producers to consumers, each a process; all as fast as they can. */
static bool stream(const Row &row, const Contender &who, long messages, double &time, double &cpu)
{
    long each = messages / row.pairs, warm = each / 10;
    if (!create(row, who, {here}))
        return false;
    control->producing = row.pairs;
    std::vector<std::function<void()>> workers;
    for (int i = 0; i < 2 * row.pairs; i++)
        workers.push_back([&, i] {
            if (row.pairs == 1)
                pin(i);
            if (i < row.pairs)
                produce(row, who, i, each, warm);
            else
                consume(row, who, control->side[i], warm);
        });
    if (!together(workers))
        return false;
    uint64_t sent = 0, received = 0;
    double begin = INFINITY, end = 0;
    time = cpu = 0;
    for (int i = 0; i < 2 * row.pairs; i++) {
        Side &side = control->side[i];
        sent += side.sent, received += side.received, cpu += side.cpu;
        if (side.begin)
            begin = std::min(begin, side.begin);
        end = std::max(end, side.end);
    }
    if (sent != received) {
        fprintf(stderr, "queue: %s: messages lost\n", who.name);
        return false;
    }
    double counted = double((each - warm) * row.pairs);
    time = (end - begin) / counted;
    cpu /= counted;
    return true;
}

static double throughput(const Row &row, const Contender &who, long messages)
{
    double time, cpu;
    return stream(row, who, messages, time, cpu) ? time : NAN;
}

static double cpu_time(const Row &row, const Contender &who, long messages)
{
    double time, cpu;
    return stream(row, who, messages, time, cpu) ? cpu : NAN;
}

/* One process sends, and receives what it sent; with priorities, at the full depth all the time. */
static double alone(const Row &row, const Contender &who, long messages)
{
    bool good = together({[&] {
        pin(0);
        Queue *queue = who.create(here.c_str(), row.shape);
        who.unlink(here.c_str());
        Ledger ledger;
        long i = 0, warm = messages / 10;
        while (row.priorities > 1 && i + 1 < long(row.shape.depth)) {
            queue->send(stamp(i, 0, row.priorities));
            i++;
        }
        double begin = 0;
        for (long pair = 0; pair < messages; pair++, i++) {
            if (pair == warm)
                begin = now();
            queue->send(stamp(i, 0, row.priorities));
            ledger.enter(queue->receive());
        }
        control->side[0].end = (now() - begin) / double(messages - warm);
        delete queue;
    }});
    return good ? control->side[0].end : NAN;
}

/* Two processes, a queue in each direction. `turn` is what each does, message by message. */
static bool two_ways(const Row &row, const Contender &who, const std::function<void(Queue *, Queue *)> &first,
                     const std::function<void(Queue *, Queue *)> &second)
{
    if (!create(row, who, {here, there}))
        return false;
    auto worker = [&](int me) {
        pin(me);
        Queue *a = who.open(here.c_str(), row.shape), *b = who.open(there.c_str(), row.shape);
        start_line();
        if (me == 0) {
            who.unlink(here.c_str());
            who.unlink(there.c_str());
            first(a, b);
        } else {
            second(b, a);
        }
        delete a;
        delete b;
    };
    return together({[&] { worker(0); }, [&] { worker(1); }});
}

static void must_be(uint64_t sequence, const Stamp &stamp)
{
    if (stamp.sequence != sequence)
        fail("receive", "another message than was sent");
}

/* There and back, on two cores, nobody ever idle. */
static double ping_pong(const Row &row, const Contender &who, long messages)
{
    long warm = messages / 10;
    bool good = two_ways(
        row, who,
        [&](Queue *to, Queue *from) {
            double begin = 0;
            for (long i = 0; i < messages; i++) {
                if (i == warm)
                    begin = now();
                to->send({uint64_t(i), 0, 0});
                must_be(uint64_t(i), from->receive());
            }
            control->side[0].end = (now() - begin) / double(messages - warm);
        },
        [&](Queue *to, Queue *from) {
            for (long i = 0; i < messages; i++) {
                Stamp stamp = from->receive();
                must_be(uint64_t(i), stamp);
                to->send(stamp);
            }
        });
    return good ? control->side[0].end : NAN;
}

/* From before a send until the other side, which has slept for a while, has the message. */
static double wake_up(const Row &row, const Contender &who, long messages)
{
    auto send = [&](Queue *to, long i) {
        nap(1);
        control->sent_at = now();
        to->send({uint64_t(i), 0, 0});
    };
    auto receive = [&](Queue *from, long i) {
        Stamp stamp = from->receive();
        control->sample[control->samples++ % SAMPLES] = now() - control->sent_at;
        must_be(uint64_t(i), stamp);
    };
    bool good = two_ways(
        row, who,
        [&](Queue *to, Queue *from) {
            for (long i = 0; i < messages; i++)
                send(to, i), receive(from, i);
        },
        [&](Queue *to, Queue *from) {
            for (long i = 0; i < messages; i++)
                receive(from, i), send(to, i);
        });
    return good ? median({control->sample, control->sample + std::min<int>(control->samples, SAMPLES)}) : NAN;
}

/* CPU time of a second of waiting: one process at an empty queue, one at a full one. */
static double idle(const Row &row, const Contender &who, long)
{
    if (!create(row, who, {here, there}))
        return false;
    auto spent = [](int worker) {
        clockid_t clock;
        if (clock_getcpuclockid(control->pid[worker], &clock) != 0)
            fail("clock_getcpuclockid");
        return now(clock);
    };
    bool good = together({
        [&] {
            Queue *empty = who.open(here.c_str(), row.shape);
            start_line();
            empty->receive();
        },
        [&] {
            Queue *full = who.open(there.c_str(), row.shape);
            for (size_t i = 0; i < row.shape.depth; i++)
                full->send({i, 0, 0});
            start_line();
            full->send({row.shape.depth, 0, 0});
        },
        [&] {
            Queue *empty = who.open(here.c_str(), row.shape), *full = who.open(there.c_str(), row.shape);
            start_line();
            who.unlink(here.c_str());
            who.unlink(there.c_str());
            nap(1500); /* until they sleep for good: unipc looks once more after a second */
            double before = spent(0) + spent(1);
            nap(1000);
            control->side[0].end = spent(0) + spent(1) - before;
            empty->send({0, 0, 0});
            full->receive();
        },
    });
    return good ? control->side[0].end : NAN;
}

/* ---- Who needs a way of his own: the floor, and iceoryx2. */

/* Two processes that bounce two cache lines by plain stores and loads: nothing between two cores can
 * be faster. */
static double bounce(long messages)
{
    uint64_t last = uint64_t(messages);
    bool good = together({[&] {
                              pin(0);
                              start_line();
                              double begin = now();
                              for (uint64_t i = 1; i <= last; i++) {
                                  control->ping.store(i, std::memory_order_release);
                                  while (control->pong.load(std::memory_order_acquire) != i)
                                      ;
                              }
                              control->side[0].end = (now() - begin) / double(messages);
                          },
                          [&] {
                              pin(1);
                              start_line();
                              for (uint64_t i = 1; i <= last; i++) {
                                  while (control->ping.load(std::memory_order_acquire) != i)
                                      ;
                                  control->pong.store(i, std::memory_order_release);
                              }
                          }});
    return good ? control->side[0].end : NAN;
}

static std::string iceoryx2_program;

/* A program of its own does the same work and prints the figure. */
static double iceoryx2(const Row &row, long messages)
{
    int out[2];
    if (pipe(out) != 0)
        fail("pipe");
    bool good = together({[&] {
        dup2(out[1], STDOUT_FILENO);
        auto text = [](auto value) { return std::to_string(value); };
        execl(iceoryx2_program.c_str(), "iceoryx2", row.work == ping_pong ? "ping-pong" : "stream", here.c_str() + 1,
              text(row.shape.depth).c_str(), text(messages).c_str(), text(cpus[0]).c_str(), text(cpus[1]).c_str(),
              nullptr);
        fail(iceoryx2_program.c_str());
    }});
    close(out[1]);
    char line[64] = "";
    ssize_t length = read(out[0], line, sizeof line - 1);
    close(out[0]);
    return good && length > 0 ? atof(line) : NAN;
}

static double measure(const Row &row, const Contender &who, long messages)
{
    memset(static_cast<void *>(control), 0, sizeof *control);
    double value;
    if (&who == &LINE)
        value = bounce(messages);
    else if (&who == &ICEORYX2)
        value = iceoryx2(row, messages);
    else
        value = row.work(row, who, messages);
    who.unlink(here.c_str());
    who.unlink(there.c_str());
    return value;
}

/* ---- The table. */

/* Of each Against: what must be reached, and what is aimed for. */
static const std::vector<Against> NOTHING_ASKED = {{&KERNEL}, {&BOOST}};
static const std::vector<Against> MIXED = {{&KERNEL, 2, 4}, {&BOOST, 1, 2}};

static const std::vector<Row> rows = {
    {"64 B, 64 slots, one priority", throughput, {64, 64}, {{&KERNEL, 12, 20}, {&BOOST, 3, 5}, {&VYUKOV, 0.8, 1}}},
    {"64 B, 10 slots", throughput, {64, 10}, {{&KERNEL, 5, 9}, {&BOOST, 15, 40}}},
    {"64 B, two producers and two consumers", throughput, {64, 64},
     {{&KERNEL, 6, 14}, {&BOOST, 4, 10}, {&VYUKOV}}, &UNIPC, 1, 2},
    {"4 KiB, copied", throughput, {4096, 64}, {{&KERNEL, 3, 4}, {&BOOST, 2, 2.5}, {&VYUKOV}}},
    {"4 KiB, reserve/commit and borrow", throughput, {4096, 64},
     {{&KERNEL, 20, 70}, {&BOOST, 20, 50}, {&ICEORYX2, 1, 1}, {&VYUKOV_IN_PLACE}}, &UNIPC_IN_PLACE},
    {"eight priorities mixed, 10 deep", throughput, {64, 10}, MIXED, &UNIPC, 8},
    {"eight priorities mixed, 64 deep", throughput, {64, 64}, MIXED, &UNIPC, 8},
    {"eight priorities mixed, 256 deep", throughput, {64, 256}, MIXED, &UNIPC, 8},
    {"eight priorities mixed, 1,024 deep", throughput, {64, 1024}, MIXED, &UNIPC, 8},
    {"the same, 1,024 deep at every moment: one process", alone, {64, 1024}, NOTHING_ASKED, &UNIPC, 8},
    {"ping-pong, both sides awake", ping_pong, {64, 64},
     {{&KERNEL, 40, 150}, {&BOOST, 40, 150}, {&LINE, 8, 3, true}, {&VYUKOV}}},
    {"ping-pong, 4 KiB in place, both sides awake", ping_pong, {4096, 64},
     {{&KERNEL}, {&BOOST}, {&ICEORYX2}}, &UNIPC_IN_PLACE},
    {"ping-pong, both asleep: one way", wake_up, {64, 64},
     {{&KERNEL, 0.9, 1.1}, {&BOOST}, {&VYUKOV}}, &UNIPC, 1, 1, 75},
    {"send and receive in one process", alone, {64, 64}, {{&KERNEL, 30, 60}, {&BOOST, 0.8, 1.2}, {&VYUKOV}}},
    {"CPU time at full load (64 B, 64 slots), both sides", cpu_time, {64, 64},
     {{&KERNEL, 10, 20}, {&BOOST}, {&VYUKOV}}},
    {"CPU time of a second idle, both sides", idle, {64, 64}, NOTHING_ASKED, &UNIPC, 1, 1, 1},
};

static std::string text(const char *format, double value)
{
    char line[64];
    snprintf(line, sizeof line, format, value);
    return line;
}

static std::string figure(double value) { return std::isnan(value) ? "-" : text(value < 100 ? "%.1f" : "%.0f", value); }
static std::string ratio(double value) { return text(value < 10 ? "%.2f" : "%.1f", value); }

static const char *absent(const Contender *who)
{
    if (who == &ICEORYX2 && iceoryx2_program.empty())
        return "it is not built";
#if !HAVE_BOOST
    if (who == &BOOST)
        return "boost::interprocess is not installed; apt-get install libboost-dev";
#endif
    return nullptr;
}

static int rounds = 11;
static double run_ns = 100e6;
static std::mt19937 dice(3);
static std::vector<std::string> missed;
static int failures;

/* A contender in a row: unipc itself, or against it. */
struct Entrant {
    const Contender *who;
    Against against;
    Row row; /* with the shape that it can have */
    long messages = 0;
    double latest = NAN;
    std::vector<double> values = {}, ratios = {};

    Entrant(const Row &given, const Against &against) : who(against.who), against(against), row(given)
    {
        if (who == &KERNEL)
            row.shape.depth = std::min(given.shape.depth, size_t(mqueue_limit()));
    }

    /* False: it failed, and takes part no more. */
    bool run(long count)
    {
        latest = measure(row, *who, count);
        if (std::isnan(latest)) {
            fprintf(stderr, "queue: %s failed in the row \"%s\" and is left out of it\n", who->name, row.text);
            failures++;
        }
        return !std::isnan(latest);
    }

    /* How many messages make a run; which warms up too. */
    bool calibrate()
    {
        long least = std::max<long>(2000, 20 * long(row.shape.depth));
        messages = row.messages;
        for (long trial = least; messages == 0; trial *= 8) {
            double once = run(trial) ? latest : NAN;
            if (std::isnan(once) || !run(trial))
                return false;
            double cost = std::min(once, latest); /* whoever was disturbed once is not to have short runs for it */
            if (cost * double(trial) > run_ns / 16)
                messages = std::clamp(long(run_ns / cost), least, 10000000L);
        }
        return true;
    }

    void note(double ours)
    {
        values.push_back(latest);
        if (ours > 0 && latest > 0)
            ratios.push_back(against.at_most ? ours / latest : latest / ours);
    }

    std::string range() const
    {
        if (ratios.empty())
            return "-";
        auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
        return ratio(median(ratios)) + " [" + ratio(*least) + "-" + ratio(*most) + "]";
    }

    std::string asked() const
    {
        if (against.target == 0)
            return "";
        return (against.at_most ? "at most " : "") + text("%g", against.target) + text(" (%g)", against.aim);
    }

    bool is_missed() const
    {
        double middle = median(ratios);
        bool reached = against.at_most ? middle <= against.target : middle >= against.target;
        return against.target > 0 && !reached;
    }
};

static void print(const Row &row, const std::vector<Entrant> &field)
{
    auto of = [&](const Contender *who) {
        return std::find_if(field.begin(), field.end(), [&](const Entrant &entrant) { return entrant.who == who; });
    };
    auto column = [&](const Contender *who) {
        auto entrant = of(who);
        return entrant == field.end() ? std::string("-") : figure(median(entrant->values));
    };
    printf("| %s | %s |", row.text, column(row.ours).c_str());
    std::string others;
    for (const Against &against : row.against) {
        auto entrant = of(against.who);
        bool there = entrant != field.end();
        std::string range = there ? entrant->range() : "-", asked = Entrant(row, against).asked();
        if (against.who == &KERNEL || against.who == &BOOST)
            printf(" %s | %s | %s |", column(against.who).c_str(), range.c_str(), asked.c_str());
        else
            others += (others.empty() ? "" : "; ") + (against.who->name + (" " + column(against.who)) + ": " + range) +
                      (asked.empty() ? "" : ", " + asked);
        if (there && entrant->is_missed())
            missed.push_back(row.text + std::string(": ") + against.who->name + " " + range + ", asked for " + asked);
    }
    printf(" %s |\n", others.c_str());
    fflush(stdout);
}

static void bench(const Row &row)
{
    std::vector<Entrant> field = {{row, {row.ours}}};
    for (const Against &against : row.against)
        field.push_back({row, against});
    auto leave = [&](auto &&who) { field.erase(std::remove_if(field.begin(), field.end(), who), field.end()); };
    leave([](Entrant &entrant) { return absent(entrant.who) || !entrant.calibrate(); });
    int turns = row.work == idle ? 3 : rounds;
    for (int round = 0; round < turns; round++) {
        std::shuffle(field.begin(), field.end(), dice);
        leave([](Entrant &entrant) { return !entrant.run(entrant.messages); });
        double ours = NAN;
        for (const Entrant &entrant : field)
            if (entrant.who == row.ours)
                ours = entrant.latest;
        for (Entrant &entrant : field)
            entrant.note(ours);
    }
    print(row, field);
}

/* Seconds that all of the machine, and of it this process and its children, have computed. */
static double machine()
{
    long user = 0, nice = 0, system = 0;
    if (FILE *file = fopen("/proc/stat", "r")) {
        if (fscanf(file, "cpu %ld %ld %ld", &user, &nice, &system) != 3)
            user = nice = system = 0;
        fclose(file);
    }
    return double(user + nice + system) / double(sysconf(_SC_CLK_TCK));
}

static double family()
{
    double seconds = 0;
    for (auto who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
        rusage usage;
        getrusage(who, &usage);
        seconds += double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec);
        seconds += double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    }
    return seconds;
}

static int driver(int argc, char **argv)
{
    control = static_cast<Control *>(
        mmap(nullptr, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    if (control == MAP_FAILED)
        fail("mmap");
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    for (int i = 0; i < CPU_SETSIZE && cpus.size() < 2; i++)
        if (CPU_ISSET(size_t(i), &set))
            cpus.push_back(i);
    if (cpus.size() < 2)
        cpus.push_back(cpus[0]);
    if (getenv("QUICK"))
        rounds = 3, run_ns = 25e6;
    if (const char *program = getenv("ICEORYX2"))
        iceoryx2_program = program;
    rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_MSGQUEUE, &unlimited); /* where we may */

    printf("| one producer, one consumer, two processes on two cores, unless said; ns a message, median of %d rounds "
           "| unipc | kernel | x kernel | asked (aim) | boost | x boost | asked (aim) | others |\n",
           rounds);
    printf("|---|---:|---:|---:|---|---:|---:|---|---|\n");
    double begin = now(), others = machine() - family();
    for (const Row &row : rows) {
        bool wanted = argc < 2;
        for (int i = 1; i < argc; i++)
            wanted = wanted || strstr(row.text, argv[i]);
        if (wanted)
            bench(row);
    }
    printf("\nRatios are theirs over unipc's, the median of the rounds' own with the least and the greatest;\n"
           "\"at most\" is unipc's over theirs. Ping-pong: there and back. CPU time: of both processes, ns a\n"
           "message (which is ms per million), and ns for the second.\n");
    others = (machine() - family() - others) / ((now() - begin) / 1e9);
    printf("Others kept %.0f %% of a processor busy meanwhile%s.\n", 100 * std::max(others, 0.0),
           others > 0.1 ? ": too much for the figures to be trusted" : "");
    if (missed.empty() && failures == 0)
        printf("All that is asked for is reached, by what is measured here.\n");
    for (const std::string &line : missed)
        printf("below what is asked for: %s\n", line.c_str());
    for (const Contender *who : {&BOOST, &ICEORYX2})
        if (const char *why = absent(who))
            printf("skipped: %s: %s\n", who->name, why);
    if (mqueue_limit() < 1024)
        printf("skipped: kernel queues deeper than fs.mqueue.msg_max=%ld (as root they have a limit of their own)\n",
               mqueue_limit());
    if (cpus[0] == cpus[1])
        printf("skipped: two cores; there is one, and both sides ran on it\n");
    return failures > 0;
}

/* The driver works in a process group of its own, so that nothing of it outlives this one. */
int main(int argc, char **argv)
{
    std::string base = "/unipc-bench-" + std::to_string(getpid());
    here = base + "-a", there = base + "-b";
    sigset_t set;
    sigemptyset(&set);
    for (int signal : {SIGCHLD, SIGINT, SIGTERM, SIGHUP})
        sigaddset(&set, signal);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    struct sigaction quiet = {};
    quiet.sa_flags = SA_NOCLDSTOP;
    sigaction(SIGCHLD, &quiet, nullptr);
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        exit(driver(argc, argv));
    }
    setpgid(pid, pid);
    int status = 1, signal;
    sigwait(&set, &signal);
    if (signal != SIGCHLD)
        kill(-pid, SIGKILL);
    waitpid(pid, &status, 0);
    kill(-pid, SIGKILL);
    for (const Contender *who : {&UNIPC, &KERNEL, &BOOST, &VYUKOV, &ICEORYX2})
        for (const std::string &name : {here, there})
            who->unlink(name.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
