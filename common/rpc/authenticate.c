// Step `authenticate`: verifies the signature, then finds out whose rights count. A service's credential may act for
// itself (x-amz-source-account names the account) or on behalf of a user (x-kmsd-on-behalf-of names the user's access
// key); nobody else may send these headers. Called by dispatch.c.
#include <string.h>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/rpc/call_internal.h"
#include "common/rpc/daemon.h"
#include "common/rpc/worker.h"

#define SKEW_NS (INT64_C(300) * NS_PER_S)

static void set_account(struct call *call, const char *account)
{
    memcpy(call->account, account, 12);
    call->account[12] = '\0';
}

// The user's identity is taken from this daemon's own table by the access key; the ARN must be the one the service saw,
// so that two daemons with different principals files do not mistake one user for another.
static const struct fault *on_behalf_of(struct call *call, struct span access_key)
{
    struct credential user;
    if (!credentials_find(call->daemon->credentials, access_key, &user))
        return &fault_unrecognized_client;
    struct span arn = call_header(call, "x-kmsd-on-behalf-of-arn");
    if (user.principal->type == PRINCIPAL_SERVICE || !span_is(arn, user.principal->arn)) {
        principal_unref(user.principal);
        return call_fault(call, call->service->access_denied,
                          "The principal %.*s is not the one that this access key belongs to here", (int)arn.n,
                          arn.p ? arn.p : "");
    }
    call->caller.principal = user.principal;
    set_account(call, user.principal->account);
    return NULL;
}

static const struct fault *service_call(struct call *call, const struct sigv4_result *signed_by)
{
    const struct principal *service = signed_by->principal;
    call->caller.via = service;
    call->caller.via_service = arena_printf(&call->arena, "%s.%s.amazonaws.com", service->service, call->region);
    call->caller.service_principal = arena_printf(&call->arena, "%s.amazonaws.com", service->service);
    struct span user = call_header(call, "x-kmsd-on-behalf-of");
    if (user.p) {
        if (!sigv4_header_signed(signed_by, "x-kmsd-on-behalf-of") ||
            !sigv4_header_signed(signed_by, "x-kmsd-on-behalf-of-arn"))
            return &fault_invalid_signature;
        return on_behalf_of(call, user);
    }
    struct span account = call_header(call, "x-amz-source-account");
    if (!id_is_account(account) || !sigv4_header_signed(signed_by, "x-amz-source-account"))
        return call_fault(call, call->service->access_denied,
                          "A service's call must name its account in the signed header x-amz-source-account");
    call->caller.principal = principal_ref(service);
    set_account(call, account.p);
    return NULL;
}

const struct fault *authenticate(struct call *call)
{
    struct sigv4_request request = {
        .method = call->request.method,
        .target = call->request.target,
        .headers = call->request.headers,
        .headers_n = call->request.headers_n,
        .body = call->request.body,
    };
    struct sigv4_rules rules = {.service = call->service->name, .now_ns = clock_real_ns(), .skew_ns = SKEW_NS};
    struct sigv4_result signed_by = {0};
    const struct fault *fault = sigv4_verify(&request, &rules, call->daemon->credentials, call->worker->signing_keys,
                                             &call->arena, &signed_by, &call->detail);
    if (fault)
        return fault;
    call->region = arena_strndup(&call->arena, signed_by.region.p, signed_by.region.n);
    if (signed_by.principal->type == PRINCIPAL_SERVICE)
        return service_call(call, &signed_by);
    call->caller.principal = signed_by.principal;
    set_account(call, signed_by.principal->account);
    if (call_header(call, "x-kmsd-on-behalf-of").p)
        return call_fault(call, call->service->access_denied, "Only a service may call on behalf of somebody else");
    return NULL;
}
