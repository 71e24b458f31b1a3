// ddbd's side of the trail: reads its own journal in order and hands batches to kmsd, at least once. The sending itself
// (HTTP, signing) is the caller's; kmsd drops what it has seen by (origin, sequence).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/trail/journal.h"

struct ship;

// state_dir keeps the origin id (made once) and the position acknowledged so far.
struct ship *ship_new(struct journal *j, const char *state_dir, char *why, size_t why_size);
void ship_free(struct ship *s);
const char *ship_origin(const struct ship *s);
// Writes the next batch (at most max_bytes, at least one event) as a JSON document into body. False: nothing to send.
bool ship_next(struct ship *s, size_t max_bytes, struct buf *body);
// kmsd has it: moves on and forgets the journal segments that are done.
bool ship_done(struct ship *s, char *why, size_t why_size);
size_t ship_pending(struct ship *s);

// kmsd's side: files a batch into its own journal; each event once. False with a reason for a malformed batch.
// accepted counts the new ones. The caller flushes the journal before it answers.
bool ship_accept(struct journal *j, struct journal_writer *w, struct span body, size_t *accepted, char *why,
                 size_t why_size);
