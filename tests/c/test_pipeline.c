/* Programs connected to pipelines. */
#include "child.h"

enum { MUCH = 4000000, MOST = 10 };

static char *pattern(void) {
    char *bytes = malloc(MUCH);
    for (int i = 0; i < MUCH; i++) bytes[i] = (char)(i * 31 / 7);
    return bytes;
}

static const unipc_pipeline_options defaults = UNIPC_PIPELINE_OPTIONS_INIT;

/* Input and output are pipes to here. */
static unipc_pipeline_options piped(void) {
    unipc_pipeline_options options = defaults;
    options.input.kind = options.output.kind = UNIPC_REDIRECT_PIPE;
    return options;
}

static unipc_pipeline *started(const unipc_command *stages, size_t count, unipc_pipeline_options options) {
    unipc_pipeline *pipeline = unipc_pipeline_spawn(stages, count, &options);
    CHECK(pipeline != NULL);
    return pipeline;
}

static const unipc_command *cats(int count) {
    static unipc_command stages[MOST];
    for (int i = 0; i < count; i++) stages[i] = sh("exec cat");
    return stages;
}

/* Feeds a pipeline and closes it: whether it succeeds, and whether what comes out is this. */
static int gives(unipc_pipeline *pipeline, const void *input, size_t length, const void *expected, size_t count) {
    struct iovec output;
    int success = unipc_pipeline_communicate(pipeline, input, length, &output, NULL, 0, LONG);
    CHECK(success >= 0 && output.iov_len == count && memcmp(output.iov_base, expected, count) == 0);
    unipc_free(output.iov_base);
    CHECK(unipc_pipeline_close(pipeline) == 0);
    return success;
}

TEST(bytes_go_through_all_stages_in_their_order) {
    char *much = pattern();
    CHECK(gives(started(cats(5), 5, piped()), much, MUCH, much, MUCH) == 1);
    free(much);
    unipc_command stages[] = {sh("echo a"), sh("cat; echo b"), sh("cat; echo c"), run(ARGV("tr", "a-z", "A-Z"))};
    CHECK(gives(started(stages, 4, piped()), NULL, 0, "A\nB\nC\n", 6) == 1);
    CHECK(gives(started(stages, 1, piped()), NULL, 0, "a\n", 2) == 1);
}

TEST(between_the_stages_this_process_keeps_nothing_open) {
    int before = open_descriptors();
    unipc_pipeline *pipeline = started(cats(4), 4, piped());
    CHECK(unipc_pipeline_count(pipeline) == 4);
    CHECK(open_descriptors() == before + 2 + 4); /* the two ends, and a pidfd for each stage */
    CHECK(unipc_pipeline_close(pipeline) == 0);
}

TEST(a_stage_has_its_three_streams_and_nothing_else) {
    struct iovec errors[3];
    int inheritable = dup(STDIN_FILENO);
    unipc_command list = sh("exec ls /proc/self/fd >&2"), stages[] = {list, list, list}; /* 3 is the listing's own */
    unipc_pipeline_options options = piped();
    options.errors = UNIPC_ERRORS_APART;
    unipc_pipeline *pipeline = started(stages, 3, options);
    CHECK(unipc_pipeline_communicate(pipeline, NULL, 0, NULL, errors, 3, LONG) == 1);
    for (int i = 0; i < 3; i++) {
        CHECK(strcmp(errors[i].iov_base, "0\n1\n2\n3\n") == 0);
        unipc_free(errors[i].iov_base);
    }
    CHECK(unipc_pipeline_close(pipeline) == 0 && close(inheritable) == 0);
}

TEST(each_stage_has_a_status_of_its_own) {
    unipc_status statuses[3], one;
    unipc_command stages[] = {sh("exit 3"), sh("kill -9 $$"), sh("true")};
    unipc_pipeline *pipeline = started(stages, 3, defaults);
    CHECK(unipc_pipeline_wait(pipeline, statuses, 3, LONG) == 1);
    CHECK(statuses[0].code == 3 && statuses[1].signal == 9 && statuses[2].code == 0);
    CHECK(unipc_pipeline_stage_wait(pipeline, 1, &one, LONG) == 0 && one.signal == 9);
    CHECK(unipc_pipeline_wait(pipeline, NULL, 0, 0) == 1); /* it stays known */
    FAILS(unipc_pipeline_wait(pipeline, statuses, 4, 0), EINVAL, "statuses are for 4, and the pipeline has 3");
    FAILS(unipc_pipeline_wait(pipeline, NULL, 3, 0), EINVAL, "statuses is NULL");
    FAILS(unipc_pipeline_stage_pid(pipeline, 3), EINVAL, "there is no stage 3: the pipeline has 3, counted from 0");
    CHECK(unipc_pipeline_close(pipeline) == 0);
}

TEST(success_is_the_last_stages_or_with_pipefail_every_stages) {
    const char *good = "cat", *bad = "cat; exit 1", *cut = "cat; kill -PIPE $$";
    const struct { const char *lines[3]; int last, every; } cases[] = {
        {{good, good, good}, 3, 3}, {{bad, good, good}, 3, 0}, {{bad, bad, good}, 3, 1}, {{good, good, bad}, 2, 2},
        {{bad, good, bad}, 2, 2},   {{good, cut, good}, 3, 3}, {{good, good, cut}, 2, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int pipefail = 0; pipefail < 2; pipefail++) {
            unipc_command stages[] = {sh(cases[i].lines[0]), sh(cases[i].lines[1]), sh(cases[i].lines[2])};
            unipc_pipeline_options options = piped();
            int failed = pipefail ? cases[i].every : cases[i].last;
            options.pipefail = pipefail;
            unipc_pipeline *pipeline = started(stages, 3, options);
            FAILS(unipc_pipeline_failed(pipeline), EAGAIN, "wait for");
            CHECK(unipc_pipeline_communicate(pipeline, NULL, 0, NULL, NULL, 0, LONG) == (failed == 3));
            CHECK(unipc_pipeline_failed(pipeline) == failed);
            CHECK(unipc_pipeline_close(pipeline) == 0);
        }
    }
}

TEST(a_stage_whose_reader_leaves_early_dies_of_sigpipe_and_that_is_no_failure) {
    signal(SIGPIPE, SIG_IGN); /* which the stages do not get to know */
    for (int pipefail = 0; pipefail < 2; pipefail++) {
        struct iovec output;
        unipc_status statuses[2];
        unipc_command stages[] = {run(ARGV("yes")), run(ARGV("head", "-1"))};
        unipc_pipeline_options options = defaults;
        options.output.kind = UNIPC_REDIRECT_PIPE;
        options.pipefail = pipefail;
        unipc_pipeline *pipeline = started(stages, 2, options);
        CHECK(unipc_pipeline_communicate(pipeline, NULL, 0, &output, NULL, 0, LONG) == 1);
        CHECK(unipc_pipeline_wait(pipeline, statuses, 2, 0) == 1 && statuses[0].signal == SIGPIPE);
        CHECK(strcmp(output.iov_base, "y\n") == 0);
        unipc_free(output.iov_base);
        CHECK(unipc_pipeline_close(pipeline) == 0);
    }
}

TEST(errors_come_apart_together_or_where_the_commands_say) {
    struct iovec errors[2];
    unipc_command stages[] = {sh("echo one >&2"), sh("cat; echo two >&2")};
    unipc_pipeline_options options = defaults;
    options.errors = UNIPC_ERRORS_APART;
    unipc_pipeline *pipeline = started(stages, 2, options);
    CHECK(unipc_pipeline_communicate(pipeline, NULL, 0, NULL, errors, 2, LONG) == 1);
    CHECK(strcmp(errors[0].iov_base, "one\n") == 0 && strcmp(errors[1].iov_base, "two\n") == 0);
    unipc_free(errors[0].iov_base);
    unipc_free(errors[1].iov_base);
    CHECK(unipc_pipeline_close(pipeline) == 0);

    options.errors = UNIPC_ERRORS_MERGED;
    pipeline = started(stages, 2, options);
    FAILS(unipc_pipeline_communicate(pipeline, NULL, 0, NULL, errors, 2, LONG), EINVAL, "errors are for 2, and the pipeline has 1");
    FAILS_NULL(unipc_pipeline_take_error(pipeline, 1), EINVAL, "there is no standard error 1");
    CHECK(unipc_pipeline_communicate(pipeline, NULL, 0, NULL, errors, 1, LONG) == 1);
    CHECK(strcmp(errors[0].iov_base, "one\ntwo\n") == 0);
    unipc_free(errors[0].iov_base);
    FAILS_NULL(unipc_pipeline_take_error(pipeline, 0), EBADF, "standard error is no pipe to this process, or that was taken or closed");
    CHECK(unipc_pipeline_close(pipeline) == 0);

    stages[1].error.kind = UNIPC_REDIRECT_STDOUT; /* as set */
    stages[0].error.kind = UNIPC_REDIRECT_NULL;
    options = piped();
    CHECK(gives(started(stages, 2, options), NULL, 0, "two\n", 4) == 1);
}

TEST(the_first_input_and_the_last_output_are_bound_as_a_processs_are) {
    const char *path = unique_path("out");
    unipc_pipeline_options options = piped();
    unipc_pipeline *pipeline;
    char text[16] = "";
    options.output = to_file(UNIPC_REDIRECT_WRITE, path);
    pipeline = started(cats(3), 3, options);
    unipc_pipe_writer *input = unipc_pipeline_take_input(pipeline);
    FAILS_NULL(unipc_pipeline_take_input(pipeline), EBADF, "input is no pipe to this process");
    CHECK(unipc_pipe_write(input, "through\n", 8, LONG) == 8 && unipc_pipe_writer_close(input) == 0);
    CHECK(unipc_pipeline_wait(pipeline, NULL, 0, LONG) == 1);
    CHECK(unipc_pipeline_close(pipeline) == 0);

    options = piped();
    options.input = to_file(UNIPC_REDIRECT_READ, path);
    pipeline = started(cats(2), 2, options);
    unipc_pipe_reader *output = unipc_pipeline_take_output(pipeline);
    CHECK(unipc_pipe_read_full(output, text, sizeof text, LONG, NULL) == 8 && strcmp(text, "through\n") == 0);
    CHECK(unipc_pipe_reader_close(output) == 0);
    CHECK(unipc_pipeline_wait(pipeline, NULL, 0, LONG) == 1);
    CHECK(unipc_pipeline_close(pipeline) == 0);

    int file = open(path, O_RDONLY);
    unipc_command stages[] = {run(ARGV("cat")), run(ARGV("tr", "a-z", "A-Z"))};
    stages[0].input = to_fd(file); /* as its command says */
    options = defaults;
    options.output.kind = UNIPC_REDIRECT_PIPE;
    CHECK(gives(started(stages, 2, options), NULL, 0, "THROUGH\n", 8) == 1);
    CHECK(close(file) == 0);
}

/* ---- what cannot be started, and who misbehaves */

TEST(a_stage_that_cannot_be_started_is_named_and_nothing_of_the_pipeline_is_left) {
    char expected[128];
    for (int place = 0; place < 5; place++) {
        unipc_command stages[5];
        unipc_pipeline_options options = piped();
        for (int i = 0; i < 5; i++) stages[i] = sh("exec sleep 1000");
        stages[place] = run(ARGV("no-such-program-of-unipc"));
        snprintf(expected, sizeof expected, "spawn no-such-program-of-unipc: there is no such program in PATH (stage %d of 5)", place + 1);
        for (options.errors = UNIPC_ERRORS_AS_SET; options.errors <= UNIPC_ERRORS_MERGED; options.errors++) {
            REFUSED(unipc_pipeline_spawn(stages, 5, &options), ENOENT, expected);
        }
        stages[place] = run(ARGV("/tmp"));
        REFUSED(unipc_pipeline_spawn(stages, 5, &options), EINVAL, "3 is no place for standard errors");
        REFUSED(unipc_pipeline_spawn(stages, 5, NULL), EACCES, "it is a directory");
        stages[place] = run(ARGV(NULL));
        REFUSED(unipc_pipeline_spawn(stages, 5, NULL), EINVAL, "the argument vector is empty");
        stages[place] = run(ARGV("cat"));
        stages[place].error = to_fd(199);
        snprintf(expected, sizeof expected, "descriptor 199, which was to be the child's 2, is closed (stage %d of 5)", place + 1);
        REFUSED(unipc_pipeline_spawn(stages, 5, NULL), EBADF, expected);
    }
}

TEST(what_a_pipeline_cannot_have_is_refused) {
    unipc_command stages[3] = {UNIPC_COMMAND_INIT, UNIPC_COMMAND_INIT, UNIPC_COMMAND_INIT};
    unipc_pipeline_options options = defaults;
    size_t joints[] = {0, 2};
    REFUSED(unipc_pipeline_spawn(NULL, 3, NULL), EINVAL, "stages is NULL");
    REFUSED(unipc_pipeline_spawn(NULL, 0, NULL), EINVAL, "it has no stages");
    REFUSED(unipc_pipeline_spawn(stages, 3, NULL), EINVAL, "neither argv nor shell is set");
    stages[0] = stages[1] = stages[2] = run(ARGV("true"));
    stages[1].size = 0;
    REFUSED(unipc_pipeline_spawn(stages, 3, NULL), EINVAL, "the struct says that it has 0 bytes");
    stages[1].size = sizeof *stages;
    options.joint_count = 2;
    REFUSED(unipc_pipeline_spawn(stages, 3, &options), EINVAL, "joints is NULL");
    options.joints = joints;
    REFUSED(unipc_pipeline_spawn(stages, 3, &options), EINVAL, "it has no joint 2: 3 stages have 2 joints");
    joints[1] = SIZE_MAX;
    REFUSED(unipc_pipeline_spawn(stages, 3, &options), EINVAL, "it has no joint ");
    options = defaults;
    options.input.kind = 9;
    REFUSED(unipc_pipeline_spawn(stages, 3, &options), EINVAL, "9 is no kind of redirect");
    options = defaults;
    options.output = to_file(UNIPC_REDIRECT_WRITE, "/no/such/directory/file");
    REFUSED(unipc_pipeline_spawn(stages, 3, &options), ENOENT, "open /no/such/directory/file: ");
    options = defaults;
    options.group = -2;
    REFUSED(unipc_pipeline_spawn(stages, 3, &options), EINVAL, "-2 is no group");
    options = defaults;
    options.reserved = 1;
    REFUSED(unipc_pipeline_spawn(stages, 3, &options), EINVAL, "reserved field");
}

TEST(a_stage_that_dies_at_once_is_no_hang) {
    char *much = pattern();
    for (int place = 0; place < 4; place++) {
        unipc_command stages[4];
        unipc_status status;
        struct iovec output;
        unipc_pipeline_options options = piped();
        options.pipefail = 1;
        memcpy(stages, cats(4), sizeof stages);
        stages[place] = sh("exit 7");
        unipc_pipeline *pipeline = started(stages, 4, options);
        CHECK(unipc_pipeline_communicate(pipeline, much, MUCH, &output, NULL, 0, LONG) == 0);
        CHECK(output.iov_len == 0 && unipc_pipeline_failed(pipeline) == place);
        unipc_free(output.iov_base);
        CHECK(unipc_pipeline_stage_wait(pipeline, place, &status, 0) == 0 && status.code == 7);
        CHECK(unipc_pipeline_close(pipeline) == 0);
    }
    free(much);
}

TEST(a_stage_that_never_reads_stops_what_is_before_it_until_it_is_cancelled) {
    unipc_status statuses[3];
    unipc_command stages[] = {run(ARGV("yes")), run(ARGV("sleep", "1000")), run(ARGV("cat"))};
    unipc_pipeline *pipeline = started(stages, 3, defaults);
    FAILS(unipc_pipeline_wait(pipeline, statuses, 3, SHORT), ETIMEDOUT, "wait for yes: ");
    FAILS(unipc_pipeline_wait(pipeline, statuses, 3, 0), EAGAIN, "wait for yes: ");
    CHECK(unipc_pipeline_cancel(pipeline, statuses, 3, LONG) >= 0 && statuses[1].signal == SIGTERM);
    CHECK(!has_children());
    CHECK(unipc_pipeline_close(pipeline) == 0);
}

TEST(a_stage_that_closes_its_output_early_is_the_end_of_file_for_the_next) {
    unipc_command stages[] = {sh("echo all; exec >&-; read word"), run(ARGV("cat")), run(ARGV("cat"))};
    unipc_pipeline *pipeline = started(stages, 3, piped());
    unipc_pipe_reader *output = unipc_pipeline_take_output(pipeline);
    unipc_pipe_writer *input = unipc_pipeline_take_input(pipeline);
    char text[16] = "";
    CHECK(unipc_pipe_read_full(output, text, sizeof text, LONG, NULL) == 4 && strcmp(text, "all\n") == 0);
    FAILS(unipc_pipeline_wait(pipeline, NULL, 0, 0), EAGAIN, "wait for /bin/sh"); /* it lives on */
    CHECK(unipc_pipe_write(input, "\n", 1, LONG) == 1);
    CHECK(unipc_pipeline_wait(pipeline, NULL, 0, LONG) == 1);
    CHECK(unipc_pipe_reader_close(output) == 0 && unipc_pipe_writer_close(input) == 0);
    CHECK(unipc_pipeline_close(pipeline) == 0);
}

TEST(of_ten_stages_the_fifth_is_killed_and_all_end) {
    char *much = pattern();
    unipc_command stages[10];
    unipc_status statuses[10];
    unipc_pipeline_options options = piped();
    options.pipefail = 1;
    memcpy(stages, cats(10), sizeof stages);
    stages[4] = run(ARGV("sleep", "1000")); /* so that all before it are full */
    unipc_pipeline *pipeline = started(stages, 10, options);
    FAILS(unipc_pipeline_communicate(pipeline, much, MUCH, NULL, NULL, 0, SHORT), ETIMEDOUT, "communicate with");
    CHECK(unipc_pipeline_stage_signal(pipeline, 4, SIGKILL) == 0);
    CHECK(unipc_pipeline_communicate(pipeline, much, MUCH, NULL, NULL, 0, LONG) == 0);
    CHECK(unipc_pipeline_failed(pipeline) == 4);
    CHECK(unipc_pipeline_wait(pipeline, statuses, 10, 0) == 0);
    for (int i = 0; i < 10; i++) {
        if (i < 4) CHECK(statuses[i].signal == SIGPIPE);
        else if (i == 4) CHECK(statuses[i].signal == SIGKILL);
        else CHECK(statuses[i].code == 0);
    }
    CHECK(unipc_pipeline_close(pipeline) == 0);
    free(much);
}

/* ---- cancelling, waiting, closing */

TEST(cancelling_ends_politely_first_and_by_force_after_the_grace) {
    unipc_status statuses[3];
    unipc_command deaf = sh("trap '' TERM; echo ready >&2; while :; do sleep 60; done");
    unipc_command stages[] = {run(ARGV("sleep", "1000")), deaf, run(ARGV("sleep", "1000"))};
    unipc_pipeline_options options = defaults;
    options.errors = UNIPC_ERRORS_APART;
    options.group = UNIPC_GROUP_OWN;
    char word[8];
    unipc_pipeline *pipeline = started(stages, 3, options);
    unipc_pipe_reader *error = unipc_pipeline_take_error(pipeline, 1);
    CHECK(unipc_pipe_read(error, word, 6, LONG) == 6);
    for (int i = 0; i < 3; i++) CHECK(getpgid(unipc_pipeline_stage_pid(pipeline, i)) == unipc_pipeline_stage_pid(pipeline, 0));
    int64_t before = now(CLOCK_MONOTONIC);
    FAILS(unipc_pipeline_cancel(pipeline, NULL, 0, -2), EINVAL, "a timeout of -2 ns");
    CHECK(unipc_pipeline_cancel(pipeline, statuses, 3, SHORT) == 0);
    CHECK(now(CLOCK_MONOTONIC) - before >= SHORT);
    CHECK(statuses[0].signal == SIGTERM && statuses[1].signal == SIGKILL && statuses[2].signal == SIGTERM);
    CHECK(unipc_pipe_read(error, word, 1, LONG) == 0); /* its own children are gone, too */
    CHECK(unipc_pipe_reader_close(error) == 0 && unipc_pipeline_close(pipeline) == 0);
}

TEST(a_signal_goes_to_every_stage) {
    unipc_status statuses[2];
    unipc_command stages[] = {run(ARGV("sleep", "1000")), run(ARGV("sleep", "1000"))};
    unipc_pipeline *pipeline = started(stages, 2, defaults);
    FAILS(unipc_pipeline_signal(pipeline, 1000), EINVAL, "there is no signal 1000");
    CHECK(unipc_pipeline_signal(pipeline, SIGHUP) == 0);
    CHECK(unipc_pipeline_wait(pipeline, statuses, 2, LONG) == 0);
    CHECK(statuses[0].signal == SIGHUP && statuses[1].signal == SIGHUP);
    CHECK(unipc_pipeline_signal(pipeline, SIGHUP) == 0); /* nobody is left */
    CHECK(unipc_pipeline_close(pipeline) == 0);
}

TEST(a_signal_goes_to_every_stage_of_a_group_whose_leader_is_gone) {
    for (int older = 0; older < 2; older++) {
        unipc_status status;
        unipc_command stages[] = {run(ARGV("true")), run(ARGV("sleep", "1000"))};
        unipc_pipeline_options options = defaults;
        options.group = UNIPC_GROUP_OWN;
        if (older) be_on_an_older_kernel();
        unipc_pipeline *pipeline = started(stages, 2, options);
        CHECK(unipc_pipeline_stage_wait(pipeline, 0, &status, LONG) == 0 && status.code == 0);
        CHECK(unipc_pipeline_signal(pipeline, SIGHUP) == 0);
        CHECK(unipc_pipeline_stage_wait(pipeline, 1, &status, LONG) == 0 && status.signal == SIGHUP);
        CHECK(unipc_pipeline_close(pipeline) == 0);
    }
}

TEST(a_stage_of_another_user_shields_no_other_from_signals) {
    enum { NOBODY = 65534 };
    if (geteuid() != 0) SKIP("needs root, to have stages of two users");
    for (int cancelled = 0; cancelled < 2; cancelled++) {
        char word[8];
        unipc_status status;
        unipc_command stages[] = {run(ARGV("cat")), run(ARGV("setpriv", "--reuid", "65534", "sh", "-c",
                                                             "trap '' TERM; echo ready >&2; exec sleep 1000"))};
        unipc_pipeline_options options = defaults;
        options.input.kind = UNIPC_REDIRECT_PIPE;
        options.errors = UNIPC_ERRORS_APART;
        unipc_pipeline *pipeline = unipc_pipeline_spawn(stages, 2, &options);
        if (pipeline == NULL) SKIP("needs setpriv");
        unipc_pipe_reader *error = unipc_pipeline_take_error(pipeline, 1);
        CHECK(unipc_pipe_read(error, word, 6, LONG) == 6 && unipc_pipe_reader_close(error) == 0);
        CHECK(setresuid(NOBODY, NOBODY, 0) == 0);
        if (cancelled) FAILS(unipc_pipeline_cancel(pipeline, NULL, 0, 0), EPERM, "signal cat: not permitted");
        else FAILS(unipc_pipeline_signal(pipeline, SIGKILL), EPERM, "signal cat: not permitted");
        CHECK(unipc_pipeline_stage_wait(pipeline, 1, &status, LONG) == 0 && status.signal == SIGKILL);
        CHECK(setresuid(0, 0, 0) == 0);
        CHECK(unipc_pipe_writer_close(unipc_pipeline_take_input(pipeline)) == 0);
        CHECK(unipc_pipeline_wait(pipeline, NULL, 0, LONG) >= 0 && unipc_pipeline_close(pipeline) == 0);
    }
}

TEST(a_signal_handler_ends_waiting_and_communicating_which_go_on_afterwards) {
    unipc_command stages[] = {sh("exec sleep 1000"), run(ARGV("cat"))};
    unipc_pipeline *pipeline = started(stages, 2, piped());
    be_interrupted();
    FAILS(unipc_pipeline_wait(pipeline, NULL, 0, UNIPC_FOREVER), EINTR, "interrupted");
    FAILS(unipc_pipeline_communicate(pipeline, "x", 1, NULL, NULL, 0, UNIPC_FOREVER), EINTR, "interrupted");
    signal(SIGUSR1, SIG_IGN);
    CHECK(unipc_pipeline_stage_signal(pipeline, 0, SIGKILL) == 0);
    CHECK(unipc_pipeline_communicate(pipeline, "x", 1, NULL, NULL, 0, LONG) == 1);
    CHECK(unipc_pipeline_close(pipeline) == 0);
}

TEST(closing_a_running_pipeline_kills_nobody_and_leaves_no_zombie) {
    unipc_pipe_reader *reader;
    unipc_pipe_writer *writer;
    char text[16] = "";
    int pids[2];
    CHECK(unipc_pipe_create(&reader, &writer) == 0);
    unipc_command stages[] = {sh("cat; echo lived"), run(ARGV("cat"))};
    unipc_pipeline_options options = piped();
    options.output = to_fd(unipc_pipe_writer_fd(writer));
    unipc_pipeline *pipeline = started(stages, 2, options);
    for (int i = 0; i < 2; i++) pids[i] = unipc_pipeline_stage_pid(pipeline, i);
    CHECK(unipc_pipe_writer_close(writer) == 0 && unipc_pipeline_close(pipeline) == 0); /* the input ends */
    CHECK(unipc_pipe_read_full(reader, text, sizeof text, LONG, NULL) == 6 && strcmp(text, "lived\n") == 0);
    UNTIL(state(pids[0]) == 0 && state(pids[1]) == 0);
    CHECK(unipc_pipe_reader_close(reader) == 0);
    FAILS(unipc_pipeline_close(pipeline), EBADF, "the pipeline is closed");
    CHECK(unipc_pipeline_close(NULL) == 0);
}

TEST(a_stage_is_polled_and_waited_for_beside_the_others) {
    unipc_command stages[] = {run(ARGV("sleep", "1000")), run(ARGV("true"))};
    unipc_pipeline *pipeline = started(stages, 2, defaults);
    UNTIL(is_readable(unipc_pipeline_stage_fd(pipeline, 1)));
    CHECK(!is_readable(unipc_pipeline_stage_fd(pipeline, 0)));
    FAILS(unipc_pipeline_stage_wait(pipeline, 0, NULL, 0), EAGAIN, "wait for sleep");
    CHECK(unipc_pipeline_stage_wait(pipeline, 1, NULL, 0) == 0);
    CHECK(unipc_pipeline_cancel(pipeline, NULL, 0, 0) == 1); /* the last one did succeed */
    CHECK(unipc_pipeline_close(pipeline) == 0);
}

/* ---- communicate, joints */

TEST(any_amount_comes_on_the_output_and_all_errors_at_once) {
    struct iovec output, errors[3];
    char *much = pattern();
    unipc_command loud = sh("exec tee /dev/fd/2"), stages[] = {loud, loud, loud};
    unipc_pipeline_options options = piped();
    options.errors = UNIPC_ERRORS_APART;
    unipc_pipeline *pipeline = started(stages, 3, options);
    CHECK(unipc_pipeline_communicate(pipeline, much, MUCH, &output, errors, 3, LONG) == 1);
    CHECK(output.iov_len == MUCH && memcmp(output.iov_base, much, MUCH) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(errors[i].iov_len == MUCH && memcmp(errors[i].iov_base, much, MUCH) == 0);
        unipc_free(errors[i].iov_base);
    }
    unipc_free(output.iov_base);
    CHECK(unipc_pipeline_close(pipeline) == 0);
    free(much);
}

TEST(what_was_read_before_the_timeout_can_be_taken) {
    struct iovec output = {NULL, 0}, error;
    unipc_command stages[] = {sh("echo first; echo oh >&2; exec sleep 1000"), run(ARGV("cat"))};
    unipc_pipeline_options options = piped();
    options.errors = UNIPC_ERRORS_MERGED;
    unipc_pipeline *pipeline = started(stages, 2, options);
    size_t heard = 0, said = 0;
    while (heard < 6 || said < 3) {
        FAILS(unipc_pipeline_communicate(pipeline, NULL, 0, NULL, NULL, 0, SHORT), ETIMEDOUT, "communicate with");
        CHECK(unipc_pipeline_partial_output(pipeline, &output, &error, 1) == 0);
        CHECK(memcmp(output.iov_base, "first\n" + heard, output.iov_len) == 0);
        heard += output.iov_len;
        said += error.iov_len;
        unipc_free(output.iov_base);
        unipc_free(error.iov_base);
    }
    CHECK(unipc_pipeline_cancel(pipeline, NULL, 0, LONG) >= 0);
    CHECK(unipc_pipeline_close(pipeline) == 0);
}

TEST(what_is_collected_has_a_limit_where_one_is_set) {
    unipc_command stages[] = {run(ARGV("yes")), run(ARGV("cat"))};
    unipc_pipeline_options options = piped();
    options.output_limit = 1000;
    unipc_pipeline *pipeline = started(stages, 2, options);
    FAILS(unipc_pipeline_communicate(pipeline, NULL, 0, NULL, NULL, 0, LONG), EMSGSIZE, "the limit that was set, 1000 bytes");
    CHECK(unipc_pipeline_cancel(pipeline, NULL, 0, LONG) >= 0 && unipc_pipeline_close(pipeline) == 0);
}

static void *communicate(void *pipeline) {
    int success;
    while ((success = unipc_pipeline_communicate(pipeline, NULL, 0, NULL, NULL, 0, LONG)) == -1 && errno == EBUSY);
    CHECK(success == 0);
    return NULL;
}

TEST(a_thread_cancels_a_pipeline_that_another_communicates_with) {
    pthread_t thread;
    unipc_status statuses[2];
    unipc_command stages[] = {run(ARGV("sleep", "1000")), sh("cat; exec sleep 1000")};
    unipc_pipeline *pipeline = started(stages, 2, piped());
    CHECK(pthread_create(&thread, NULL, communicate, pipeline) == 0);
    UNTIL(unipc_pipeline_partial_output(pipeline, NULL, NULL, 0) == -1 && errno == EBUSY);
    SAYS("another thread communicates with it");
    FAILS_NULL(unipc_pipeline_take_output(pipeline), EBUSY, "another thread communicates with it");
    FAILS(unipc_pipeline_communicate(pipeline, NULL, 0, NULL, NULL, 0, 0), EBUSY, "another thread communicates with it");
    FAILS(unipc_pipeline_wait(pipeline, NULL, 0, SHORT), ETIMEDOUT, "wait for sleep");
    IN_CHILD(FAILS_NULL(unipc_pipeline_take_input(pipeline), EBUSY, "another thread"));
    CHECK(unipc_pipeline_cancel(pipeline, statuses, 2, LONG) == 0 && statuses[0].signal == SIGTERM);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(unipc_pipeline_close(pipeline) == 0);
}

TEST(an_open_joint_passes_this_process) {
    const size_t open[] = {1};
    unipc_pipe_reader *reader;
    unipc_pipe_writer *writer;
    unipc_command stages[] = {run(ARGV("echo", "through")), run(ARGV("cat")), run(ARGV("tr", "a-z", "A-Z"))};
    unipc_pipeline_options options = defaults;
    options.output.kind = UNIPC_REDIRECT_PIPE;
    options.joints = open;
    options.joint_count = 1;
    unipc_pipeline *pipeline = started(stages, 3, options);
    FAILS(unipc_pipeline_communicate(pipeline, NULL, 0, NULL, NULL, 0, LONG), EINVAL, "it has open joints");
    FAILS(unipc_pipeline_take_joint(pipeline, 0, &reader, &writer), EBADF, "joint 0 was not opened");
    FAILS(unipc_pipeline_take_joint(pipeline, 1, &reader, NULL), EINVAL, "writer is NULL");
    CHECK(unipc_pipeline_take_joint(pipeline, 1, &reader, &writer) == 0);
    FAILS(unipc_pipeline_take_joint(pipeline, 1, &reader, &writer), EBADF, "or was taken");
    ssize_t count, passed = 0;
    while ((count = unipc_pipe_splice_to(reader, unipc_pipe_writer_fd(writer), 1 << 20, LONG)) > 0) passed += count;
    CHECK(count == 0 && passed == 8);
    CHECK(unipc_pipe_reader_close(reader) == 0 && unipc_pipe_writer_close(writer) == 0);
    CHECK(gives(pipeline, NULL, 0, "THROUGH\n", 8) == 1);
}

TEST(a_thousand_stages_leak_nothing) {
    for (int i = 100; i > 0; i--) CHECK(gives(started(cats(10), 10, piped()), "x", 1, "x", 1) == 1);
}
