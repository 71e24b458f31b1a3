// The periodic look whether the tables' KMS keys can still be used, through the service's own grant: how a table
// becomes INACCESSIBLE_ENCRYPTION_CREDENTIALS, and ACTIVE again (spec 34-36). A job on the daemon's clock, in the main
// thread.
#pragma once

#include "ddbd/ddbd.h"

struct key_check *key_check_new(struct ddbd *d, int64_t interval_ns);
void key_check_free(struct key_check *k); // after kms_client_end()
int64_t key_check_due(void *check);
void key_check_run(void *check, int64_t now_ns);
bool key_check_busy(const struct key_check *k);
