// Configuration from one table: it makes the flags, --help, the configuration file's keys and the sample in config/.
// Precedence: flag, then file (--config), then the row's default.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum conf_kind {
    CONF_TEXT,     // any text but an empty one
    CONF_CHOICE,   // one of `choices`
    CONF_INTEGER,  // decimal, min..max
    CONF_DURATION, // see time_parse_duration(); min..max in nanoseconds
    CONF_NUMBER,   // decimal fraction, min..max
    CONF_LIST,     // text, may be given several times; in the file: several lines
    CONF_SWITCH,   // on or off (the default); the flag alone means on
    CONF_ACTION,   // a flag without value that makes the program print something and exit
};

struct conf_option {
    const char *name; // "trail-sync": flag --trail-sync, file key trail-sync
    enum conf_kind kind;
    const char *arg;     // what the value is called in --help, e.g. "FILE"
    const char *def;     // default as text, NULL: none
    const char *help;    // one sentence
    const char *choices; // CONF_CHOICE: "open|strict"
    int64_t min, max;    // both 0: no bounds
};

struct conf;

// rows is a static array ended by a row without name. The row "config" (CONF_TEXT) names the file, if there is one.
struct conf *conf_new(const char *program, const char *summary, const struct conf_option *rows);
void conf_free(struct conf *c);
// Reads the flags ("--name=value" or "--name value"), then the file. False with a reason that names the flag, or file
// and line.
bool conf_read(struct conf *c, int argc, char **argv, char *why, size_t why_size);
// Which CONF_ACTION was given, NULL: none. "help" is one like the others.
const char *conf_action(const struct conf *c);
void conf_print_help(const struct conf *c, FILE *to);
void conf_print_sample(const struct conf *c, FILE *to);

// Values by name; asking for a name or kind that the table lacks aborts. The texts live as long as the conf.
const char *conf_text(const struct conf *c, const char *name); // NULL: not given, no default
int64_t conf_integer(const struct conf *c, const char *name);
int64_t conf_duration_ns(const struct conf *c, const char *name);
double conf_number(const struct conf *c, const char *name);
bool conf_switch(const struct conf *c, const char *name);
size_t conf_count(const struct conf *c, const char *name); // CONF_LIST
const char *conf_item(const struct conf *c, const char *name, size_t i);
bool conf_given(const struct conf *c, const char *name); // by flag or file
