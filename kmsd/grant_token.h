// Grant tokens in the layout of AWS's: base64url without padding (491 characters) over 368 bytes
//   01 | 0a 40 <64 hex: id of the wrapping key> | 22 88 02 <264-byte ciphertext, old layout> | 2a 20 <32: the GrantId>
// Authenticated as a whole: a token that was not made here, or of which a bit was changed, is refused. Each token of a
// grant is different, all of them name the same grant.
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/fault.h"
#include "kmsd/root_key.h"

#define GRANT_ID_SIZE 32

// Appends a fresh token for the grant to text.
bool grant_token_write(const struct root_key *k, const unsigned char grant_id[GRANT_ID_SIZE], struct buf *text);
// False unless text is a genuine token; then grant_id is the grant's.
MUST_CHECK bool grant_token_read(const struct root_key *k, struct span text, unsigned char grant_id[GRANT_ID_SIZE]);
