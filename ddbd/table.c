// An open table: SQL on one encrypted file behind a mutex, with commits shared by all who wait for them. Called by the
// item operations (put, get, delete), by the workers' end of turn (commit) and by the catalogue (create, open, close).
// Leaves what an item is to attr_value, and where files live to the catalogue.
#include "ddbd/table.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ddbd/attr_value.h"

#define SCHEMA                                                                                                         \
    "PRAGMA application_id=0x64646264;"                                                                                \
    "PRAGMA user_version=1;"                                                                                           \
    "CREATE TABLE item (key BLOB PRIMARY KEY, item BLOB NOT NULL) WITHOUT ROWID;"                                      \
    "CREATE TABLE counts (one INTEGER PRIMARY KEY, items INTEGER NOT NULL, bytes INTEGER NOT NULL);"                   \
    "INSERT INTO counts VALUES (1, 0, 0)"

enum statement { BEGIN, COMMIT, ROLLBACK, GET, PUT, DELETE, COUNT, STATEMENTS };

static const char *const sql[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [GET] = "SELECT item FROM item WHERE key = ?1",
    [PUT] = "REPLACE INTO item VALUES (?1, ?2)",
    [DELETE] = "DELETE FROM item WHERE key = ?1",
    [COUNT] = "UPDATE counts SET items = ?1, bytes = ?2 WHERE one = 1",
};

#define FAILURES_KEPT 64

struct table {
    pthread_mutex_t mutex;
    struct page_vfs *vfs;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    struct table_stats stats;     // pending writes included
    struct table_stats committed; // as in the file
    uint64_t current;             // number of the transaction that is open or will be next; it is the ticket
    bool pending;                 // a transaction is open
    // Transactions that failed, newest last, in a ring: callers learn late.
    struct {
        uint64_t number;
        enum table_result result;
    } failures[FAILURES_KEPT];
    size_t failure_count;
    char error[200];
};

static enum table_result result_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return TABLE_OK;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return TABLE_DAMAGED;
    case SQLITE_FULL:
        return TABLE_FULL;
    case SQLITE_CANTOPEN:
        return TABLE_NO_FILE;
    case SQLITE_IOERR:
        return rc == SQLITE_IOERR_DATA || rc == SQLITE_IOERR_SHORT_READ ? TABLE_DAMAGED : TABLE_FAILED;
    default:
        return TABLE_FAILED;
    }
}

// SQLite's sentences for error codes hold no data.
static enum table_result fail(struct table *t, const char *doing, int rc)
{
    snprintf(t->error, sizeof t->error, "%s: %s (%d)", doing, sqlite3_errstr(rc), rc);
    enum table_result r = result_of(rc);
    return r == TABLE_OK || r == TABLE_NO_FILE ? TABLE_FAILED : r;
}

// Runs a statement that yields no rows.
static int step(struct table *t, enum statement s)
{
    int rc = sqlite3_step(t->statements[s]);
    int reset = sqlite3_reset(t->statements[s]);
    return rc == SQLITE_DONE ? SQLITE_OK : reset ? reset : rc;
}

static int bind(struct table *t, enum statement s, int at, struct span bytes)
{
    return sqlite3_bind_blob64(t->statements[s], at, bytes.p ? bytes.p : "", bytes.n, SQLITE_STATIC);
}

enum table_result table_create(const char *path, const unsigned char key[TABLE_KEY_SIZE],
                               const struct page_vfs_options *options)
{
    return result_of(page_vfs_create(path, key, "BEGIN;" SCHEMA ";COMMIT", options));
}

bool table_remove(const char *path)
{
    bool ok = true;
    static const char *const ends[] = {"-wal", "", ".new-wal", ".new"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char *name = sqlite3_mprintf("%s%s", path, ends[i]);
        ok = name && (unlink(name) == 0 || errno == ENOENT) && ok;
        sqlite3_free(name);
    }
    return ok;
}

static int load_counts(struct table *t)
{
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(t->db, "SELECT items, bytes FROM counts WHERE one = 1", -1, &s, NULL);
    if (rc)
        return rc;
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        t->stats.items = (uint64_t)sqlite3_column_int64(s, 0);
        t->stats.bytes = (uint64_t)sqlite3_column_int64(s, 1);
        t->committed = t->stats;
    }
    sqlite3_finalize(s);
    return rc == SQLITE_ROW ? SQLITE_OK : rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
}

static void finalize(struct table *t)
{
    for (size_t i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(t->statements[i]);
}

static void table_free(struct table *t)
{
    pthread_mutex_destroy(&t->mutex);
    free(t);
}

enum table_result table_open(const char *path, const unsigned char key[TABLE_KEY_SIZE],
                             const struct page_vfs_options *options, struct table **out)
{
    struct table *t = calloc(1, sizeof *t);
    if (!t)
        return TABLE_FAILED;
    pthread_mutex_init(&t->mutex, NULL);
    t->current = 1;
    int rc = page_vfs_open(path, key, options, &t->vfs, &t->db);
    if (rc) {
        table_free(t);
        return result_of(rc);
    }
    for (size_t i = 0; i < STATEMENTS && !rc; i++)
        rc = sqlite3_prepare_v3(t->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &t->statements[i], NULL);
    if (!rc)
        rc = load_counts(t);
    if (!rc) {
        *out = t;
        return TABLE_OK;
    }
    finalize(t);
    page_vfs_abandon(t->vfs, t->db);
    table_free(t);
    return result_of(rc);
}

// Transactions. All of this runs under the mutex.

static void end_transaction(struct table *t)
{
    t->pending = false;
    t->current++;
}

static void note_failure(struct table *t, enum table_result r)
{
    size_t at = t->failure_count++ % FAILURES_KEPT;
    t->failures[at].number = t->current;
    t->failures[at].result = r;
}

// The pending transaction is lost, for all whose writes were in it.
static void drop_transaction(struct table *t, enum table_result r)
{
    if (!sqlite3_get_autocommit(t->db))
        step(t, ROLLBACK);
    t->stats = t->committed;
    note_failure(t, r);
    end_transaction(t);
}

static int begin(struct table *t)
{
    if (t->pending)
        return SQLITE_OK;
    int rc = step(t, BEGIN);
    t->pending = rc == SQLITE_OK;
    return rc;
}

// After a failed statement in a transaction: a write that was half done, or a transaction that SQLite itself rolled
// back, takes the transaction with it.
static enum table_result write_failed(struct table *t, const char *doing, int rc)
{
    enum table_result r = fail(t, doing, rc);
    if (t->pending)
        drop_transaction(t, r);
    return r;
}

static enum table_result commit_pending(struct table *t)
{
    sqlite3_bind_int64(t->statements[COUNT], 1, (sqlite3_int64)t->stats.items);
    sqlite3_bind_int64(t->statements[COUNT], 2, (sqlite3_int64)t->stats.bytes);
    int rc = step(t, COUNT);
    if (!rc)
        rc = step(t, COMMIT);
    if (rc)
        return write_failed(t, "commit", rc);
    t->committed = t->stats;
    end_transaction(t);
    return TABLE_OK;
}

// How a transaction of the past ended. One that left the ring long ago is called failed rather than fine by guess.
static enum table_result past_result(const struct table *t, uint64_t ticket)
{
    size_t kept = t->failure_count < FAILURES_KEPT ? t->failure_count : FAILURES_KEPT;
    uint64_t oldest = UINT64_MAX;
    for (size_t i = 0; i < kept; i++) {
        if (t->failures[i].number == ticket)
            return t->failures[i].result;
        if (t->failures[i].number < oldest)
            oldest = t->failures[i].number;
    }
    return t->failure_count > FAILURES_KEPT && ticket < oldest ? TABLE_FAILED : TABLE_OK;
}

enum table_result table_commit(struct table *t, uint64_t ticket)
{
    if (!ticket)
        return TABLE_OK;
    pthread_mutex_lock(&t->mutex);
    if (t->pending && ticket >= t->current)
        commit_pending(t);
    enum table_result r = past_result(t, ticket);
    pthread_mutex_unlock(&t->mutex);
    return r;
}

// Operations.

// The item of a key: its size as DynamoDB counts it, and its bytes appended to out if that is not NULL.
static int lookup(struct table *t, struct span key, struct buf *out, bool *found, size_t *size)
{
    sqlite3_stmt *s = t->statements[GET];
    *found = false;
    int rc = bind(t, GET, 1, key);
    if (!rc)
        rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        struct span item = {sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0)};
        *found = true;
        if (!item.p)
            rc = sqlite3_errcode(t->db); // an overflow page that could not be read
        else if (out && !buf_append_span(out, item))
            rc = SQLITE_NOMEM;
        else if (size)
            *size = attr_map_size(item);
    }
    int reset = sqlite3_reset(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : reset ? reset : rc;
}

// Removes what was there from the counts; the old item goes to old.
static int take_old(struct table *t, struct span key, struct buf *old, bool *existed)
{
    size_t size = 0;
    int rc = lookup(t, key, old, existed, &size);
    if (!rc && *existed) {
        t->stats.items--;
        t->stats.bytes -= size;
    }
    return rc;
}

static int put(struct table *t, struct span key, struct span item, struct buf *old, bool *existed)
{
    int rc = begin(t);
    if (!rc)
        rc = take_old(t, key, old, existed);
    if (!rc)
        rc = bind(t, PUT, 1, key);
    if (!rc)
        rc = bind(t, PUT, 2, item);
    if (!rc)
        rc = step(t, PUT);
    if (!rc) {
        t->stats.items++;
        t->stats.bytes += attr_map_size(item);
    }
    return rc;
}

enum table_result table_put(struct table *t, struct span key, struct span item, struct buf *old, bool *existed,
                            uint64_t *ticket)
{
    bool there = false;
    pthread_mutex_lock(&t->mutex);
    int rc = put(t, key, item, old, &there);
    enum table_result r = rc ? write_failed(t, "put", rc) : TABLE_OK;
    *ticket = r == TABLE_OK ? t->current : 0;
    pthread_mutex_unlock(&t->mutex);
    if (existed)
        *existed = there;
    return r;
}

static int delete_item(struct table *t, struct span key, struct buf *old, bool *existed)
{
    int rc = begin(t);
    if (!rc)
        rc = take_old(t, key, old, existed);
    if (rc || !*existed)
        return rc;
    rc = bind(t, DELETE, 1, key);
    return rc ? rc : step(t, DELETE);
}

enum table_result table_delete(struct table *t, struct span key, struct buf *old, bool *existed, uint64_t *ticket)
{
    bool there = false;
    pthread_mutex_lock(&t->mutex);
    int rc = delete_item(t, key, old, &there);
    enum table_result r = rc ? write_failed(t, "delete", rc) : TABLE_OK;
    *ticket = r == TABLE_OK ? t->current : 0;
    pthread_mutex_unlock(&t->mutex);
    if (existed)
        *existed = there;
    return r;
}

enum table_result table_get(struct table *t, struct span key, struct buf *out, bool *found, uint64_t *ticket)
{
    pthread_mutex_lock(&t->mutex);
    int rc = lookup(t, key, out, found, NULL);
    enum table_result r = rc ? fail(t, "get", rc) : TABLE_OK;
    // A read that SQLite could not do may have cost the pending transaction.
    if (rc && t->pending && sqlite3_get_autocommit(t->db))
        drop_transaction(t, r);
    *ticket = r == TABLE_OK && t->pending ? t->current : 0;
    pthread_mutex_unlock(&t->mutex);
    return r;
}

enum table_result table_close(struct table *t)
{
    enum table_result r = t->pending ? commit_pending(t) : TABLE_OK;
    finalize(t);
    int rc = page_vfs_close(t->vfs, t->db);
    table_free(t);
    return r != TABLE_OK ? r : result_of(rc);
}

struct table_stats table_stats(struct table *t)
{
    pthread_mutex_lock(&t->mutex);
    struct table_stats s = t->stats;
    pthread_mutex_unlock(&t->mutex);
    return s;
}

void table_error(struct table *t, char *out, size_t size)
{
    pthread_mutex_lock(&t->mutex);
    snprintf(out, size, "%s", t->error);
    pthread_mutex_unlock(&t->mutex);
}
