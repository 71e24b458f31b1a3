// The main file as SQLite sees it: pages opened as they are read and sealed as they are written. Called by SQLite
// through page_db_methods. Locks and the like go to SQLite's own file.
#include <string.h>

#include "ddbd/page_internal.h"

#define AAD_SIZE (1 + PAGE_ID + 4)

static struct span page_aad(const struct page_vfs *v, uint32_t page, unsigned char aad[AAD_SIZE])
{
    aad[0] = 'D';
    memcpy(aad + 1, v->id, PAGE_ID);
    for (int i = 0; i < 4; i++)
        aad[1 + PAGE_ID + i] = (unsigned char)(page >> (8 * i));
    return (struct span){(char *)aad, AAD_SIZE};
}

// One whole page to `to`. The reserved bytes come back as zeros: SQLite leaves them alone, and its WAL checksum counts
// them.
static int read_page(struct page_file *f, uint32_t page, unsigned char *to)
{
    struct page_vfs *v = f->v;
    sqlite3_int64 at = PAGE_BLOCK + (sqlite3_int64)(page - 1) * v->page_size;
    int rc = f->real->pMethods->xRead(f->real, to, (int)v->page_size, at);
    if (rc == SQLITE_IOERR_SHORT_READ) {
        sqlite3_int64 size = 0;
        if (f->real->pMethods->xFileSize(f->real, &size) || size > at)
            return SQLITE_IOERR_DATA; // a torn page; a whole one is in the WAL, or it was never committed
        memset(to, 0, v->page_size);
        return rc;
    }
    if (rc)
        return rc;
    unsigned char aad[AAD_SIZE], *trailer = to + v->page_size - PAGE_SEAL_SIZE;
    if (!page_seal_open(&v->seal, page_aad(v, page, aad), to, v->page_size - PAGE_SEAL_SIZE, NULL, 0, trailer)) {
        memset(to, 0, v->page_size);
        return SQLITE_IOERR_DATA;
    }
    memset(trailer, 0, PAGE_SEAL_SIZE);
    return SQLITE_OK;
}

// When a crash tore page 1 during a checkpoint, a whole one is in the WAL, which SQLite reads after it has looked here
// for the page's size. These are the only facts it takes from this look; the page itself is read (and opened) later.
static void minimal_header(const struct page_vfs *v, unsigned char *to, size_t n)
{
    unsigned char header[100] = "SQLite format 3";
    header[16] = (unsigned char)(v->page_size == 65536 ? 0 : v->page_size >> 8);
    header[17] = (unsigned char)(v->page_size == 65536 ? 1 : v->page_size);
    header[18] = header[19] = 2;
    header[20] = PAGE_SEAL_SIZE;
    memcpy(to, header, n);
}

static int db_read(sqlite3_file *file, void *to, int n, sqlite3_int64 at)
{
    struct page_file *f = page_file_of(file);
    struct page_vfs *v = f->v;
    if (n == (int)v->page_size && at % n == 0)
        return read_page(f, (uint32_t)(at / n) + 1, to);
    // Parts of the file's header, before SQLite knows the page size.
    if (at + n > 100)
        return SQLITE_IOERR_READ;
    unsigned char *page = v->frame;
    int rc = read_page(f, 1, page);
    if (rc == SQLITE_IOERR_DATA && v->binding && at == 0) {
        minimal_header(v, to, (size_t)n);
        return SQLITE_OK;
    }
    memcpy(to, page + at, (size_t)n);
    OPENSSL_cleanse(page, v->page_size);
    return rc;
}

static int db_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 at)
{
    struct page_file *f = page_file_of(file);
    struct page_vfs *v = f->v;
    if (n != (int)v->page_size || at % n)
        return SQLITE_IOERR_WRITE;
    unsigned char aad[AAD_SIZE];
    struct span text = {from, v->page_size - PAGE_SEAL_SIZE};
    if (!page_seal_close(&v->seal, page_aad(v, (uint32_t)(at / n) + 1, aad), text, v->frame, (struct span){0}, NULL,
                         v->frame + text.n))
        return SQLITE_IOERR_WRITE;
    return f->real->pMethods->xWrite(f->real, v->frame, n, PAGE_BLOCK + at);
}

static int db_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct page_file *f = page_file_of(file);
    return f->real->pMethods->xTruncate(f->real, PAGE_BLOCK + size);
}

static int db_size(sqlite3_file *file, sqlite3_int64 *size)
{
    struct page_file *f = page_file_of(file);
    int rc = f->real->pMethods->xFileSize(f->real, size);
    *size = rc || *size < PAGE_BLOCK ? 0 : *size - PAGE_BLOCK;
    return rc;
}

static int db_sync(sqlite3_file *file, int flags)
{
    struct page_file *f = page_file_of(file);
    return f->real->pMethods->xSync(f->real, flags);
}

int page_file_close(sqlite3_file *file)
{
    struct page_file *f = page_file_of(file);
    if (f->v->db == f->real)
        f->v->db = NULL;
    return f->real->pMethods->xClose(f->real);
}

int page_file_lock(sqlite3_file *file, int level)
{
    struct page_file *f = page_file_of(file);
    return f->real->pMethods->xLock(f->real, level);
}

int page_file_unlock(sqlite3_file *file, int level)
{
    struct page_file *f = page_file_of(file);
    return f->real->pMethods->xUnlock(f->real, level);
}

int page_file_check_lock(sqlite3_file *file, int *out)
{
    struct page_file *f = page_file_of(file);
    return f->real->pMethods->xCheckReservedLock(f->real, out);
}

// Nothing that would bypass the methods above (memory maps, sizes in plain offsets) reaches the real file.
int page_file_control(sqlite3_file *file, int op, void *arg)
{
    struct page_file *f = page_file_of(file);
    if (op == SQLITE_FCNTL_PERSIST_WAL || op == SQLITE_FCNTL_POWERSAFE_OVERWRITE || op == SQLITE_FCNTL_LOCKSTATE ||
        op == SQLITE_FCNTL_LAST_ERRNO || op == SQLITE_FCNTL_HAS_MOVED)
        return f->real->pMethods->xFileControl(f->real, op, arg);
    return SQLITE_NOTFOUND;
}

int page_file_sector_size(sqlite3_file *file)
{
    struct page_file *f = page_file_of(file);
    return f->real->pMethods->xSectorSize(f->real);
}

// Frames are written in one piece, so SQLite must not pad or split them for small sectors.
int page_file_characteristics(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

const sqlite3_io_methods page_db_methods = {
    .iVersion = 1, // no shared memory, no memory map: SQLite then insists on exclusive mode
    .xClose = page_file_close,
    .xRead = db_read,
    .xWrite = db_write,
    .xTruncate = db_truncate,
    .xSync = db_sync,
    .xFileSize = db_size,
    .xLock = page_file_lock,
    .xUnlock = page_file_unlock,
    .xCheckReservedLock = page_file_check_lock,
    .xFileControl = page_file_control,
    .xSectorSize = page_file_sector_size,
    .xDeviceCharacteristics = page_file_characteristics,
};
