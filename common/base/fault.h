// What went wrong, as the client sees it: constant rows, compared by address. NULL is success.
#pragma once

#define MUST_CHECK __attribute__((warn_unused_result))

struct fault {
    const char *code;    // wire name, e.g. "NotFoundException"
    int status;          // HTTP status
    const char *message; // text when the call gives no detail of its own; NULL: the reply has no message member
    const char *prefix;  // put before code in __type ("com.amazonaws.dynamodb.v20120810#"); NULL: nothing
    const char *member;  // the reply's member for the text; NULL: "message" (some services write "Message")
};
