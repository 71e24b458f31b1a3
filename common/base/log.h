// The operational log: stderr, one line an entry. Called at the edges (daemon, dispatch), never by library code; never
// given a secret. It has nothing to do with the trail.
#pragma once

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_setup(const char *program, enum log_level level);
// "error", "warn", "info", "debug". False for any other word.
_Bool log_level_parse(const char *text, enum log_level *level);
_Bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) (log_enabled(LOG_DEBUG) ? log_write(LOG_DEBUG, __VA_ARGS__) : (void)0)
