#include "base/error.h"

#include <cstdarg>
#include <cstdio>

namespace kinglet {

kinglet_status fail(Error& error, kinglet_status status, const char* format, ...) {
  error.status = status;
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(error.message, sizeof(error.message), format, arguments);
  va_end(arguments);
  return status;
}

}  // namespace kinglet
