// A request head of any shape is verified or refused with a fault, and never more than refused without a right
// signature; any request that we sign ourselves verifies, until one byte of it changes. Input: a request in text form
// (lines end with LF, an empty line ends the head).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/auth/region.h"
#include "common/auth/sigv4.h"
#include "common/base/json_read.h"
#include "common/base/time_format.h"

#define HEADERS_MAX 48
#define NOW "20150830T123600Z"
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct credentials *strict, *open_to_all;
static struct sigv4_cache *cache;
static struct sigv4_rules rules = {.service = "service", .skew_ns = INT64_C(300) * 1000000000};

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    static const char file[] = "{\"accounts\": {\"111122223333\": {\"users\": {\"alice\": {\"accessKeys\": [{\"id\": "
                               "\"AKIDEXAMPLE\", \"secret\": \"" SECRET "\"}]}}}}}";
    char path[64], why[256];
    json_read_setup();
    int fd = memfd_create("principals", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, file, sizeof file - 1) == sizeof file - 1);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct credentials_options o = {.default_account = "000000000000", .principals_path = path};
    o.mode = AUTH_STRICT;
    strict = credentials_new(&o, why, sizeof why);
    o.mode = AUTH_OPEN;
    open_to_all = credentials_new(&o, why, sizeof why);
    cache = sigv4_cache_new(16);
    must(strict && open_to_all && cache && time_parse_amz(SPAN(NOW), &rules.now_ns));
    return 0;
}

static struct span cut(struct span *rest, char at)
{
    const char *end = rest->n ? memchr(rest->p, at, rest->n) : NULL;
    struct span head = {rest->p, end ? (size_t)(end - rest->p) : rest->n};
    size_t used = head.n + (end ? 1 : 0);
    *rest = (struct span){rest->p + used, rest->n - used};
    return head;
}

static size_t split(struct span text, struct sigv4_request *r, struct header *headers)
{
    struct span line = cut(&text, '\n');
    r->method = cut(&line, ' ');
    r->target = cut(&line, ' ');
    size_t n = 0;
    while (text.n && n < HEADERS_MAX) {
        line = cut(&text, '\n');
        if (line.n == 0)
            break;
        struct span name = cut(&line, ':');
        headers[n++] = (struct header){name, line};
    }
    r->headers = headers;
    r->headers_n = n;
    r->body = text;
    return n;
}

static const struct fault *verify(const struct sigv4_request *r, struct credentials *c, const char **detail)
{
    struct arena arena;
    struct sigv4_result out = {0};
    arena_init(&arena);
    *detail = NULL;
    const struct fault *fault = sigv4_verify(r, &rules, c, cache, &arena, &out, detail);
    if (!fault) {
        must(region_exists(out.region) && out.signed_headers && out.principal);
        must(sigv4_header_signed(&out, "host") || sigv4_header_signed(&out, ":authority"));
        principal_unref(out.principal);
    } else {
        must(fault->code && fault->status == 400 && (fault->message || (*detail && **detail)));
    }
    arena_done(&arena);
    *detail = NULL;
    return fault;
}

// Names that would not be what they are in a list of signed headers, or that mean something to the verification.
static bool plain(struct span name)
{
    static const char *const known[] = {"authorization",        "host", "date", "x-amz-date", "x-amz-content-sha256",
                                        "x-amz-security-token", NULL};
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || strchr(";,=", name.p[i]) || (unsigned char)name.p[i] > '~')
            return false;
    for (const char *const *k = known; *k; k++)
        if (span_ieq(name, span_of(*k)))
            return false;
    return name.n > 0;
}

static void sign_and_verify(struct sigv4_request r, struct header *headers)
{
    size_t n = 0;
    for (size_t i = 0; i < r.headers_n; i++)
        if (plain(headers[i].name))
            headers[n++] = headers[i];
    headers[n++] = (struct header){SPAN("Host"), SPAN("localhost")};
    headers[n++] = (struct header){SPAN("X-Amz-Date"), SPAN(NOW)};
    r.headers_n = n;
    struct buf authorization;
    buf_init(&authorization, 1 << 20);
    const char *detail;
    bool in_query = r.target.n && memmem(r.target.p, r.target.n, "X-Amz-Algorithm", 15);
    if (!in_query && sigv4_sign(&r, SPAN("AKIDEXAMPLE"), SPAN(SECRET), SPAN("eu-west-1"), SPAN("service"), rules.now_ns,
                                &authorization)) {
        headers[n++] = (struct header){SPAN("Authorization"), buf_span(&authorization)};
        r.headers_n = n;
        must(!verify(&r, strict, &detail));
        r.headers_n--;
        must(verify(&r, strict, &detail) == &fault_missing_authentication_token);
        r.headers_n++;
        // The last digit of the signature.
        char *last = authorization.data + authorization.len - 1;
        *last = *last == '0' ? '1' : '0';
        must(verify(&r, strict, &detail) == &fault_invalid_signature);
    }
    buf_done(&authorization);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct header headers[HEADERS_MAX + 3];
    struct sigv4_request r;
    const char *detail;
    split((struct span){(const char *)bytes, n}, &r, headers);
    const struct fault *fault = verify(&r, strict, &detail);
    // Who passes where all must be known passes where strangers are let in, too.
    const struct fault *open_fault = verify(&r, open_to_all, &detail);
    must(fault || !open_fault);
    sign_and_verify(r, headers);
    return 0;
}
