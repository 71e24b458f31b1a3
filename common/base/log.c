// The operational log: one line an entry to stderr in a single write(2), so that lines of several threads do not mix.
// Called at the edges only (see the header); errno survives a call.
#include "common/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/time_format.h"

// A pipe takes this much (PIPE_BUF) as a whole.
#define LINE_SIZE 4096

static const char *const level_name[] = {
    [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

static const char *_Atomic log_program = "";
static _Atomic enum log_level log_level = LOG_INFO;

void log_setup(const char *program, enum log_level level)
{
    atomic_store(&log_program, program);
    atomic_store(&log_level, level);
}

_Bool log_level_parse(const char *text, enum log_level *level)
{
    for (size_t i = 0; i < sizeof level_name / sizeof *level_name; i++) {
        if (strcmp(text, level_name[i]) == 0) {
            *level = (enum log_level)i;
            return 1;
        }
    }
    return 0;
}

_Bool log_enabled(enum log_level level)
{
    return level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

// Names in an entry come from clients: none may fake a line or talk to the terminal. Also U+0080 to U+009F.
static void defuse(char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c < 0x20 || c == 0x7f)
            p[i] = '?';
        else if (c == 0xc2 && i + 1 < n && (unsigned char)p[i + 1] < 0xa0)
            p[i] = p[i + 1] = '?';
    }
}

static size_t print_head(char *line, enum log_level level)
{
    char second[TIME_ISO_SIZE];
    int64_t now = clock_real_ns();
    time_iso(now, second);
    int n = snprintf(line, LINE_SIZE, "%.19s.%03dZ %s %s: ", second, (int)(now / NS_PER_MS % 1000), level_name[level],
                     atomic_load(&log_program));
    return n < 0 ? 0 : (size_t)n < LINE_SIZE / 2 ? (size_t)n : LINE_SIZE / 2;
}

void log_write(enum log_level level, const char *format, ...)
{
    if (!log_enabled(level))
        return;
    int saved = errno;
    char line[LINE_SIZE];
    size_t head = print_head(line, level), room = sizeof line - head - 1;
    va_list args;
    va_start(args, format);
    errno = saved; // for %m
    int n = vsnprintf(line + head, room, format, args);
    va_end(args);
    size_t len = n < 0 ? 0 : (size_t)n;
    if (len >= room) {
        len = room - 1;
        memcpy(line + head + len - 3, "...", 3);
    }
    defuse(line + head, len);
    line[head + len] = '\n';
    file_write_all(STDERR_FILENO, (struct span){line, head + len + 1}); // nobody to tell if that fails
    errno = saved;
}
