// Numbers in nested JSON arrays.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

namespace kinglet::test {

// Appends them in order.
inline void flatten(const nlohmann::ordered_json& json, std::vector<double>& out) {
  if (json.is_array()) {
    for (const auto& element : json) {
      flatten(element, out);
    }
  } else {
    out.push_back(json.get<double>());
  }
}

}  // namespace kinglet::test
