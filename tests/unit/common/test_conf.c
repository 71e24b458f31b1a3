// Options come from flags before the file before the defaults; each mistake is told with its place; help and sample say
// what the table says.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/conf.h"

static const struct conf_option rows[] = {
    {"config", CONF_TEXT, "FILE", NULL, "The configuration file.", NULL, 0, 0},
    {"listen", CONF_LIST, "ADDRESS", "127.0.0.1:4599", "Address to listen on.", NULL, 0, 0},
    {"state-dir", CONF_TEXT, "DIR", NULL,
     "Where the state lives, a sentence that is long enough to need a second line.", NULL, 0, 0},
    {"auth", CONF_CHOICE, NULL, "open", "Who may call.", "open|strict", 0, 0},
    {"workers", CONF_INTEGER, "N", "2", "Threads that serve calls.", NULL, 1, 64},
    {"offset", CONF_INTEGER, "N", "-3", "Any number.", NULL, 0, 0},
    {"trail-interval", CONF_DURATION, "TIME", "300s", "How often log files are delivered.", NULL, NS_PER_S,
     86400 * NS_PER_S},
    {"clock-scale", CONF_NUMBER, "FACTOR", "1", "Virtual seconds per second.", NULL, 0, 1000000},
    {"a-very-long-name-of-an-option", CONF_TEXT, "SOMETHING", "x", "Help below its flag.", NULL, 0, 0},
    {"test-control", CONF_SWITCH, NULL, NULL, "A switch.", NULL, 0, 0},
    {"version", CONF_ACTION, NULL, NULL, "Prints the version and exits.", NULL, 0, 0},
    {"help", CONF_ACTION, NULL, NULL, "Prints this and exits.", NULL, 0, 0},
    {0},
};

static char why[256], path[] = P_tmpdir "/test_conf.XXXXXX", config_flag[64];

static struct conf *fresh(void)
{
    return conf_new("kmsd", "Local KMS.", rows);
}

#define READ(c, ...) read_args(c, (const char *[]){"kmsd", __VA_ARGS__, NULL})

static bool read_args(struct conf *c, const char **argv)
{
    int argc = 0;
    while (argv[argc])
        argc++;
    why[0] = '\0';
    return conf_read(c, argc, (char **)argv, why, sizeof why);
}

static void write_file(const char *text, size_t n)
{
    FILE *f = fopen(path, "w");
    assert_int_equal(fwrite(text, 1, n, f), n);
    fclose(f);
}

static void test_defaults(void **state)
{
    (void)state;
    struct conf *c = fresh();
    assert_true(read_args(c, (const char *[]){"kmsd", NULL}));
    assert_null(conf_text(c, "state-dir"));
    assert_string_equal(conf_text(c, "auth"), "open");
    assert_string_equal(conf_text(c, "workers"), "2");
    assert_int_equal(conf_integer(c, "workers"), 2);
    assert_int_equal(conf_integer(c, "offset"), -3);
    assert_int_equal(conf_duration_ns(c, "trail-interval"), 300 * NS_PER_S);
    assert_true(conf_number(c, "clock-scale") == 1);
    assert_int_equal(conf_count(c, "listen"), 1);
    assert_string_equal(conf_item(c, "listen", 0), "127.0.0.1:4599");
    assert_false(conf_given(c, "workers"));
    assert_null(conf_action(c));
    conf_free(c);
}

static void test_flags_in_both_forms(void **state)
{
    (void)state;
    struct conf *c = fresh();
    assert_true(READ(c, "--workers=3", "--auth", "strict", "--listen=a=b", "--listen", "--x", "--workers", "4",
                     "--state-dir=-", "--offset=-9223372036854775808", "--clock-scale=0.5"));
    assert_int_equal(conf_integer(c, "workers"), 4); // the last one counts
    assert_string_equal(conf_text(c, "auth"), "strict");
    assert_int_equal(conf_count(c, "listen"), 2); // the default is gone
    assert_string_equal(conf_item(c, "listen", 0), "a=b");
    assert_string_equal(conf_item(c, "listen", 1), "--x");
    assert_string_equal(conf_text(c, "state-dir"), "-");
    assert_true(conf_integer(c, "offset") == INT64_MIN);
    assert_true(conf_number(c, "clock-scale") == 0.5);
    assert_true(conf_given(c, "workers"));
    conf_free(c);
}

static void test_switches(void **state)
{
    (void)state;
    static const struct {
        const char *flag, *file;
        bool on;
    } switches[] = {{"--workers=2", "", false},
                    {"--test-control", "", true},
                    {"--test-control=off", "", false},
                    {"--workers=2", "test-control = on\n", true},
                    {"--test-control=off", "test-control = on\n", false}};
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        write_file(switches[i].file, strlen(switches[i].file));
        struct conf *c = fresh();
        assert_true(READ(c, switches[i].flag, config_flag, "--offset=1"));
        assert_int_equal(conf_switch(c, "test-control"), switches[i].on);
        conf_free(c);
    }
}

static void test_file_and_precedence(void **state)
{
    (void)state;
    static const char text[] = "# comment\n\n  workers = 7\r\nauth=strict\n\tstate-dir =  /a b # no comment \n"
                               "listen = one\nlisten = two\ntrail-interval = 5m";
    write_file(text, sizeof text - 1);
    struct conf *c = fresh();
    assert_true(READ(c, "--workers=3", config_flag));
    assert_int_equal(conf_integer(c, "workers"), 3);
    assert_string_equal(conf_text(c, "auth"), "strict");
    assert_string_equal(conf_text(c, "state-dir"), "/a b # no comment");
    assert_int_equal(conf_count(c, "listen"), 2);
    assert_string_equal(conf_item(c, "listen", 1), "two");
    assert_int_equal(conf_duration_ns(c, "trail-interval"), 300 * NS_PER_S);
    conf_free(c);
    c = fresh();
    assert_true(READ(c, config_flag, "--listen=flag"));
    assert_int_equal(conf_count(c, "listen"), 1);
    assert_string_equal(conf_item(c, "listen", 0), "flag");
    conf_free(c);
}

static void test_wrong_flags(void **state)
{
    (void)state;
    static const struct {
        const char *flag, *why;
    } bad[] = {
        {"--bogus=1", "--bogus: no such option (see --help)"},
        {"--", "--: no such option (see --help)"},
        {"--work=1", "--work: no such option (see --help)"},
        {"serve", "serve: arguments are flags that begin with -- (see --help)"},
        {"-h", "-h: arguments are flags that begin with -- (see --help)"},
        {"--workers", "--workers: needs a value"},
        {"--state-dir=", "--state-dir: needs a value"},
        {"--listen=", "--listen: needs a value"},
        {"--workers=", "--workers: '' is no whole number"},
        {"--workers=4x", "--workers: '4x' is no whole number"},
        {"--workers=0x4", "--workers: '0x4' is no whole number"},
        {"--workers=99999999999999999999", "--workers: '99999999999999999999' is no whole number"},
        {"--workers=0", "--workers: 0 is not between 1 and 64"},
        {"--workers=65", "--workers: 65 is not between 1 and 64"},
        {"--auth=none", "--auth: 'none' is none of open|strict"},
        {"--auth=", "--auth: '' is none of open|strict"},
        {"--auth=open|strict", "--auth: 'open|strict' is none of open|strict"},
        {"--trail-interval=soon", "--trail-interval: 'soon' is no duration such as 300s, 5m or 250ms"},
        {"--trail-interval=25h", "--trail-interval: 25h is not between 1s and 1d"},
        {"--trail-interval=10ms", "--trail-interval: 10ms is not between 1s and 1d"},
        {"--test-control=yes", "--test-control: 'yes' is neither on nor off"},
        {"--clock-scale=-1", "--clock-scale: -1 is not between 0 and 1000000"},
        {"--clock-scale=.5", "--clock-scale: '.5' is no number"},
        {"--clock-scale=1.", "--clock-scale: '1.' is no number"},
        {"--clock-scale=1e3", "--clock-scale: '1e3' is no number"},
        {"--clock-scale=nan", "--clock-scale: 'nan' is no number"},
        {"--help=yes", "--help: takes no value"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct conf *c = fresh();
        char flag[64];
        snprintf(flag, sizeof flag, "%s", bad[i].flag);
        assert_false(READ(c, flag));
        assert_string_equal(why, bad[i].why);
        conf_free(c);
    }
}

static void test_wrong_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"\nbogus = 1\n", ":2: bogus: no such option"},
        {"workers\n", ":1: not of the form 'key = value'"},
        {"= 4\n", ":1: : no such option"},
        {"workers = 4\nworkers = 4\n", ":2: workers: given twice"},
        {"workers = 400\n", ":1: workers: 400 is not between 1 and 64"},
        {"help = 1\n", ":1: help: only a flag, not for the file"},
        {"config = x\n", ":1: config: only a flag, not for the file"},
        {"[section]\n", ":1: not of the form 'key = value'"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct conf *c = fresh();
        write_file(bad[i].text, strlen(bad[i].text));
        assert_false(READ(c, config_flag, "--workers=2")); // a flag excuses no mistake in the file
        assert_memory_equal(why, path, strlen(path));
        assert_string_equal(why + strlen(path), bad[i].why);
        conf_free(c);
    }
    struct conf *c = fresh();
    write_file("auth = op\0en\n", 13);
    assert_false(READ(c, config_flag));
    assert_non_null(strstr(why, ":1: a zero byte"));
    conf_free(c);
    c = fresh();
    assert_false(READ(c, "--config=/nonexistent/file"));
    assert_string_equal(why, "/nonexistent/file: No such file or directory");
    conf_free(c);
}

static void test_actions(void **state)
{
    (void)state;
    struct conf *c = fresh();
    assert_true(READ(c, "--version", "--help", "--config=/nonexistent/file"));
    assert_string_equal(conf_action(c), "version");
    conf_free(c);
}

static char *printed(void (*print)(const struct conf *, FILE *))
{
    char *text = NULL;
    size_t n;
    struct conf *c = fresh();
    FILE *f = open_memstream(&text, &n);
    print(c, f);
    fclose(f);
    conf_free(c);
    return text;
}

static void test_help(void **state)
{
    (void)state;
    char *text = printed(conf_print_help);
    assert_string_equal(text, //
                        "Usage: kmsd [--OPTION=VALUE]...\n"
                        "Local KMS.\n"
                        "\n"
                        "  --config=FILE               The configuration file.\n"
                        "  --listen=ADDRESS            Address to listen on. (may be given several times;\n"
                        "                              default: 127.0.0.1:4599)\n"
                        "  --state-dir=DIR             Where the state lives, a sentence that is long\n"
                        "                              enough to need a second line.\n"
                        "  --auth=open|strict          Who may call. (default: open)\n"
                        "  --workers=N                 Threads that serve calls. (1 to 64; default: 2)\n"
                        "  --offset=N                  Any number. (default: -3)\n"
                        "  --trail-interval=TIME       How often log files are delivered. (1s to 1d;\n"
                        "                              default: 300s)\n"
                        "  --clock-scale=FACTOR        Virtual seconds per second. (0 to 1000000;\n"
                        "                              default: 1)\n"
                        "  --a-very-long-name-of-an-option=SOMETHING\n"
                        "                              Help below its flag. (default: x)\n"
                        "  --test-control              A switch.\n"
                        "  --version                   Prints the version and exits.\n"
                        "  --help                      Prints this and exits.\n");
    free(text);
}

// The sample is a valid file as it is, and still one when what it shows is taken.
static void test_sample(void **state)
{
    (void)state;
    char *text = printed(conf_print_sample);
    assert_non_null(strstr(text, "\n# Threads that serve calls. (1 to 64; default: 2)\n#workers = 2\n"));
    assert_non_null(strstr(text, "\n#state-dir = DIR\n"));
    assert_non_null(strstr(text, "\n# A switch.\n#test-control = off\n"));
    assert_null(strstr(text, "version"));
    write_file(text, strlen(text));
    struct conf *c = fresh();
    assert_true(READ(c, config_flag));
    assert_false(conf_given(c, "workers"));
    conf_free(c);

    for (char *p = text; (p = strstr(p, "\n#"));)
        if (*(p += 2) != ' ')
            p[-1] = ' ';
    write_file(text, strlen(text));
    c = fresh();
    assert_true(READ(c, config_flag));
    assert_true(conf_given(c, "workers"));
    assert_int_equal(conf_duration_ns(c, "trail-interval"), 300 * NS_PER_S);
    conf_free(c);
    free(text);
}

int main(void)
{
    int fd = mkstemp(path);
    snprintf(config_flag, sizeof config_flag, "--config=%s", path);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),    cmocka_unit_test(test_flags_in_both_forms),
        cmocka_unit_test(test_switches),    cmocka_unit_test(test_file_and_precedence),
        cmocka_unit_test(test_wrong_flags), cmocka_unit_test(test_wrong_files),
        cmocka_unit_test(test_actions),     cmocka_unit_test(test_help),
        cmocka_unit_test(test_sample),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    close(fd);
    unlink(path);
    return failed;
}
