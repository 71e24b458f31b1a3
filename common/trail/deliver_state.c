// The deliverer's state file: positions, origins and the manifest of a delivery under way, in JSON. Called by
// deliver.c.
#include "common/trail/deliver_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "common/trail/replace.h"

#define STATE_MAX (64u << 20)

static void write_ranges(struct json_write *w, const struct plan *p)
{
    json_key(w, "ranges");
    json_arr_begin(w);
    for (size_t i = 0; i < p->ranges_n; i++) {
        json_arr_begin(w);
        json_cstr(w, p->ranges[i].writer);
        json_i64(w, (int64_t)p->ranges[i].segment);
        json_i64(w, (int64_t)p->ranges[i].from);
        json_i64(w, (int64_t)p->ranges[i].to);
        json_arr_end(w);
    }
    json_arr_end(w);
}

static void write_pending(struct json_write *w, const struct plan *p)
{
    json_key(w, "pending");
    json_obj_begin(w);
    json_ki64(w, "time", p->now_ns);
    write_ranges(w, p);
    json_key(w, "files");
    json_arr_begin(w);
    for (size_t i = 0; i < p->files_n; i++) {
        json_arr_begin(w);
        json_cstr(w, p->files[i].path);
        json_i64(w, (int64_t)p->files[i].records);
        json_arr_end(w);
    }
    json_arr_end(w);
    json_obj_end(w);
}

static void write_origins(struct json_write *w, const struct plan_origins *o)
{
    json_key(w, "origins");
    json_arr_begin(w);
    for (size_t i = 0; i < o->n; i++) {
        json_arr_begin(w);
        json_cstr(w, o->v[i].name);
        json_i64(w, (int64_t)o->v[i].sequence);
        json_arr_end(w);
    }
    json_arr_end(w);
}

bool deliver_state_write(const struct deliver_state *s, const struct plan *plan, const struct journal *j, char *why,
                         size_t why_size)
{
    struct buf text;
    struct json_write w;
    buf_init(&text, STATE_MAX);
    json_write_init(&w, &text);
    json_obj_begin(&w);
    json_kcstr(&w, "journal", journal_id(j));
    json_key(&w, "positions");
    journal_positions_write(&w, &s->done);
    write_origins(&w, &s->origins);
    if (plan)
        write_pending(&w, plan);
    json_obj_end(&w);
    bool ok = buf_ok(&text) && trail_replace(s->path, buf_span(&text), 0600);
    if (!ok)
        snprintf(why, why_size, "%s: %s", s->path, buf_ok(&text) ? strerror(errno) : "out of memory");
    buf_done(&text);
    return ok;
}

static bool read_origins(struct deliver_state *s, const json_t *array)
{
    uint64_t sequence;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *row = json_array_get(array, i);
        if (!journal_number_read(&sequence, json_array_get(row, 1)) ||
            !plan_origins_set(&s->origins, json_span(json_array_get(row, 0)), sequence))
            return false;
    }
    return json_is_array(array);
}

static bool read_ranges(struct plan *p, const json_t *array)
{
    struct journal_position at;
    p->ranges = calloc(json_array_size(array) + 1, sizeof *p->ranges);
    for (size_t i = 0; p->ranges && i < json_array_size(array); i++) {
        const json_t *row = json_array_get(array, i);
        struct journal_range *r = &p->ranges[p->ranges_n++];
        if (!journal_position_read(&at, row) || !journal_number_read(&r->to, json_array_get(row, 3)))
            return false;
        memcpy(r->writer, at.writer, sizeof r->writer);
        r->segment = at.segment;
        r->from = at.offset;
    }
    return p->ranges && json_is_array(array);
}

static bool read_files(struct plan *p, const json_t *array)
{
    uint64_t records;
    p->files = calloc(json_array_size(array) + 1, sizeof *p->files);
    for (size_t i = 0; p->files && i < json_array_size(array); i++) {
        const json_t *row = json_array_get(array, i);
        const char *path = json_string_value(json_array_get(row, 0));
        if (!path || !journal_number_read(&records, json_array_get(row, 1)) || records == 0)
            return false;
        p->files[p->files_n++] = (struct plan_file){.path = strdup(path), .records = (size_t)records};
        if (!p->files[i].path)
            return false;
    }
    return p->files && json_is_array(array);
}

static bool read_document(struct deliver_state *s, struct plan *p, const json_t *doc)
{
    const json_t *pending = json_object_get(doc, "pending");
    if (!journal_positions_read(&s->done, json_object_get(doc, "positions")) ||
        !read_origins(s, json_object_get(doc, "origins")))
        return false;
    s->pending = pending != NULL;
    p->now_ns = json_integer_value(json_object_get(pending, "time"));
    return !pending ||
           (read_ranges(p, json_object_get(pending, "ranges")) && read_files(p, json_object_get(pending, "files")));
}

bool deliver_state_read(struct deliver_state *s, struct plan *plan, const struct journal *j, char *why, size_t why_size)
{
    if (access(s->path, F_OK) != 0)
        return true;
    json_t *doc = json_read_file(s->path, STATE_MAX, why, why_size);
    if (!doc)
        return false;
    bool ok = read_document(s, plan, doc);
    if (!ok)
        snprintf(why, why_size, "%s: not a deliverer's state", s->path);
    if (ok && !span_is(json_span(json_object_get(doc, "journal")), journal_id(j))) {
        // Positions and a pending delivery of another journal mean nothing here; origins are the senders' own.
        if (s->pending)
            snprintf(why, why_size,
                     "%s: a delivery under way belongs to a journal that is gone; restore the journal, or move this "
                     "file away",
                     s->path);
        ok = !s->pending;
        journal_positions_done(&s->done);
    }
    json_decref(doc);
    return ok;
}
