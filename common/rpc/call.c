// What every step and handler may do with its call. The walk itself is dispatch.c's.
#include "common/rpc/call.h"

#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>

#include "common/rpc/call_internal.h"

const struct fault call_pending = {.code = "Pending", .status = 0};

struct call_secret {
    struct call_secret *next;
    struct secret bytes;
};

const struct fault *call_fault(struct call *call, const struct fault *fault, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    call->detail = arena_vprintf(&call->arena, format, args);
    va_end(args);
    return fault;
}

void *call_secret_alloc(struct call *call, size_t n)
{
    struct call_secret *s = calloc(1, sizeof *s);
    if (!s || !secret_init(&s->bytes, n ? n : 1))
        abort();
    s->next = call->secrets;
    call->secrets = s;
    return s->bytes.p;
}

void call_wipe_secrets(struct call *call)
{
    for (struct call_secret *s = call->secrets, *next; s; s = next) {
        next = s->next;
        secret_done(&s->bytes);
        free(s);
    }
    call->secrets = NULL;
}

void call_add_resource(struct call *call, const char *account_id, const char *type, const char *arn)
{
    if (call->resources_n == CALL_RESOURCES_MAX)
        return;
    call->resources[call->resources_n++] = (struct trail_resource){
        .account_id = arena_strdup(&call->arena, account_id),
        .type = type,
        .arn = arena_strdup(&call->arena, arn),
    };
}

struct span call_header(const struct call *call, const char *name)
{
    struct span wanted = span_of(name);
    for (size_t i = 0; i < call->request.headers_n; i++)
        if (span_ieq(call->request.headers[i].name, wanted))
            return call->request.headers[i].value;
    return (struct span){NULL, 0};
}
