// Planning a delivery: reading a stretch of the journal, grouping by account and Region, sorting by time, cutting into
// files, naming them. Called by deliver.c; the bytes of the files are deliver_file.c.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/ids.h"
#include "common/base/time_format.h"
#include "common/trail/deliver_plan.h"

#define FILE_OVERHEAD 16 // {"Records":[…]} and a comma

static bool no_memory(char *why, size_t why_size)
{
    snprintf(why, why_size, "out of memory");
    return false;
}

void plan_origins_done(struct plan_origins *o)
{
    free(o->v);
    *o = (struct plan_origins){0};
}

void plan_done(struct plan *p)
{
    for (size_t i = 0; i < p->files_n; i++)
        free(p->files[i].path);
    free(p->files);
    free(p->ranges);
    free(p->records);
    free(p->groups);
    plan_origins_done(&p->origins);
    *p = (struct plan){0};
}

bool plan_origins_set(struct plan_origins *o, struct span name, uint64_t sequence)
{
    struct plan_origin row = {.sequence = sequence};
    if (name.n == 0 || name.n > JOURNAL_ORIGIN_MAX)
        return false;
    memcpy(row.name, name.p, name.n);
    for (size_t i = o->n; i-- > 0;) { // the newest is asked for most
        if (strcmp(o->v[i].name, row.name) != 0)
            continue;
        if (o->v[i].sequence > sequence)
            row.sequence = o->v[i].sequence;
        memmove(&o->v[i], &o->v[i + 1], (o->n - i - 1) * sizeof row);
        o->v[o->n - 1] = row;
        return true;
    }
    struct plan_origin *v = realloc(o->v, (o->n + 1) * sizeof *v);
    if (!v)
        return false;
    v[o->n++] = row;
    o->v = v;
    return true;
}

// The group's number. The last one found is tried first: records of one account and Region come in runs.
static bool find_group(struct plan *p, const struct journal_entry *e, uint32_t *group)
{
    if (*group < p->groups_n && strcmp(p->groups[*group].account, e->account) == 0 &&
        strcmp(p->groups[*group].region, e->region) == 0)
        return true;
    for (size_t i = 0; i < p->groups_n; i++) {
        *group = (uint32_t)i;
        if (strcmp(p->groups[i].account, e->account) == 0 && strcmp(p->groups[i].region, e->region) == 0)
            return true;
    }
    struct plan_group *groups = realloc(p->groups, (p->groups_n + 1) * sizeof *groups);
    if (!groups)
        return false;
    p->groups = groups;
    *group = (uint32_t)p->groups_n;
    struct plan_group *g = &groups[p->groups_n++];
    memset(g, 0, sizeof *g);
    memcpy(g->account, e->account, 12);
    memcpy(g->region, e->region, strlen(e->region));
    return true;
}

static struct plan_record *add_record(struct plan *p)
{
    if (p->records_n == p->records_room) {
        size_t room = p->records_room ? p->records_room * 2 : 256;
        struct plan_record *records = realloc(p->records, room * sizeof *records);
        if (!records)
            return NULL;
        p->records = records;
        p->records_room = room;
    }
    return &p->records[p->records_n++];
}

static bool take(struct plan *p, size_t range, const struct journal_entry *e, const struct journal_read_at *at)
{
    uint32_t group = p->records_n ? p->records[p->records_n - 1].group : 0;
    if (!find_group(p, e, &group) || (e->origin.n && !plan_origins_set(&p->origins, e->origin, e->sequence)))
        return false;
    struct plan_record *r = add_record(p);
    if (!r)
        return false;
    *r = (struct plan_record){.time_ns = e->time_ns,
                              .json_at = at->json_at,
                              .json_n = (uint32_t)e->json.n,
                              .range = (uint32_t)range,
                              .group = group,
                              .order = (uint32_t)(p->records_n - 1)};
    return true;
}

// One range; *budget bytes are left. The range is shortened to what was read.
static bool read_range(struct plan *p, struct journal *j, size_t i, uint64_t *budget, char *why, size_t why_size)
{
    struct journal_range *range = &p->ranges[i];
    struct journal_reader *r = journal_reader_open(j, range, why, why_size);
    if (!r)
        return false;
    struct journal_entry e;
    struct journal_read_at at;
    uint64_t end = range->from;
    enum journal_read read = JOURNAL_READ_END;
    bool ok = true;
    while (ok && *budget > 0 && (read = journal_reader_next(r, &e, &at, why, why_size)) == JOURNAL_READ_RECORD) {
        ok = take(p, i, &e, &at) || no_memory(why, why_size);
        uint64_t used = at.next - end;
        end = at.next;
        *budget = used < *budget && p->records_n < DELIVER_PLAN_RECORDS ? *budget - used : 0;
    }
    journal_reader_close(r);
    range->to = end;
    return ok && (*budget == 0 || read != JOURNAL_READ_FAILED);
}

static int by_group_and_time(const void *one, const void *other)
{
    const struct plan_record *a = one, *b = other;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    if (a->time_ns != b->time_ns)
        return a->time_ns < b->time_ns ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

bool plan_read(struct plan *p, struct journal *j, bool bounded, char *why, size_t why_size)
{
    uint64_t budget = bounded ? DELIVER_PLAN_BYTES : UINT64_MAX;
    size_t i = 0;
    for (; i < p->ranges_n && budget > 0; i++) {
        if (!bounded)
            budget = UINT64_MAX;
        if (!read_range(p, j, i, &budget, why, why_size))
            return false;
    }
    p->ranges_n = i;
    p->whole = bounded && budget > 0;
    qsort(p->records, p->records_n, sizeof *p->records, by_group_and_time);
    return true;
}

static bool name_file(const struct plan_group *g, int64_t now_ns, const char *trail_dir, struct rng *rng,
                      struct plan_file *file)
{
    struct civil_time t = time_civil(now_ns);
    char unique[17], *full = NULL;
    for (bool taken = true; taken;) { // a seeded generator begins anew at every start
        id_alnum(rng, 16, unique);
        free(file->path);
        int n = asprintf(&file->path,
                         "AWSLogs/%s/CloudTrail/%s/%04d/%02d/%02d/%s_CloudTrail_%s_%04d%02d%02dT%02d%02dZ_%s.json.gz",
                         g->account, g->region, t.year, t.month, t.day, g->account, g->region, t.year, t.month, t.day,
                         t.hour, t.minute, unique);
        file->path = n < 0 ? NULL : file->path;
        if (!file->path || asprintf(&full, "%s/%s", trail_dir, file->path) < 0)
            return false;
        taken = access(full, F_OK) == 0;
        free(full);
    }
    return true;
}

// How many records from `first` on belong into one file.
static size_t file_length(const struct plan *p, size_t first)
{
    size_t bytes = FILE_OVERHEAD, i = first;
    for (; i < p->records_n && p->records[i].group == p->records[first].group; i++) {
        size_t size = p->records[i].json_n + 1u;
        if (i > first && bytes + size > DELIVER_FILE_MAX)
            break;
        bytes += size;
    }
    return i - first;
}

bool plan_name_files(struct plan *p, const char *trail_dir, struct rng *rng, char *why, size_t why_size)
{
    for (size_t first = 0; first < p->records_n;) {
        struct plan_file *files = realloc(p->files, (p->files_n + 1) * sizeof *files);
        if (!files)
            return no_memory(why, why_size);
        p->files = files;
        struct plan_file *file = &files[p->files_n++];
        *file = (struct plan_file){.records = file_length(p, first)};
        if (!name_file(&p->groups[p->records[first].group], p->now_ns, trail_dir, rng, file))
            return no_memory(why, why_size);
        first += file->records;
    }
    return true;
}
