// See table_fixture.h.
#include "tests/unit/ddbd/table_fixture.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/file.h"
#include "ddbd/attr_internal.h"

const unsigned char fixture_key[TABLE_KEY_SIZE] = "a data encryption key, 32 bytes";

static char folder[64];

int fixture_enter(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "table-test-XXXXXX");
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

int fixture_clean(void **state)
{
    (void)state;
    DIR *d = opendir(".");
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.')
            unlink(e->d_name);
    closedir(d);
    return 0;
}

int fixture_leave(void **state)
{
    fixture_clean(state);
    return chdir("..") == 0 ? rmdir(folder) : -1;
}

void fixture_item(int n, const char *text, struct buf *item)
{
    char key[32];
    buf_init(item, 1 << 20);
    attr_write_varint(item, 2);
    attr_write_string(item, SPAN("partition-name"));
    buf_append_char(item, ATTR_S);
    attr_write_string(item, fixture_key_bytes(n, key));
    attr_write_string(item, SPAN("data-name"));
    buf_append_char(item, ATTR_S);
    attr_write_string(item, span_of(text));
}

struct span fixture_key_bytes(int n, char out[32])
{
    return (struct span){out, (size_t)snprintf(out, 32, "key-%08d", n)};
}

struct table *fixture_open(const struct page_vfs_options *options)
{
    struct table *t = NULL;
    if (!fixture_exists(FIXTURE_PATH))
        assert_int_equal(table_create(FIXTURE_PATH, fixture_key, options), TABLE_OK);
    assert_int_equal(table_open(FIXTURE_PATH, fixture_key, options, &t), TABLE_OK);
    return t;
}

enum table_result fixture_put(struct table *t, int n, const char *text, uint64_t *ticket)
{
    struct buf item;
    char key[32];
    fixture_item(n, text, &item);
    enum table_result r = table_put(t, fixture_key_bytes(n, key), buf_span(&item), NULL, NULL, ticket);
    buf_done(&item);
    return r;
}

void fixture_put_commit(struct table *t, int n, const char *text)
{
    uint64_t ticket;
    assert_int_equal(fixture_put(t, n, text, &ticket), TABLE_OK);
    assert_int_equal(table_commit(t, ticket), TABLE_OK);
}

int fixture_get(struct table *t, int n, const char *text)
{
    struct buf got, want;
    char key[32];
    bool found = false;
    uint64_t ticket;
    buf_init(&got, 1 << 20);
    fixture_item(n, text, &want);
    enum table_result r = table_get(t, fixture_key_bytes(n, key), &got, &found, &ticket);
    int answer = r != TABLE_OK ? -1 : !found ? 0 : span_eq(buf_span(&got), buf_span(&want)) ? 1 : -2;
    buf_done(&got);
    buf_done(&want);
    return answer;
}

struct buf fixture_read(const char *path)
{
    struct buf b;
    buf_init(&b, 64 << 20);
    assert_true(file_read(path, &b));
    return b;
}

void fixture_write(const char *path, struct span bytes)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes.p, 1, bytes.n, f), bytes.n);
    assert_int_equal(fclose(f), 0);
}

bool fixture_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

long fixture_fail_after = -1;
size_t fixture_unwiped;

static sqlite3_mem_methods plain;

static void *failing_malloc(int n)
{
    if (fixture_fail_after == 0)
        return NULL;
    if (fixture_fail_after > 0)
        fixture_fail_after--;
    return plain.xMalloc(n);
}

static void watching_free(void *p)
{
    const char *bytes = p;
    for (int i = p ? plain.xSize(p) : 0; i-- > 0;)
        fixture_unwiped += bytes[i] != 0;
    plain.xFree(p);
}

void fixture_memory(void)
{
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain);
    sqlite3_mem_methods ours = plain;
    ours.xMalloc = failing_malloc;
    ours.xFree = watching_free;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &ours);
    page_vfs_setup();
}
