// The form of a signature: everything about it that can be judged without knowing a secret, in the order in which AWS
// judges it, so that a client with two mistakes reads about the same one first. Called by sigv4_verify().
// Source of order and sentences: recorded answers of DynamoDB and other JSON services; hashed headers as of 2023.
#include <ctype.h>
#include <string.h>

#include "common/auth/region.h"
#include "common/auth/sigv4_internal.h"
#include "common/base/encode.h"
#include "common/base/time_format.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define SENTENCES_MAX (64 * 1024)

const struct fault fault_missing_authentication_token = {
    .code = "MissingAuthenticationTokenException", .status = 400, .message = "Missing Authentication Token"};
const struct fault fault_incomplete_signature = {.code = "IncompleteSignatureException", .status = 400};
const struct fault fault_invalid_signature = {
    .code = "InvalidSignatureException",
    .status = 400,
    .message = "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
               "Access Key and signing method. Consult the service documentation for details."};

struct reading {
    const struct sigv4_request *request;
    const struct sigv4_rules *rules;
    struct arena *arena;
    struct sigv4_form *form;
    const char **detail;
    struct span authorization, algorithm, credential;
};

static const struct fault *fail(const struct reading *x, const struct fault *fault, const char *sentence)
{
    *x->detail = sentence;
    return fault;
}

struct span sigv4_cut(struct span *rest, char at)
{
    const char *end = rest->n ? memchr(rest->p, at, rest->n) : NULL;
    struct span head = {rest->p, end ? (size_t)(end - rest->p) : rest->n};
    size_t used = head.n + (end ? 1 : 0);
    if (used)
        *rest = (struct span){rest->p + used, rest->n - used};
    return head;
}

bool sigv4_in_list(struct span list, struct span name)
{
    while (list.n > 0)
        if (span_ieq(sigv4_cut(&list, ';'), name))
            return true;
    return false;
}

// A header that comes twice counts as one whose values are joined (RFC 9110 section 5.3).
static void take_authorization(struct reading *x, struct span value)
{
    if (!x->authorization.p)
        x->authorization = value;
    else
        x->authorization = span_of(
            arena_printf(x->arena, "%.*s, %.*s", (int)x->authorization.n, x->authorization.p, (int)value.n, value.p));
}

static void take_headers(struct reading *x)
{
    struct sigv4_form *f = x->form;
    struct span plain_date = {NULL, 0};
    const struct {
        struct span name;
        struct span *to;
    } wanted[] = {
        {SPAN("x-amz-date"), &f->amz_date},
        {SPAN("date"), &plain_date},
        {SPAN("x-amz-content-sha256"), &f->content_hash},
        {SPAN("x-amz-security-token"), &f->token},
    };
    for (size_t i = 0; i < x->request->headers_n; i++) {
        const struct header *h = &x->request->headers[i];
        if (span_ieq(h->name, SPAN("authorization")))
            take_authorization(x, h->value);
        for (size_t w = 0; w < sizeof wanted / sizeof wanted[0]; w++)
            if (!wanted[w].to->p && span_ieq(h->name, wanted[w].name))
                *wanted[w].to = h->value.p ? h->value : SPAN("");
    }
    if (!f->amz_date.n)
        f->amz_date = plain_date;
}

static bool has_query_parameter(struct span query, const char *name)
{
    while (query.n > 0) {
        struct span one = sigv4_cut(&query, '&');
        if (span_is(sigv4_cut(&one, '='), name) && one.n > 0)
            return true;
    }
    return false;
}

static struct span query_of(const struct sigv4_request *r)
{
    struct span rest = r->target;
    sigv4_cut(&rest, '?');
    return rest;
}

// A signature in the query string is told what it lacks; a whole one is refused all the same.
static const struct fault *refuse_query(const struct reading *x, struct span query)
{
    static const char *const names[] = {"X-Amz-Algorithm",     "X-Amz-Credential", "X-Amz-Signature",
                                        "X-Amz-SignedHeaders", "X-Amz-Date",       NULL};
    const char *text = "";
    for (const char *const *name = names; *name; name++)
        if (!has_query_parameter(query, *name))
            text = arena_printf(x->arena, "%sAWS query-string parameters must include '%s'. ", text, *name);
    if (*text)
        text = arena_printf(x->arena, "%sRe-examine the query-string parameters.", text);
    else
        text = "Signatures in the query string are not supported here. Sign with the Authorization header.";
    return fail(x, &fault_incomplete_signature, text);
}

static bool query_signed(struct span query)
{
    while (query.n > 0) {
        struct span one = sigv4_cut(&query, '&');
        if (span_is(sigv4_cut(&one, '='), "X-Amz-Algorithm"))
            return true;
    }
    return false;
}

// Is there a signature at all, and in one place?
static const struct fault *check_presence(struct reading *x)
{
    struct span query = query_of(x->request);
    bool in_query = query.n && query_signed(query);
    if (in_query && x->authorization.n)
        return fail(x, &fault_invalid_signature,
                    "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.");
    if (in_query)
        return refuse_query(x, query);
    if (span_starts(x->authorization, "AWS4-"))
        return NULL;
    // DynamoDB's own words.
    const char *sentence =
        strcmp(x->rules->service, "dynamodb") == 0 ? "Request is missing Authentication Token" : NULL;
    return fail(x, &fault_missing_authentication_token, sentence);
}

// AWS shows a digest of the header since 2023: it might hold a secret by mistake.
static const char *hashed(const struct reading *x)
{
    unsigned char digest[SHA256_SIZE];
    sha256(x->authorization, digest);
    struct buf b;
    buf_init(&b, 64);
    base64_encode(&b, digest, sizeof digest);
    const char *text = arena_strndup(x->arena, b.data, b.len);
    buf_done(&b);
    return text;
}

static bool next_word(struct span *rest, struct span *word)
{
    size_t i = 0;
    while (i < rest->n && (rest->p[i] == ' ' || rest->p[i] == '\t' || rest->p[i] == ','))
        i++;
    size_t from = i;
    while (i < rest->n && rest->p[i] != ' ' && rest->p[i] != '\t' && rest->p[i] != ',')
        i++;
    *word = (struct span){rest->p + from, i - from};
    *rest = (struct span){rest->p + i, rest->n - i};
    return word->n > 0;
}

// "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…"
static const struct fault *read_authorization(struct reading *x)
{
    struct span rest = x->authorization, word;
    if (!next_word(&rest, &x->algorithm))
        x->algorithm = SPAN("");
    while (next_word(&rest, &word)) {
        if (!memchr(word.p, '=', word.n))
            return fail(x, &fault_incomplete_signature,
                        arena_printf(x->arena,
                                     "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with "
                                     "SHA-256 and encoded with Base64): '%s'.",
                                     hashed(x)));
        struct span name = sigv4_cut(&word, '=');
        if (span_is(name, "Credential"))
            x->credential = word;
        else if (span_is(name, "SignedHeaders"))
            x->form->signed_headers = word;
        else if (span_is(name, "Signature"))
            x->form->signature = word;
    }
    return NULL;
}

static const struct fault *check_parts(const struct reading *x)
{
    const struct sigv4_form *f = x->form;
    if (x->credential.n && f->signature.n && f->signed_headers.p && f->amz_date.n)
        return NULL;
    const char *lacking = arena_printf(
        x->arena, "%s%s%s%s", x->credential.n ? "" : "Authorization header requires 'Credential' parameter. ",
        f->signature.n ? "" : "Authorization header requires 'Signature' parameter. ",
        f->signed_headers.p ? "" : "Authorization header requires 'SignedHeaders' parameter. ",
        f->amz_date.n ? "" : "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
    return fail(
        x, &fault_incomplete_signature,
        arena_printf(x->arena, "%s(Hashed with SHA-256 and encoded with Base64) Authorization=%s", lacking, hashed(x)));
}

static const struct fault *check_date(const struct reading *x)
{
    int64_t at, now = x->rules->now_ns, skew = x->rules->skew_ns;
    struct span date = x->form->amz_date;
    if (!time_parse_amz(date, &at))
        return fail(x, &fault_incomplete_signature,
                    arena_printf(x->arena,
                                 "Date must be in ISO-8601 'basic format'. Got '%.*s'. See "
                                 "http://en.wikipedia.org/wiki/ISO_8601",
                                 (int)date.n, date.p));
    if (at >= now - skew && at <= now + skew)
        return NULL;
    char now_text[TIME_AMZ_SIZE], bound[TIME_AMZ_SIZE];
    long long minutes = skew / (INT64_C(60) * 1000000000);
    bool late = at < now;
    time_amz(now, now_text);
    time_amz(late ? now - skew : now + skew, bound);
    return fail(x, &fault_invalid_signature,
                arena_printf(x->arena,
                             late ? "Signature expired: %.*s is now earlier than %s (%s - %lld min.)"
                                  : "Signature not yet current: %.*s is still later than %s (%s + %lld min.)",
                             (int)date.n, date.p, bound, now_text, minutes));
}

static void lower_signed_headers(struct reading *x)
{
    char *text = arena_strndup(x->arena, x->form->signed_headers.p, x->form->signed_headers.n);
    x->form->signed_headers.p = text;
    for (; *text; text++)
        *text = (char)tolower((unsigned char)*text);
}

// The date is part of what is signed in any case, and the user agent says nothing that counts.
static bool may_be_unsigned(struct span name)
{
    return span_ieq(name, SPAN("x-amz-date")) || span_ieq(name, SPAN("x-amz-user-agent"));
}

// host and every x-amz-* header must be covered, or somebody could change them on the way.
static const struct fault *check_signed_headers(const struct reading *x)
{
    struct span list = x->form->signed_headers;
    if (!sigv4_in_list(list, SPAN("host")) && !sigv4_in_list(list, SPAN(":authority")))
        return fail(x, &fault_invalid_signature,
                    "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
    for (size_t i = 0; i < x->request->headers_n; i++) {
        struct span name = x->request->headers[i].name;
        if (name.n > 6 && span_ieq((struct span){name.p, 6}, SPAN("x-amz-")) && !sigv4_in_list(list, name) &&
            !may_be_unsigned(name))
            return fail(x, &fault_invalid_signature,
                        arena_printf(x->arena, "'%.*s' must be a 'SignedHeader' in the AWS Authorization.", (int)name.n,
                                     name.p));
    }
    return NULL;
}

static const struct fault *read_scope(const struct reading *x, struct span *terminator)
{
    struct sigv4_form *f = x->form;
    struct span rest = x->credential;
    while (rest.n && rest.p[rest.n - 1] == '/')
        rest.n--;
    f->access_key = sigv4_cut(&rest, '/');
    f->scope = rest;
    f->date = sigv4_cut(&rest, '/');
    f->region = sigv4_cut(&rest, '/');
    f->service = sigv4_cut(&rest, '/');
    *terminator = rest;
    if (rest.n && !memchr(rest.p, '/', rest.n))
        return NULL;
    return fail(x, &fault_incomplete_signature,
                arena_printf(x->arena,
                             "Credential must have exactly 5 slash-delimited elements, e.g. "
                             "keyid/date/region/service/term, got '%.*s'",
                             (int)x->credential.n, x->credential.p));
}

// All that is wrong with the scope, in one message.
static const struct fault *check_scope(const struct reading *x, struct span terminator)
{
    const struct sigv4_form *f = x->form;
    struct buf b;
    buf_init(&b, SENTENCES_MAX);
    if (!region_exists(f->region))
        buf_appendf(&b, "Credential should be scoped to a valid region, not '%.*s'. ", (int)f->region.n, f->region.p);
    if (!span_is(f->service, x->rules->service))
        buf_appendf(&b, "Credential should be scoped to correct service: '%s'. ", x->rules->service);
    if (!span_is(terminator, "aws4_request"))
        buf_appendf(&b, "Credential should be scoped with a valid terminator: 'aws4_request', not '%.*s'. ",
                    (int)terminator.n, terminator.p);
    if (!span_eq(f->date, (struct span){f->amz_date.p, 8}))
        buf_appendf(&b,
                    "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                    "'%.*s' != '%.8s', from '%.*s'.",
                    (int)f->date.n, f->date.p, f->amz_date.p, (int)f->amz_date.n, f->amz_date.p);
    const struct fault *fault = NULL;
    if (b.len || !buf_ok(&b))
        fault = fail(x, &fault_invalid_signature, b.len ? arena_strndup(x->arena, b.data, b.len) : NULL);
    buf_done(&b);
    return fault;
}

const struct fault *sigv4_read_form(const struct sigv4_request *r, const struct sigv4_rules *rules, struct arena *arena,
                                    struct sigv4_form *form, const char **detail)
{
    *form = (struct sigv4_form){0};
    struct reading x = {.request = r, .rules = rules, .arena = arena, .form = form, .detail = detail};
    struct span terminator;
    const struct fault *fault;
    take_headers(&x);
    if ((fault = check_presence(&x)) || (fault = read_authorization(&x)) || (fault = check_parts(&x)) ||
        (fault = check_date(&x)))
        return fault;
    lower_signed_headers(&x);
    if ((fault = check_signed_headers(&x)))
        return fault;
    if (!span_is(x.algorithm, ALGORITHM))
        return fail(&x, &fault_incomplete_signature,
                    arena_printf(arena, "Unsupported AWS 'algorithm': '%.*s' (only " ALGORITHM " for now). ",
                                 (int)x.algorithm.n, x.algorithm.p));
    fault = read_scope(&x, &terminator);
    return fault ? fault : check_scope(&x, terminator);
}
