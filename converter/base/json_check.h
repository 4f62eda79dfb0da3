// A walk over JSON before it is parsed. The callbacks of nlohmann's parser would do, but with them an object takes time
// in the square of the objects in it.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace kinglet::convert {

// Stops where the text is no JSON; parsing it says why.
class JsonCheck : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::function<void(int depth)> on_nested;  // at every object and array, the outermost is 1
  std::function<void(int depth, const std::string& key, size_t before)> on_key;  // so many keys are before it

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return enter(); }
  bool start_array(std::size_t) override { return enter(); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }
  bool key(string_t& key) override {
    if (on_key) {
      on_key(depth_, key, keys_.back()++);
    }
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override { return false; }

 private:
  bool enter() {
    on_nested(++depth_);
    keys_.push_back(0);
    return true;
  }
  bool leave() {
    --depth_;
    keys_.pop_back();
    return true;
  }

  int depth_ = 0;
  std::vector<size_t> keys_;  // of each open object so far
};

}  // namespace kinglet::convert
