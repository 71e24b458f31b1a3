// Files appear whole or not at all, once only, whoever else is at it; locks belong to one process.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/file.h"

static char dir[64], path[128];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, P_tmpdir "/test_file.XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/file", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    DIR *d = opendir(dir);
    for (struct dirent *e; (e = readdir(d));)
        unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    return rmdir(dir);
}

static size_t count_files(void)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void assert_holds(const char *expected)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    assert_true(file_read(path, &b));
    assert_string_equal(buf_str(&b), expected);
    buf_done(&b);
}

static void test_replace(void **state)
{
    (void)state;
    struct stat st;
    assert_true(file_replace(path, SPAN("first"), 0600));
    assert_holds("first");
    assert_true(file_replace(path, SPAN(""), 0644));
    assert_holds("");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_int_equal(count_files(), 1);
}

static void test_replace_failing_leaves_nothing(void **state)
{
    (void)state;
    char below[256];
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(below, sizeof below, "%s/x", path);
    assert_true(file_replace(below, SPAN("x"), 0600));
    assert_false(file_replace(path, SPAN("x"), 0600)); // a folder that is not empty
    assert_int_equal(count_files(), 1);
    unlink(below);
    rmdir(path);
    assert_false(file_replace(below, SPAN("x"), 0600));
    assert_int_equal(errno, ENOENT);
}

static void test_read_keeps_the_ceiling(void **state)
{
    (void)state;
    struct buf b;
    assert_true(file_replace(path, SPAN("12345"), 0600));
    buf_init(&b, 5);
    assert_true(file_read(path, &b));
    assert_int_equal(b.len, 5);
    buf_done(&b);
    buf_init(&b, 4);
    assert_false(file_read(path, &b));
    assert_int_equal(errno, EFBIG);
    buf_done(&b);
    buf_init(&b, 4);
    assert_false(file_read("/dev/zero", &b));
    assert_int_equal(errno, EFBIG);
    buf_done(&b);
    assert_false(file_read(dir, &b));
    assert_int_equal(errno, EISDIR);
    assert_true(file_read("/dev/null", &b));
    buf_done(&b);
}

static void test_create_once(void **state)
{
    (void)state;
    bool created;
    struct stat st;
    assert_true(file_create_once(path, SPAN("mine"), 0600, &created));
    assert_true(created);
    assert_true(file_create_once(path, SPAN("yours"), 0600, &created));
    assert_false(created);
    assert_holds("mine");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(count_files(), 1);
}

#define RACERS 8

// A racer waits for the gun, and ends with 0 when it made the file, 1 when it did not and sees it whole.
static int race(int gun, int number)
{
    char text[32], c;
    bool created;
    struct buf b;
    snprintf(text, sizeof text, "racer %d", number);
    if (read(gun, &c, 1) != 0 || !file_create_once(path, span_of(text), 0600, &created))
        return 2;
    buf_init(&b, 100);
    if (!file_read(path, &b) || b.len != strlen(text))
        return 3;
    if (created && !span_is(buf_span(&b), text))
        return 4;
    buf_done(&b);
    return created ? 0 : 1;
}

static void test_create_once_raced(void **state)
{
    (void)state;
    int gun[2], winners = 0;
    pid_t pids[RACERS];
    assert_int_equal(pipe(gun), 0);
    for (int i = 0; i < RACERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            close(gun[1]);
            _exit(race(gun[0], i));
        }
    }
    close(gun[1]); // bang
    for (int i = 0; i < RACERS; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
        winners += WEXITSTATUS(status) == 0;
    }
    close(gun[0]);
    assert_int_equal(winners, 1);
    assert_int_equal(count_files(), 1);
}

// The child takes the lock, says so, and holds it until the pipe to it closes.
static void hold_lock(int ready, int end)
{
    char c = file_lock(path) >= 0 ? 'y' : 'n';
    if (write(ready, &c, 1) != 1 || read(end, &c, 1) != 0)
        _exit(1);
    _exit(0);
}

static void test_lock(void **state)
{
    (void)state;
    int ready[2], end[2];
    char c;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(end), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(end[1]);
        hold_lock(ready[1], end[0]);
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    assert_int_equal(c, 'y');
    assert_int_equal(file_lock(path), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    close(end[1]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    int fd = file_lock(path);
    assert_true(fd >= 0);
    close(fd);
    close(ready[0]);
    close(ready[1]);
    close(end[0]);
}

static void test_mkdirs(void **state)
{
    (void)state;
    char deep[256];
    struct stat st;
    snprintf(deep, sizeof deep, "%s/file/a//b/", dir);
    assert_true(file_mkdirs(deep));
    assert_true(file_mkdirs(deep));
    assert_int_equal(stat(deep, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_true(file_sync_dir(deep));
    rmdir(deep);
    snprintf(deep, sizeof deep, "%s/file/a", dir);
    rmdir(deep);
    rmdir(path);
    assert_true(file_replace(path, SPAN(""), 0600));
    assert_false(file_mkdirs(path));
    assert_int_equal(errno, ENOTDIR);
    assert_false(file_mkdirs(deep));
    assert_int_equal(errno, ENOTDIR);
    assert_false(file_mkdirs(""));
    assert_false(file_sync_dir(path));
}

static void test_write_all_tells_failure(void **state)
{
    (void)state;
    int fd = open("/dev/full", O_WRONLY);
    assert_true(fd >= 0);
    assert_false(file_write_all(fd, SPAN("x")));
    assert_int_equal(errno, ENOSPC);
    assert_true(file_write_all(fd, SPAN("")));
    close(fd);
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(test_replace),
        IN_DIR(test_replace_failing_leaves_nothing),
        IN_DIR(test_read_keeps_the_ceiling),
        IN_DIR(test_create_once),
        IN_DIR(test_create_once_raced),
        IN_DIR(test_lock),
        IN_DIR(test_mkdirs),
        IN_DIR(test_write_all_tells_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
