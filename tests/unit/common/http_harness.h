// A server and scripted clients in one thread: the loop is turned until what the test waits for is there. No sleeps; a
// wait that would last ten seconds fails the test.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/http/client.h"
#include "common/http/server.h"

struct event_base;

struct rig {
    struct event_base *base;
    struct http_server *server;
    char address[HTTP_ADDRESS_MAX];
    bool no_flush; // turns do not flush
    struct http_exchange *held[16];
    size_t n_held;
    size_t n_handled;
    size_t n_closed; // on_close calls
};

// What the rig's handler does, by path: "/echo" answers "<method> <target> <body>", "/big" 8 MiB of 'x', "/none" 204,
// anything else is held in rig->held.
void rig_begin(struct rig *rig, const struct http_limits *limits);
void rig_end(struct rig *rig);
// One turn of the loop that waits at most some milliseconds.
void rig_turn(struct rig *rig);
// Turns until the expression is true.
#define RIG_UNTIL(rig, condition)                                                                                      \
    do {                                                                                                               \
        int turns_left = 10000;                                                                                        \
        while (!(condition)) {                                                                                         \
            if (--turns_left == 0)                                                                                     \
                fail_msg("waited in vain for %s", #condition);                                                         \
            rig_turn(rig);                                                                                             \
        }                                                                                                              \
    } while (0)
void rig_reply(struct http_exchange *x, int status, const char *body);

// A plain client socket.
struct peer_socket {
    int fd;
    struct buf got;
    bool eof, reset;
};

struct peer_socket peer_connect(const char *address);
void peer_close(struct peer_socket *p);
void peer_send(struct peer_socket *p, struct span bytes);
// Takes what has come; whether the text is in it.
bool peer_has(struct peer_socket *p, const char *text);
size_t peer_count(struct peer_socket *p, const char *text);
// Takes what has come; whether the other side has closed.
bool peer_at_end(struct peer_socket *p);
