// Files and tables of credentials for the tests of common/auth.
#pragma once

#include "common/auth/credentials.h"
#include "common/auth/sigv4.h"

// A new folder, removed with what is in it by fixture_done().
const char *fixture_new(void);
void fixture_done(void);
// Writes a file into the folder (text NULL: only names it); its path lives until fixture_done() or fixture_forget().
const char *fixture_file(const char *name, const char *text);
// Frees the room for paths; the files stay.
void fixture_forget(void);
// A table over principals.json with this text (NULL: none) and, if service, a service credential. The test fails with
// the reason when it cannot be made.
struct credentials *fixture_credentials(enum auth_mode mode, const char *principals, bool service);

// A request head (and body) in text form: lines end with LF, an empty line ends the head. Spans point into text.
struct parsed_request {
    struct sigv4_request r;
    struct header headers[64];
};
void parse_request(struct span text, struct parsed_request *out);
struct span find_header(const struct parsed_request *p, const char *name);
