// JSON files that are not trusted.
#include "base/json_file.h"

#include <cmath>
#include <set>

#include "base/json_check.h"
#include "base/text.h"
#include "readers/input_file.h"

namespace kinglet::convert {

namespace {

constexpr int kMaxDepth = 100;
constexpr uint64_t kMaxFile = 64 << 20;
constexpr uint64_t kMaxWork = uint64_t{1} << 31;

// "line 3, column 14" of a byte offset.
std::string position_text(std::string_view text, size_t byte) {
  size_t line = 1, column = 1;
  for (size_t i = 0; i + 1 < byte && i < text.size(); ++i) {
    column = text[i] == '\n' ? 1 : column + 1;
    line += text[i] == '\n';
  }
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

std::string value_text(const Json& value) {
  if (value.is_string()) {
    return quote(value.get_ref<const std::string&>());
  }
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

}  // namespace

Json parse_json(std::string_view text, const std::string& name) {
  std::set<std::string> keys;
  JsonCheck check;
  check.on_nested = [&](int depth) {
    if (depth > kMaxDepth) {
      refuse(name, ": nests deeper than ", kMaxDepth, " levels");
    }
  };
  uint64_t work = 0;  // an ordered object looks at all its keys for every new one
  check.on_key = [&](int depth, const std::string& key, size_t before) {
    work += before;
    if (work > kMaxWork) {
      refuse(name, ": has an object of more than ", before, " keys, which is too many");
    }
    if (depth == 1 && !keys.insert(key).second) {
      refuse(name, ": has the key ", quote(key), " twice");
    }
  };
  try {
    Json::sax_parse(text, &check);
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    if (error.byte > text.size()) {
      refuse(name, ": not valid JSON: it ends too early, at ", position_text(text, text.size()));
    }
    refuse(name, ": not valid JSON at ", position_text(text, error.byte));
  } catch (const Json::exception& error) {
    refuse(name, ": not valid JSON: a number is out of range");
  }
}

JsonObject::JsonObject(Json json, std::string name) : json_(std::move(json)), name_(std::move(name)) {
  if (!json_.is_object()) {
    refuse(name_, ": expected a JSON object, found ", value_text(json_));
  }
}

JsonObject JsonObject::load(const std::filesystem::path& path) {
  const auto file = open_file(path);
  if (file->size() > kMaxFile) {
    refuse(path.string(), ": ", file->size(), " bytes is too large for this file, at most ", kMaxFile, " are expected");
  }
  std::string text(file->size(), '\0');
  file->read(0, text.data(), text.size());
  return {parse_json(text, path.string()), path.string()};
}

const Json* JsonObject::find(const char* field) const {
  const auto found = json_.find(field);
  return found == json_.end() || found->is_null() ? nullptr : &*found;
}

uint64_t JsonObject::number(const char* field, uint64_t fallback, uint64_t least, uint64_t most) const {
  const Json* value = find(field);
  if (value == nullptr) {
    return fallback;
  }
  if (!value->is_number_unsigned() || value->get<uint64_t>() < least || value->get<uint64_t>() > most) {
    refuse_field(field, "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return value->get<uint64_t>();
}

double JsonObject::real(const char* field, double fallback) const {
  const Json* value = find(field);
  if (value == nullptr) {
    return fallback;
  }
  if (!value->is_number() || !std::isfinite(value->get<double>())) {
    refuse_field(field, "a finite number");
  }
  return value->get<double>();
}

bool JsonObject::boolean(const char* field, bool fallback) const {
  const Json* value = find(field);
  if (value == nullptr) {
    return fallback;
  }
  if (!value->is_boolean()) {
    refuse_field(field, "true or false");
  }
  return value->get<bool>();
}

std::string JsonObject::text(const char* field, const std::string& fallback) const {
  const Json* value = find(field);
  if (value == nullptr) {
    return fallback;
  }
  if (!value->is_string()) {
    refuse_field(field, "a string");
  }
  return value->get<std::string>();
}

void JsonObject::refuse_field(const char* field, const std::string& expected) const {
  const auto found = json_.find(field);
  if (found == json_.end()) {
    refuse(name_, ": the field ", quote(field), " is missing, expected ", expected);
  }
  refuse(name_, ": the field ", quote(field), " is ", value_text(*found), ", expected ", expected);
}

}  // namespace kinglet::convert
