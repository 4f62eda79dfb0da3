// Errors of the runtime: a status and a message in a fixed buffer, so that reporting never allocates.
#pragma once

#include "kinglet.h"

namespace kinglet {

struct Error {
  kinglet_status status = KINGLET_OK;
  char message[512] = "";
};

// Sets `error` and returns `status`: `return fail(error, KINGLET_BAD_MODEL, "…", …);`. Messages say what was wrong,
// where, and what was expected; they begin in lower case and end without a full stop.
[[gnu::format(printf, 3, 4)]] kinglet_status fail(Error& error, kinglet_status status, const char* format, ...);

}  // namespace kinglet

// Returns from the enclosing function when `expression` is not KINGLET_OK.
#define KINGLET_TRY(expression)                                                 \
  do {                                                                          \
    if (const kinglet_status status_ = (expression); status_ != KINGLET_OK) {   \
      return status_;                                                           \
    }                                                                           \
  } while (false)
