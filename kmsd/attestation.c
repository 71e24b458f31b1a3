// Reads attestation documents: the COSE_Sign1 around them, and their members by a table. Strictly, as AWS describes
// it: no unknown member, none twice, none of another type or size. For recipient.c.
#include "kmsd/attestation.h"

#include <stdio.h>
#include <string.h>

#include "common/base/encode.h"
#include "kmsd/cbor_read.h"

#define COSE_SIGN1_TAG '\xd2' // there or not; not a tag that libcbor 0.8 takes
#define COSE_ALG 1
#define COSE_ES384 34 // -35, as CBOR writes negative numbers
#define SIGNATURE_SIZE 96
#define PAYLOAD_MAX 16384
#define CERTIFICATE_MAX 1024
#define USER_DATA_MAX 1024
#define NS_PER_MS INT64_C(1000000)

// ---- members ----

static bool read_bytes(struct span *source, size_t min, size_t max, struct span *to)
{
    struct cbor_value v;
    if (!cbor_next_is(source, CBOR_BYTES, &v) || v.bytes.n < min || v.bytes.n > max)
        return false;
    *to = v.bytes;
    return true;
}

// AWS's own encoder writes null for what is absent.
static bool read_optional(struct span *source, size_t min, struct span *to)
{
    struct span ahead = *source;
    struct cbor_value v;
    if (cbor_next_is(&ahead, CBOR_NULL, &v)) {
        *source = ahead;
        return true;
    }
    return read_bytes(source, min, USER_DATA_MAX, to);
}

static bool read_module_id(struct span *source, struct attestation *a)
{
    struct cbor_value v;
    bool ok = cbor_next_is(source, CBOR_TEXT, &v) && v.bytes.n > 0;
    a->module_id = v.bytes;
    return ok;
}

static bool read_digest(struct span *source, struct attestation *a)
{
    struct cbor_value v;
    (void)a;
    return cbor_next_is(source, CBOR_TEXT, &v) && span_is(v.bytes, "SHA384");
}

static bool read_timestamp(struct span *source, struct attestation *a)
{
    struct cbor_value v;
    if (!cbor_next_is(source, CBOR_UINT, &v) || v.number == 0)
        return false;
    // What is later than nanoseconds can tell is in the future anyway.
    a->timestamp_ns = v.number > INT64_MAX / NS_PER_MS ? INT64_MAX : (int64_t)v.number * NS_PER_MS;
    return true;
}

static bool read_pcrs_of(struct span *source, struct attestation *a, enum attestation_platform platform)
{
    struct cbor_value map, index;
    struct span pcr;
    size_t n = 0;
    if (!cbor_next_is(source, CBOR_MAP, &map))
        return false;
    for (; cbor_more(source, &map); n++) {
        if (!cbor_next_is(source, CBOR_UINT, &index) || index.number >= ATTESTATION_PCRS || a->pcrs[index.number][0] ||
            !read_bytes(source, 32, ATTESTATION_PCR_MAX, &pcr) || (pcr.n != 32 && pcr.n != 48 && pcr.n != 64))
            return false;
        hex_encode(pcr.p, pcr.n, a->pcrs[index.number]);
    }
    a->platform = platform;
    return n > 0;
}

static bool read_pcrs(struct span *source, struct attestation *a)
{
    return read_pcrs_of(source, a, ATTESTATION_ENCLAVE);
}

static bool read_nitrotpm_pcrs(struct span *source, struct attestation *a)
{
    return read_pcrs_of(source, a, ATTESTATION_NITRO_TPM);
}

static bool read_certificate(struct span *source, struct attestation *a)
{
    return read_bytes(source, 1, CERTIFICATE_MAX, &a->certificate);
}

static bool read_cabundle(struct span *source, struct attestation *a)
{
    struct cbor_value list;
    if (!cbor_next_is(source, CBOR_ARRAY, &list))
        return false;
    while (cbor_more(source, &list))
        if (a->cabundle_n == ATTESTATION_CERTIFICATES_MAX ||
            !read_bytes(source, 1, CERTIFICATE_MAX, &a->cabundle[a->cabundle_n++]))
            return false;
    return a->cabundle_n > 0;
}

static bool read_public_key(struct span *source, struct attestation *a)
{
    return read_optional(source, 1, &a->public_key);
}

static bool read_user_data(struct span *source, struct attestation *a)
{
    return read_optional(source, 0, &a->user_data);
}

static bool read_nonce(struct span *source, struct attestation *a)
{
    return read_optional(source, 0, &a->nonce);
}

// ---- the map ----

enum { PCRS, NITROTPM_PCRS }; // a document has one of these two

#define OPTIONAL_RULE "must be a byte string of at most 1024 bytes"
#define PCRS_RULE "must be a map of 1 to 32 byte strings of 32, 48 or 64 bytes, by numbers from 0 to 31, each once"

static const struct member {
    const char *name, *rule;
    bool (*read)(struct span *source, struct attestation *a);
    bool required;
} members[] = {
    [PCRS] = {"pcrs", PCRS_RULE, read_pcrs, false},
    [NITROTPM_PCRS] = {"nitrotpm_pcrs", PCRS_RULE, read_nitrotpm_pcrs, false},
    {"module_id", "must be a text that is not empty", read_module_id, true},
    {"timestamp", "must be milliseconds since 1970, a positive integer", read_timestamp, true},
    {"digest", "must be SHA384", read_digest, true},
    {"certificate", "must be a byte string of 1 to 1024 bytes", read_certificate, true},
    {"cabundle", "must be a list of 1 to 16 byte strings of 1 to 1024 bytes", read_cabundle, true},
    {"public_key", "must be a byte string of 1 to 1024 bytes", read_public_key, false},
    {"user_data", OPTIONAL_RULE, read_user_data, false},
    {"nonce", OPTIONAL_RULE, read_nonce, false},
};

#define MEMBERS_N (sizeof members / sizeof *members)
#define BIT(i_) (1u << (i_))

static bool refuse(char *why, size_t why_size, const char *name, const char *rule)
{
    snprintf(why, why_size, "%s %s", name, rule);
    return false;
}

static size_t find_member(struct span name)
{
    size_t i = 0;
    while (i < MEMBERS_N && !span_is(name, members[i].name))
        i++;
    return i;
}

static bool all_there(unsigned seen, char *why, size_t why_size)
{
    for (size_t i = 0; i < MEMBERS_N; i++)
        if (members[i].required && !(seen & BIT(i)))
            return refuse(why, why_size, members[i].name, "is missing");
    bool enclave = seen & BIT(PCRS), tpm = seen & BIT(NITROTPM_PCRS);
    return enclave != tpm || refuse(why, why_size, "either pcrs or nitrotpm_pcrs", "must be there");
}

static bool parse_map(struct span source, struct attestation *a, char *why, size_t why_size)
{
    struct cbor_value map, name;
    unsigned seen = 0;
    if (!cbor_next_is(&source, CBOR_MAP, &map))
        return refuse(why, why_size, "the payload", "must be a map");
    while (cbor_more(&source, &map)) {
        if (!cbor_next_is(&source, CBOR_TEXT, &name))
            return refuse(why, why_size, "the names of members", "must be texts");
        size_t m = find_member(name.bytes);
        if (m == MEMBERS_N)
            return refuse(why, why_size, "the payload", "has a member that is not known");
        // Two maps of PCRs would run into each other.
        if (seen & BIT(m) || (m <= NITROTPM_PCRS && seen & (BIT(PCRS) | BIT(NITROTPM_PCRS))))
            return refuse(why, why_size, members[m].name, "must be there once");
        if (!members[m].read(&source, a))
            return refuse(why, why_size, members[m].name, members[m].rule);
        seen |= BIT(m);
    }
    if (source.n)
        return refuse(why, why_size, "the payload", "must end with its map");
    return all_there(seen, why, why_size);
}

// ---- COSE_Sign1 ----

static bool is_es384(struct span source)
{
    struct cbor_value map, label, value;
    return cbor_next_is(&source, CBOR_MAP, &map) && map.number == 1 && cbor_next_is(&source, CBOR_UINT, &label) &&
           label.number == COSE_ALG && cbor_next_is(&source, CBOR_NEGATIVE, &value) && value.number == COSE_ES384 &&
           source.n == 0;
}

bool attestation_parse(struct span document, struct attestation *out, char *why, size_t why_size)
{
    struct cbor_value v;
    *out = (struct attestation){.cabundle_n = 0};
    if (document.n > 0 && document.p[0] == COSE_SIGN1_TAG)
        document = (struct span){document.p + 1, document.n - 1};
    if (!cbor_next_is(&document, CBOR_ARRAY, &v) || v.number != 4)
        return refuse(why, why_size, "the document", "must be a COSE_Sign1, a list of four");
    if (!read_bytes(&document, 0, SIZE_MAX, &out->protected) || !is_es384(out->protected))
        return refuse(why, why_size, "the protected header", "must name ES384 and nothing else");
    if (!cbor_next_is(&document, CBOR_MAP, &v) || cbor_more(&document, &v))
        return refuse(why, why_size, "the unprotected header", "must be an empty map");
    if (!read_bytes(&document, 1, PAYLOAD_MAX, &out->payload))
        return refuse(why, why_size, "the payload", "must be a byte string of 1 to 16384 bytes");
    if (!read_bytes(&document, SIGNATURE_SIZE, SIGNATURE_SIZE, &out->signature) || document.n)
        return refuse(why, why_size, "the signature", "must be a byte string of 96 bytes at the end");
    return parse_map(out->payload, out, why, why_size);
}

// ---- condition keys ----

static bool starts_with(struct span key, struct span prefix)
{
    return key.n >= prefix.n && span_ieq((struct span){key.p, prefix.n}, prefix);
}

bool attestation_condition(const struct attestation *a, struct span key, struct span *value)
{
    bool enclave = a->platform == ATTESTATION_ENCLAVE;
    struct span prefix = enclave ? SPAN("kms:RecipientAttestation:PCR") : SPAN("kms:RecipientAttestation:NitroTPMPCR");
    size_t index = 0;
    if (!(enclave && span_ieq(key, SPAN("kms:RecipientAttestation:ImageSha384")))) {
        if (!starts_with(key, prefix) || key.n == prefix.n)
            return false;
        for (const char *c = key.p + prefix.n; c < key.p + key.n && index < ATTESTATION_PCRS; c++)
            index = *c >= '0' && *c <= '9' ? index * 10 + (size_t)(*c - '0') : ATTESTATION_PCRS;
    }
    if (index >= ATTESTATION_PCRS || !a->pcrs[index][0])
        return false;
    *value = span_of(a->pcrs[index]);
    return true;
}
