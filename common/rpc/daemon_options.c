// The shared part of the options table, and what --list-operations prints. Called by daemon.c.
#include "common/rpc/daemon_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"

#define DAY_NS (INT64_C(86400) * NS_PER_S)

static const struct conf_option shared[] = {
    {.name = "config", .kind = CONF_TEXT, .arg = "FILE", .help = "Read options from this file; flags win over it."},
    {.name = "listen",
     .kind = CONF_LIST,
     .arg = "ADDRESS:PORT",
     .help = "Where to answer; may be given several times. Port 0 takes a free one and prints it."},
    {.name = "state-dir",
     .kind = CONF_TEXT,
     .arg = "DIR",
     .help =
         "Where state lives, one process at a time; :memory: keeps nothing on disk but the trail (and the service's "
         "credential). Without it: $XDG_STATE_HOME (or ~/.local/state) and the program's name."},
    {.name = "account",
     .kind = CONF_TEXT,
     .arg = "ACCOUNT",
     .def = "000000000000",
     .help = "The default account: 12 digits."},
    {.name = "auth",
     .kind = CONF_CHOICE,
     .def = "open",
     .choices = "open|strict",
     .help = "strict: only access keys in the principals file. open: also unknown ones; twelve digits are the root of "
             "that account, any other is user `local` of the default account with full rights. open is refused on "
             "addresses that other machines reach."},
    {.name = "principals",
     .kind = CONF_TEXT,
     .arg = "FILE",
     .help = "Accounts, users, roles, access keys and policies."},
    {.name = "service-credentials",
     .kind = CONF_TEXT,
     .arg = "FILE",
     .help = "The credential by which ddbd calls kmsd, the same file for both; made (mode 0600) by whichever starts "
             "first. Without it: service-credentials in kmsd's state directory, for ddbd in the one that kmsd has by "
             "default."},
    {.name = "workers",
     .kind = CONF_INTEGER,
     .arg = "N",
     .def = "0",
     .min = 0,
     .max = 64,
     .help = "Worker threads; 0: one per processor."},
    {.name = "trail-sync",
     .kind = CONF_CHOICE,
     .def = "interval",
     .choices = "always|interval|never",
     .help = "When the trail's journal survives a power cut: before every reply, once a second, or when the system "
             "writes it. It survives the end of the process in all three."},
    {.name = "seed",
     .kind = CONF_TEXT,
     .arg = "TEXT",
     .help = "Make ids, and so whole trails, reproducible. Key material stays random."},
    {.name = "log-level",
     .kind = CONF_CHOICE,
     .def = "info",
     .choices = "error|warn|info|debug",
     .help = "How much to log to stderr."},
};

static const struct conf_option actions[] = {
    {.name = "list-operations", .kind = CONF_ACTION, .help = "Print the operations and exit."},
    {.name = "sample-config", .kind = CONF_ACTION, .help = "Print a configuration file with every option and exit."},
    {.name = "version", .kind = CONF_ACTION, .help = "Print the version and exit."},
    {.name = "help", .kind = CONF_ACTION, .help = "Print this and exit."},
};

static const struct conf_option leading[] = {
    {.name = "trail-dir",
     .kind = CONF_TEXT,
     .arg = "DIR",
     .help = "Where CloudTrail log files are delivered. Without it: trail in the state directory."},
    {.name = "trail-interval",
     .kind = CONF_DURATION,
     .arg = "TIME",
     .def = "300s",
     .min = NS_PER_S,
     .max = DAY_NS,
     .help = "How often log files are delivered, on the daemon's clock."},
    {.name = "clock",
     .kind = CONF_TEXT,
     .arg = "real|TIME",
     .def = "real",
     .help = "An RFC 3339 time (2019-03-11T09:00:00Z) makes the clock virtual, starting there; /_kmsd/clock moves it."},
    {.name = "clock-scale",
     .kind = CONF_NUMBER,
     .arg = "N",
     .def = "1",
     .min = 0,
     .max = 1000000,
     .help = "Virtual seconds that pass in a real one; 0 stands still."},
};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define OWN_MAX 32

static struct conf_option all[COUNT(shared) + COUNT(leading) + OWN_MAX + COUNT(actions) + 1];

const struct conf_option *daemon_options(const struct daemon_spec *spec)
{
    size_t n = 0;
    for (size_t i = 0; i < COUNT(shared); i++) {
        all[n] = shared[i];
        if (strcmp(all[n].name, "listen") == 0)
            all[n].def = spec->listen;
        n++;
    }
    for (size_t i = 0; spec->leads && i < COUNT(leading); i++)
        all[n++] = leading[i];
    for (size_t i = 0; spec->options && spec->options[i].name; i++) {
        if (i == OWN_MAX)
            abort();
        all[n++] = spec->options[i];
    }
    for (size_t i = 0; i < COUNT(actions); i++)
        all[n++] = actions[i];
    all[n] = (struct conf_option){0};
    return all;
}

void daemon_list_operations(const struct daemon_spec *spec)
{
    printf("%-36s %-40s %s\n", "OPERATION", "IAM ACTION", "KIND");
    for (const struct op *op = spec->service->ops; op->name; op++)
        printf("%-36s %-40s %s\n", op->name, op->action ? op->action : "-", op->read_only ? "read" : "write");
    for (const char *const *name = spec->service->unbuilt; name && *name; name++)
        printf("%-36s %-40s %s\n", *name, "-", "not built");
}
