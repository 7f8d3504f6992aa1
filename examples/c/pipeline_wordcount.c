/*
 * Counts words with a pipeline of six programs, and prints the three that are most frequent.
 *
 * Run it: cc pipeline_wordcount.c $(pkg-config --cflags --libs unipc) -o pipeline_wordcount &&
 *         ./pipeline_wordcount [FILE]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unipc.h>

enum { STAGES = 6 };
static const char *const programs[STAGES][5] = {
    {"tr", "-cs", "a-z", "\\n", NULL},       {"sort", NULL},           {"uniq", "-c", NULL},
    {"sort", "-k1,1nr", "-k2", NULL},        {"head", "-n", "3", NULL}, {"awk", "{ print $2 \": \" $1 }", NULL},
};

static int fail(void) {
    fprintf(stderr, "pipeline_wordcount: %s\n", unipc_last_error());
    return EXIT_FAILURE;
}

int main(int argc, char **argv) {
    const char *text = argc > 1 ? "" : "the cat sat on the mat and the dog sat on the cat";
    unipc_command stages[STAGES];
    for (int i = 0; i < STAGES; i++) {
        unipc_command stage = UNIPC_COMMAND_INIT;
        stage.argv = programs[i];
        stages[i] = stage;
    }
    unipc_pipeline_options options = UNIPC_PIPELINE_OPTIONS_INIT;
    options.input.kind = argc > 1 ? UNIPC_REDIRECT_READ : UNIPC_REDIRECT_PIPE;
    options.input.path = argv[1];
    options.output.kind = UNIPC_REDIRECT_PIPE;
    options.pipefail = 1;

    unipc_pipeline *pipeline = unipc_pipeline_spawn(stages, STAGES, &options);
    if (!pipeline) return fail();
    /* Feeds the text and collects the output at the same time: however long they are, nobody waits for ever. */
    struct iovec output;
    int success = unipc_pipeline_communicate(pipeline, text, strlen(text), &output, NULL, 0, UNIPC_FOREVER);
    if (success < 0) return fail();
    unipc_pipeline_close(pipeline);

    fputs(output.iov_base, stdout);
    unipc_free(output.iov_base);
    /* Also where `head` left early and SIGPIPE ended `sort`. */
    printf("the pipeline %s\n", success ? "succeeded" : "failed");
    return EXIT_SUCCESS;
}
