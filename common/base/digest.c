// SHA-256 and HMAC-SHA-256 for signatures, ids and file digests. Fetching an algorithm from OpenSSL costs far more than
// hashing a request, hence contexts that live as long as their thread. A digest that cannot be computed (no memory, no
// provider) ends the process: nothing here could go on safely.
#include "common/base/digest.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "common/base/encode.h"

static _Thread_local EVP_MD *thread_md;
static _Thread_local EVP_MD_CTX *thread_md_ctx;
static _Thread_local EVP_MAC_CTX *thread_mac_ctx; // HMAC, its digest already set

static EVP_MD_CTX *md_ctx(void)
{
    if (!thread_md_ctx) {
        thread_md = EVP_MD_fetch(NULL, "SHA256", NULL);
        thread_md_ctx = EVP_MD_CTX_new();
        if (!thread_md || !thread_md_ctx)
            abort();
    }
    return thread_md_ctx;
}

static EVP_MAC_CTX *mac_ctx(void)
{
    if (!thread_mac_ctx) {
        char name[] = "SHA256";
        OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                               OSSL_PARAM_construct_end()};
        EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
        thread_mac_ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
        EVP_MAC_free(mac); // the context holds its own reference
        if (!thread_mac_ctx || EVP_MAC_CTX_set_params(thread_mac_ctx, params) != 1)
            abort();
    }
    return thread_mac_ctx;
}

void sha256(struct span bytes, unsigned char out[SHA256_SIZE])
{
    EVP_MD_CTX *ctx = md_ctx();
    if (EVP_DigestInit_ex2(ctx, thread_md, NULL) != 1 || EVP_DigestUpdate(ctx, bytes.p, bytes.n) != 1 ||
        EVP_DigestFinal_ex(ctx, out, NULL) != 1)
        abort();
}

void sha256_hex(struct span bytes, char out[2 * SHA256_SIZE + 1])
{
    unsigned char digest[SHA256_SIZE];
    sha256(bytes, digest);
    hex_encode(digest, sizeof digest, out);
}

void hmac_sha256(struct span key, struct span bytes, unsigned char out[SHA256_SIZE])
{
    EVP_MAC_CTX *ctx = mac_ctx();
    // A null key would mean "the same key as before".
    const unsigned char *k = key.n ? (const unsigned char *)key.p : (const unsigned char *)"";
    if (EVP_MAC_init(ctx, k, key.n, NULL) != 1 || EVP_MAC_update(ctx, (const unsigned char *)bytes.p, bytes.n) != 1 ||
        EVP_MAC_final(ctx, out, NULL, SHA256_SIZE) != 1)
        abort();
}

void digest_thread_done(void)
{
    EVP_MD_CTX_free(thread_md_ctx);
    EVP_MD_free(thread_md);
    EVP_MAC_CTX_free(thread_mac_ctx);
    thread_md_ctx = NULL;
    thread_md = NULL;
    thread_mac_ctx = NULL;
}
