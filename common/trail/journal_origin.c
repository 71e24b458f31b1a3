// Which handed-over events the journal has: one row per origin. Called by ship_accept() for every event, by recovery
// and by the deliverer's start; settled by the writer's flush.
#include <stdlib.h>
#include <string.h>

#include "common/trail/journal_internal.h"

// The row, moved to the front; NULL when there is none.
static struct journal_origin_row *find(struct journal *j, struct span origin)
{
    for (struct journal_origin_row **at = &j->origins; *at; at = &(*at)->next) {
        struct journal_origin_row *row = *at;
        if (!span_is(origin, row->name))
            continue;
        *at = row->next;
        row->next = j->origins;
        j->origins = row;
        return row;
    }
    return NULL;
}

static struct journal_origin_row *find_or_add(struct journal *j, struct span origin)
{
    struct journal_origin_row *row = find(j, origin);
    if (row || origin.n == 0 || origin.n > JOURNAL_ORIGIN_MAX)
        return row;
    row = calloc(1, sizeof *row);
    if (row) {
        memcpy(row->name, origin.p, origin.n);
        row->next = j->origins;
        j->origins = row;
    }
    return row;
}

uint64_t journal_origin_sequence(struct journal *j, struct span origin)
{
    pthread_mutex_lock(&j->lock);
    struct journal_origin_row *row = find(j, origin);
    uint64_t sequence = row ? row->flushed : 0;
    pthread_mutex_unlock(&j->lock);
    return sequence;
}

static enum journal_origin claim(struct journal_origin_row *row, struct journal_writer *w, uint64_t sequence)
{
    if (!row)
        return JOURNAL_ORIGIN_NO_MEMORY;
    if (sequence <= row->flushed)
        return JOURNAL_ORIGIN_SEEN;
    if (row->claim && row->claim != w)
        return JOURNAL_ORIGIN_BUSY;
    if (!row->claim)
        row->staged = row->flushed;
    row->claim = w;
    w->claims = true;
    return sequence <= row->staged ? JOURNAL_ORIGIN_SEEN : JOURNAL_ORIGIN_NEW;
}

enum journal_origin journal_origin_claim(struct journal_writer *w, struct span origin, uint64_t sequence)
{
    pthread_mutex_lock(&w->journal->lock);
    enum journal_origin result = claim(find_or_add(w->journal, origin), w, sequence);
    pthread_mutex_unlock(&w->journal->lock);
    return result;
}

void journal_origin_staged(struct journal_writer *w, struct span origin, uint64_t sequence)
{
    pthread_mutex_lock(&w->journal->lock);
    struct journal_origin_row *row = find(w->journal, origin);
    if (row && row->claim == w && row->staged < sequence)
        row->staged = sequence;
    pthread_mutex_unlock(&w->journal->lock);
}

bool journal_origin_restore(struct journal *j, struct span origin, uint64_t sequence)
{
    pthread_mutex_lock(&j->lock);
    struct journal_origin_row *row = find_or_add(j, origin);
    if (row && row->flushed < sequence)
        row->flushed = sequence;
    pthread_mutex_unlock(&j->lock);
    return row != NULL;
}

void journal_origin_settle(struct journal_writer *w, bool flushed)
{
    if (!w->claims)
        return;
    pthread_mutex_lock(&w->journal->lock);
    for (struct journal_origin_row *row = w->journal->origins; row; row = row->next) {
        if (row->claim != w)
            continue;
        if (flushed)
            row->flushed = row->staged;
        row->claim = NULL;
    }
    pthread_mutex_unlock(&w->journal->lock);
    w->claims = false;
}

void journal_origins_free(struct journal *j)
{
    while (j->origins) {
        struct journal_origin_row *row = j->origins;
        j->origins = row->next;
        free(row);
    }
}
