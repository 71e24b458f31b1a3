// Operations that are about the service itself.
#include "ddbd/op_endpoint.h"

#include "ddbd/ddbd.h"

// AWS's default quotas. Source: DynamoDB developer guide, "Service, account, and table quotas".
#define ACCOUNT_UNITS 80000
#define TABLE_UNITS 40000
#define ENDPOINT_MINUTES 1440

// The endpoint is wherever the client found us: a client with endpoint discovery then stays here.
const struct fault *describe_endpoints_invoke(struct call *call)
{
    struct json_write *w = &call->out;
    json_obj_begin(w);
    json_key(w, "Endpoints");
    json_arr_begin(w);
    json_obj_begin(w);
    json_kstr(w, "Address", call_header(call, "host"));
    json_ki64(w, "CachePeriodInMinutes", ENDPOINT_MINUTES);
    json_obj_end(w);
    json_arr_end(w);
    json_obj_end(w);
    return NULL;
}

const struct fault *describe_limits_invoke(struct call *call)
{
    struct json_write *w = &call->out;
    json_obj_begin(w);
    json_ki64(w, "AccountMaxReadCapacityUnits", ACCOUNT_UNITS);
    json_ki64(w, "AccountMaxWriteCapacityUnits", ACCOUNT_UNITS);
    json_ki64(w, "TableMaxReadCapacityUnits", TABLE_UNITS);
    json_ki64(w, "TableMaxWriteCapacityUnits", TABLE_UNITS);
    json_obj_end(w);
    return NULL;
}
