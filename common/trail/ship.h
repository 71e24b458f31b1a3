// ddbd's side of the trail: reads its own journal in order and hands batches to kmsd, at least once. The sending itself
// (HTTP, signing) is the caller's; kmsd drops what it has seen by (origin, sequence).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/trail/journal.h"

struct ship;

// A batch is lines of JSON ("application/x-ndjson"): first {"origin":"<journal>/<writer>"}, then an event a line:
// {"sequence":…,"account":"…","region":"…","time":<ns>,"record":{…}}, sequences growing. An event's sequence is in the
// journal with it, so a batch that is sent again after any crash carries the same ones.
#define SHIP_BATCH_MAX (4 << 20) // what kmsd takes at once, in bytes

// state_dir keeps the position acknowledged so far ("shipped.json"); NULL with a reason.
struct ship *ship_new(struct journal *j, const char *state_dir, char *why, size_t why_size);
void ship_free(struct ship *s);
// The id of the journal: made once, the first part of every origin.
const char *ship_origin(const struct ship *s);

enum ship_next {
    SHIP_BATCH,  // the body is to be sent; ship_done() when kmsd has it, ship_next() again when not
    SHIP_EMPTY,  // nothing waits
    SHIP_FAILED, // the journal cannot be read: why names file and offset
};
// Writes the next batch into body (emptied first): at most max_bytes, at least one event.
enum ship_next ship_next(struct ship *s, size_t max_bytes, struct buf *body, char *why, size_t why_size);
// kmsd has it: moves on and forgets the journal segments that are done. False: the position could not be kept; the
// batch will be sent again, and kmsd will drop it.
bool ship_done(struct ship *s, char *why, size_t why_size);
// Bytes of the journal that wait; any thread.
size_t ship_pending(struct ship *s);

enum ship_verdict {
    SHIP_ACCEPTED,
    SHIP_MALFORMED, // the batch is not what it should be: nothing was filed
    SHIP_LATER,     // another worker is filing events of this origin, or no room: the sender tries again
};
// kmsd's side: files a batch into its own journal, each event once. It believes nothing: an event's record must be an
// object whose recipientAccountId, awsRegion, eventSource and eventID are strings, the first two those that it is filed
// under, and the third not kmsd's own. accepted counts the new events. The caller flushes the writer before it answers.
MUST_CHECK enum ship_verdict ship_accept(struct journal_writer *w, struct span body, size_t *accepted, char *why,
                                         size_t why_size);
