// What ddbd reads from kmsd: replies of KMS, the change feed, the clock. The first byte picks the reader.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/base/json_read.h"
#include "ddbd/change_feed.h"
#include "ddbd/clock_follow.h"
#include "ddbd/keycache.h"
#include "ddbd/kms_message.h"

static int64_t now(void *arg)
{
    (void)arg;
    return 0;
}

static void read_reply(int status, struct span body)
{
    static struct kms_reply r;
    static char detail[KMS_DETAIL_SIZE];
    memset(&r, 0, sizeof r);
    kms_reply_read(&r, status, SPAN("request"), body);
    (void)!kms_reply_fault(&r, detail);
    kms_reply_key_lost(&r);
    kms_reply_done(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct change_position *position;
    if (!position) {
        json_read_setup();
        position = change_position_new(keycache_new(&(struct keycache_ops){.now = now}, 1));
    }
    if (!size)
        return 0;
    struct span body = {(const char *)data + 1, size - 1};
    struct clock_state clock;
    switch (data[0] % 4) {
    case 0:
        read_reply(200, body);
        break;
    case 1:
        read_reply(400, body);
        break;
    case 2:
        change_position_read(position, body);
        break;
    default:
        clock_follow_read(body, &clock);
    }
    return 0;
}
