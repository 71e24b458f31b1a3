// KMS requests and replies as bytes. kms_client.c sends them; what KMS's errors become for DynamoDB's clients is said
// here, once.
#include "ddbd/kms_message.h"

#include <stdio.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "ddbd/faults.h"

// ---- requests ----

static const char *const grant_operations[] = {"DescribeKey",   "GenerateDataKey", "Decrypt",     "Encrypt",
                                               "ReEncryptFrom", "ReEncryptTo",     "RetireGrant", NULL};

static struct json_write begin(struct buf *b)
{
    struct json_write w;
    json_write_init(&w, b);
    json_obj_begin(&w);
    return w;
}

static void write_pairs(struct json_write *w, const char *key, const struct kms_context *context)
{
    json_key(w, key);
    json_obj_begin(w);
    json_kcstr(w, "aws:dynamodb:tableName", context->table);
    json_kcstr(w, "aws:dynamodb:subscriberId", context->account);
    json_obj_end(w);
}

void kms_body_describe_key(struct buf *b, struct span key_id)
{
    struct json_write w = begin(b);
    json_kstr(&w, "KeyId", key_id);
    json_obj_end(&w);
}

void kms_body_create_grant(struct buf *b, const char *key_arn, const char *region, const struct kms_context *context,
                           const char *name)
{
    char service[128];
    snprintf(service, sizeof service, "dynamodb.%s.amazonaws.com", region);
    struct json_write w = begin(b);
    json_kcstr(&w, "KeyId", key_arn);
    json_kcstr(&w, "GranteePrincipal", service);
    json_kcstr(&w, "RetiringPrincipal", service);
    json_key(&w, "Operations");
    json_arr_begin(&w);
    for (const char *const *op = grant_operations; *op; op++)
        json_cstr(&w, *op);
    json_arr_end(&w);
    json_key(&w, "Constraints");
    json_obj_begin(&w);
    write_pairs(&w, "EncryptionContextSubset", context);
    json_obj_end(&w);
    json_kcstr(&w, "Name", name);
    json_obj_end(&w);
}

void kms_body_generate_data_key(struct buf *b, const char *key_arn, const struct kms_context *context,
                                const char *grant_token)
{
    struct json_write w = begin(b);
    json_kcstr(&w, "KeyId", key_arn);
    write_pairs(&w, "EncryptionContext", context);
    json_kcstr(&w, "KeySpec", "AES_256");
    if (grant_token && grant_token[0]) {
        json_key(&w, "GrantTokens");
        json_arr_begin(&w);
        json_cstr(&w, grant_token);
        json_arr_end(&w);
    }
    json_obj_end(&w);
}

void kms_body_decrypt(struct buf *b, struct span blob, const struct kms_context *context)
{
    struct json_write w = begin(b);
    json_key(&w, "CiphertextBlob");
    json_base64(&w, blob);
    write_pairs(&w, "EncryptionContext", context);
    json_obj_end(&w);
}

void kms_body_retire_grant(struct buf *b, const char *key_arn, const char *grant_id)
{
    struct json_write w = begin(b);
    json_kcstr(&w, "KeyId", key_arn);
    json_kcstr(&w, "GrantId", grant_id);
    json_obj_end(&w);
}

// ---- replies ----

void kms_reply_unreachable(struct kms_reply *r, const char *why)
{
    secret_done(&r->plaintext);
    memset(r, 0, sizeof *r);
    r->outcome = KMS_UNREACHABLE;
    snprintf(r->message, sizeof r->message, "%s", why);
}

void kms_reply_done(struct kms_reply *r)
{
    secret_done(&r->plaintext);
}

// False when the member is there and does not fit.
static bool take_text(const json_t *object, const char *name, char *out, size_t size)
{
    struct span s = json_span(json_object_get(object, name));
    if (s.n >= size || (s.n && memchr(s.p, 0, s.n)))
        return false;
    if (s.n)
        memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return true;
}

// An error's text may be longer than what is passed on: cut.
static void take_message(const json_t *object, char out[KMS_MESSAGE_SIZE])
{
    struct span s = json_span(json_object_get(object, "message"));
    if (!s.n)
        s = json_span(json_object_get(object, "Message"));
    snprintf(out, KMS_MESSAGE_SIZE, "%.*s", (int)(s.n < KMS_MESSAGE_SIZE ? s.n : KMS_MESSAGE_SIZE - 1), s.p ? s.p : "");
}

static bool take_blob(struct kms_reply *r, const json_t *object)
{
    struct span text = json_span(json_object_get(object, "CiphertextBlob"));
    unsigned char bytes[KMS_BLOB_MAX + 4];
    size_t n = 0;
    if (text.n / 4 * 3 > KMS_BLOB_MAX || !base64_decode(text, bytes, &n) || n > KMS_BLOB_MAX)
        return false;
    memcpy(r->blob, bytes, n);
    r->blob_n = n;
    return true;
}

static bool take_plaintext(struct kms_reply *r, const json_t *object)
{
    struct span text = json_span(json_object_get(object, "Plaintext"));
    if (!text.n)
        return true;
    struct secret bytes = {0};
    size_t n = 0;
    bool ok = text.n == (KEY_SIZE + 2) / 3 * 4 && secret_init(&bytes, base64_decoded_max(text.n)) &&
              base64_decode(text, bytes.p, &n) && n == KEY_SIZE && secret_copy(&r->plaintext, bytes.p, n);
    secret_done(&bytes);
    return ok;
}

static bool take_success(struct kms_reply *r, const json_t *body)
{
    const json_t *metadata = json_object_get(body, "KeyMetadata");
    r->outcome = KMS_OK;
    return take_text(metadata ? metadata : body, metadata ? "Arn" : "KeyId", r->key_arn, sizeof r->key_arn) &&
           take_text(body, "GrantId", r->grant_id, sizeof r->grant_id) &&
           take_text(body, "GrantToken", r->grant_token, sizeof r->grant_token) && take_blob(r, body) &&
           take_plaintext(r, body);
}

static bool take_error(struct kms_reply *r, const json_t *body)
{
    struct span type = json_span(json_object_get(body, "__type"));
    const char *hash = type.n ? memchr(type.p, '#', type.n) : NULL;
    if (hash) {
        type.n -= (size_t)(hash + 1 - type.p);
        type.p = hash + 1;
    }
    if (!type.n || type.n >= sizeof r->code)
        return false;
    memcpy(r->code, type.p, type.n);
    r->code[type.n] = '\0';
    take_message(body, r->message);
    r->outcome = KMS_ERROR;
    return true;
}

void kms_reply_read(struct kms_reply *r, int status, struct span request_id, struct span body)
{
    // RetireGrant and others answer with nothing at all.
    json_t *json = body.n ? json_read(body, NULL, 0) : json_object();
    bool ok = json_is_object(json) && request_id.n < sizeof r->request_id;
    if (ok && status == 200)
        ok = take_success(r, json);
    else if (ok)
        ok = take_error(r, json);
    json_decref(json);
    if (!ok) {
        kms_reply_unreachable(r, "the reply of KMS could not be understood");
        return;
    }
    r->status = status;
    if (request_id.n)
        memcpy(r->request_id, request_id.p, request_id.n);
}

// ---- what DynamoDB's client is told ----

// KMS exceptions that the service's SDK has a class for; the others are its AWSKMSException.
static const char *const modelled[] = {
    "AlreadyExistsException",  "DependencyTimeoutException", "DisabledException",
    "IncorrectKeyException",   "InvalidArnException",        "InvalidCiphertextException",
    "InvalidGrantIdException", "InvalidGrantTokenException", "InvalidKeyUsageException",
    "KeyUnavailableException", "KMSInternalException",       "KMSInvalidStateException",
    "LimitExceededException",  "NotFoundException",          NULL};

static const struct class
{
    const char *code;
    const char *text;
    const struct fault *fault;
} classes[] = {
    {"DisabledException", "KMS key disabled error", &fault_validation},
    {"KMSInvalidStateException", "KMS validation error", &fault_validation},
    {"NotFoundException", "KMS validation error", &fault_validation},
    {"InvalidArnException", "KMS validation error", &fault_validation},
    {"InvalidKeyUsageException", "KMS validation error", &fault_validation},
    {"AccessDeniedException", "KMS key access denied error", &fault_access_denied},
};

static const struct class *class_of(const char *code)
{
    static const struct class internal = {NULL, "KMS internal error", &fault_internal};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strcmp(classes[i].code, code) == 0)
            return &classes[i];
    return &internal;
}

static const char *exception_of(const char *code)
{
    for (const char *const *m = modelled; *m; m++)
        if (strcmp(*m, code) == 0)
            return *m;
    return "AWSKMSException";
}

const struct fault *kms_reply_fault(const struct kms_reply *r, char detail[KMS_DETAIL_SIZE])
{
    if (r->outcome == KMS_OK)
        return NULL;
    if (r->outcome == KMS_UNREACHABLE) {
        snprintf(detail, KMS_DETAIL_SIZE,
                 "KMS internal error: com.amazonaws.SdkClientException: Unable to execute HTTP request: %s",
                 r->message);
        return &fault_internal;
    }
    const struct class *c = class_of(r->code);
    snprintf(detail, KMS_DETAIL_SIZE,
             "%s: com.amazonaws.services.kms.model.%s: %s (Service: AWSKMS; Status Code: %d; Error Code: %s; "
             "Request ID: %s; Proxy: null)",
             c->text, exception_of(r->code), r->message, r->status, r->code, r->request_id);
    return c->fault;
}

bool kms_reply_key_lost(const struct kms_reply *r)
{
    return r->outcome == KMS_ERROR && class_of(r->code)->fault != &fault_internal;
}
