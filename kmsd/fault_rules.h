// Faults made for tests: which calls they meet and what becomes of these. Set over HTTP (fault_admin.h), met in the
// step `tamper` of each call, when its caller and key are known and before its rights are looked at.
#pragma once

#include <stdint.h>

#include "common/base/json_write.h"
#include "common/rpc/call.h"

struct daemon;
struct fault_rules;

// Texts NULL: any. Of error, delay and cut there is one.
struct fault_rule {
    int64_t id; // from 1
    char *operation;
    char *key;       // id, ARN, alias or alias ARN
    char *principal; // ARN of a user, root, role or role session; or a service principal
    bool counted;
    int64_t left;   // of a counted one: how many calls it is still for
    double percent; // of those calls
    const struct fault *error;
    char *message; // NULL: the error's own
    int64_t delay_ns;
    bool cut; // the call is done and recorded, its reply lost
    int64_t hits;
};

// The fault of KMS with this code, with its HTTP status. NULL: KMS has none such (fault_codes.c).
const struct fault *fault_by_code(struct span code);

struct fault_rules *fault_rules_new(struct daemon *d);
void fault_rules_free(struct fault_rules *f); // when no call is delayed any more. NULL is fine
// Takes the texts over; returns the id. Any thread, as all of these.
int64_t fault_rules_add(struct fault_rules *f, struct fault_rule *rule);
// id 0: all. How many there were. f NULL: none.
size_t fault_rules_clear(struct fault_rules *f, int64_t id);
void fault_rules_write(struct fault_rules *f, struct json_write *w); // a list
// Frees the texts of a rule that was not added.
void fault_rule_done(struct fault_rule *rule);

// The step: the first rule that meets the call is what happens to it.
MUST_CHECK const struct fault *fault_rules_tamper(struct call *call);
// What this worker's calls still wait for is over.
void fault_rules_finish(struct worker *w);
