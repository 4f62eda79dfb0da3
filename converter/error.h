// What the converter throws: one line for a person.
#pragma once

#include <stdexcept>
#include <string>

namespace kinglet::convert {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace kinglet::convert
