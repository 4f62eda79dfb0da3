// The values of a pickle machine. They live in one arena and refer to each other by index, so that cycles and deep
// nesting, which a hostile pickle can build, cost nothing: nothing here recurses.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"

namespace kinglet::convert::pickle {

using Id = uint32_t;

enum class Kind : uint8_t { none, boolean, integer, real, text, tuple, list, dict, global, storage, tensor };

// A checkpoint of thousands of tensors needs some 100,000 values. The limits keep memory and time linear in them.
inline constexpr size_t kMaxValues = 2'000'000;
inline constexpr size_t kMaxNameSize = 1000;
inline constexpr size_t kMaxDimensions = 16;

inline constexpr const char* kKindNames[] = {"None",   "a boolean", "an integer", "a float",   "a string", "a tuple",
                                             "a list", "a dict",    "a name",     "a storage", "a tensor"};

struct Value {
  Kind kind = Kind::none;
  int64_t integer = 0;    // boolean, integer; storage, tensor: index into the machine's lists
  std::string text;       // text; global: its full name
  std::vector<Id> items;  // tuple, list; dict: key, value, key, value, …
};

// Bytes taken from the front, values made of them, and the stack. Every function throws Error on what is malformed.
class Values {
 protected:
  Values(std::span<const uint8_t> bytes, const std::string& name, size_t at) : bytes_(bytes), name_(name), at_(at) {}

  // ---- Bytes ----

  const uint8_t* take(uint64_t count) {
    if (count > bytes_.size() - at_) {
      refuse_pickle("ends too early");
    }
    const uint8_t* place = bytes_.data() + at_;
    at_ += count;
    return place;
  }

  uint64_t number(size_t bytes) {
    const uint8_t* place = take(bytes);
    uint64_t value = 0;
    for (size_t i = bytes; i-- > 0;) {
      value = value << 8 | place[i];
    }
    return value;
  }

  std::string text(uint64_t size) {
    const uint8_t* place = take(size);
    return {reinterpret_cast<const char*>(place), size};
  }

  std::string line() {
    const void* end = std::memchr(bytes_.data() + at_, '\n', bytes_.size() - at_);
    if (end == nullptr) {
      refuse_pickle("ends within a line");
    }
    std::string content = text(static_cast<uint64_t>(static_cast<const uint8_t*>(end) - bytes_.data()) - at_);
    take(1);
    return content;
  }

  // Two's complement, little-endian, as LONG1 and LONG4 have it.
  int64_t long_number(uint64_t size) {
    if (size > 8) {
      refuse_pickle("holds an integer of ", size, " bytes, at most 8 are expected");
    }
    uint64_t value = number(size);
    if (size > 0 && size < 8 && (value >> (8 * size - 1) & 1) != 0) {
      value |= ~uint64_t{0} << (8 * size);
    }
    return static_cast<int64_t>(value);
  }

  // ---- Values ----

  void charge(size_t values) {
    used_ += values;
    if (used_ > kMaxValues) {
      refuse_pickle("holds more than ", kMaxValues, " values, which no file of tensors needs");
    }
  }

  Id make(Kind kind, int64_t integer = 0, std::string text = {}, std::vector<Id> items = {}) {
    charge(1);
    values_.push_back({kind, integer, std::move(text), std::move(items)});
    return static_cast<Id>(values_.size() - 1);
  }

  void push(Id id) { stack_.push_back(id); }
  void push(Kind kind, int64_t integer = 0, std::string text = {}) { push(make(kind, integer, std::move(text))); }

  Id pop() {
    if (stack_.size() <= floor()) {
      refuse_pickle("takes a value from an empty stack");
    }
    const Id id = stack_.back();
    stack_.pop_back();
    return id;
  }

  Id top() {
    push(pop());
    return stack_.back();
  }

  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

  std::vector<Id> pop_to_mark() {
    if (marks_.empty()) {
      refuse_pickle("has no mark where one is expected");
    }
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<Id> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }

  std::vector<Id> pop_items(size_t count) {
    std::vector<Id> items(count);
    for (size_t i = count; i-- > 0;) {
      items[i] = pop();
    }
    return items;
  }

  const Value& expect(Id id, Kind kind, const char* what) {
    const Value& value = values_[id];
    if (value.kind != kind) {
      refuse_pickle("has ", kKindNames[static_cast<size_t>(value.kind)], " as ", what, ", expected ",
                    kKindNames[static_cast<size_t>(kind)]);
    }
    return value;
  }

  const std::string& short_name(const std::string& name) {
    if (name.size() > kMaxNameSize) {
      refuse_pickle("has a name of ", name.size(), " bytes, at most ", kMaxNameSize, " are expected");
    }
    return name;
  }

  uint64_t expect_count(Id id, const char* what) {
    const int64_t value = expect(id, Kind::integer, what).integer;
    if (value < 0) {
      refuse_pickle("has the negative number ", value, " as ", what);
    }
    return static_cast<uint64_t>(value);
  }

  std::vector<uint64_t> expect_counts(Id id, const char* what) {
    std::vector<uint64_t> counts;
    const auto& items = expect(id, Kind::tuple, what).items;
    if (items.size() > kMaxDimensions) {
      refuse_pickle("has ", items.size(), " numbers as ", what, ", at most ", kMaxDimensions, " are expected");
    }
    for (const Id item : items) {
      counts.push_back(expect_count(item, what));
    }
    return counts;
  }

  template <typename... Parts>
  [[noreturn]] void refuse_pickle(const Parts&... parts) {
    refuse(name_, ": the pickle ", parts...);
  }

  std::span<const uint8_t> bytes_;
  const std::string& name_;
  size_t at_;
  std::vector<Value> values_;
  std::vector<Id> stack_;
  std::vector<size_t> marks_;  // stack sizes

 private:
  size_t used_ = 0;  // of kMaxValues
};

}  // namespace kinglet::convert::pickle
