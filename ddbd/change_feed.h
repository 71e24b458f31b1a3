// --key-cache=strict: kmsd's change feed (GET /_kmsd/changes?after=N) says which KMS keys changed in a way that may
// take rights away; the cached table keys under them are dropped before the next use. One feed per worker, one position
// for all of them.
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"
#include "ddbd/kms_client.h"

struct call_state;
struct change_feed;
struct change_position;
struct keycache;

struct change_position *change_position_new(struct keycache *keys);
void change_position_free(struct change_position *p);
// Reads one answer and drops what changed. False when it is no such answer. Any thread.
bool change_position_read(struct change_position *p, struct span body);

struct change_feed *change_feed_new(struct change_position *p, struct kms_client *kms);
void change_feed_free(struct change_feed *f); // before the kms_client
// Asks, or shares a question that is still to be sent; then runs the suspended call again, with up_to_date or failed
// set.
void change_feed_ask(struct change_feed *f, struct call_state *s);
// The call is gone.
void change_feed_forget(struct change_feed *f, struct call_state *s);
