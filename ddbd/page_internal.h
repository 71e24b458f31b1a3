// Shared by the page_*.c files only: the state of one encrypted file and its layout on disk.
//
// Main file:  block 0 (4096 bytes): magic, file id, page size, zeros; at 512 the sealed mark; zeros.
//             then page n at 4096 + (n-1) * page size: ciphertext, nonce (12), tag (16).
//             AAD of a page: 'D', file id, page number.
// WAL file:   SQLite's header (32 bytes) as it is: format, salts, checksum of itself. Then frames of 24 + page size:
//             page number, commit size and salts as they are; SQLite's checksum and the page as ciphertext; nonce, tag.
//             AAD of a frame: 'W', file id, frame number, the 16 plain bytes of its header.
// Mark:       which WAL belongs to the main file and how many of its frames hold acknowledged commits. Written after
//             the frames and before SQLite reports the commit, emptied (and synced) before a WAL is begun anew.
//             AAD: 'M' and the main file's first 36 bytes.
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "ddbd/page_seal.h"
#include "ddbd/page_vfs.h"

#define PAGE_BLOCK 4096 // bytes before page 1
#define PAGE_ID 16
#define PAGE_WAL_HEADER 32
#define PAGE_FRAME_HEADER 24
#define PAGE_FRAME_PLAIN 16 // bytes of a frame's header that stay readable
#define PAGE_MIN_SIZE 512
#define PAGE_MAX_SIZE 65536

struct page_mark {
    unsigned char wal_header[PAGE_WAL_HEADER]; // zeros: none
    uint64_t frames;                           // of acknowledged commits
    uint64_t synced;                           // of these, known to be on the disk itself
    unsigned char boot[PAGE_ID];               // the machine's start in which this was written
};

struct page_vfs {
    sqlite3_vfs vfs;   // registered under name
    sqlite3_vfs *real; // SQLite's own
    char name[40];
    char *path;
    bool creating;
    enum page_vfs_sync sync;
    uint32_t page_size;
    unsigned char id[PAGE_ID];
    unsigned char boot[PAGE_ID];
    struct page_seal seal;
    struct page_mark mark;
    sqlite3_file *db;   // SQLite's own file object of the main file, NULL: not open
    uint64_t binding;   // frames of the WAL that must be readable
    uint64_t committed; // last frame of the last commit
    unsigned char header[PAGE_FRAME_HEADER];
    uint64_t header_frame; // the frame whose header waits for its page; 0: none
    unsigned char *frame;  // scratch: one frame
};

// What SQLite allocates for each file; its own file object follows.
struct page_file {
    sqlite3_file base;
    struct page_vfs *v;
    sqlite3_file *real;
};

static inline struct page_file *page_file_of(sqlite3_file *f)
{
    return (struct page_file *)(void *)f;
}

// page_mark.c. All return SQLite codes.
int page_block_create(struct page_vfs *v);                       // new file: block 0 with an empty mark
int page_block_read(struct page_vfs *v);                         // existing file: id, page size, mark
int page_mark_write(struct page_vfs *v);                         // v->mark to the file
int page_mark_empty(struct page_vfs *v, const void *wal_header); // and sync; NULL: no WAL
void page_boot_id(unsigned char out[PAGE_ID]);                   // all zeros when the system has none

// page_wal.c
int page_wal_verify(struct page_vfs *v); // before SQLite sees the WAL
extern const sqlite3_io_methods page_wal_methods;

// page_db.c
extern const sqlite3_io_methods page_db_methods;
// Delegating methods, shared.
int page_file_close(sqlite3_file *f);
int page_file_lock(sqlite3_file *f, int level);
int page_file_unlock(sqlite3_file *f, int level);
int page_file_check_lock(sqlite3_file *f, int *out);
int page_file_control(sqlite3_file *f, int op, void *arg);
int page_file_sector_size(sqlite3_file *f);
int page_file_characteristics(sqlite3_file *f);
