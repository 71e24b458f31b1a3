// One event loop and the way into it from other threads. Workers and the main thread each have one.
#pragma once

#include <event2/event.h>
#include <stdbool.h>

struct loop;

struct loop *loop_new(void);
void loop_free(struct loop *l);
struct event_base *loop_base(struct loop *l);
// Runs fn(arg) in the loop's thread, in the order of posting. Any thread. Never blocks on the other thread.
void loop_post(struct loop *l, void (*fn)(void *arg), void *arg);
// Runs turns until loop_stop(); after each turn of events, turn_end(arg) is called.
void loop_run(struct loop *l, void (*turn_end)(void *arg), void *arg);
void loop_stop(struct loop *l); // any thread
