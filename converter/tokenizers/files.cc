// File and JSON access with messages for people.
#include "tokenizers/files.h"

#include <fstream>

#include "base/json_check.h"
#include "error.h"

namespace kinglet::convert {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{1} << 28;
constexpr int kMaxDepth = 64;
const nlohmann::json kNull;

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  std::error_code code;
  if (std::filesystem::is_directory(path, code)) {
    throw Error(path.string() + ": is a directory, expected a file");
  }
  const uint64_t size = std::filesystem::file_size(path, code);
  if (code) {
    throw Error(path.string() + ": cannot be read: " + code.message());
  }
  if (size > kMaxBytes) {
    throw Error(path.string() + ": has " + std::to_string(size) +
                " bytes, expected a tokenizer file of at most 256 MiB");
  }
  std::ifstream stream(path, std::ios::binary);
  std::string text(size, '\0');
  if (!stream.read(text.data(), static_cast<std::streamsize>(size)) && size > 0) {
    throw Error(path.string() + ": cannot be read");
  }
  return text;
}

std::string one_line(const std::string& text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string line;
  for (const char c : text.substr(0, 400)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      line += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      line += c;
    }
  }
  return line;
}

std::optional<nlohmann::json> read_json(const std::filesystem::path& path) {
  std::error_code code;
  if (!std::filesystem::exists(path, code)) {
    return std::nullopt;
  }
  const std::string text = read_file(path);
  nlohmann::json json;
  try {
    JsonCheck check;
    check.on_nested = [&](int depth) {
      if (depth > kMaxDepth) {
        throw Error(path.string() + ": is nested more than " + std::to_string(kMaxDepth) + " deep");
      }
    };
    nlohmann::json::sax_parse(text, &check);
    json = nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& exception) {
    std::string what = exception.what();  // "[json.exception.parse_error.101] parse error at line 1, column 5: …"
    what.erase(0, what.find("] ") == std::string::npos ? 0 : what.find("] ") + 2);
    throw Error(path.string() + ": is not valid JSON: " + what.substr(0, 200));
  }
  if (!json.is_object()) {
    throw Error(path.string() + ": expected a JSON object, got " + json.type_name());
  }
  return json;
}

Field Field::operator[](const char* key) const {
  const nlohmann::json& parent = object();
  const auto found = parent.find(key);
  if (found == parent.end()) {
    throw Error(where() + ": there is no field \"" + key + "\"");
  }
  return {file_, name_.empty() ? key : name_ + "." + key, *found};
}

Field Field::get(const char* key) const {
  return has(key) ? (*this)[key] : Field(file_, name_.empty() ? key : name_ + "." + key, kNull);
}

Field Field::operator[](size_t index) const {
  const nlohmann::json& parent = array();
  if (index >= parent.size()) {
    throw Error(where() + ": expected more than " + std::to_string(index) + " elements, got " +
                std::to_string(parent.size()));
  }
  return {file_, name_ + "[" + std::to_string(index) + "]", parent[index]};
}

const nlohmann::json& Field::object() const {
  if (!value_->is_object()) {
    expected("an object");
  }
  return *value_;
}

const nlohmann::json& Field::array() const {
  if (!value_->is_array()) {
    expected("an array");
  }
  return *value_;
}

std::string Field::string() const {
  if (!value_->is_string()) {
    expected("a string");
  }
  return value_->get<std::string>();
}

bool Field::boolean() const {
  if (!value_->is_boolean()) {
    expected("true or false");
  }
  return value_->get<bool>();
}

uint64_t Field::number(uint64_t limit) const {
  if (!value_->is_number_unsigned() || value_->get<uint64_t>() > limit) {
    fail("expected a whole number from 0 to " + std::to_string(limit) + ", got " + value_->dump().substr(0, 40));
  }
  return value_->get<uint64_t>();
}

std::string decode_base64(const Field& field) {
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  size_t padding = 0, digits = 0;
  for (const char c : field.string()) {
    const int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                      : c >= 'a' && c <= 'z' ? c - 'a' + 26
                      : c >= '0' && c <= '9' ? c - '0' + 52
                      : c == '+'             ? 62
                      : c == '/'             ? 63
                                             : -1;
    padding += c == '=';
    if ((value < 0 && c != '=') || (value >= 0 && padding > 0)) {
      field.fail("is not base64");
    }
    ++digits;
    if (value >= 0) {
      bits = bits << 6 | static_cast<uint32_t>(value);
      count += 6;
      if (count >= 8) {
        count -= 8;
        bytes += static_cast<char>(bits >> count & 0xff);
      }
    }
  }
  if (digits % 4 != 0 || padding > 2) {
    field.fail("is not base64");
  }
  return bytes;
}

void Field::fail(const std::string& what) const {
  throw Error(where() + ": " + what);
}

void Field::expected(const char* what) const {
  fail(std::string("expected ") + what + ", got " + value_->type_name());
}

}  // namespace kinglet::convert
