// The journal's bytes: any segment is parsed within its bounds, a record that parses is written back as it was, and the
// judgement of a tail never reads past the end.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/trail/journal_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Fuzzers do not guess checksums: they are put right where a record seems to begin, so that the rest is reached.
static void mend(char *at, size_t left)
{
    if (left < JOURNAL_RECORD_HEADER)
        return;
    uint32_t length;
    memcpy(&length, at + 8, sizeof length);
    if (length <= left - JOURNAL_RECORD_HEADER) {
        uint32_t crc = crc32_of((struct span){at + JOURNAL_RECORD_HEADER, length});
        memcpy(at + 4, &crc, sizeof crc);
    }
    uint32_t crc = crc32_of((struct span){at + 4, JOURNAL_RECORD_HEADER - 4});
    memcpy(at, &crc, sizeof crc);
}

static void check_round_trip(const char *at, const struct journal_parse *record)
{
    char *again = malloc(record->size);
    assert(journal_entry_valid(&record->entry) && journal_record_size(&record->entry) == record->size);
    journal_record_write(again, &record->entry, record->durable);
    assert(memcmp(again, at, record->size) == 0);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    bool mending = data[0] & 1;
    size_t n = size - 1, at = 0;
    char *bytes = malloc(n ? n : 1);
    memcpy(bytes, data + 1, n);
    struct journal_head head;
    if (journal_head_read((struct span){bytes, n}, &head))
        at = JOURNAL_HEAD_SIZE;
    struct journal_parse record;
    for (;;) {
        if (mending)
            mend(bytes + at, n - at);
        if (journal_record_parse((struct span){bytes + at, n - at}, &record) != JOURNAL_PARSED)
            break;
        check_round_trip(bytes + at, &record);
        at += record.size;
    }
    journal_tail_judge((struct span){bytes, n}, at);
    free(bytes);
    return 0;
}
