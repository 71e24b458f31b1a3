// What an operation hangs on call->state, between its steps or while it waits for slow work: every such struct begins
// with this one, which says how it is freed when the call ends (ops.c).
#pragma once

struct call_state {
    void (*free)(struct call_state *state);
};
