// Embedding rows, scalar reference.
#include <cstring>

#include "reference.h"

namespace kinglet::kernels::reference {

void embed_row(const EmbedRow& args) {
  const auto* bytes = static_cast<const unsigned char*>(args.row);
  for (size_t j = 0; j < args.n; ++j) {
    float value;
    if (args.s8) {
      const size_t at = args.tile ? j / 8 * 128 + j % 8 : j;
      value = static_cast<float>(static_cast<int8_t>(bytes[at])) * args.scale;
    } else {
      std::memcpy(&value, bytes + j * sizeof value, sizeof value);
    }
    args.out[j] = args.add ? args.out[j] + value : value;
  }
  for (size_t j = args.n; !args.add && j < round_up(args.n, 16); ++j) {
    args.out[j] = 0.0f;
  }
}

}  // namespace kinglet::kernels::reference
