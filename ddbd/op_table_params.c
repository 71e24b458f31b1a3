// The parameter rows of the table operations.
#include "ddbd/op_table.h"

static const char *const billing_choices[] = {"PROVISIONED", "PAY_PER_REQUEST", NULL};
static const char *const class_choices[] = {"STANDARD", "STANDARD_INFREQUENT_ACCESS", NULL};
static const char *const key_type_choices[] = {"HASH", "RANGE", NULL};
static const char *const attribute_type_choices[] = {"B", "N", "S", NULL};
static const char *const sse_type_choices[] = {"AES256", "KMS", NULL};

static const struct param throughput_rows[] = {
    {.name = "ReadCapacityUnits",
     .type = PARAM_INTEGER,
     .offset = PARAM_AT(throughput_params, read),
     .required = true,
     .min = 1,
     .max = INT64_MAX},
    {.name = "WriteCapacityUnits",
     .type = PARAM_INTEGER,
     .offset = PARAM_AT(throughput_params, write),
     .required = true,
     .min = 1,
     .max = INT64_MAX},
    {0},
};

static const struct param definition_rows[] = {
    {.name = "AttributeName",
     .type = PARAM_STRING,
     .offset = PARAM_AT(definition_params, name),
     .required = true,
     .min = 1,
     .max = 255},
    {.name = "AttributeType",
     .type = PARAM_STRING,
     .offset = PARAM_AT(definition_params, type),
     .required = true,
     .choices = attribute_type_choices},
    {0},
};

static const struct param key_element_rows[] = {
    {.name = "AttributeName",
     .type = PARAM_STRING,
     .offset = PARAM_AT(key_element_params, name),
     .required = true,
     .min = 1,
     .max = 255},
    {.name = "KeyType",
     .type = PARAM_STRING,
     .offset = PARAM_AT(key_element_params, type),
     .required = true,
     .choices = key_type_choices},
    {0},
};

static const struct param sse_rows[] = {
    {.name = "Enabled", .type = PARAM_BOOL, .offset = PARAM_AT(sse_specification, enabled)},
    {.name = "SSEType", .type = PARAM_STRING, .offset = PARAM_AT(sse_specification, type), .choices = sse_type_choices},
    {.name = "KMSMasterKeyId",
     .type = PARAM_STRING,
     .offset = PARAM_AT(sse_specification, key_id),
     .min = 1, // KMS's own bounds: it would refuse others as an error of DynamoDB's
     .max = 2048},
    {0},
};

#define TABLE_NAME_ROW                                                                                                 \
    {                                                                                                                  \
        .name = "TableName", .type = PARAM_STRING, .offset = 0, .required = true, .min = 1, .max = 1024,               \
        .alone = scope_name_of_table                                                                                   \
    }
// The members that CreateTable and UpdateTable share.
#define SHARED_ROWS(type_)                                                                                             \
    {.name = "BillingMode", .type = PARAM_STRING, .offset = PARAM_AT(type_, billing), .choices = billing_choices},     \
        {.name = "ProvisionedThroughput",                                                                              \
         .type = PARAM_OBJECT,                                                                                         \
         .offset = PARAM_AT(type_, throughput),                                                                        \
         .members = throughput_rows,                                                                                   \
         .members_size = sizeof(struct throughput_params),                                                             \
         .set_offset = PARAM_AT(type_, has_throughput)},                                                               \
        {.name = "SSESpecification",                                                                                   \
         .type = PARAM_OBJECT,                                                                                         \
         .offset = PARAM_AT(type_, sse),                                                                               \
         .members = sse_rows,                                                                                          \
         .members_size = sizeof(struct sse_specification),                                                             \
         .set_offset = PARAM_AT(type_, has_sse)},                                                                      \
    {                                                                                                                  \
        .name = "DeletionProtectionEnabled", .type = PARAM_BOOL, .offset = PARAM_AT(type_, deletion_protection)        \
    }

const struct param create_table_rows[] = {
    {.name = "AttributeDefinitions",
     .type = PARAM_OBJECTS,
     .offset = PARAM_AT(create_table_params, definitions),
     .members = definition_rows,
     .members_size = sizeof(struct definition_params)},
    TABLE_NAME_ROW,
    {.name = "KeySchema",
     .type = PARAM_OBJECTS,
     .offset = PARAM_AT(create_table_params, schema),
     .min = 1,
     .max = 2,
     .shape = "KeySchemaElement",
     .members = key_element_rows,
     .members_size = sizeof(struct key_element_params)},
    SHARED_ROWS(create_table_params),
    {.name = "TableClass",
     .type = PARAM_STRING,
     .offset = PARAM_AT(create_table_params, class),
     .choices = class_choices},
    {0},
};

const struct param update_table_rows[] = {TABLE_NAME_ROW, SHARED_ROWS(update_table_params), {0}};
const struct param table_rows[] = {TABLE_NAME_ROW, {0}};

const struct param list_tables_rows[] = {
    {.name = "Limit", .type = PARAM_INTEGER, .offset = PARAM_AT(list_tables_params, limit), .min = 1, .max = 100},
    {.name = "ExclusiveStartTableName",
     .type = PARAM_STRING,
     .offset = PARAM_AT(list_tables_params, after),
     .min = TABLE_NAME_MIN,
     .max = TABLE_NAME_MAX,
     .pattern = table_name_pattern,
     .matches = table_name_matches},
    {0},
};
