// JSON files that are not trusted: size, depth and every field's type are checked, and errors name file and field.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace kinglet::convert {

using Json = nlohmann::ordered_json;

// Parses `text`; `name` stands in the errors. Throws Error when it is not JSON, nests deeper than 100 levels, or its
// top-level object has the same key twice.
Json parse_json(std::string_view text, const std::string& name);

// An object from a file, with typed access to its fields. Absent fields and null give the default.
class JsonObject {
 public:
  // Throws Error when `json` is not an object. `name` is the file, and within it the place, for errors.
  JsonObject(Json json, std::string name);

  // Reads a file of at most 64 MiB. Throws Error when it is missing, too large, or not an object.
  static JsonObject load(const std::filesystem::path& path);

  const Json& json() const { return json_; }
  const std::string& name() const { return name_; }
  bool has(const char* field) const { return find(field) != nullptr; }
  // Null when the field is absent or null.
  const Json* find(const char* field) const;

  uint64_t number(const char* field, uint64_t fallback, uint64_t least, uint64_t most) const;
  double real(const char* field, double fallback) const;
  bool boolean(const char* field, bool fallback) const;
  std::string text(const char* field, const std::string& fallback) const;

  // Throws Error: `field` is what it is, but `expected` was expected.
  [[noreturn]] void refuse_field(const char* field, const std::string& expected) const;

 private:
  Json json_;
  std::string name_;
};

}  // namespace kinglet::convert
