// Rules for alias names. Where aliases are kept: keyring.c.
#include "kmsd/alias.h"

#include <stdio.h>

#include "kmsd/faults.h"

bool alias_matches(struct span name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ':' || c == '/' ||
                  c == '_' || c == '-';
        if (!ok)
            return false;
    }
    return name.n > 0;
}

const struct fault *alias_check_name(struct span name, char *text, size_t text_size)
{
    *text = '\0';
    if (!span_starts(name, "alias/") || name.n == 6) {
        snprintf(text, text_size,
                 "Alias must start with the prefix \"alias/\". Please see "
                 "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html");
        return &fault_validation;
    }
    if (span_starts(name, "alias/aws/"))
        return &fault_not_authorized;
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == ':') {
            snprintf(text, text_size, "%.*s contains invalid characters for an alias", (int)name.n, name.p);
            return &fault_validation; // recorded, though the model has InvalidAliasNameException
        }
    }
    return NULL;
}
