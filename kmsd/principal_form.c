// The forms of principals that grants may name, for op_grant.c and op_list_grants.c.
#include <string.h>

#include "common/base/encode.h"
#include "common/base/ids.h"
#include "kmsd/arn.h"
#include "kmsd/faults.h"
#include "kmsd/principal_form.h"

static bool alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool principal_matches(struct span text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == '\0' || !(alnum(text.p[i]) || strchr("_+=,.@:/-", text.p[i])))
            return false;
    return text.n > 0;
}

bool service_principal_matches(struct span text)
{
    size_t parts = 1, length = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '.') {
            if (length == 0)
                return false;
            parts++;
            length = 0;
        } else if (alnum(text.p[i]) || text.p[i] == '-') {
            length++;
        } else {
            return false;
        }
    }
    return parts >= 3 && length > 0;
}

static bool starts_with_name(struct span resource, const char *prefix)
{
    return span_starts(resource, prefix) && resource.n > strlen(prefix);
}

bool principal_valid(struct span text)
{
    struct arn arn;
    if (!span_starts(text, "arn:"))
        return service_principal_matches(text) && span_ends(text, ".amazonaws.com");
    if (!arn_parse(text, &arn) || !span_starts(arn.partition, "aws") || arn.region.n > 0 || !id_is_account(arn.account))
        return false;
    if (span_is(arn.service, "iam"))
        return span_is(arn.resource, "root") || starts_with_name(arn.resource, "user/") ||
               starts_with_name(arn.resource, "role/");
    return span_is(arn.service, "sts") &&
           (starts_with_name(arn.resource, "assumed-role/") || starts_with_name(arn.resource, "federated-user/"));
}

const struct fault *grant_id_read(struct span text, unsigned char id[GRANT_ID_SIZE])
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] >= 'A' && text.p[i] <= 'F')
            return &fault_invalid_grant_id;
    return hex_decode(text, id, GRANT_ID_SIZE) ? NULL : &fault_invalid_grant_id;
}
