// DER of the envelope, for ciphertext.c and grant_token.c. Reading is writing and comparing: the form is fixed by the
// length of the content, so no length that came from outside is ever followed.
#include "kmsd/cms_envelope.h"

#include <string.h>

static const unsigned char encrypted_data_oid[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x06};
static const unsigned char version_0[] = {0x02, 0x01, 0x00};
static const unsigned char data_oid[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01};
// SEQ{aes256-GCM, SEQ{OCTET STRING of 12 …
static const unsigned char algorithm[] = {0x30, 0x1e, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,
                                          0x03, 0x04, 0x01, 0x2e, 0x30, 0x11, 0x04, 0x0c};
static const unsigned char tag_size_16[] = {0x02, 0x01, 0x10}; // … INTEGER 16}}

enum { SEQUENCE = 0x30, EXPLICIT_0 = 0xa0, IMPLICIT_0 = 0x80 };

// Bytes of a DER element's tag and length.
static size_t head_size(size_t n)
{
    return n < 0x80 ? 2 : n < 0x100 ? 3 : 4;
}

struct lengths {
    size_t content, info, data, explicit_data, outer;
};

static struct lengths lengths_for(size_t content_n)
{
    struct lengths l = {.content = content_n};
    l.info = sizeof data_oid + sizeof algorithm + CMS_IV_SIZE + sizeof tag_size_16 + head_size(content_n) + content_n;
    l.data = sizeof version_0 + head_size(l.info) + l.info;
    l.explicit_data = head_size(l.data) + l.data;
    l.outer = sizeof encrypted_data_oid + head_size(l.explicit_data) + l.explicit_data;
    return l;
}

struct cms_envelope cms_layout(size_t content_n)
{
    struct lengths l = lengths_for(content_n);
    size_t size = head_size(l.outer) + l.outer;
    size_t content_at = size - content_n;
    return (struct cms_envelope){
        .size = size,
        .iv_at = content_at - head_size(content_n) - sizeof tag_size_16 - CMS_IV_SIZE,
        .content_at = content_at,
    };
}

static unsigned char *put_head(unsigned char *at, unsigned char tag, size_t n)
{
    *at++ = tag;
    if (n >= 0x100) {
        *at++ = 0x82;
        *at++ = (unsigned char)(n >> 8);
    } else if (n >= 0x80) {
        *at++ = 0x81;
    }
    *at++ = (unsigned char)n;
    return at;
}

static unsigned char *put(unsigned char *at, const unsigned char *bytes, size_t n)
{
    memcpy(at, bytes, n);
    return at + n;
}

struct cms_envelope cms_write(size_t content_n, unsigned char *out)
{
    struct lengths l = lengths_for(content_n);
    unsigned char *at = put_head(out, SEQUENCE, l.outer);
    at = put(at, encrypted_data_oid, sizeof encrypted_data_oid);
    at = put_head(at, EXPLICIT_0, l.explicit_data);
    at = put_head(at, SEQUENCE, l.data);
    at = put(at, version_0, sizeof version_0);
    at = put_head(at, SEQUENCE, l.info);
    at = put(at, data_oid, sizeof data_oid);
    at = put(at, algorithm, sizeof algorithm);
    at += CMS_IV_SIZE;
    at = put(at, tag_size_16, sizeof tag_size_16);
    put_head(at, IMPLICIT_0, l.content);
    return cms_layout(content_n);
}

bool cms_parse(struct span bytes, struct cms_envelope *out)
{
    // Five heads of two to four bytes: the content is what is left of the smallest and the largest overhead.
    size_t most = cms_layout(0).size, least = most + 10;
    if (bytes.n < most || bytes.n > CMS_CONTENT_MAX + least)
        return false;
    size_t content_n = bytes.n > least ? bytes.n - least : 0;
    while (cms_layout(content_n).size < bytes.n)
        content_n++;
    unsigned char expected[sizeof algorithm + 96];
    struct cms_envelope e = cms_layout(content_n);
    if (e.size != bytes.n || e.content_at > sizeof expected)
        return false;
    cms_write(content_n, expected);
    size_t after_iv = e.iv_at + CMS_IV_SIZE;
    if (memcmp(bytes.p, expected, e.iv_at) != 0 ||
        memcmp(bytes.p + after_iv, expected + after_iv, e.content_at - after_iv) != 0)
        return false;
    *out = e;
    return true;
}
