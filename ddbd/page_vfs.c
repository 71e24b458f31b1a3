// Encrypted SQLite files: opening, creating, closing. Called by table.c. The VFS object of a file holds its key
// schedule and layout (page_internal.h); page_db.c and page_wal.c are the two kinds of file that SQLite may open
// through it. Every other kind (rollback journal, temporary files) is refused: journal_mode is WAL and temp_store is
// memory.
//
// What is detected: any changed byte of a page or frame that is read, also pages exchanged or moved, within a file or
// between files and tables; any changed byte of a frame that holds an acknowledged commit, a log that was cut off,
// removed or exchanged; any changed byte of block 0. What is not: the replacement of a page, or of the whole set of
// files, by an older copy of itself (there is nowhere to remember a root of all pages); changes to bytes that SQLite
// never reads (free pages, the old end of the log), which change nothing; frames behind the mark are taken for a torn
// tail, as SQLite does.
#include "ddbd/page_vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file.h"
#include "ddbd/page_internal.h"

// Measured with 200-byte items, random keys, 64 puts a commit: 8192-byte pages cost a fifth of the puts; 4000 pages
// between checkpoints give a third more puts than 1000, for 16 MiB of log.
#define DEFAULT_PAGE_SIZE 4096
#define DEFAULT_CACHE_KIB 8192
#define DEFAULT_CHECKPOINT_PAGES 4000

static sqlite3_mem_methods plain_memory;

static void wiping_free(void *p)
{
    if (p)
        explicit_bzero(p, (size_t)plain_memory.xSize(p));
    plain_memory.xFree(p);
}

static void *wiping_realloc(void *p, int n)
{
    int old = plain_memory.xSize(p);
    void *to = plain_memory.xMalloc(n);
    if (!to)
        return NULL;
    memcpy(to, p, (size_t)(old < n ? old : n));
    wiping_free(p);
    return to;
}

void page_vfs_setup(void)
{
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain_memory);
    sqlite3_mem_methods wiping = plain_memory;
    wiping.xFree = wiping_free;
    wiping.xRealloc = wiping_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &wiping);
}

static struct page_vfs *of(sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

// Block 0 and the log are looked at before SQLite asks for anything.
static int open_main(struct page_vfs *v, struct page_file *f)
{
    v->db = f->real;
    if (v->creating)
        return page_block_create(v);
    int rc = page_block_read(v);
    if (rc)
        return rc;
    sqlite3_int64 size;
    rc = f->real->pMethods->xFileSize(f->real, &size);
    if (rc)
        return rc;
    if (size < PAGE_BLOCK + (sqlite3_int64)v->page_size)
        return SQLITE_IOERR_DATA; // SQLite would start an empty database
    v->frame = sqlite3_malloc((int)(PAGE_FRAME_HEADER + v->page_size));
    return v->frame ? page_wal_verify(v) : SQLITE_NOMEM;
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags)
{
    struct page_vfs *v = of(vfs);
    struct page_file *f = page_file_of(file);
    f->base.pMethods = NULL;
    bool is_main = flags & SQLITE_OPEN_MAIN_DB, is_wal = flags & SQLITE_OPEN_WAL;
    if (!path || (!is_main && !is_wal) || (is_main && v->db) || (is_wal && !v->db))
        return SQLITE_CANTOPEN;
    f->v = v;
    f->real = (sqlite3_file *)(void *)(f + 1);
    int rc = v->real->xOpen(v->real, path, f->real, flags, out_flags);
    if (rc == SQLITE_OK && is_main)
        rc = open_main(v, f);
    if (rc == SQLITE_OK) {
        f->base.pMethods = is_main ? &page_db_methods : &page_wal_methods;
    } else if (f->real->pMethods) {
        f->real->pMethods->xClose(f->real);
        if (is_main)
            v->db = NULL;
    }
    return rc;
}

static bool ends_with(const char *text, const char *end)
{
    return span_ends(span_of(text), end);
}

// SQLite removes a log only when the main file has everything.
static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_dir)
{
    struct page_vfs *v = of(vfs);
    if (v->db && ends_with(path, "-wal")) {
        int rc = page_mark_empty(v, NULL);
        if (rc)
            return rc;
    }
    return v->real->xDelete(v->real, path, sync_dir);
}

// A rollback journal is never ours, whoever put it there.
static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    struct page_vfs *v = of(vfs);
    if (ends_with(path, "-journal")) {
        *out = 0;
        return SQLITE_OK;
    }
    return v->real->xAccess(v->real, path, flags, out);
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int n, char *out)
{
    struct page_vfs *v = of(vfs);
    return v->real->xFullPathname(v->real, path, n, out);
}

static struct page_vfs *vfs_new(const char *path, const unsigned char key[PAGE_VFS_KEY_SIZE],
                                const struct page_vfs_options *o, bool creating)
{
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    struct page_vfs *v = real ? sqlite3_malloc(sizeof *v) : NULL;
    if (!v)
        return NULL;
    *v = (struct page_vfs){.real = real, .creating = creating, .sync = o->sync};
    v->page_size = (uint32_t)(o->page_size ? o->page_size : DEFAULT_PAGE_SIZE);
    v->vfs = *real;
    v->vfs.iVersion = 2;
    v->vfs.szOsFile = (int)sizeof(struct page_file) + real->szOsFile;
    v->vfs.pAppData = v;
    v->vfs.xOpen = vfs_open;
    v->vfs.xDelete = vfs_delete;
    v->vfs.xAccess = vfs_access;
    v->vfs.xFullPathname = vfs_full_path;
    v->vfs.pNext = NULL;
    snprintf(v->name, sizeof v->name, "ddbd-%p", (void *)v);
    v->vfs.zName = v->name;
    page_boot_id(v->boot);
    v->path = sqlite3_mprintf("%s", path);
    if (creating)
        v->frame = sqlite3_malloc((int)(PAGE_FRAME_HEADER + v->page_size));
    if (!v->path || (creating && !v->frame) || !page_seal_init(&v->seal, key) ||
        sqlite3_vfs_register(&v->vfs, 0) != SQLITE_OK) {
        page_seal_done(&v->seal);
        sqlite3_free(v->frame);
        sqlite3_free(v->path);
        sqlite3_free(v);
        return NULL;
    }
    return v;
}

static void vfs_free(struct page_vfs *v)
{
    sqlite3_vfs_unregister(&v->vfs);
    page_seal_done(&v->seal);
    sqlite3_free(v->frame);
    sqlite3_free(v->path);
    OPENSSL_cleanse(v, sizeof *v);
    sqlite3_free(v);
}

static int run(sqlite3 *db, const char *format, int value)
{
    char sql[200];
    sqlite3_snprintf(sizeof sql, sql, format, value);
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

// cache_spill: a page that left the cache before the commit would be written to the log twice, which page_wal.c
// refuses.
static int configure(sqlite3 *db, const struct page_vfs_options *o)
{
    int rc = run(db,
                 "PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY; PRAGMA cache_spill=OFF; "
                 "PRAGMA secure_delete=OFF; PRAGMA mmap_size=0; PRAGMA cache_size=-%d",
                 o->cache_kib ? o->cache_kib : DEFAULT_CACHE_KIB);
    if (!rc)
        rc = run(db, "PRAGMA synchronous=%d", o->sync == PAGE_VFS_SYNC_COMMIT ? 2 : 1);
    if (!rc)
        rc = run(db, "PRAGMA wal_autocheckpoint=%d",
                 o->checkpoint_pages ? o->checkpoint_pages : DEFAULT_CHECKPOINT_PAGES);
    return rc;
}

static int open_db(struct page_vfs *v, const struct page_vfs_options *o, sqlite3 **db)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(v->path, db, flags | (v->creating ? SQLITE_OPEN_CREATE : 0), v->name);
    if (!rc)
        rc = configure(*db, o);
    return rc;
}

static const struct page_vfs_options defaults;

int page_vfs_open(const char *path, const unsigned char key[PAGE_VFS_KEY_SIZE], const struct page_vfs_options *options,
                  struct page_vfs **vfs, sqlite3 **db)
{
    const struct page_vfs_options *o = options ? options : &defaults;
    if (access(path, F_OK) != 0)
        return SQLITE_CANTOPEN;
    struct page_vfs *v = vfs_new(path, key, o, false);
    if (!v)
        return SQLITE_NOMEM;
    sqlite3 *opened = NULL;
    int rc = open_db(v, o, &opened);
    if (!rc) // the first read: takes the lock, replays the log
        rc = sqlite3_exec(opened, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
    if (rc) {
        page_vfs_abandon(v, opened);
        return rc;
    }
    *vfs = v;
    *db = opened;
    return SQLITE_OK;
}

static int build(struct page_vfs *v, const char *schema_sql, const struct page_vfs_options *o)
{
    sqlite3 *db = NULL;
    int reserve = PAGE_SEAL_SIZE;
    int rc = open_db(v, o, &db);
    if (!rc)
        rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserve);
    if (!rc)
        rc = run(db, "PRAGMA page_size=%d; PRAGMA journal_mode=MEMORY; PRAGMA journal_mode=WAL", (int)v->page_size);
    if (!rc)
        rc = sqlite3_exec(db, schema_sql, NULL, NULL, NULL);
    if (!rc)
        return page_vfs_close(v, db);
    page_vfs_abandon(v, db);
    return rc;
}

// The finished file gets its name only now, and the folder is synced, so that a table that was reported is there.
static int publish(const char *temporary, const char *path)
{
    char *folder = sqlite3_mprintf("%s", path);
    if (!folder)
        return SQLITE_NOMEM;
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    int failed = chmod(temporary, 0600);
    if (!failed)
        failed = renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE);
    if (failed && (errno == EINVAL || errno == ENOSYS)) // a file system without the flag; page_vfs_create() looked
        failed = rename(temporary, path);
    int error = failed ? errno : 0;
    if (failed)
        unlink(temporary);
    else if (!file_sync_dir(slash ? folder : "."))
        error = EIO;
    sqlite3_free(folder);
    return !error ? SQLITE_OK : error == EEXIST ? SQLITE_CANTOPEN : SQLITE_IOERR;
}

static void remove_temporary(const char *temporary)
{
    char *log = sqlite3_mprintf("%s-wal", temporary);
    unlink(temporary);
    if (log)
        unlink(log);
    sqlite3_free(log);
}

int page_vfs_create(const char *path, const unsigned char key[PAGE_VFS_KEY_SIZE], const char *schema_sql,
                    const struct page_vfs_options *options)
{
    const struct page_vfs_options *o = options ? options : &defaults;
    if (access(path, F_OK) == 0)
        return SQLITE_CANTOPEN;
    char *temporary = sqlite3_mprintf("%s.new", path);
    if (!temporary)
        return SQLITE_NOMEM;
    remove_temporary(temporary);
    struct page_vfs *v = vfs_new(temporary, key, o, true);
    int rc = v ? build(v, schema_sql, o) : SQLITE_NOMEM;
    if (!rc)
        rc = publish(temporary, path);
    else
        remove_temporary(temporary);
    sqlite3_free(temporary);
    return rc;
}

int page_vfs_close(struct page_vfs *v, sqlite3 *db)
{
    int rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    int closed = sqlite3_close(db);
    vfs_free(v);
    return rc ? rc : closed;
}

void page_vfs_abandon(struct page_vfs *v, sqlite3 *db)
{
    if (db) {
        sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        sqlite3_close(db);
    }
    vfs_free(v);
}
