// The two phases of a change of key, as a job on the daemon's clock. The rules are sse.c's, what comes before is
// sse_work.c's.
#include "ddbd/retire.h"
#include "ddbd/sse.h"
#include "ddbd/sse_work.h"

int64_t sse_phase_due(void *ddbd)
{
    return catalogue_min(((struct ddbd *)ddbd)->catalogue, sse_due);
}

struct phase {
    int64_t now_ns;
    struct table_key retire;
    bool has_retire;
};

static bool advance(struct table_info *t, void *arg)
{
    struct phase *p = arg;
    if (sse_due(t) > p->now_ns)
        return false;
    p->has_retire = sse_advance(t, &p->retire);
    return true;
}

static bool phase_over(const struct table_info *t, void *arg)
{
    return sse_due(t) <= *(int64_t *)arg;
}

void sse_phase_run(void *ddbd, int64_t now_ns)
{
    struct ddbd *d = ddbd;
    size_t n;
    const struct table_info **list = catalogue_list(d->catalogue, phase_over, &now_ns, &n);
    for (size_t i = 0; i < n; i++) {
        struct phase p = {.now_ns = now_ns};
        table_info_unref(catalogue_change(d->catalogue, list[i], advance, &p));
        if (p.has_retire)
            retire_add_key(d->retire, list[i], &p.retire);
        // From here on the new table key opens the table; nobody keeps a right that the old one gave.
        if (list[i]->phase == SSE_OLD_SHOWN)
            keycache_drop_table(d->keys, list[i]->id, list[i]->key.version);
    }
    catalogue_list_free(list, n);
    sse_work_commit(d);
}
