/*
 * How the programs under test talk with the tests: a line comes in, a verb and its arguments with
 * tabs in between; a line goes out, "ok" and a result, or "error" and an errno and a sentence.
 */
#ifndef TALK_H
#define TALK_H
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 4096, MOST_ARGUMENTS = 16 };

/* The program's own: why the last call failed, and the errno of it. */
static void refuse(void);

typedef struct {
    const char *verb;
    void (*act)(char **arguments);
} command;

static inline void say(const char *format, ...) {
    va_list values;
    va_start(values, format);
    vprintf(format, values);
    va_end(values);
    putchar('\n');
    fflush(stdout);
}

#define OK(...) say("ok\t" __VA_ARGS__)
#define TRY(condition) do { if (!(condition)) { refuse(); return; } } while (0)

static inline int talk(const command *commands) {
    char line[LONGEST];
    while (fgets(line, sizeof line, stdin)) {
        char *arguments[MOST_ARGUMENTS + 1] = {0}, *rest = line;
        line[strcspn(line, "\n")] = 0;
        for (int i = 0; i < MOST_ARGUMENTS && rest; i++) arguments[i] = strsep(&rest, "\t");
        const command *known = commands;
        while (known->verb && strcmp(known->verb, arguments[0]) != 0) known++;
        if (!known->verb) return fprintf(stderr, "unknown verb %s\n", arguments[0]), EXIT_FAILURE;
        known->act(arguments + 1);
    }
    return EXIT_SUCCESS;
}
#endif
