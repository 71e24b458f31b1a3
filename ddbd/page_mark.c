// Block 0 of an encrypted file and the mark in it. Called by page_vfs.c (open, create), page_wal.c (commits).
//
// The mark is what tells damage from a torn tail: SQLite takes the first frame that does not check out for the end of
// the log, so one changed byte would silently undo all commits behind it. Frames that the mark counts must be there. A
// mark of an earlier start of the machine binds only as far as frames were synced, since the loss of power may have
// taken the rest.
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/base/encode.h"
#include "common/base/rng.h"
#include "ddbd/page_internal.h"

#define MAGIC "ddbd table 1\r\n\0\0"
#define HEAD 36 // magic, id, page size
#define MARK_AT 512
#define MARK_PLAIN (PAGE_WAL_HEADER + 8 + 8 + PAGE_ID)
#define MARK_SEALED (PAGE_SEAL_SIZE + MARK_PLAIN)

static void put_le(unsigned char *to, uint64_t v, int n)
{
    for (int i = 0; i < n; i++)
        to[i] = (unsigned char)(v >> (8 * i));
}

static uint64_t get_le(const unsigned char *from, int n)
{
    uint64_t v = 0;
    for (int i = n; i-- > 0;)
        v = v << 8 | from[i];
    return v;
}

static void make_head(const struct page_vfs *v, unsigned char head[HEAD])
{
    memcpy(head, MAGIC, 16);
    memcpy(head + 16, v->id, PAGE_ID);
    put_le(head + 32, v->page_size, 4);
}

static void make_aad(const struct page_vfs *v, unsigned char aad[1 + HEAD])
{
    aad[0] = 'M';
    make_head(v, aad + 1);
}

static int seal_mark(struct page_vfs *v, unsigned char out[MARK_SEALED])
{
    unsigned char plain[MARK_PLAIN], aad[1 + HEAD];
    memcpy(plain, v->mark.wal_header, PAGE_WAL_HEADER);
    put_le(plain + PAGE_WAL_HEADER, v->mark.frames, 8);
    put_le(plain + PAGE_WAL_HEADER + 8, v->mark.synced, 8);
    memcpy(plain + PAGE_WAL_HEADER + 16, v->mark.boot, PAGE_ID);
    make_aad(v, aad);
    struct span text = {(char *)plain, sizeof plain};
    return page_seal_close(&v->seal, (struct span){(char *)aad, sizeof aad}, text, out + PAGE_SEAL_SIZE,
                           (struct span){0}, NULL, out)
               ? SQLITE_OK
               : SQLITE_IOERR_WRITE;
}

static bool open_mark(struct page_vfs *v, unsigned char sealed[MARK_SEALED])
{
    unsigned char aad[1 + HEAD], *plain = sealed + PAGE_SEAL_SIZE;
    make_aad(v, aad);
    if (!page_seal_open(&v->seal, (struct span){(char *)aad, sizeof aad}, plain, MARK_PLAIN, NULL, 0, sealed))
        return false;
    memcpy(v->mark.wal_header, plain, PAGE_WAL_HEADER);
    v->mark.frames = get_le(plain + PAGE_WAL_HEADER, 8);
    v->mark.synced = get_le(plain + PAGE_WAL_HEADER + 8, 8);
    memcpy(v->mark.boot, plain + PAGE_WAL_HEADER + 16, PAGE_ID);
    return true;
}

// One write of less than a sector: whole or not at all.
int page_mark_write(struct page_vfs *v)
{
    unsigned char sealed[MARK_SEALED];
    memcpy(v->mark.boot, v->boot, PAGE_ID);
    int rc = seal_mark(v, sealed);
    return rc ? rc : v->db->pMethods->xWrite(v->db, sealed, sizeof sealed, MARK_AT);
}

int page_mark_empty(struct page_vfs *v, const void *wal_header)
{
    v->mark = (struct page_mark){0};
    if (wal_header)
        memcpy(v->mark.wal_header, wal_header, PAGE_WAL_HEADER);
    v->committed = v->binding = 0;
    int rc = page_mark_write(v);
    return rc ? rc : v->db->pMethods->xSync(v->db, SQLITE_SYNC_NORMAL);
}

int page_block_create(struct page_vfs *v)
{
    unsigned char block[PAGE_BLOCK] = {0};
    rng_secret(v->id, sizeof v->id);
    memcpy(v->mark.boot, v->boot, PAGE_ID);
    make_head(v, block);
    int rc = seal_mark(v, block + MARK_AT);
    return rc ? rc : v->db->pMethods->xWrite(v->db, block, sizeof block, 0);
}

static bool all_zero(const unsigned char *p, size_t n)
{
    unsigned char any = 0;
    for (size_t i = 0; i < n; i++)
        any |= p[i];
    return any == 0;
}

int page_block_read(struct page_vfs *v)
{
    unsigned char block[PAGE_BLOCK];
    int rc = v->db->pMethods->xRead(v->db, block, sizeof block, 0);
    if (rc)
        return rc == SQLITE_IOERR_SHORT_READ ? SQLITE_IOERR_DATA : rc;
    memcpy(v->id, block + 16, PAGE_ID);
    v->page_size = (uint32_t)get_le(block + 32, 4);
    if (memcmp(block, MAGIC, 16) != 0 || v->page_size < PAGE_MIN_SIZE || v->page_size > PAGE_MAX_SIZE ||
        (v->page_size & (v->page_size - 1)) || !all_zero(block + HEAD, MARK_AT - HEAD) ||
        !all_zero(block + MARK_AT + MARK_SEALED, PAGE_BLOCK - MARK_AT - MARK_SEALED) || !open_mark(v, block + MARK_AT))
        return SQLITE_IOERR_DATA;
    bool same_start = memcmp(v->mark.boot, v->boot, PAGE_ID) == 0 && !all_zero(v->boot, PAGE_ID);
    v->binding = same_start ? v->mark.frames : v->mark.synced;
    return SQLITE_OK;
}

void page_boot_id(unsigned char out[PAGE_ID])
{
    char text[64], hex[2 * PAGE_ID];
    memset(out, 0, PAGE_ID);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = read(fd, text, sizeof text);
    close(fd);
    size_t digits = 0;
    for (ssize_t i = 0; i < n && digits < sizeof hex; i++)
        if (text[i] != '-' && text[i] != '\n')
            hex[digits++] = text[i];
    if (digits < sizeof hex || !hex_decode((struct span){hex, digits}, out, PAGE_ID))
        memset(out, 0, PAGE_ID);
}
