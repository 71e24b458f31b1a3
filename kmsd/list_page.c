// Pagination of the List operations (op_*.c). The text of markers is marker.c's.
#include "kmsd/list_page.h"

#include <string.h>

#include "kmsd/faults.h"
#include "kmsd/kmsd.h"

const struct fault *list_begin(struct call *call, const char *filters, size_t usual, size_t max, struct list_page *page)
{
    const struct list_params *p = call->params;
    size_t wanted = p->limit.set ? (size_t)p->limit.v : usual;
    *page = (struct list_page){.limit = wanted < max ? wanted : max};
    page->scope = span_of(arena_printf(&call->arena, "%s\n%s\n%s\n%s", call->op->name, call->account, call->region,
                                       filters ? filters : ""));
    if (!p->marker.p)
        return NULL;
    struct buf position;
    buf_init(&position, MARKER_POSITION_MAX);
    bool ok = marker_read(keyring_root(kmsd_of(call)->keyring), page->scope, p->marker, &position);
    if (ok)
        page->after = (struct span){arena_strndup(&call->arena, position.data, position.len), position.len};
    buf_done(&position);
    return ok ? NULL : &fault_invalid_marker;
}

void list_end(struct call *call, const struct list_page *page, bool more, struct span last)
{
    struct json_write *w = &call->out;
    struct buf marker;
    if (more) {
        buf_init(&marker, MARKER_TEXT_MAX);
        if (!marker_write(keyring_root(kmsd_of(call)->keyring), page->scope, last, &marker))
            call->reply.failed = true;
        json_kstr(w, "NextMarker", buf_span(&marker));
        buf_done(&marker);
    }
    json_kbool(w, "Truncated", more);
}
