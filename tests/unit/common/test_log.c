// One line an entry, whatever is in it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/log.h"

// Sends stderr to a file in memory while the test runs.
struct catch
{
    int saved, fd;
    char text[16384];
};

static void catch_begin(struct catch *c)
{
    c->saved = dup(STDERR_FILENO);
    c->fd = memfd_create("log", 0);
    assert_true(c->saved >= 0 && c->fd >= 0);
    dup2(c->fd, STDERR_FILENO);
}

static const char *catch_end(struct catch *c)
{
    dup2(c->saved, STDERR_FILENO);
    close(c->saved);
    ssize_t n = pread(c->fd, c->text, sizeof c->text - 1, 0);
    assert_true(n >= 0);
    c->text[n] = '\0';
    close(c->fd);
    return c->text;
}

static void assert_matches(const char *text, const char *pattern)
{
    regex_t r;
    assert_int_equal(regcomp(&r, pattern, REG_EXTENDED | REG_NOSUB), 0);
    if (regexec(&r, text, 0, NULL, 0) != 0)
        fail_msg("'%s' is not like '%s'", text, pattern);
    regfree(&r);
}

static void test_line(void **state)
{
    (void)state;
    struct catch c;
    catch_begin(&c);
    log_setup("kmsd", LOG_INFO);
    errno = ENOENT;
    log_info("listening on %s: %m", "127.0.0.1");
    int after = errno;
    log_debug("not shown");
    const char *text = catch_end(&c);
    assert_int_equal(after, ENOENT);
    assert_matches(text, "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z info kmsd: "
                         "listening on 127\\.0\\.0\\.1: No such file or directory\n$");
}

static void test_hostile_text(void **state)
{
    (void)state;
    struct catch c;
    catch_begin(&c);
    log_warn("key %s", "a\nb\r\x1b[31m\x7f \xc2\x9b \xc2\xa9 \xc3\xa9");
    const char *text = catch_end(&c);
    assert_matches(text, " warn kmsd: key a\\?b\\?\\?\\[31m\\? \\?\\? \xc2\xa9 \xc3\xa9\n$");
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void test_long_text_is_cut(void **state)
{
    (void)state;
    struct catch c;
    catch_begin(&c);
    log_error("%05000d", 1);
    log_error("next");
    const char *text = catch_end(&c);
    const char *end = strchr(text, '\n');
    assert_int_equal(end + 1 - text, 4096 - 1);
    assert_memory_equal(end - 3, "...", 3);
    assert_matches(end + 1, "^[^\n]* error kmsd: next\n$");
}

static void test_levels(void **state)
{
    (void)state;
    enum log_level level;
    assert_true(log_level_parse("debug", &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_true(log_level_parse("error", &level));
    assert_int_equal(level, LOG_ERROR);
    assert_false(log_level_parse("Info", &level));
    assert_false(log_level_parse("", &level));
    log_setup("kmsd", LOG_WARN);
    assert_true(log_enabled(LOG_ERROR));
    assert_true(log_enabled(LOG_WARN));
    assert_false(log_enabled(LOG_INFO));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_hostile_text),
        cmocka_unit_test(test_long_text_is_cut),
        cmocka_unit_test(test_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
