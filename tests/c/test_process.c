/* Starting programs and waiting for them. */
#include "child.h"

static unipc_child *sleeper(void) { return spawned(run(ARGV("sleep", "60"))); }

/* A child that has begun, and says so, runs until it is ended. */
static unipc_child *ready(unipc_command command) {
    char word[8];
    command.output.kind = UNIPC_REDIRECT_PIPE;
    unipc_child *child = spawned(command);
    unipc_pipe_reader *output = unipc_child_take_output(child);
    CHECK(unipc_pipe_read(output, word, sizeof word, LONG) > 0);
    CHECK(unipc_pipe_reader_close(output) == 0);
    return child;
}

TEST(arguments_arrive_as_they_are_and_no_shell_sees_them) {
    BOTH_WAYS CHECK(says(way(run(ARGV("printf", "<%s>", "$HOME", "a b", "*", "", "'\";")), tied), "<$HOME><a b><*><><'\";>"));
}

TEST(a_shell_is_there_when_it_is_asked_for) {
    BOTH_WAYS CHECK(code(way(sh("exit $((1 + 2))"), tied)) == 3);
}

TEST(argument_0_is_the_programs_name_or_another) {
    unipc_command command = run(ARGV("-sh", "-c", "echo $0"));
    command.program = "/bin/sh";
    CHECK(says(command, "-sh\n"));
    CHECK(says(sh("echo $0"), "sh\n"));
}

TEST(the_environment_is_this_ones_or_the_one_that_is_given) {
    unipc_command command = run(ARGV("env"));
    CHECK(setenv("UNIPC_TEST", "inherited", 1) == 0);
    CHECK(says(sh("echo $UNIPC_TEST"), "inherited\n"));
    BOTH_WAYS {
        command.envp = ARGV("B=2=3", "A=", "B=last");
        CHECK(says(way(command, tied), "A=\nB=last\n"));
        command.envp = ARGV(NULL);
        CHECK(says(way(command, tied), ""));
    }
}

TEST(a_program_is_searched_in_the_childs_own_path) {
    const char *directory = unique_path("bin");
    char program[128], path[128];
    snprintf(program, sizeof program, "%s/%s", directory, "unipc-in-path");
    snprintf(path, sizeof path, "PATH=/no/such:%s:/bin", directory);
    CHECK(mkdir(directory, 0700) == 0 && symlink("/bin/true", program) == 0);
    BOTH_WAYS {
        unipc_command command = way(run(ARGV("unipc-in-path")), tied);
        REFUSED(unipc_spawn(&command), ENOENT, "spawn unipc-in-path: there is no such program in PATH");
        command.envp = ARGV(path);
        CHECK(code(command) == 0);
    }
    CHECK(unlink(program) == 0 && rmdir(directory) == 0);
}

TEST(a_child_starts_in_its_directory_and_a_relative_program_is_sought_there) {
    BOTH_WAYS {
        unipc_command command = way(run(ARGV("pwd")), tied);
        command.directory = "/";
        CHECK(says(command, "/\n"));
        command = way(run(ARGV("./true")), tied);
        command.directory = "/bin";
        CHECK(code(command) == 0);
    }
}

TEST(streams_are_bound_to_null_pipes_and_each_other) {
    BOTH_WAYS {
        char text[16] = "";
        unipc_command command = way(sh("cat; echo out; echo err >&2"), tied);
        command.input.kind = UNIPC_REDIRECT_NULL;
        command.output.kind = UNIPC_REDIRECT_PIPE;
        command.error.kind = UNIPC_REDIRECT_STDOUT;
        unipc_child *child = spawned(command);
        unipc_pipe_reader *output = unipc_child_take_output(child);
        CHECK(unipc_pipe_read_full(output, text, sizeof text, LONG, NULL) == 8 && strcmp(text, "out\nerr\n") == 0);
        CHECK(unipc_pipe_reader_close(output) == 0);
        FAILS_NULL(unipc_child_take_output(child), EBADF, "standard output is no pipe to this process, or that was taken");
        FAILS_NULL(unipc_child_take_input(child), EBADF, "standard input");
        FAILS_NULL(unipc_child_take_error(child), EBADF, "standard error");
        CHECK(ended(child).code == 0);

        command = way(sh("read word; echo $word >&2"), tied);
        command.input.kind = command.error.kind = UNIPC_REDIRECT_PIPE;
        child = spawned(command);
        unipc_pipe_writer *input = unipc_child_take_input(child);
        unipc_pipe_reader *error = unipc_child_take_error(child);
        CHECK(unipc_pipe_write(input, "word\n", 5, LONG) == 5 && unipc_pipe_read(error, text, 8, LONG) == 5);
        CHECK(memcmp(text, "word\n", 5) == 0);
        CHECK(unipc_pipe_writer_close(input) == 0 && unipc_pipe_reader_close(error) == 0);
        CHECK(ended(child).code == 0);
    }
}

TEST(streams_are_bound_to_files_that_spawn_opens) {
    const char *path = unique_path("file");
    unipc_command command = run(ARGV("echo", "one"));
    command.output = to_file(UNIPC_REDIRECT_WRITE, path);
    CHECK(code(command) == 0 && code(command) == 0);
    command.output.kind = UNIPC_REDIRECT_APPEND;
    CHECK(code(command) == 0);
    command = run(ARGV("cat"));
    command.input = to_file(UNIPC_REDIRECT_READ, path);
    CHECK(says(command, "one\none\n"));
}

TEST(streams_are_bound_to_ends_of_pipes_and_fifos_which_stay_the_callers) {
    const char *path = unique_path("fifo");
    unipc_fifo *fifo = unipc_fifo_create(path, NULL);
    CHECK(fifo != NULL);
    unipc_pipe_reader *from_fifo = unipc_fifo_open_reader(fifo, 0);
    unipc_pipe_writer *to_fifo = unipc_fifo_open_writer(fifo, 0);
    unipc_pipe_reader *reader;
    unipc_pipe_writer *writer;
    char text[16] = "";
    CHECK(from_fifo && to_fifo && unipc_pipe_create(&reader, &writer) == 0);
    CHECK(unipc_pipe_write(to_fifo, "through\n", 8, LONG) == 8 && unipc_pipe_writer_close(to_fifo) == 0);
    unipc_command command = run(ARGV("cat"));
    command.input = to_fd(unipc_pipe_reader_fd(from_fifo));
    command.output = to_fd(unipc_pipe_writer_fd(writer));
    CHECK(code(command) == 0);
    CHECK(unipc_pipe_write(writer, "mine\n", 5, LONG) == 5 && unipc_pipe_writer_close(writer) == 0);
    CHECK(unipc_pipe_read_full(reader, text, sizeof text, LONG, NULL) == 13 && strcmp(text, "through\nmine\n") == 0);
    CHECK(unipc_pipe_reader_close(reader) == 0 && unipc_pipe_reader_close(from_fifo) == 0);
    CHECK(unipc_fifo_close(fifo) == 0);
}

/* A descriptor, under this number, of which text is read. */
static int saying(int number, const char *text) {
    int ends[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK(write(ends[1], text, strlen(text)) == (ssize_t)strlen(text));
    CHECK(dup3(ends[0], number, O_CLOEXEC) == number);
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
    return number;
}

TEST(descriptors_arrive_under_the_numbers_that_were_chosen_and_change_places) {
    BOTH_WAYS {
        unipc_descriptor crosswise[3] = {{70, saying(71, "a")}, {71, saying(70, "b")}, {72, saying(72, "c")}};
        unipc_command command = way(run(ARGV("cat", "/dev/fd/70", "/dev/fd/71", "/dev/fd/72", "-")), tied);
        command.descriptors = crosswise;
        command.descriptor_count = 3;
        command.input = to_fd(saying(73, "d"));
        CHECK(says(command, "abcd"));
        for (int fd = 70; fd < 74; fd++) CHECK(close(fd) == 0); /* they stayed here */
    }
}

TEST(the_highest_number_that_there_is_serves_as_well_as_another) {
    struct rlimit tight = {64, 64};
    CHECK(setrlimit(RLIMIT_NOFILE, &tight) == 0);
    BOTH_WAYS {
        unipc_descriptor highest = {63, saying(40, "last")};
        unipc_command command = way(run(ARGV("cat", "/dev/fd/63")), tied);
        command.descriptors = &highest;
        command.descriptor_count = 1;
        CHECK(says(command, "last"));
        CHECK(close(40) == 0);
    }
}

TEST(nothing_else_is_inherited) {
    int inheritable = dup2(saying(100, ""), 101);
    CHECK(inheritable == 101 && close(100) == 0);
    BOTH_WAYS {
        unipc_descriptor one = {5, inheritable};
        unipc_command command = way(sh("exec ls /proc/self/fd"), tied);
        command.input.kind = UNIPC_REDIRECT_NULL;
        CHECK(says(command, "0\n1\n2\n3\n")); /* 3 is the directory */
        command.descriptors = &one;
        command.descriptor_count = 1;
        CHECK(says(command, "0\n1\n2\n3\n5\n"));
    }
    CHECK(close(inheritable) == 0);
}

TEST(a_child_has_every_signal_unblocked_and_at_its_default) {
    sigset_t all, before;
    sigfillset(&all);
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR && signal(SIGHUP, SIG_IGN) != SIG_ERR);
    CHECK(pthread_sigmask(SIG_BLOCK, &all, &before) == 0);
    BOTH_WAYS CHECK(says(way(run(ARGV("grep", "-E", "^Sig(Blk|Ign):", "/proc/self/status")), tied),
                         "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"));
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

TEST(a_group_is_led_or_joined) {
    BOTH_WAYS {
        unipc_command command = way(run(ARGV("sleep", "60")), tied);
        command.group = UNIPC_GROUP_OWN;
        unipc_child *leader = spawned(command);
        int number = unipc_child_pid(leader);
        command.group = number;
        unipc_child *second = spawned(command);
        CHECK(getpgid(number) == number && getpgid(unipc_child_pid(second)) == number);
        FAILS(unipc_child_signal_group(second, SIGKILL), EINVAL, "it leads no group of its own");
        CHECK(unipc_child_signal_group(leader, SIGKILL) == 0);
        CHECK(ended(second).signal == SIGKILL && ended(leader).signal == SIGKILL);
        REFUSED(unipc_spawn(&command), EPERM, "there is no process group");
    }
}

/* ---- what cannot be started */

TEST(a_program_that_does_not_exist_is_an_error_of_spawn) {
    BOTH_WAYS {
        unipc_command command = way(run(ARGV("no-such-program-of-unipc")), tied);
        REFUSED(unipc_spawn(&command), ENOENT, "spawn no-such-program-of-unipc: there is no such program in PATH");
        command = way(run(ARGV("/no/such/program")), tied);
        REFUSED(unipc_spawn(&command), ENOENT, "spawn /no/such/program: ");
        command = way(run(ARGV("")), tied);
        REFUSED(unipc_spawn(&command), ENOENT, "its name is empty");
    }
}

TEST(a_program_that_is_not_executable_is_an_error_of_spawn) {
    const char *path = unique_path("text");
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    CHECK(write(file, "no program", 10) == 10);
    BOTH_WAYS {
        unipc_command command = way(run(ARGV(path)), tied);
        CHECK(fchmod(file, 0600) == 0);
        REFUSED(unipc_spawn(&command), EACCES, "it is not executable");
    }
    CHECK(fchmod(file, 0700) == 0 && close(file) == 0);
    BOTH_WAYS {
        unipc_command command = way(run(ARGV(path)), tied);
        REFUSED(unipc_spawn(&command), ENOEXEC, "it is no program that the kernel can run");
        command = way(run(ARGV("/tmp")), tied);
        REFUSED(unipc_spawn(&command), EACCES, "it is a directory");
    }
}

TEST(a_command_without_a_program_is_an_error_of_spawn) {
    unipc_command command = UNIPC_COMMAND_INIT;
    REFUSED(unipc_spawn(NULL), EINVAL, "unipc_spawn: command is NULL");
    REFUSED(unipc_spawn(&command), EINVAL, "neither argv nor shell is set");
    command.argv = ARGV(NULL);
    REFUSED(unipc_spawn(&command), EINVAL, "the argument vector is empty");
    command.program = "true";
    REFUSED(unipc_spawn(&command), EINVAL, "the argument vector is empty");
    command.shell = "true";
    REFUSED(unipc_spawn(&command), EINVAL, "argv and shell are both set");
}

TEST(what_a_command_cannot_have_is_an_error_of_spawn) {
    unipc_descriptor descriptor = {5, 199};
    unipc_command good = run(ARGV("true")), command = good;
    command.output.kind = 8;
    REFUSED(unipc_spawn(&command), EINVAL, "8 is no kind of redirect; there is UNIPC_REDIRECT_INHERIT (0)");
    command.output.kind = UNIPC_REDIRECT_STDOUT;
    REFUSED(unipc_spawn(&command), EINVAL, "for standard error alone");
    command.output.kind = UNIPC_REDIRECT_READ;
    REFUSED(unipc_spawn(&command), EINVAL, "unipc_spawn: path is NULL");
    command.output.path = "/no/such/file";
    REFUSED(unipc_spawn(&command), ENOENT, "open /no/such/file: it does not exist");
    command = good;
    command.error = to_fd(199);
    REFUSED(unipc_spawn(&command), EBADF, "descriptor 199, which was to be the child's 2, is closed");
    command.error = to_fd(-1);
    REFUSED(unipc_spawn(&command), EBADF, "descriptor -1, which was to be the child's 2, is closed");
    command = good;
    command.descriptor_count = 1;
    REFUSED(unipc_spawn(&command), EINVAL, "unipc_spawn: descriptors is NULL");
    command.descriptors = &descriptor;
    REFUSED(unipc_spawn(&command), EBADF, "descriptor 199, which was to be the child's 5, is closed");
    descriptor.fd = STDIN_FILENO;
    BOTH_WAYS {
        const int numbers[] = {-1, 1 << 30};
        for (int i = 0; i < 2; i++) {
            descriptor.number = numbers[i];
            command.death_signal = tied;
            REFUSED(unipc_spawn(&command), EBADF, "is no descriptor: it is negative or beyond RLIMIT_NOFILE");
        }
    }
    command = good;
    command.directory = "/no/such/directory";
    REFUSED(unipc_spawn(&command), ENOENT, "enter directory /no/such/directory: ");
    command = good;
    command.envp = ARGV("A=1", "B");
    REFUSED(unipc_spawn(&command), EINVAL, "\"B\" in envp is no NAME=VALUE");
    command.envp = ARGV("=1");
    REFUSED(unipc_spawn(&command), EINVAL, "no name of an environment variable");
    command = good;
    command.group = -2;
    REFUSED(unipc_spawn(&command), EINVAL, "-2 is no group");
    command = good;
    command.death_signal = 1000;
    REFUSED(unipc_spawn(&command), EINVAL, "there is no signal 1000");
    CHECK(code(good) == 0);
}

TEST(commands_of_other_versions_are_told_from_garbage) {
    struct { unipc_command known; size_t more; } newer = {UNIPC_COMMAND_INIT, 0};
    newer.known.argv = ARGV("true");
    newer.known.size = sizeof newer;
    unipc_child *child = unipc_spawn(&newer.known);
    CHECK(child != NULL && ended(child).code == 0);
    newer.more = 1;
    REFUSED(unipc_spawn(&newer.known), E2BIG, "fields beyond are set");
    newer.known.size = 0;
    REFUSED(unipc_spawn(&newer.known), EINVAL, "begin with its _INIT macro");
    newer.known.size = offsetof(unipc_command, envp); /* an older one */
    newer.known.envp = ARGV("NONSENSE");
    child = unipc_spawn(&newer.known);
    CHECK(child != NULL && ended(child).code == 0);
}

TEST(more_arguments_than_the_kernel_takes_are_an_error_of_spawn) {
    char *argument = malloc(1 << 20);
    memset(argument, 'x', (1 << 20) - 1);
    argument[(1 << 20) - 1] = 0;
    BOTH_WAYS {
        unipc_command command = way(run(ARGV("echo", argument)), tied);
        REFUSED(unipc_spawn(&command), E2BIG, "ARG_MAX");
    }
    free(argument);
}

TEST(no_descriptor_to_be_had_is_an_error_and_leaves_nothing) {
    struct rlimit before, tight;
    int failures = 0;
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    BOTH_WAYS for (int room = 0; room < 12; room++) {
        unipc_command command = way(run(ARGV("true")), tied);
        command.input.kind = command.output.kind = UNIPC_REDIRECT_PIPE;
        int open = open_descriptors();
        tight = before;
        tight.rlim_cur = open + room;
        CHECK(setrlimit(RLIMIT_NOFILE, &tight) == 0);
        unipc_child *child = unipc_spawn(&command);
        int error = errno;
        CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
        if (child != NULL) CHECK(ended(child).code == 0);
        else failures += error == EMFILE;
        UNTIL(open_descriptors() <= open && !has_children());
    }
    CHECK(failures >= 4);
}

TEST(a_program_whose_pidfd_has_no_descriptor_is_not_even_sought) {
    struct rlimit tight = {64, 64};
    unipc_child *other = spawned(way(run(ARGV("sleep", "60")), SIGKILL)); /* so that the thread is there */
    CHECK(setrlimit(RLIMIT_NOFILE, &tight) == 0);
    BOTH_WAYS for (int room = 0; room < (tied ? 2 : 1); room++) {
        unipc_command command = way(run(ARGV("/no/such/program")), tied);
        int fds[64], count = 0;
        while ((fds[count] = dup(STDOUT_FILENO)) >= 0) count++;
        if (room) CHECK(close(fds[--count]) == 0);
        FAILS_NULL(unipc_spawn(&command), EMFILE, "limit of open descriptors");
        while (count > 0) CHECK(close(fds[--count]) == 0);
    }
    CHECK(unipc_child_terminate(other, NULL, LONG) == 0 && unipc_child_close(other) == 0);
}

/* ---- many */

TEST(ten_thousand_rounds_leak_nothing) {
    unipc_command command = run(ARGV("/bin/true"));
    command.input.kind = UNIPC_REDIRECT_NULL;
    command.output.kind = UNIPC_REDIRECT_PIPE;
    int before = open_descriptors();
    for (int i = 10000; i > 0; i--) CHECK(ended(spawned(command)).code == 0);
    CHECK(open_descriptors() == before && !has_children());
}

TEST(a_thousand_failures_leak_nothing) {
    BOTH_WAYS {
        unipc_command command = way(run(ARGV("/no/such/program")), tied);
        command.input.kind = command.output.kind = UNIPC_REDIRECT_PIPE;
        for (int i = 1000; i > 0; i--) CHECK(unipc_spawn(&command) == NULL && errno == ENOENT);
    }
}

static void *converse(void *nothing) {
    for (int i = 500; i > 0; i--) {
        struct iovec output;
        unipc_command command = run(ARGV("cat"));
        command.input.kind = command.output.kind = UNIPC_REDIRECT_PIPE;
        unipc_child *child = spawned(command);
        /* It ends only if no other child has the writing end. */
        CHECK(unipc_child_communicate(child, "word", 4, &output, NULL, NULL, LONG) == 0);
        CHECK(output.iov_len == 4 && strcmp(output.iov_base, "word") == 0);
        unipc_free(output.iov_base);
        CHECK(unipc_child_close(child) == 0);
    }
    return nothing;
}

TEST(many_threads_start_children_at_once_and_no_end_goes_astray) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, converse, NULL) == 0);
    for (int i = 0; i < 4; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

/* ---- waiting */

TEST(an_exit_and_a_signal_are_told_apart) {
    char text[64];
    unipc_status status = ended(spawned(sh("exit 3")));
    CHECK(status.code == 3 && status.signal == 0 && status.shell_code == 3 && status.core_dumped == 0);
    CHECK(WIFEXITED(status.raw) && WEXITSTATUS(status.raw) == 3);
    CHECK(unipc_status_text(status.raw, text, sizeof text) == 13 && strcmp(text, "exited with 3") == 0);
    status = ended(spawned(sh("kill -TERM $$")));
    CHECK(status.code == -1 && status.signal == SIGTERM && status.shell_code == 143);
    CHECK(WIFSIGNALED(status.raw) && WTERMSIG(status.raw) == SIGTERM);
    CHECK(unipc_status_text(status.raw, text, sizeof text) == 17 && strcmp(text, "killed by SIGTERM") == 0);
    CHECK(unipc_status_text(status.raw, text, 7) == 17 && strcmp(text, "killed") == 0);
    CHECK(unipc_status_text(status.raw, NULL, 0) == 17);
    FAILS(unipc_status_text(status.raw, NULL, 1), EINVAL, "unipc_status_text: buffer is NULL");
}

static void *wait_too(void *child) {
    unipc_status status;
    CHECK(unipc_child_wait(child, &status, UNIPC_FOREVER) == 0 && status.signal == SIGUSR1);
    return NULL;
}

TEST(a_thread_signals_a_child_that_others_wait_for_and_each_gets_the_status) {
    pthread_t threads[4];
    unipc_child *child = sleeper();
    for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, wait_too, child) == 0);
    pause_ms(5);
    CHECK(unipc_child_signal(child, SIGUSR1) == 0);
    for (int i = 0; i < 4; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(ended(child).signal == SIGUSR1);
}

static void *wait_until_cancelled(void *child) {
    CHECK(unipc_child_wait(child, NULL, UNIPC_FOREVER) == 0);
    pthread_testcancel();
    return NULL;
}

TEST(a_thread_that_is_cancelled_while_it_waits_ends_after_the_wait) {
    pthread_t thread;
    void *outcome;
    unipc_child *child = sleeper();
    CHECK(pthread_create(&thread, NULL, wait_until_cancelled, child) == 0);
    pause_ms(5);
    CHECK(pthread_cancel(thread) == 0);
    pause_ms(5);
    CHECK(unipc_child_kill(child) == 0);
    CHECK(pthread_join(thread, &outcome) == 0 && outcome == PTHREAD_CANCELED);
    CHECK(ended(child).signal == SIGKILL);
}

TEST(a_wait_ends_with_its_timeout_and_the_child_runs_on) {
    unipc_child *child = sleeper();
    int64_t before = now(CLOCK_MONOTONIC);
    FAILS(unipc_child_wait(child, NULL, SHORT), ETIMEDOUT, "wait for sleep: ");
    CHECK(now(CLOCK_MONOTONIC) - before >= SHORT);
    FAILS(unipc_child_wait(child, NULL, 0), EAGAIN, "wait for sleep: ");
    FAILS(unipc_child_wait(child, NULL, -2), EINVAL, "a timeout of -2 ns");
    CHECK(state(unipc_child_pid(child)) == 'S' || state(unipc_child_pid(child)) == 'R');
    CHECK(unipc_child_kill(child) == 0);
    CHECK(ended(child).signal == SIGKILL);
}

TEST(a_signal_handler_ends_a_wait_and_the_child_runs_on) {
    unipc_child *child = sleeper();
    be_interrupted();
    FAILS(unipc_child_wait(child, NULL, UNIPC_FOREVER), EINTR, "interrupted");
    FAILS(unipc_child_wait(child, NULL, LONG), EINTR, "interrupted");
    signal(SIGUSR1, SIG_IGN);
    CHECK(unipc_child_kill(child) == 0);
    CHECK(ended(child).signal == SIGKILL);
}

TEST(a_child_is_polled_beside_other_descriptors) {
    unipc_child *child = sleeper();
    int ends[2];
    CHECK(pipe(ends) == 0);
    struct pollfd both[2] = {{ends[0], POLLIN, 0}, {unipc_child_fd(child), POLLIN, 0}};
    CHECK(poll(both, 2, 0) == 0);
    CHECK(unipc_child_kill(child) == 0);
    CHECK(poll(both, 2, 50000) == 1 && both[0].revents == 0 && both[1].revents & POLLIN);
    CHECK(ended(child).signal == SIGKILL);
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
}

TEST(a_signal_reaches_the_child_and_after_the_wait_nobody) {
    unipc_child *child = sleeper();
    CHECK(unipc_child_signal(child, 0) == 0);
    FAILS(unipc_child_signal(child, 1000), EINVAL, "there is no signal 1000");
    CHECK(unipc_child_signal(child, SIGTERM) == 0);
    UNTIL(is_readable(unipc_child_fd(child)));
    CHECK(unipc_child_signal(child, SIGTERM) == 0); /* to a zombie: without effect */
    CHECK(unipc_child_wait(child, NULL, LONG) == 0);
    FAILS(unipc_child_signal(child, SIGTERM), ESRCH, "it has ended, and was waited for");
    CHECK(unipc_child_kill(child) == 0);
    CHECK(ended(child).signal == SIGTERM);
}

TEST(a_group_whose_leader_the_host_has_reaped_is_not_signalled_by_its_number) {
    unipc_command command = sh("sleep 60 & exit");
    command.group = UNIPC_GROUP_OWN;
    unipc_child *leader = spawned(command);
    pid_t number = unipc_child_pid(leader);
    be_on_an_older_kernel();
    CHECK(waitpid(number, NULL, 0) == number);
    FAILS(unipc_child_signal_group(leader, SIGKILL), ESRCH, "it has ended, and was waited for");
    CHECK(kill(-number, SIGKILL) == 0 && unipc_child_close(leader) == 0);
}

TEST(who_ends_when_asked_is_not_killed) {
    unipc_status status;
    unipc_child *child = ready(sh("trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done"));
    CHECK(unipc_child_terminate(child, &status, LONG) == 0 && status.code == 3);
    CHECK(unipc_child_terminate(child, NULL, LONG) == 0);
    CHECK(ended(child).code == 3);
    child = sleeper();
    CHECK(unipc_child_signal(child, SIGSTOP) == 0);
    UNTIL(state(unipc_child_pid(child)) == 'T');
    CHECK(unipc_child_terminate(child, &status, LONG) == 0 && status.signal == SIGTERM);
    CHECK(ended(child).signal == SIGTERM);
}

TEST(who_does_not_end_when_asked_is_killed_after_the_grace) {
    unipc_status status;
    unipc_command command = sh("trap '' TERM; echo ready; while :; do sleep 60; done");
    command.group = UNIPC_GROUP_OWN;
    unipc_child *child = ready(command);
    int64_t before = now(CLOCK_MONOTONIC);
    FAILS(unipc_child_terminate(child, &status, -2), EINVAL, "a timeout of -2 ns");
    CHECK(unipc_child_terminate(child, &status, SHORT) == 0 && status.signal == SIGKILL);
    CHECK(now(CLOCK_MONOTONIC) - before >= SHORT);
    CHECK(ended(child).signal == SIGKILL);
}

TEST(a_child_that_is_closed_runs_on_and_is_no_zombie_afterwards) {
    BOTH_WAYS {
        unipc_pipe_reader *reader;
        unipc_pipe_writer *writer;
        int hold[2];
        char text[16] = "";
        CHECK(unipc_pipe_create(&reader, &writer) == 0 && pipe2(hold, O_CLOEXEC) == 0);
        unipc_command command = way(sh("read word; echo lived $word"), tied);
        command.input = to_fd(hold[0]);
        command.output = to_fd(unipc_pipe_writer_fd(writer));
        unipc_child *child = spawned(command);
        int pid = unipc_child_pid(child);
        CHECK(unipc_pipe_writer_close(writer) == 0 && unipc_child_close(child) == 0);
        CHECK(state(pid) != 0 && state(pid) != 'Z');
        CHECK(write(hold[1], "on\n", 3) == 3);
        CHECK(unipc_pipe_read_full(reader, text, sizeof text, LONG, NULL) == 9 && strcmp(text, "lived on\n") == 0);
        UNTIL(state(pid) == 0);
        CHECK(unipc_pipe_reader_close(reader) == 0 && close(hold[0]) == 0 && close(hold[1]) == 0);
    }
}

TEST(a_child_that_had_ended_is_reaped_when_it_is_closed) {
    unipc_child *child = spawned(run(ARGV("true")));
    UNTIL(is_readable(unipc_child_fd(child)));
    CHECK(unipc_child_close(child) == 0 && !has_children());
}

TEST(a_host_that_ignores_sigchld_is_told_that_the_status_is_lost) {
    CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    BOTH_WAYS {
        unipc_child *child = spawned(way(run(ARGV("sleep", "0.05")), tied));
        FAILS(unipc_child_wait(child, NULL, LONG), ECHILD, "its status is lost");
        FAILS(unipc_child_wait(child, NULL, UNIPC_FOREVER), ECHILD, "its status is lost");
        CHECK(unipc_child_close(child) == 0);
    }
}

TEST(a_host_that_reaps_everybody_is_told_that_the_status_is_lost) {
    unipc_child *child = spawned(run(ARGV("true")));
    CHECK(waitpid(-1, NULL, 0) == unipc_child_pid(child));
    FAILS(unipc_child_wait(child, NULL, UNIPC_FOREVER), ECHILD, "its status is lost");
    FAILS(unipc_child_signal(child, SIGKILL), ESRCH, "signal true: ");
    CHECK(unipc_child_close(child) == 0);
}

TEST(a_forked_host_waits_for_its_own_children_and_not_for_its_parents) {
    unipc_child *child = sleeper();
    IN_CHILD(
        FAILS(unipc_child_wait(child, NULL, UNIPC_FOREVER), ECHILD, "is not its parent");
        CHECK(unipc_child_close(child) == 0);
        CHECK(code(sh("exit 4")) == 4);
        CHECK(unipc_child_close(spawned(sh("exit 0"))) == 0));
    CHECK(unipc_child_kill(child) == 0);
    CHECK(ended(child).signal == SIGKILL);
}

TEST(children_that_are_tied_die_when_their_parent_is_killed) {
    int ends[2];
    char byte;
    CHECK(pipe(ends) == 0);
    pid_t host = fork();
    if (host == 0) {
        unipc_command command = way(sh("echo; exec sleep 1000"), SIGTERM);
        command.output = to_fd(ends[1]);
        spawned(command);
        pause();
    }
    CHECK(host > 0 && close(ends[1]) == 0);
    CHECK(read(ends[0], &byte, 1) == 1);
    CHECK(kill(host, SIGKILL) == 0 && waitpid(host, NULL, 0) == host);
    CHECK(read(ends[0], &byte, 1) == 0); /* nobody has the other end any more */
    CHECK(close(ends[0]) == 0);
}

/* ---- input and output at once */

enum { MUCH = 3000000 };

TEST(any_amount_goes_in_and_comes_out_of_both_outputs) {
    struct iovec output, error;
    unipc_status status;
    char *much = malloc(MUCH);
    for (int i = 0; i < MUCH; i++) much[i] = (char)(i * 31 / 7);
    unipc_command command = sh("tee /dev/fd/2");
    command.input.kind = command.output.kind = command.error.kind = UNIPC_REDIRECT_PIPE;
    unipc_child *child = spawned(command);
    CHECK(unipc_child_communicate(child, much, MUCH, &output, &error, &status, LONG) == 0);
    CHECK(status.code == 0 && output.iov_len == MUCH && error.iov_len == MUCH);
    CHECK(memcmp(output.iov_base, much, MUCH) == 0 && memcmp(error.iov_base, much, MUCH) == 0);
    unipc_free(output.iov_base);
    unipc_free(error.iov_base);
    CHECK(unipc_child_close(child) == 0);
    child = spawned(command);
    CHECK(unipc_child_communicate(child, much, MUCH, NULL, NULL, NULL, LONG) == 0); /* nobody wants it */
    CHECK(unipc_child_close(child) == 0);
    free(much);
}

TEST(a_child_that_leaves_its_input_early_is_no_error) {
    struct iovec output;
    unipc_status status;
    char *much = calloc(1, MUCH);
    unipc_command command = sh("exec <&-; echo left; exit 5");
    command.input.kind = command.output.kind = UNIPC_REDIRECT_PIPE;
    unipc_child *child = spawned(command);
    CHECK(unipc_child_communicate(child, much, MUCH, &output, NULL, &status, LONG) == 0);
    CHECK(status.code == 5 && strcmp(output.iov_base, "left\n") == 0);
    unipc_free(output.iov_base);
    CHECK(unipc_child_close(child) == 0);
    free(much);
}

TEST(what_was_read_before_the_timeout_is_kept_or_can_be_taken) {
    struct iovec output = {NULL, 77}, error;
    char *much = calloc(1, MUCH);
    unipc_command command = sh("echo first; head -c 1 >/dev/null; kill -STOP $$; cat >/dev/null; echo second");
    command.input.kind = command.output.kind = UNIPC_REDIRECT_PIPE;
    unipc_child *child = spawned(command);
    UNTIL(state(unipc_child_pid(child)) == 'T' || unipc_child_communicate(child, much, MUCH, &output, NULL, NULL, SHORT) == -1);
    CHECK(errno == ETIMEDOUT && output.iov_base == NULL && output.iov_len == 77);
    UNTIL(state(unipc_child_pid(child)) == 'T');
    FAILS(unipc_child_communicate(child, much, MUCH, &output, NULL, NULL, 0), EAGAIN, "communicate with");
    FAILS(unipc_child_communicate(child, much, 5, &output, NULL, NULL, 0), EINVAL, "shorter than what of it went");
    CHECK(unipc_child_partial_output(child, &output, &error) == 0);
    CHECK(strcmp(output.iov_base, "first\n") == 0 && error.iov_len == 0);
    unipc_free(output.iov_base);
    unipc_free(error.iov_base);
    CHECK(unipc_child_signal(child, SIGCONT) == 0);
    CHECK(unipc_child_communicate(child, much, MUCH, &output, NULL, NULL, LONG) == 0);
    CHECK(strcmp(output.iov_base, "second\n") == 0);
    unipc_free(output.iov_base);
    CHECK(unipc_child_close(child) == 0);
    free(much);
}

TEST(what_is_collected_has_a_limit_where_one_is_set) {
    struct iovec output;
    unipc_command command = run(ARGV("yes"));
    command.output.kind = UNIPC_REDIRECT_PIPE;
    command.output_limit = 1000;
    unipc_child *child = spawned(command);
    FAILS(unipc_child_communicate(child, NULL, 0, &output, NULL, NULL, LONG), EMSGSIZE, "the limit that was set, 1000 bytes");
    CHECK(unipc_child_kill(child) == 0 && unipc_child_partial_output(child, &output, NULL) == 0);
    CHECK(output.iov_len > 1000 && memcmp(output.iov_base, "y\ny\n", 4) == 0);
    unipc_free(output.iov_base);
    CHECK(ended(child).signal == SIGKILL);
}

TEST(input_for_which_there_is_no_pipe_is_refused) {
    unipc_command command = run(ARGV("true"));
    unipc_child *child = spawned(command);
    FAILS(unipc_child_communicate(child, "x", 1, NULL, NULL, NULL, LONG), EINVAL, "standard input is no pipe");
    FAILS(unipc_child_communicate(child, NULL, 1, NULL, NULL, NULL, LONG), EINVAL, "input is NULL");
    CHECK(unipc_child_communicate(child, NULL, 0, NULL, NULL, NULL, LONG) == 0);
    CHECK(ended(child).code == 0);
}

/* ---- handles */

TEST(a_handle_that_is_closed_or_of_another_kind_is_refused) {
    unipc_pipe_reader *reader;
    unipc_pipe_writer *writer;
    unipc_child *child = spawned(run(ARGV("true")));
    CHECK(unipc_pipe_create(&reader, &writer) == 0);
    FAILS(unipc_child_wait((unipc_child *)reader, NULL, 0), EINVAL, "the handle is a pipe reader, not a child");
    FAILS(unipc_pipeline_wait((unipc_pipeline *)child, NULL, 0, 0), EINVAL, "the handle is a child, not a pipeline");
    CHECK(ended(child).code == 0);
    FAILS(unipc_child_wait(child, NULL, 0), EBADF, "the child is closed");
    FAILS(unipc_child_close(child), EBADF, "the child is closed");
    FAILS(unipc_child_kill(NULL), EINVAL, "child is NULL");
    CHECK(unipc_child_close(NULL) == 0);
    CHECK(unipc_pipe_reader_close(reader) == 0 && unipc_pipe_writer_close(writer) == 0);
}
