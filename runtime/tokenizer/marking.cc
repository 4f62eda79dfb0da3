// Checks the settings of markers.
#include "tokenizer/marking.h"

#include "tokenizer/utf8.h"

namespace kinglet {

kinglet_status Marking::open(uint32_t marker, uint32_t flags, uint32_t known, Marking* out, Error& error) {
  if (marker == 0 || marker >= 0x110000 || (marker >= 0xd800 && marker < 0xe000)) {
    return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.marker is %u, expected a character", marker);
  }
  if ((flags & ~known) != 0) {
    return fail(error, KINGLET_UNSUPPORTED, "tokenizer.model has unknown flags %u", flags);
  }
  out->flags_ = flags;
  out->marker_.length = encode_utf8(marker, out->marker_.bytes);
  out->marker_.kind = CharClass::word;
  return KINGLET_OK;
}

}  // namespace kinglet
