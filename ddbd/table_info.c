// Snapshots of tables: counting, copying, names. Their stored form is table_record.c's, which table may change how is
// the catalogue's and the operations' matter.
#include "ddbd/table_info.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auth/region.h"

static const char *const status_texts[] = {
    [TABLE_CREATING] = "CREATING",
    [TABLE_ACTIVE] = "ACTIVE",
    [TABLE_UPDATING] = "UPDATING",
    [TABLE_DELETING] = "DELETING",
    [TABLE_INACCESSIBLE] = "INACCESSIBLE_ENCRYPTION_CREDENTIALS",
    [TABLE_UNREADABLE] = "unreadable",
};

const char *table_status_text(enum table_status s)
{
    return status_texts[s];
}

const struct table_info *table_info_ref(const struct table_info *t)
{
    atomic_fetch_add(&((struct table_info *)t)->refs, 1);
    return t;
}

void table_info_unref(const struct table_info *t)
{
    struct table_info *own = (struct table_info *)t;
    if (own && atomic_fetch_sub(&own->refs, 1) == 1)
        free(own);
}

struct table_info *table_info_copy(const struct table_info *t)
{
    struct table_info *copy = malloc(sizeof *copy);
    if (!copy)
        abort();
    memcpy(copy, t, sizeof *copy);
    atomic_init(&copy->refs, 1);
    return copy;
}

void table_info_arn(const struct table_info *t, char out[TABLE_ARN_SIZE])
{
    snprintf(out, TABLE_ARN_SIZE, "arn:%s:dynamodb:%s:%s:table/%s", region_partition(span_of(t->region)), t->region,
             t->account, t->name);
}
