// Reading the small files of a tokenizer, with errors that name the file and the field.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace kinglet::convert {

// The whole file. Throws Error when it cannot be read or is larger than 256 MiB.
std::string read_file(const std::filesystem::path& path);

// `text` fit for a message: control characters as \xNN, cut after 400 bytes.
std::string one_line(const std::string& text);

// The JSON object in a file, nested at most 64 deep; nothing when there is no such file.
std::optional<nlohmann::json> read_json(const std::filesystem::path& path);

// Typed access with errors such as `tokenizer.json: model.vocab: expected an object, got a number`.
class Field {
 public:
  Field(std::string file, std::string name, const nlohmann::json& value)
      : file_(std::move(file)), name_(std::move(name)), value_(&value) {}

  bool has(const char* key) const { return value_->is_object() && value_->contains(key); }
  bool is_null() const { return value_->is_null(); }
  Field operator[](const char* key) const;    // a missing key is an error
  Field operator[](size_t index) const;
  Field get(const char* key) const;           // a missing key is null
  const nlohmann::json& json() const { return *value_; }
  std::string where() const { return name_.empty() ? file_ : file_ + ": " + name_; }

  const nlohmann::json& object() const;
  const nlohmann::json& array() const;
  std::string string() const;
  bool boolean() const;
  uint64_t number(uint64_t limit) const;      // 0 … limit

  [[noreturn]] void fail(const std::string& what) const;

 private:
  [[noreturn]] void expected(const char* what) const;

  std::string file_, name_;
  const nlohmann::json* value_;
};

// The bytes that a field's base64 stands for.
std::string decode_base64(const Field& field);

}  // namespace kinglet::convert
