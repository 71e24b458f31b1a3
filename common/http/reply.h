// Reason phrases of the statuses that the daemons use (RFC 9110 section 15). The functions that make a reply are in
// server.h: a reply belongs to an exchange.
#pragma once

// "OK" for 200; "Status" for one that is not known.
const char *http_reason(int status);
