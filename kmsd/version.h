// What `kmsd --version` says beside its own version.
#pragma once

// Prints the linked library and which of the key specs and algorithms that not every OpenSSL has it can do.
void version_print(void);
