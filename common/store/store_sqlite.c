// The store on SQLite: one WAL database, a WITHOUT ROWID table of (key, value, checksum) per store table, one
// connection. Which changes a commit takes is store_queue.c's. Called by the daemons' state modules and rpc's end of
// turn; what the bytes mean is theirs.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/base/encode.h"
#include "common/store/store.h"
#include "common/store/store_mark.h"
#include "common/store/store_queue.h"

#define APPLICATION_ID 0x6b6d7364 // "kmsd"
#define SCHEMA_VERSION 1
#define TABLES_MAX 64
#define ROOM_MARGIN (1024 * 1024)

struct store {
    const char *const *tables;
    size_t tables_n;
    char *path; // NULL: in memory, nothing below is used but that
    struct store_queue queue;
    pthread_mutex_t database; // the connection and its statements
    sqlite3 *db;
    sqlite3_stmt *begin, *commit, *rollback, *count;
    uint64_t number; // of the last commit
    int mark;        // its file; -1: none is kept
    sqlite3_stmt *put[TABLES_MAX], *remove[TABLES_MAX];
};

static bool failed(struct store *s, char *why, size_t why_size)
{
    snprintf(why, why_size, "%s: %s", s->path, s->db ? sqlite3_errmsg(s->db) : "out of memory");
    return false;
}

static bool execute(struct store *s, const char *sql)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool prepare(struct store *s, sqlite3_stmt **statement, const char *sql)
{
    return sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) == SQLITE_OK;
}

// The first column of the first row of a pragma.
static bool pragma_integer(struct store *s, const char *sql, int64_t *value)
{
    sqlite3_stmt *statement = NULL;
    bool ok = prepare(s, &statement, sql) && sqlite3_step(statement) == SQLITE_ROW;
    if (ok)
        *value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return ok;
}

static bool check_integrity(struct store *s, char *why, size_t why_size)
{
    sqlite3_stmt *statement = NULL;
    if (!prepare(s, &statement, "PRAGMA quick_check(1)") || sqlite3_step(statement) != SQLITE_ROW) {
        failed(s, why, why_size);
        sqlite3_finalize(statement);
        return false;
    }
    const char *verdict = (const char *)sqlite3_column_text(statement, 0);
    bool ok = verdict && strcmp(verdict, "ok") == 0;
    if (!ok)
        snprintf(why, why_size, "%s: the database is corrupt: %s", s->path, verdict ? verdict : "no verdict");
    sqlite3_finalize(statement);
    return ok;
}

// A database that says less than was acknowledged is left as it is, its log too.
static bool check_mark(struct store *s, char *why, size_t why_size)
{
    sqlite3_stmt *statement = NULL; // a store of before there were numbers has no such table
    if (prepare(s, &statement, "SELECT number FROM \"_commits\"") && sqlite3_step(statement) == SQLITE_ROW)
        s->number = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    if (s->mark < 0 || s->number >= store_mark_read(s->mark))
        return true;
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    snprintf(
        why, why_size,
        "%s: acknowledged changes are missing: it is older than %s-mark, or %s-wal is damaged or gone; restore it, or "
        "remove the mark to go on without them",
        s->path, s->path, s->path);
    return false;
}

// A new file becomes ours; an old one must be, in a version that this program knows.
static bool check_owner(struct store *s, char *why, size_t why_size)
{
    int64_t pages, application, version;
    if (!pragma_integer(s, "PRAGMA page_count", &pages) || !pragma_integer(s, "PRAGMA application_id", &application) ||
        !pragma_integer(s, "PRAGMA user_version", &version))
        return failed(s, why, why_size);
    // Without its log a young database is still what SQLite began with.
    if ((pages == 0 || application == 0) && !check_mark(s, why, why_size))
        return false;
    if (pages == 0)
        return true;
    if (application != APPLICATION_ID) {
        snprintf(why, why_size, "%s: a database, but not a store of this program", s->path);
        return false;
    }
    if (version != SCHEMA_VERSION) {
        snprintf(why, why_size, "%s: schema version %lld; this program knows version %d only", s->path,
                 (long long)version, SCHEMA_VERSION);
        return false;
    }
    return check_integrity(s, why, why_size) && check_mark(s, why, why_size);
}

static bool create_tables(struct store *s)
{
    char sql[256];
    for (size_t i = 0; i < s->tables_n; i++) {
        snprintf(sql, sizeof sql,
                 "CREATE TABLE IF NOT EXISTS \"%s\" (key BLOB PRIMARY KEY, value BLOB NOT NULL, sum INTEGER NOT NULL) "
                 "WITHOUT ROWID",
                 s->tables[i]);
        if (!execute(s, sql))
            return false;
    }
    if (!execute(s, "CREATE TABLE IF NOT EXISTS \"_commits\" (id INTEGER PRIMARY KEY, number INTEGER NOT NULL)"))
        return false;
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID, SCHEMA_VERSION);
    return execute(s, sql);
}

// Before anything is read: the lock is taken by the first access and kept, so no shared-memory file is needed.
static bool set_up(struct store *s, enum store_sync sync)
{
    sqlite3_extended_result_codes(s->db, 1);
    return execute(s, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -1024; PRAGMA temp_store = MEMORY; "
                      "PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON") &&
           execute(s, sync == STORE_SYNC_FULL ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
}

static bool prepare_all(struct store *s)
{
    char sql[256];
    bool ok = prepare(s, &s->begin, "BEGIN IMMEDIATE") && prepare(s, &s->commit, "COMMIT") &&
              prepare(s, &s->rollback, "ROLLBACK") &&
              prepare(s, &s->count, "INSERT OR REPLACE INTO \"_commits\" VALUES (0, ?1)");
    for (size_t i = 0; ok && i < s->tables_n; i++) {
        snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO \"%s\" VALUES (?1, ?2, ?3)", s->tables[i]);
        ok = prepare(s, &s->put[i], sql);
        snprintf(sql, sizeof sql, "DELETE FROM \"%s\" WHERE key = ?1", s->tables[i]);
        ok = ok && prepare(s, &s->remove[i], sql);
    }
    return ok;
}

static bool open_database(struct store *s, enum store_sync sync, char *why, size_t why_size)
{
    // SQLite would make the file readable by others; the write-ahead log takes its mode from it.
    int fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        snprintf(why, why_size, "%s: %s", s->path, strerror(errno));
        return false;
    }
    close(fd);
    // Without a sync at each commit the loss of power may take some back: nothing is promised that a mark could hold.
    if (sync == STORE_SYNC_FULL && (s->mark = store_mark_open(s->path)) < 0) {
        snprintf(why, why_size, "%s-mark: %s", s->path, strerror(errno));
        return false;
    }
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    if (sqlite3_open_v2(s->path, &s->db, flags, NULL) != SQLITE_OK || !set_up(s, sync))
        return failed(s, why, why_size);
    if (!check_owner(s, why, why_size))
        return false;
    if (!execute(s, "PRAGMA journal_mode = WAL") || !execute(s, "BEGIN IMMEDIATE") || !create_tables(s) ||
        !execute(s, "COMMIT") || !prepare_all(s))
        return failed(s, why, why_size);
    return true;
}

struct store *store_open(const char *path, const char *const *tables, enum store_sync sync, char *why, size_t why_size)
{
    struct store *s = calloc(1, sizeof *s);
    if (!s || (path && !(s->path = strdup(path)))) {
        snprintf(why, why_size, "out of memory");
        free(s);
        return NULL;
    }
    s->tables = tables;
    while (tables[s->tables_n])
        s->tables_n++;
    if (s->tables_n > TABLES_MAX)
        abort();
    s->mark = -1;
    store_queue_init(&s->queue);
    pthread_mutex_init(&s->database, NULL);
    if (!path || open_database(s, sync, why, why_size))
        return s;
    store_close(s);
    return NULL;
}

bool store_has_room(struct store *s)
{
    struct statvfs fs;
    return !s->path || statvfs(s->path, &fs) != 0 || (uint64_t)fs.f_bavail * fs.f_frsize >= ROOM_MARGIN;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    sqlite3_finalize(s->begin);
    sqlite3_finalize(s->commit);
    sqlite3_finalize(s->rollback);
    sqlite3_finalize(s->count);
    for (size_t i = 0; i < s->tables_n; i++) {
        sqlite3_finalize(s->put[i]);
        sqlite3_finalize(s->remove[i]);
    }
    sqlite3_close(s->db);
    if (s->mark >= 0)
        close(s->mark);
    store_queue_done(&s->queue);
    pthread_mutex_destroy(&s->database);
    free(s->path);
    free(s);
}

static size_t find_table(const struct store *s, const char *table)
{
    for (size_t i = 0; i < s->tables_n; i++)
        if (strcmp(s->tables[i], table) == 0)
            return i;
    abort(); // the list of tables is the daemon's own
}

static void queue(struct store *s, const char *table, struct span key, struct span value, bool removed)
{
    size_t index = find_table(s, table);
    if (s->path)
        store_queue_add(&s->queue, index, key, value, removed);
}

void store_hold(struct store *s)
{
    store_queue_hold(&s->queue);
}

void store_publish(struct store *s)
{
    store_queue_publish(&s->queue);
}

void store_release(struct store *s)
{
    store_queue_release(&s->queue);
}

void store_put(struct store *s, const char *table, struct span key, struct span value)
{
    queue(s, table, key, value, false);
}

void store_delete(struct store *s, const char *table, struct span key)
{
    queue(s, table, key, (struct span){0}, true);
}

bool store_dirty(struct store *s)
{
    return store_queue_dirty(&s->queue);
}

static bool run(sqlite3_stmt *statement)
{
    bool ok = sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_reset(statement);
    return ok;
}

// SQLite has no checksums of its own: a value changed on the disk would be believed.
static int64_t checksum(struct span key, struct span value)
{
    return (int64_t)((uint64_t)crc32_of(key) << 32 | crc32_of(value));
}

static bool apply(struct store *s, const struct store_change *c)
{
    sqlite3_stmt *statement = c->removed ? s->remove[c->table] : s->put[c->table];
    struct span key = {c->bytes, c->key_n}, value = {c->bytes + c->key_n, c->value_n};
    bool ok = sqlite3_bind_blob64(statement, 1, c->bytes, c->key_n, SQLITE_STATIC) == SQLITE_OK;
    if (ok && !c->removed)
        ok = sqlite3_bind_blob64(statement, 2, value.p, c->value_n, SQLITE_STATIC) == SQLITE_OK &&
             sqlite3_bind_int64(statement, 3, checksum(key, value)) == SQLITE_OK;
    return ok && run(statement);
}

static bool count(struct store *s)
{
    return sqlite3_bind_int64(s->count, 1, (int64_t)s->number + 1) == SQLITE_OK && run(s->count);
}

struct commit {
    struct store *store;
    char *why;
    size_t why_size;
};

// One transaction. Afterwards all of it is durable, or none applied.
static bool transact(void *arg, const struct store_change *c)
{
    struct commit *commit = arg;
    struct store *s = commit->store;
    pthread_mutex_lock(&s->database);
    bool ok = run(s->begin);
    for (; ok && c; c = c->next)
        ok = apply(s, c);
    ok = ok && count(s) && run(s->commit);
    if (ok) {
        s->number++;
        if (s->mark >= 0)
            store_mark_write(s->mark, s->number);
    } else {
        failed(s, commit->why, commit->why_size);
        if (!sqlite3_get_autocommit(s->db))
            run(s->rollback);
    }
    pthread_mutex_unlock(&s->database);
    return ok;
}

bool store_commit(struct store *s, char *why, size_t why_size)
{
    struct commit commit = {s, why, why_size};
    return store_queue_commit(&s->queue, transact, &commit);
}

static struct span column(sqlite3_stmt *statement, int i)
{
    const void *p = sqlite3_column_blob(statement, i); // before the length: SQLite may convert
    return (struct span){p, (size_t)sqlite3_column_bytes(statement, i)};
}

struct scan {
    bool (*each)(void *arg, struct span key, struct span value);
    void (*damaged)(void *arg, struct span key); // NULL: no record may be
    void *arg;
};

static bool scan_rows(struct store *s, sqlite3_stmt *statement, const char *table, const struct scan *scan, char *why,
                      size_t why_size)
{
    int result;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        struct span key = column(statement, 0), value = column(statement, 1);
        int64_t sum = sqlite3_column_int64(statement, 2);
        if (sum == checksum(key, value)) {
            if (!scan->each(scan->arg, key, value))
                return true;
        } else if (scan->damaged && (uint64_t)sum >> 32 == crc32_of(key)) {
            scan->damaged(scan->arg, key);
        } else {
            snprintf(why, why_size, "%s: a record of table \"%s\" is damaged", s->path, table);
            return false;
        }
    }
    return result == SQLITE_DONE || failed(s, why, why_size);
}

static bool scan_table(struct store *s, const char *table, const struct scan *scan, char *why, size_t why_size)
{
    char sql[256];
    sqlite3_stmt *statement = NULL;
    find_table(s, table);
    if (!s->path)
        return true;
    snprintf(sql, sizeof sql, "SELECT key, value, sum FROM \"%s\" ORDER BY key", table);
    pthread_mutex_lock(&s->database);
    bool ok = sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL) == SQLITE_OK || failed(s, why, why_size);
    ok = ok && scan_rows(s, statement, table, scan, why, why_size);
    sqlite3_finalize(statement);
    sqlite3_db_release_memory(s->db); // the pages of a scan are not read again
    pthread_mutex_unlock(&s->database);
    return ok;
}

bool store_scan(struct store *s, const char *table, bool (*each)(void *arg, struct span key, struct span value),
                void *arg, char *why, size_t why_size)
{
    return scan_table(s, table, &(struct scan){each, NULL, arg}, why, why_size);
}

bool store_scan_damaged(struct store *s, const char *table, bool (*each)(void *arg, struct span key, struct span value),
                        void (*damaged)(void *arg, struct span key), void *arg, char *why, size_t why_size)
{
    return scan_table(s, table, &(struct scan){each, damaged, arg}, why, why_size);
}
