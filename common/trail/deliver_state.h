// What the deliverer must not forget, as one file that is replaced at once. Private to common/trail.
#pragma once

#include <limits.h>

#include "common/trail/deliver_plan.h"

struct deliver_state {
    char path[PATH_MAX];
    struct journal_positions done;
    struct plan_origins origins; // of what is done
    bool pending;                // a delivery is under way: `plan` has its time, ranges and files
};

// plan gets the pending delivery. A file that is not there is an empty state. False with a reason.
bool deliver_state_read(struct deliver_state *s, struct plan *plan, const struct journal *j, char *why,
                        size_t why_size);
// plan NULL: nothing under way.
bool deliver_state_write(const struct deliver_state *s, const struct plan *plan, const struct journal *j, char *why,
                         size_t why_size);
