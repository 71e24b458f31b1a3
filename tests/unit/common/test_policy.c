// Policies: who and what a statement is about, deny before allow, conditions, and that whatever is not understood is
// refused with a reason.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auth/policy.h"
#include "common/auth/policy_internal.h"
#include "common/auth/principal.h"
#include "common/base/file.h"
#include "common/base/json_read.h"

#define KEY "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

static const struct principal root = {.type = PRINCIPAL_ROOT,
                                      .account = "111122223333",
                                      .arn = "arn:aws:iam::111122223333:root",
                                      .principal_id = "111122223333",
                                      .full_rights = true};
static const struct principal alice = {.type = PRINCIPAL_USER,
                                       .account = "111122223333",
                                       .arn = "arn:aws:iam::111122223333:user/alice",
                                       .principal_id = "AIDAALICEALICEALICE1",
                                       .name = "alice"};
static const struct principal stranger = {.type = PRINCIPAL_USER,
                                          .account = "444455556666",
                                          .arn = "arn:aws:iam::444455556666:user/alice",
                                          .principal_id = "AIDAOTHEROTHEROTHER1",
                                          .name = "alice"};
static const struct principal session = {.type = PRINCIPAL_ROLE_SESSION,
                                         .account = "111122223333",
                                         .arn = "arn:aws:sts::111122223333:assumed-role/app/i-0abc",
                                         .principal_id = "AROAAPPAPPAPPAPPAPP1:i-0abc",
                                         .name = "i-0abc",
                                         .role_arn = "arn:aws:iam::111122223333:role/app",
                                         .role_name = "app",
                                         .role_id = "AROAAPPAPPAPPAPPAPP1"};
static const struct principal service = {.type = PRINCIPAL_SERVICE,
                                         .arn = "dynamodb.amazonaws.com",
                                         .principal_id = "dynamodb.amazonaws.com",
                                         .service = "dynamodb"};

struct context {
    const char *keys[4], *values[4];
};

static bool lookup(void *arg, struct span key, struct span *value)
{
    const struct context *c = arg;
    for (size_t i = 0; i < 4 && c->keys[i]; i++)
        if (span_ieq(key, span_of(c->keys[i]))) {
            *value = span_of(c->values[i]);
            return true;
        }
    return false;
}

static struct policy *parse(const char *text, enum policy_kind kind)
{
    char why[400] = "";
    struct policy *p = policy_parse(span_of(text), kind, why, sizeof why);
    if (!p)
        fail_msg("%s\n%s", text, why);
    return p;
}

static struct policy_match evaluate(const struct policy *p, const struct principal *caller, const char *action,
                                    const char *resource, const struct context *context)
{
    struct policy_request r = {caller, action, resource, context ? lookup : NULL, (void *)context};
    return policy_evaluate(p, &r);
}

// --- who ---

static void test_principals(void **state)
{
    (void)state;
    enum { NO, SELF, DELEGATED };
    static const struct {
        const char *principal;
        int root, alice, stranger, session, service;
    } rows[] = {
        {"\"*\"", SELF, SELF, SELF, SELF, SELF},
        {"{\"AWS\": \"*\"}", SELF, SELF, SELF, SELF, SELF},
        {"{\"AWS\": \"111122223333\"}", DELEGATED, DELEGATED, NO, DELEGATED, NO},
        {"{\"AWS\": \"arn:aws:iam::111122223333:root\"}", DELEGATED, DELEGATED, NO, DELEGATED, NO},
        {"{\"AWS\": \"arn:aws:iam::444455556666:root\"}", NO, NO, DELEGATED, NO, NO},
        {"{\"AWS\": \"arn:aws:iam::111122223333:user/alice\"}", NO, SELF, NO, NO, NO},
        {"{\"AWS\": \"arn:aws:iam::111122223333:user/Alice\"}", NO, NO, NO, NO, NO},
        {"{\"AWS\": \"AIDAALICEALICEALICE1\"}", NO, SELF, NO, NO, NO},
        {"{\"AWS\": \"arn:aws:iam::111122223333:role/app\"}", NO, NO, NO, SELF, NO},
        {"{\"AWS\": \"AROAAPPAPPAPPAPPAPP1\"}", NO, NO, NO, SELF, NO},
        {"{\"AWS\": \"AROAAPPAPPAPPAPPAPP1:i-0abc\"}", NO, NO, NO, SELF, NO},
        {"{\"AWS\": \"arn:aws:sts::111122223333:assumed-role/app/i-0abc\"}", NO, NO, NO, SELF, NO},
        {"{\"AWS\": \"arn:aws:sts::111122223333:assumed-role/app/other\"}", NO, NO, NO, NO, NO},
        {"{\"Service\": \"dynamodb.amazonaws.com\"}", NO, NO, NO, NO, SELF},
        {"{\"Service\": [\"s3.amazonaws.com\", \"dynamodb.amazonaws.com\"]}", NO, NO, NO, NO, SELF},
        {"{\"Service\": \"s3.amazonaws.com\"}", NO, NO, NO, NO, NO},
        {"{\"AWS\": [\"111122223333\", \"arn:aws:iam::111122223333:user/alice\"], \"Service\": "
         "\"dynamodb.amazonaws.com\"}",
         DELEGATED, SELF, NO, DELEGATED, SELF},
    };
    static const struct principal *const callers[] = {&root, &alice, &stranger, &session, &service};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int wanted[] = {rows[i].root, rows[i].alice, rows[i].stranger, rows[i].session, rows[i].service};
        for (int deny = 0; deny < 2; deny++) {
            char text[600];
            snprintf(text, sizeof text,
                     "{\"Statement\": [{\"Effect\": \"%s\", \"Principal\": %s, \"Action\": \"kms:Decrypt\", "
                     "\"Resource\": \"*\"}]}",
                     deny ? "Deny" : "Allow", rows[i].principal);
            struct policy *p = parse(text, POLICY_RESOURCE);
            for (size_t c = 0; c < 5; c++) {
                struct policy_match m = evaluate(p, callers[c], "kms:Decrypt", KEY, NULL);
                enum policy_effect effect = wanted[c] == NO ? POLICY_NONE : deny ? POLICY_DENY : POLICY_ALLOW;
                if (m.effect != effect || m.delegates_to_account != (wanted[c] == DELEGATED && !deny))
                    fail_msg("%s, caller %s: %d %d", text, callers[c]->arn, m.effect, m.delegates_to_account);
            }
            policy_free(p);
        }
    }
}

// --- what ---

static void test_actions_and_resources(void **state)
{
    (void)state;
    static const struct {
        const char *actions, *resources, *action, *resource;
        bool matches;
    } rows[] = {
        {"\"*\"", "\"*\"", "kms:Decrypt", KEY, true},
        {"\"kms:*\"", "\"*\"", "kms:Decrypt", KEY, true},
        {"\"kms:*\"", "\"*\"", "dynamodb:GetItem", KEY, false},
        {"\"kms:decrypt\"", "\"*\"", "kms:Decrypt", KEY, true},
        {"\"KMS:Decrypt\"", "\"*\"", "kms:Decrypt", KEY, true},
        {"\"kms:Decryp\"", "\"*\"", "kms:Decrypt", KEY, false},
        {"\"kms:Decrypt?\"", "\"*\"", "kms:Decrypt", KEY, false},
        {"\"kms:Decryp?\"", "\"*\"", "kms:Decrypt", KEY, true},
        {"\"kms:GenerateDataKey*\"", "\"*\"", "kms:GenerateDataKey", KEY, true},
        {"\"kms:GenerateDataKey*\"", "\"*\"", "kms:GenerateDataKeyWithoutPlaintext", KEY, true},
        {"[\"kms:Encrypt\", \"kms:Decrypt\"]", "\"*\"", "kms:Decrypt", KEY, true},
        {"\"kms:*\"", "\"arn:aws:kms:*:111122223333:key/*\"", "kms:Decrypt", KEY, true},
        {"\"kms:*\"", "\"arn:aws:kms:*:111122223333:key/*\"", "kms:CreateKey", "*", false},
        {"\"kms:*\"", "\"arn:aws:kms:*:444455556666:key/*\"", "kms:Decrypt", KEY, false},
        {"\"kms:*\"", "\"" KEY "\"", "kms:Decrypt", KEY, true},
        {"\"kms:*\"", "\"ARN:aws:kms:us-east-1:111122223333:key/*\"", "kms:Decrypt", KEY, false},
        {"\"kms:*\"", "[\"arn:aws:dynamodb:*\", \"" KEY "\"]", "kms:Decrypt", KEY, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[600], why[200];
        snprintf(text, sizeof text, "{\"Statement\": {\"Effect\": \"Allow\", \"Action\": %s, \"Resource\": %s}}",
                 rows[i].actions, rows[i].resources);
        struct policy *p = policy_parse(span_of(text), POLICY_IDENTITY, why, sizeof why);
        if (!p) { // not an ARN at all
            assert_false(rows[i].matches);
            continue;
        }
        struct policy_match m = evaluate(p, &alice, rows[i].action, rows[i].resource, NULL);
        if ((m.effect == POLICY_ALLOW) != rows[i].matches)
            fail_msg("%s: %s on %s", text, rows[i].action, rows[i].resource);
        policy_free(p);
    }
}

static void test_order(void **state)
{
    (void)state;
#define S(sid, effect, who)                                                                                            \
    "{\"Sid\": \"" sid "\", \"Effect\": \"" effect "\", \"Principal\": {\"AWS\": \"" who                               \
    "\"}, \"Action\": \"kms:*\", \"Resource\": \"*\"}"
#define ACCOUNT "arn:aws:iam::111122223333:root"
#define ALICE "arn:aws:iam::111122223333:user/alice"
    static const struct {
        const char *statements;
        enum policy_effect effect;
        bool delegated;
        size_t statement;
        const char *sid;
    } rows[] = {
        {S("a", "Allow", ACCOUNT) "," S("b", "Allow", ALICE), POLICY_ALLOW, false, 1, "b"},
        {S("a", "Allow", ALICE) "," S("b", "Allow", ACCOUNT), POLICY_ALLOW, false, 0, "a"},
        {S("a", "Allow", ACCOUNT) "," S("b", "Allow", "444455556666"), POLICY_ALLOW, true, 0, "a"},
        {S("a", "Allow", ALICE) "," S("b", "Allow", ALICE), POLICY_ALLOW, false, 0, "a"},
        {S("a", "Allow", ALICE) "," S("b", "Deny", ACCOUNT), POLICY_DENY, false, 1, "b"},
        {S("a", "Deny", ALICE) "," S("b", "Allow", ALICE), POLICY_DENY, false, 0, "a"},
        {S("a", "Deny", "444455556666") "," S("b", "Allow", ALICE), POLICY_ALLOW, false, 1, "b"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[1000];
        snprintf(text, sizeof text, "{\"Statement\": [%s]}", rows[i].statements);
        struct policy *p = parse(text, POLICY_RESOURCE);
        struct policy_match m = evaluate(p, &alice, "kms:Decrypt", KEY, NULL);
        assert_int_equal(m.effect, rows[i].effect);
        assert_int_equal(m.delegates_to_account, rows[i].delegated);
        assert_int_equal(m.statement, rows[i].statement);
        assert_string_equal(m.sid, rows[i].sid);
        policy_free(p);
    }
}

// --- conditions ---

static void test_conditions(void **state)
{
    (void)state;
    static const struct {
        const char *condition;
        struct context context;
        bool holds;
    } rows[] = {
        {"{\"StringEquals\": {\"kms:ViaService\": \"dynamodb.us-east-1.amazonaws.com\"}}",
         {{"kms:ViaService"}, {"dynamodb.us-east-1.amazonaws.com"}},
         true},
        {"{\"StringEquals\": {\"kms:ViaService\": \"dynamodb.us-east-1.amazonaws.com\"}}",
         {{"kms:ViaService"}, {"dynamodb.us-east-2.amazonaws.com"}},
         false},
        // Absent keys never match.
        {"{\"StringEquals\": {\"kms:ViaService\": \"\"}}", {{NULL}, {NULL}}, false},
        {"{\"StringLike\": {\"kms:ViaService\": \"*\"}}", {{NULL}, {NULL}}, false},
        {"{\"Bool\": {\"kms:GrantIsForAWSResource\": \"false\"}}", {{NULL}, {NULL}}, false},
        // Names in any case, values exactly.
        {"{\"StringEquals\": {\"KMS:viaservice\": \"a\"}}", {{"kms:ViaService"}, {"a"}}, true},
        {"{\"StringEquals\": {\"kms:ViaService\": \"A\"}}", {{"kms:ViaService"}, {"a"}}, false},
        {"{\"StringEqualsIgnoreCase\": {\"kms:RecipientAttestation:PCR0\": \"ABc1\"}}",
         {{"kms:RecipientAttestation:PCR0"}, {"abC1"}},
         true},
        {"{\"StringEqualsIgnoreCase\": {\"kms:RecipientAttestation:NitroTPMPCR31\": \"abc*\"}}",
         {{"kms:RecipientAttestation:NitroTPMPCR31"}, {"abc1"}},
         false},
        // Wildcards only in StringLike.
        {"{\"StringEquals\": {\"kms:ViaService\": \"dynamodb.*\"}}", {{"kms:ViaService"}, {"dynamodb.x"}}, false},
        {"{\"StringLike\": {\"kms:ViaService\": \"dynamodb.*.amazonaws.com\"}}",
         {{"kms:ViaService"}, {"dynamodb.us-east-1.amazonaws.com"}},
         true},
        {"{\"StringLike\": {\"kms:ViaService\": \"DynamoDB.*\"}}", {{"kms:ViaService"}, {"dynamodb.x"}}, false},
        // One of the values is enough, every key and operator must hold.
        {"{\"StringEquals\": {\"kms:CallerAccount\": [\"1\", \"2\"]}}", {{"kms:CallerAccount"}, {"2"}}, true},
        {"{\"StringEquals\": {\"kms:CallerAccount\": \"1\", \"kms:ViaService\": \"x\"}}",
         {{"kms:CallerAccount", "kms:ViaService"}, {"1", "y"}},
         false},
        {"{\"StringEquals\": {\"kms:CallerAccount\": \"1\"}, \"StringLike\": {\"kms:ViaService\": \"x*\"}}",
         {{"kms:CallerAccount", "kms:ViaService"}, {"1", "xy"}},
         true},
        {"{\"Bool\": {\"kms:GrantIsForAWSResource\": true}}", {{"kms:GrantIsForAWSResource"}, {"true"}}, true},
        {"{\"Bool\": {\"kms:GrantIsForAWSResource\": \"True\"}}", {{"kms:GrantIsForAWSResource"}, {"true"}}, true},
        {"{\"Bool\": {\"kms:GrantIsForAWSResource\": \"true\"}}", {{"kms:GrantIsForAWSResource"}, {"false"}}, false},
        {"{\"StringEquals\": {\"kms:EncryptionContext:aws:dynamodb:tableName\": \"Music\"}}",
         {{"kms:EncryptionContext:aws:dynamodb:tableName"}, {"Music"}},
         true},
        {"{\"StringEquals\": {\"kms:EncryptionContext:a\": \"1\"}}", {{"kms:EncryptionContext:b"}, {"1"}}, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[600];
        snprintf(text, sizeof text,
                 "{\"Statement\": {\"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": \"*\", \"Condition\": %s}}",
                 rows[i].condition);
        struct policy *p = parse(text, POLICY_IDENTITY);
        struct policy_match m = evaluate(p, &alice, "kms:Decrypt", KEY, &rows[i].context);
        if ((m.effect == POLICY_ALLOW) != rows[i].holds)
            fail_msg("row %zu: %s", i, text);
        policy_free(p);
    }
}

// --- AWS's own ---

static void test_managed_key(void **state)
{
    (void)state;
    static const struct context via = {{"kms:CallerAccount", "kms:ViaService"},
                                       {"111122223333", "dynamodb.us-east-1.amazonaws.com"}};
    static const struct context other_region = {{"kms:CallerAccount", "kms:ViaService"},
                                                {"111122223333", "dynamodb.eu-west-1.amazonaws.com"}};
    static const struct context other_account = {{"kms:CallerAccount", "kms:ViaService"},
                                                 {"444455556666", "dynamodb.us-east-1.amazonaws.com"}};
    static const struct context direct = {{"kms:CallerAccount"}, {"111122223333"}};
    static const struct {
        const struct principal *caller;
        const char *action;
        const struct context *context;
        enum policy_effect effect;
        bool delegated;
    } rows[] = {
        {&alice, "kms:Decrypt", &via, POLICY_ALLOW, false},
        {&alice, "kms:GenerateDataKeyWithoutPlaintext", &via, POLICY_ALLOW, false},
        {&alice, "kms:Decrypt", &direct, POLICY_NONE, false},
        {&alice, "kms:Decrypt", &other_region, POLICY_NONE, false},
        {&stranger, "kms:Decrypt", &other_account, POLICY_NONE, false},
        {&alice, "kms:ScheduleKeyDeletion", &via, POLICY_NONE, false},
        {&alice, "kms:DescribeKey", &direct, POLICY_ALLOW, true},
        {&alice, "kms:DescribeKey", &via, POLICY_ALLOW, false},
        {&root, "kms:RevokeGrant", &direct, POLICY_ALLOW, true},
        {&root, "kms:PutKeyPolicy", &direct, POLICY_NONE, false},
        {&service, "kms:DescribeKey", NULL, POLICY_ALLOW, false},
        {&service, "kms:Decrypt", NULL, POLICY_NONE, false},
    };
    struct buf text;
    char why[300] = "";
    buf_init(&text, 65536);
    assert_true(file_read(TEST_DATA_DIR "/policy/auto-dynamodb-1.json", &text));
    struct policy *p = policy_parse(buf_span(&text), POLICY_RESOURCE, why, sizeof why);
    buf_done(&text);
    assert_string_equal(why, "");
    assert_non_null(p);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct policy_match m = evaluate(p, rows[i].caller, rows[i].action, KEY, rows[i].context);
        if (m.effect != rows[i].effect || m.delegates_to_account != rows[i].delegated)
            fail_msg("%s %s: %d", rows[i].caller->arn, rows[i].action, m.effect);
    }
    policy_free(p);
}

static void test_keeps_access(void **state)
{
    (void)state;
    struct policy *p = parse("{\"Statement\": [" S("a", "Allow", ACCOUNT) "]}", POLICY_RESOURCE);
    assert_true(policy_keeps_access(p, &alice, "kms:PutKeyPolicy", KEY));
    assert_false(policy_keeps_access(p, &stranger, "kms:PutKeyPolicy", KEY));
    policy_free(p);
    // A condition may fail next time: it keeps nothing.
    p = parse("{\"Statement\": [{\"Effect\": \"Allow\", \"Principal\": \"*\", \"Action\": \"*\", \"Resource\": \"*\", "
              "\"Condition\": {\"StringLike\": {\"kms:ViaService\": \"*\"}}}]}",
              POLICY_RESOURCE);
    assert_false(policy_keeps_access(p, &alice, "kms:PutKeyPolicy", KEY));
    policy_free(p);
    // But not one about the account.
    p = parse("{\"Statement\": [{\"Effect\": \"Allow\", \"Principal\": \"*\", \"Action\": \"*\", \"Resource\": \"*\", "
              "\"Condition\": {\"StringEquals\": {\"kms:CallerAccount\": \"111122223333\"}}}]}",
              POLICY_RESOURCE);
    assert_true(policy_keeps_access(p, &alice, "kms:PutKeyPolicy", KEY));
    assert_false(policy_keeps_access(p, &stranger, "kms:PutKeyPolicy", KEY));
    policy_free(p);
}

// --- refusals ---

#define ONE(rest) "{\"Statement\": {" rest "}}"
#define WHO "\"Principal\": \"*\", "
#define REST "\"Effect\": \"Allow\", \"Action\": \"kms:*\", \"Resource\": \"*\""
#define WITH(who) "{\"Statement\": {\"Principal\": " who ", " REST "}}"
#define IF(condition) "{\"Statement\": {" WHO REST ", \"Condition\": " condition "}}"
#define INVALID "Policy contains a statement with one or more invalid principals."
static const struct {
    const char *text, *reason;
} refusals[] = {
    {"", "unexpected end at line 1, column 0"},
    {"{", "unexpected end at line 1, column 1"},
    {"[]", "the policy must be an object"},
    {"\"x\"", "the policy must be an object"},
    {"{}", "Statement is missing"},
    {"{\"Version\": \"2013-01-01\", \"Statement\": []}", "Version must be 2012-10-17 or 2008-10-17"},
    {"{\"Version\": 2012, \"Statement\": []}", "Version must be 2012-10-17 or 2008-10-17"},
    {"{\"Id\": 5, \"Statement\": []}", "Id must be a text"},
    {"{\"statement\": []}", "the element statement is not supported"},
    {"{\"Statement\": []}", "Statement must have 1 to 256 elements"},
    {"{\"Statement\": [5]}", "Statement[0]: must be an object"},
    {ONE(WHO "\"Effect\": \"Allow\", \"Effect\": \"Deny\", \"Action\": \"*\", \"Resource\": \"*\""),
     "a member is given twice at line 1, column 60"},
    {ONE(WHO "\"Action\": \"*\", \"Resource\": \"*\""), "Statement[0]: Effect is missing"},
    {ONE(WHO "\"Effect\": \"allow\""), "Statement[0]: Effect must be Allow or Deny"},
    {ONE(WHO "\"Effect\": \"Allow\", \"Resource\": \"*\""), "Statement[0]: Action is missing"},
    {ONE(WHO "\"Effect\": \"Allow\", \"Action\": \"*\""), "Statement[0]: Resource is missing"},
    {ONE(REST), "Statement[0]: Principal is missing"},
    {ONE(WHO REST ", \"NotResource\": \"*\""), "Statement[0]: the element NotResource is not supported"},
    {ONE("\"NotPrincipal\": \"*\", " REST), "Statement[0]: the element NotPrincipal is not supported"},
    {ONE(WHO "\"Effect\": \"Allow\", \"Action\": []"), "Statement[0]: Action must be a text or a list of texts"},
    {ONE(WHO "\"Effect\": \"Allow\", \"Action\": [5]"), "Statement[0]: Action must be a text or a list of texts"},
    {ONE(WHO "\"Effect\": \"Allow\", \"Action\": \"Decrypt\""), "Statement[0]: Action must be \"*\" or service:Action"},
    {ONE(WHO "\"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": \"key/1\""),
     "Statement[0]: Resource must be \"*\" or an ARN"},
    {ONE(WHO "\"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": \"arn:aws:kms:*:*:key/${aws:username}\""),
     "Statement[0]: policy variables are not supported"},
    {ONE(WHO REST ", \"Sid\": 5"), "Statement[0]: Sid must be a text"},
    {ONE(WHO REST ", \"Sid\": \"a\\u0000b\""), "Statement[0]: Sid must be a text"},
    {ONE(WHO "\"Effect\": \"Allow\", \"Action\": \"kms:\\u0000\""), "Statement[0]: texts must not hold U+0000"},
    {WITH("5"), "Statement[0]: Principal must be \"*\" or an object"},
    {WITH("\"111122223333\""), "Statement[0]: Principal must be \"*\" or an object"},
    {WITH("{}"), "Statement[0]: Principal must be \"*\" or an object"},
    {WITH("{\"AWS\": []}"), "Statement[0]: Principal must be a text or a list of texts"},
    {WITH("{\"Federated\": \"accounts.google.com\"}"), "Statement[0]: only AWS and Service principals are supported"},
    {WITH("{\"AWS\": \"alice\"}"), INVALID},
    {WITH("{\"AWS\": \"\"}"), INVALID},
    {WITH("{\"AWS\": \"arn:aws:iam::111122223333:user/*\"}"), INVALID},
    {WITH("{\"AWS\": \"arn:aws:iam::111122223333:user/\"}"), INVALID},
    {WITH("{\"AWS\": \"arn:aws:iam::111122223333:group/g\"}"), INVALID},
    {WITH("{\"AWS\": \"arn:aws:iam::11112222333:root\"}"), INVALID},
    {WITH("{\"AWS\": \"arn:aws:iam::*:root\"}"), INVALID},
    {WITH("{\"Service\": \"dynamodb\"}"), INVALID},
    {WITH("{\"Service\": \"*.amazonaws.com\"}"), INVALID},
    {IF("5"), "Statement[0]: Condition must be an object"},
    {IF("{\"StringEquals\": 5}"), "Statement[0]: a condition must name its keys"},
    {IF("{\"StringEquals\": {}}"), "Statement[0]: a condition must name its keys"},
    {IF("{\"StringEqualsIfExists\": {\"kms:ViaService\": \"x\"}}"),
     "Statement[0]: the condition operator StringEqualsIfExists is not supported"},
    {IF("{\"ForAnyValue:StringEquals\": {\"kms:ViaService\": \"x\"}}"),
     "Statement[0]: the condition operator ForAnyValue:StringEquals is not supported"},
    {IF("{\"StringEquals\": {\"aws:SourceIp\": \"x\"}}"),
     "Statement[0]: the condition key aws:SourceIp is not supported"},
    {IF("{\"StringEqualsIgnoreCase\": {\"kms:RecipientAttestation:PCR32\": \"x\"}}"),
     "Statement[0]: the condition key kms:RecipientAttestation:PCR32 is not supported"},
    {IF("{\"StringNotEqualsIgnoreCase\": {\"kms:CallerAccount\": \"x\"}}"),
     "Statement[0]: the condition operator StringNotEqualsIgnoreCase is not supported"},
    {IF("{\"StringEquals\": {\"kms:EncryptionContext:\": \"x\"}}"),
     "Statement[0]: the condition key kms:EncryptionContext: is not supported"},
    {IF("{\"StringEquals\": {\"kms:ViaService\": []}}"),
     "Statement[0]: a condition's value must be a text or a list of texts"},
    {IF("{\"StringEquals\": {\"kms:CallerAccount\": 111122223333}}"),
     "Statement[0]: a condition's value must be a text or a list of texts"},
    {IF("{\"Bool\": {\"kms:GrantIsForAWSResource\": \"yes\"}}"),
     "Statement[0]: a condition's value does not fit its operator"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        char why[400] = "";
        assert_null(policy_parse(span_of(refusals[i].text), POLICY_RESOURCE, why, sizeof why));
        assert_string_equal(why, refusals[i].reason);
        assert_null(policy_parse(span_of(refusals[i].text), POLICY_RESOURCE, NULL, 0));
    }
    char why[400] = "";
    assert_null(policy_parse(span_of(WITH("\"*\"")), POLICY_IDENTITY, why, sizeof why));
    assert_string_equal(why, "Statement[0]: the element Principal is not supported");
}

static void test_the_same_sid_twice(void **state)
{
    (void)state;
    char why[400] = "";
    assert_null(policy_parse(SPAN("{\"Statement\": [{\"Sid\": \"a\", " REST "}, {\"Sid\": \"a\", " REST "}]}"),
                             POLICY_IDENTITY, why, sizeof why));
    assert_string_equal(why, "Statement[1]: the Sid a is used twice");
    struct policy *p =
        policy_parse(SPAN("{\"Statement\": [{\"Sid\": \"a\", " WHO REST "}, {\"Sid\": \"a\", " WHO REST "}]}"),
                     POLICY_RESOURCE, why, sizeof why);
    assert_non_null(p);
    policy_free(p);
}

static void test_too_long(void **state)
{
    (void)state;
    static const char start[] = "{\"Statement\": {" WHO REST "}";
    char *text = malloc(32769), why[200] = "";
    memset(text, ' ', 32769);
    memcpy(text, start, sizeof start - 1);
    text[32767] = '}';
    struct policy *p = policy_parse((struct span){text, 32768}, POLICY_RESOURCE, why, sizeof why);
    assert_non_null(p);
    policy_free(p);
    assert_null(policy_parse((struct span){text, 32769}, POLICY_RESOURCE, why, sizeof why));
    assert_string_equal(why, "the policy is longer than 32768 bytes");
    free(text);
}

// A reason goes into a reply: it must stay valid UTF-8 however it was cut.
static void test_reasons_are_utf8(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 4; shift++) {
        char text[400], why[400] = "";
        size_t n = (size_t)snprintf(text, sizeof text, "{\"%.*s", (int)shift, "xxx");
        for (int i = 0; i < 60; i++)
            n += (size_t)snprintf(text + n, sizeof text - n, "\xe2\x82\xac");
        snprintf(text + n, sizeof text - n, "\": 1}");
        assert_null(policy_parse(span_of(text), POLICY_RESOURCE, why, sizeof why));
        json_t *back = json_stringn(why, strlen(why)); // NULL when it is not UTF-8
        assert_non_null(back);
        json_decref(back);
    }
}

// --- wildcards ---

static void test_wildcards(void **state)
{
    (void)state;
    static const struct {
        const char *text, *pattern;
        bool matches, folded;
    } rows[] = {
        {"", "", true, true},
        {"", "*", true, true},
        {"", "?", false, false},
        {"a", "", false, false},
        {"a", "?", true, true},
        {"ab", "?", false, false},
        {"abc", "a*", true, true},
        {"abc", "*c", true, true},
        {"abc", "*b*", true, true},
        {"abc", "a*b", false, false},
        {"abc", "a**c", true, true},
        {"abc", "*?*?*?*", true, true},
        {"abc", "*????*", false, false},
        {"aab", "*ab", true, true},
        {"ababac", "*abac", true, true},
        {"ABC", "abc", false, true},
        {"aBc", "A?C", false, true},
        {"a*c", "a*c", true, true},
        {"abcabd", "ab*bd", true, true},
        {"abd", "ab*bd", false, false},
        {"mississippi", "m*iss*ppi", true, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(policy_wildcard(span_of(rows[i].text), span_of(rows[i].pattern), false), rows[i].matches);
        assert_int_equal(policy_wildcard(span_of(rows[i].text), span_of(rows[i].pattern), true), rows[i].folded);
    }
}

// What would take an exponential matcher longer than the universe has been there.
static void test_hostile_wildcards(void **state)
{
    (void)state;
    char text[4096], pattern[4096];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = i % 2 ? '*' : 'a';
    pattern[sizeof pattern - 1] = 'b';
    assert_false(policy_wildcard((struct span){text, sizeof text}, (struct span){pattern, sizeof pattern}, true));
    pattern[sizeof pattern - 1] = '*';
    assert_true(policy_wildcard((struct span){text, sizeof text}, (struct span){pattern, sizeof pattern}, true));
    memset(pattern, '*', sizeof pattern);
    pattern[sizeof pattern - 1] = 'b';
    assert_false(policy_wildcard((struct span){text, sizeof text}, (struct span){pattern, sizeof pattern}, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_principals),  cmocka_unit_test(test_actions_and_resources),
        cmocka_unit_test(test_order),       cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_managed_key), cmocka_unit_test(test_keeps_access),
        cmocka_unit_test(test_refusals),    cmocka_unit_test(test_the_same_sid_twice),
        cmocka_unit_test(test_too_long),    cmocka_unit_test(test_reasons_are_utf8),
        cmocka_unit_test(test_wildcards),   cmocka_unit_test(test_hostile_wildcards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
