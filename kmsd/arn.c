// Form of ARNs, for the resolver and the keyring.
#include "kmsd/arn.h"

#include <string.h>

#include "common/auth/region.h"

bool arn_in_china(const char *region)
{
    return strcmp(region_partition(span_of(region)), "aws-cn") == 0;
}

bool arn_write(char out[KMS_ARN_SIZE], struct span region, const char *account, struct span resource)
{
    const struct span parts[] = {
        SPAN("arn:"), span_of(region_partition(region)), SPAN(":kms:"), region, SPAN(":"), span_of(account), SPAN(":"),
        resource};
    size_t n = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].n >= KMS_ARN_SIZE - n)
            return false;
        memcpy(out + n, parts[i].p, parts[i].n);
        n += parts[i].n;
    }
    out[n] = '\0';
    return true;
}

bool arn_parse(struct span text, struct arn *out)
{
    struct span *parts[] = {&out->partition, &out->service, &out->region, &out->account};
    if (!span_starts(text, "arn:"))
        return false;
    const char *at = text.p + 4, *end = text.p + text.n;
    for (size_t i = 0; i < 4; i++) {
        const char *colon = memchr(at, ':', (size_t)(end - at));
        if (!colon)
            return false;
        *parts[i] = (struct span){at, (size_t)(colon - at)};
        at = colon + 1;
    }
    out->resource = (struct span){at, (size_t)(end - at)};
    return true;
}
