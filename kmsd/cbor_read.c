// A pull reader over libcbor's streaming decoder, for attestation.c. The decoder tells an item by calling back.
#include "kmsd/cbor_read.h"

#include <cbor.h>

static void take(void *context, enum cbor_kind kind, uint64_t number)
{
    struct cbor_value *v = context;
    v->kind = kind;
    v->number = number;
}

static void take_string(void *context, enum cbor_kind kind, cbor_data bytes, size_t n)
{
    struct cbor_value *v = context;
    v->kind = kind;
    v->bytes = (struct span){(const char *)bytes, n};
}

static void uint8_item(void *context, uint8_t v)
{
    take(context, CBOR_UINT, v);
}

static void uint16_item(void *context, uint16_t v)
{
    take(context, CBOR_UINT, v);
}

static void uint32_item(void *context, uint32_t v)
{
    take(context, CBOR_UINT, v);
}

static void uint64_item(void *context, uint64_t v)
{
    take(context, CBOR_UINT, v);
}

static void negative8_item(void *context, uint8_t v)
{
    take(context, CBOR_NEGATIVE, v);
}

static void negative16_item(void *context, uint16_t v)
{
    take(context, CBOR_NEGATIVE, v);
}

static void negative32_item(void *context, uint32_t v)
{
    take(context, CBOR_NEGATIVE, v);
}

static void negative64_item(void *context, uint64_t v)
{
    take(context, CBOR_NEGATIVE, v);
}

static void bytes_item(void *context, cbor_data bytes, size_t n)
{
    take_string(context, CBOR_BYTES, bytes, n);
}

static void text_item(void *context, cbor_data bytes, size_t n)
{
    take_string(context, CBOR_TEXT, bytes, n);
}

static void array_item(void *context, size_t n)
{
    take(context, CBOR_ARRAY, n);
}

static void map_item(void *context, size_t n)
{
    take(context, CBOR_MAP, n);
}

static void open_item(void *context, enum cbor_kind kind)
{
    struct cbor_value *v = context;
    v->kind = kind;
    v->open = true;
}

static void open_array_item(void *context)
{
    open_item(context, CBOR_ARRAY);
}

static void open_map_item(void *context)
{
    open_item(context, CBOR_MAP);
}

static void null_item(void *context)
{
    take(context, CBOR_NULL, 0);
}

bool cbor_next(struct span *source, struct cbor_value *out)
{
    // What is not named here changes nothing, and so is CBOR_OTHER.
    struct cbor_callbacks c = cbor_empty_callbacks;
    c.uint8 = uint8_item;
    c.uint16 = uint16_item;
    c.uint32 = uint32_item;
    c.uint64 = uint64_item;
    c.negint8 = negative8_item;
    c.negint16 = negative16_item;
    c.negint32 = negative32_item;
    c.negint64 = negative64_item;
    c.byte_string = bytes_item;
    c.string = text_item;
    c.array_start = array_item;
    c.map_start = map_item;
    c.indef_array_start = open_array_item;
    c.indef_map_start = open_map_item;
    c.null = null_item;
    *out = (struct cbor_value){.kind = CBOR_OTHER};
    struct cbor_decoder_result r = cbor_stream_decode((cbor_data)source->p, source->n, &c, out);
    if (r.status != CBOR_DECODER_FINISHED || r.read == 0 || r.read > source->n)
        return false;
    *source = (struct span){source->p + r.read, source->n - r.read};
    return true;
}

bool cbor_next_is(struct span *source, enum cbor_kind kind, struct cbor_value *out)
{
    return cbor_next(source, out) && out->kind == kind;
}

bool cbor_more(struct span *source, struct cbor_value *list)
{
    if (!list->open) {
        bool more = list->number > 0;
        list->number -= more;
        return more;
    }
    if (source->n == 0 || (unsigned char)source->p[0] != 0xff)
        return true;
    *source = (struct span){source->p + 1, source->n - 1};
    return false;
}
