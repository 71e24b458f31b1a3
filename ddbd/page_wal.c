// The write-ahead log as SQLite sees it: frames sealed, header and page in one piece, and counted by the mark. Called
// by SQLite through page_wal_methods, and by page_vfs.c before a log is shown to SQLite.
//
// Relies on two things that page_vfs.c sees to: pages are never spilled within a transaction (so a frame is written
// once, header first, page next), and one connection uses the file.
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ddbd/page_internal.h"

#define AAD_SIZE (1 + PAGE_ID + 4 + PAGE_FRAME_PLAIN)

static size_t frame_size(const struct page_vfs *v)
{
    return PAGE_FRAME_HEADER + v->page_size;
}

static sqlite3_int64 frame_at(const struct page_vfs *v, uint64_t frame)
{
    return PAGE_WAL_HEADER + (sqlite3_int64)((frame - 1) * frame_size(v));
}

static struct span frame_aad(const struct page_vfs *v, uint64_t frame, const unsigned char *header,
                             unsigned char aad[AAD_SIZE])
{
    aad[0] = 'W';
    memcpy(aad + 1, v->id, PAGE_ID);
    for (int i = 0; i < 4; i++)
        aad[1 + PAGE_ID + i] = (unsigned char)(frame >> (8 * i));
    memcpy(aad + 1 + PAGE_ID + 4, header, PAGE_FRAME_PLAIN);
    return (struct span){(char *)aad, AAD_SIZE};
}

// Opens a frame's bytes in place.
static bool open_frame(struct page_vfs *v, uint64_t frame, unsigned char *bytes)
{
    unsigned char aad[AAD_SIZE], *page = bytes + PAGE_FRAME_HEADER;
    size_t text = v->page_size - PAGE_SEAL_SIZE;
    struct span a = frame_aad(v, frame, bytes, aad);
    bool ok = page_seal_open(&v->seal, a, bytes + PAGE_FRAME_PLAIN, PAGE_FRAME_HEADER - PAGE_FRAME_PLAIN, page, text,
                             page + text);
    memset(page + text, 0, PAGE_SEAL_SIZE);
    return ok;
}

static int read_frame(struct page_file *f, uint64_t frame, unsigned char *to)
{
    struct page_vfs *v = f->v;
    int rc = f->real->pMethods->xRead(f->real, to, (int)frame_size(v), frame_at(v, frame));
    if (rc)
        return rc;
    return open_frame(v, frame, to) ? SQLITE_OK : SQLITE_IOERR_DATA;
}

// Which frame begins (rest 0) or has its page (rest 24) at this offset; 0: none.
static uint64_t frame_of(const struct page_vfs *v, sqlite3_int64 at, size_t rest)
{
    uint64_t from = (uint64_t)at - PAGE_WAL_HEADER - rest;
    return at < (sqlite3_int64)(PAGE_WAL_HEADER + rest) || from % frame_size(v) ? 0 : from / frame_size(v) + 1;
}

// Recovery reads whole frames until one does not check out. One beyond the mark that cannot be opened is the torn tail
// of a commit that nobody saw acknowledged: SQLite is shown zeros, which it takes for the end.
static int read_whole(struct page_file *f, uint64_t frame, unsigned char *to)
{
    int rc = read_frame(f, frame, to);
    if (rc == SQLITE_IOERR_DATA && frame > f->v->binding) {
        memset(to, 0, frame_size(f->v));
        return SQLITE_OK;
    }
    return rc;
}

static int wal_read(sqlite3_file *file, void *to, int n, sqlite3_int64 at)
{
    struct page_file *f = page_file_of(file);
    struct page_vfs *v = f->v;
    if (at == 0 && n == PAGE_WAL_HEADER)
        return f->real->pMethods->xRead(f->real, to, n, at);
    uint64_t frame = n == (int)frame_size(v) ? frame_of(v, at, 0) : 0;
    if (frame)
        return read_whole(f, frame, to);
    frame = n == (int)v->page_size ? frame_of(v, at, PAGE_FRAME_HEADER) : 0;
    if (!frame)
        return SQLITE_IOERR_READ;
    int rc = read_frame(f, frame, v->frame);
    if (rc == SQLITE_OK)
        memcpy(to, v->frame + PAGE_FRAME_HEADER, v->page_size);
    OPENSSL_cleanse(v->frame, frame_size(v));
    return rc == SQLITE_IOERR_SHORT_READ ? SQLITE_IOERR_DATA : rc;
}

static bool all_zero(const unsigned char *p, size_t n)
{
    unsigned char any = 0;
    while (n)
        any |= p[--n];
    return any == 0;
}

static int seal_frame(struct page_vfs *v, uint64_t frame, const unsigned char *page)
{
    size_t text = v->page_size - PAGE_SEAL_SIZE;
    // SQLite's checksum counts the reserved bytes, which come back as zeros.
    if (!all_zero(page + text, PAGE_SEAL_SIZE))
        return SQLITE_IOERR_WRITE;
    unsigned char aad[AAD_SIZE], *out = v->frame + PAGE_FRAME_HEADER;
    struct span a = frame_aad(v, frame, v->header, aad);
    struct span checksum = {(char *)v->header + PAGE_FRAME_PLAIN, PAGE_FRAME_HEADER - PAGE_FRAME_PLAIN};
    memcpy(v->frame, v->header, PAGE_FRAME_PLAIN);
    return page_seal_close(&v->seal, a, checksum, v->frame + PAGE_FRAME_PLAIN, (struct span){(const char *)page, text},
                           out, out + text)
               ? SQLITE_OK
               : SQLITE_IOERR_WRITE;
}

static bool is_commit(const unsigned char *header)
{
    return header[4] || header[5] || header[6] || header[7];
}

// A frame that the mark counts is about to be replaced: only after a commit that failed behind our back.
static int lower_mark(struct page_vfs *v, uint64_t frame)
{
    if (frame > v->mark.frames)
        return SQLITE_OK;
    v->mark.frames = frame - 1;
    if (v->mark.synced > v->mark.frames)
        v->mark.synced = v->mark.frames;
    return page_mark_write(v);
}

static int write_frame(struct page_file *f, uint64_t frame, const unsigned char *page)
{
    struct page_vfs *v = f->v;
    int rc = lower_mark(v, frame);
    if (!rc)
        rc = seal_frame(v, frame, page);
    if (!rc)
        rc = f->real->pMethods->xWrite(f->real, v->frame, (int)frame_size(v), frame_at(v, frame));
    if (rc || !is_commit(v->header))
        return rc;
    v->committed = frame;
    if (v->sync == PAGE_VFS_SYNC_COMMIT)
        return SQLITE_OK; // counted once it is synced
    v->mark.frames = frame;
    return page_mark_write(v);
}

static int wal_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 at)
{
    struct page_file *f = page_file_of(file);
    struct page_vfs *v = f->v;
    uint64_t waiting = v->header_frame;
    v->header_frame = 0;
    if (at == 0 && n == PAGE_WAL_HEADER) {
        // SQLite begins the log anew: everything in it is in the main file, and synced there.
        int rc = page_mark_empty(v, from);
        return rc ? rc : f->real->pMethods->xWrite(f->real, from, n, at);
    }
    if (n == PAGE_FRAME_HEADER && !waiting && frame_of(v, at, 0)) {
        memcpy(v->header, from, PAGE_FRAME_HEADER);
        v->header_frame = frame_of(v, at, 0);
        return SQLITE_OK;
    }
    if (n == (int)v->page_size && waiting && waiting == frame_of(v, at, PAGE_FRAME_HEADER))
        return write_frame(f, waiting, from);
    return SQLITE_IOERR_WRITE;
}

static int wal_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct page_file *f = page_file_of(file);
    int rc = SQLITE_OK;
    if (size < frame_at(f->v, f->v->mark.frames + 1))
        rc = size ? SQLITE_IOERR_TRUNCATE : page_mark_empty(f->v, NULL);
    return rc ? rc : f->real->pMethods->xTruncate(f->real, size);
}

static int wal_sync(sqlite3_file *file, int flags)
{
    struct page_file *f = page_file_of(file);
    struct page_vfs *v = f->v;
    int rc = f->real->pMethods->xSync(f->real, flags);
    if (rc || v->mark.synced == v->committed)
        return rc;
    v->mark.frames = v->mark.synced = v->committed;
    return page_mark_write(v);
}

static int wal_size(sqlite3_file *file, sqlite3_int64 *size)
{
    struct page_file *f = page_file_of(file);
    return f->real->pMethods->xFileSize(f->real, size);
}

const sqlite3_io_methods page_wal_methods = {
    .iVersion = 1,
    .xClose = page_file_close,
    .xRead = wal_read,
    .xWrite = wal_write,
    .xTruncate = wal_truncate,
    .xSync = wal_sync,
    .xFileSize = wal_size,
    .xLock = page_file_lock,
    .xUnlock = page_file_unlock,
    .xCheckReservedLock = page_file_check_lock,
    .xFileControl = page_file_control,
    .xSectorSize = page_file_sector_size,
    .xDeviceCharacteristics = page_file_characteristics,
};

static bool pread_all(int fd, unsigned char *to, size_t n, off_t at)
{
    return pread(fd, to, n, at) == (ssize_t)n;
}

// The frames that the mark counts, one by one.
static int verify_frames(struct page_vfs *v, int fd, const unsigned char *wal_header)
{
    int rc = SQLITE_OK;
    for (uint64_t frame = 1; frame <= v->binding && rc == SQLITE_OK; frame++) {
        // The salts tie a frame to the log's header; they are what SQLite looks at first.
        if (!pread_all(fd, v->frame, frame_size(v), frame_at(v, frame)) ||
            memcmp(v->frame + 8, wal_header + 16, 8) != 0 || !open_frame(v, frame, v->frame))
            rc = SQLITE_IOERR_DATA;
    }
    OPENSSL_cleanse(v->frame, frame_size(v));
    return rc;
}

int page_wal_verify(struct page_vfs *v)
{
    char path[4096];
    sqlite3_snprintf(sizeof path, path, "%s-wal", v->path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return v->binding ? SQLITE_IOERR_DATA : SQLITE_OK;
    unsigned char header[PAGE_WAL_HEADER];
    int rc;
    if (pread_all(fd, header, sizeof header, 0) && memcmp(header, v->mark.wal_header, sizeof header) == 0) {
        v->mark.frames = v->committed = v->binding;
        rc = verify_frames(v, fd, header);
    } else if (v->binding)
        rc = SQLITE_IOERR_DATA;
    else // the log of a finished checkpoint: SQLite must not replay a part of it over newer pages
        rc = ftruncate(fd, 0) == 0 ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
    close(fd);
    return rc;
}
