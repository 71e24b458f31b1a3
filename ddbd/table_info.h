// What the catalogue knows about one table: an immutable, counted snapshot. A change makes a new snapshot
// (catalogue_change()), so whoever holds one reads it without a lock.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/fault.h"
#include "common/base/ids.h"
#include "ddbd/key_codec.h"
#include "ddbd/key_wrap.h"

#define TABLE_NAME_MIN 3
#define TABLE_NAME_MAX 255
#define TABLE_ARN_SIZE 512
#define KMS_ARN_SIZE 256
#define KMS_BLOB_MAX 384  // a wrapped 32-byte key; KMS's blobs of that are below 250 bytes
#define GRANT_ID_SIZE 129 // AWS: at most 128 characters
#define TABLE_GRANTS 2    // a live table shows two (spec 10)

enum table_status {
    TABLE_CREATING,
    TABLE_ACTIVE,
    TABLE_UPDATING,
    TABLE_DELETING,
    TABLE_INACCESSIBLE, // INACCESSIBLE_ENCRYPTION_CREDENTIALS
    TABLE_UNREADABLE,   // its record in the catalogue cannot be read: only the name is known. Never stored
};

enum sse_kind {
    SSE_OWNED, // ddbd's own key; nothing of it is shown
    SSE_KMS,   // AWS managed or customer managed key
};

// One table key (level 2 of the hierarchy) in its wrapped forms, and the data encryption key wrapped under it.
struct table_key {
    uint32_t version; // 1, 2, …: grows with every new table key of this table
    enum sse_kind kind;
    char kms_arn[KMS_ARN_SIZE];                  // SSE_KMS
    char grant_ids[TABLE_GRANTS][GRANT_ID_SIZE]; // SSE_KMS
    unsigned char wrapped[KMS_BLOB_MAX];         // KMS's ciphertext blob, or under the owned key
    size_t wrapped_n;                            // 0: not made yet
    unsigned char wrapped_dek[KEY_WRAPPED_SIZE]; // valid when wrapped_n > 0
};

// A change of the KMS key on its way (spec 27). `key` is always complete, so a crash between any two steps leaves a
// readable table.
enum sse_phase {
    SSE_STEADY,
    SSE_PREPARING, // other: the new key, whose table key is still to be made
    SSE_OLD_SHOWN, // other: the new key, complete
    SSE_NEW_SHOWN, // key: the new key; other: the old one, complete, dropped at the end
};

enum table_class { TABLE_CLASS_UNSET, TABLE_CLASS_STANDARD, TABLE_CLASS_INFREQUENT };

struct table_info {
    atomic_uint refs;
    char account[13];
    char region[32];
    char name[TABLE_NAME_MAX + 1];
    char id[UUID_TEXT_SIZE];
    int64_t created_ns;
    enum table_status status;
    struct key_schema schema;
    bool range_defined_first; // AttributeDefinitions named the sort key first

    bool on_demand;       // PAY_PER_REQUEST
    int64_t on_demand_ns; // last switch to it; 0: never
    int64_t read_units, write_units;
    int64_t increased_ns, decreased_ns;     // 0: never
    int64_t decreases_today, decreases_day; // day: days since 1970
    // UpdateTable's new throughput, in force when the table is ACTIVE again.
    bool throughput_pending, pending_on_demand;
    int64_t pending_read_units, pending_write_units;
    bool deletion_protected;
    enum table_class class;
    int64_t items, bytes; // when the table's file was last closed

    struct table_key key;
    struct table_key other;
    enum sse_phase phase;
    int64_t phase_until_ns;
    int64_t inaccessible_ns; // when the loss of the key was detected; 0: it was not
    int64_t sse_window_ns;   // quota (spec 30): start of the 24 h window
    int64_t sse_changes;     // in the window
    int64_t sse_changed_ns;  // last change; 0: never
};

const struct table_info *table_info_ref(const struct table_info *t);
void table_info_unref(const struct table_info *t); // NULL is fine
// A private copy with one reference. Aborts when memory is gone (the catalogue cannot go on half-changed).
struct table_info *table_info_copy(const struct table_info *t);

void table_info_arn(const struct table_info *t, char out[TABLE_ARN_SIZE]);
const char *table_status_text(enum table_status s);

// The catalogue's record of it: JSON. Reading checks every bound; NULL when the bytes are no such record.
bool table_record_write(struct buf *b, const struct table_info *t);
struct table_info *table_record_read(struct span bytes);
