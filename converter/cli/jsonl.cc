// One line of --jsonl input: a strict reader of exactly the objects that the commands take.
#include "cli/jsonl.h"

#include <cstring>

#include "cli/text.h"

namespace kinglet::cli {

namespace {

struct Field {
  const char* name;
  unsigned bit;
};
constexpr Field kFields[] = {{"text", kFieldText},        {"pair", kFieldPair},         {"ids", kFieldIds},
                             {"type_ids", kFieldTypeIds}, {"question", kFieldQuestion}, {"context", kFieldContext},
                             {"query", kFieldQuery},      {"texts", kFieldTexts},       {"lang", kFieldLang}};

std::string field_list(unsigned allowed) {
  std::string list;
  for (const Field& field : kFields) {
    if (allowed & field.bit) {
      list += std::string(list.empty() ? "\"" : ", \"") + field.name + '"';
    }
  }
  return list;
}

class Reader {
 public:
  Reader(std::string_view line, std::string* error) : line_(line), error_(error) {}

  bool object(unsigned allowed, Request* request);

 private:
  bool fail(const std::string& what) {
    *error_ = "column " + std::to_string(at_ + 1) + ": " + what;
    return false;
  }
  void skip_space() {
    while (at_ < line_.size() && std::strchr(" \t\r\n", line_[at_]) != nullptr && line_[at_] != '\0') {
      ++at_;
    }
  }
  bool take(char c) {
    skip_space();
    if (at_ >= line_.size() || line_[at_] != c) {
      return false;
    }
    ++at_;
    return true;
  }
  bool value(const Field& field, Request* request);
  bool string(const char* what, std::string* out);
  bool strings(const char* what, std::vector<std::string>* out);
  bool escape(std::string* out);
  bool hex4(unsigned* code);
  bool integers(const char* what, std::vector<int32_t>* out);
  bool integer(const char* what, int32_t* out);

  std::string_view line_;
  std::string* error_;
  size_t at_ = 0;
};

bool Reader::object(unsigned allowed, Request* request) {
  if (!take('{')) {
    return fail("expected a JSON object with " + field_list(allowed));
  }
  if (!take('}')) {
    do {
      skip_space();
      const size_t key_at = at_;
      std::string key;
      if (!string("a field name in quotes", &key)) {
        return false;
      }
      const Field* field = nullptr;
      for (const Field& known : kFields) {
        if ((known.bit & allowed) && key == known.name) {
          field = &known;
        }
      }
      if (field == nullptr || (request->fields & field->bit)) {
        at_ = key_at;
        return field == nullptr ? fail("unknown field \"" + shorten(key, 40) + "\"; expected " + field_list(allowed))
                                : fail("field \"" + key + "\" is given twice");
      }
      if (!take(':')) {
        return fail("expected : after the field name \"" + key + "\"");
      }
      if (!value(*field, request)) {
        return false;
      }
      request->fields |= field->bit;
    } while (take(','));
    if (!take('}')) {
      return fail("expected , or } after a field");
    }
  }
  skip_space();
  if (at_ < line_.size()) {
    return fail("unexpected text after the object");
  }
  return true;
}

bool Reader::value(const Field& field, Request* request) {
  switch (field.bit) {
    case kFieldText:
      return string("a string for \"text\"", &request->text);
    case kFieldPair:
      return string("a string for \"pair\"", &request->pair);
    case kFieldQuestion:
      return string("a string for \"question\"", &request->text);
    case kFieldContext:
      return string("a string for \"context\"", &request->pair);
    case kFieldQuery:
      return string("a string for \"query\"", &request->text);
    case kFieldTexts:
      return strings("an array of strings for \"texts\"", &request->texts);
    case kFieldIds:
      return integers("an array of whole numbers for \"ids\"", &request->ids);
    case kFieldLang:
      return integer("a whole number for \"lang\"", &request->lang);
    default:
      return integers("an array of whole numbers for \"type_ids\"", &request->type_ids);
  }
}

bool Reader::strings(const char* what, std::vector<std::string>* out) {
  if (!take('[')) {
    return fail(std::string("expected ") + what);
  }
  if (take(']')) {
    return true;
  }
  do {
    out->emplace_back();
    if (!string(what, &out->back())) {
      return false;
    }
  } while (take(','));
  if (!take(']')) {
    return fail("expected , or ] after a string");
  }
  return true;
}

bool Reader::string(const char* what, std::string* out) {
  if (!take('"')) {
    return fail(std::string("expected ") + what);
  }
  for (;;) {
    const size_t begin = at_;
    while (at_ < line_.size() && line_[at_] != '"' && line_[at_] != '\\' &&
           static_cast<unsigned char>(line_[at_]) >= 0x20) {
      ++at_;
    }
    out->append(line_, begin, at_ - begin);
    if (at_ == line_.size()) {
      return fail("the string does not end; expected a closing quote");
    }
    const char c = line_[at_];
    if (c == '"') {
      ++at_;
      return true;
    }
    if (c != '\\') {
      return fail("a control character in a string; expected \\u" + format("%04x", static_cast<unsigned char>(c)));
    }
    if (!escape(out)) {
      return false;
    }
  }
}

bool Reader::escape(std::string* out) {
  static constexpr std::string_view kNames = "\"\\/bfnrt", kBytes = "\"\\/\b\f\n\r\t";
  const char c = at_ + 1 < line_.size() ? line_[at_ + 1] : '\0';
  if (c != 'u') {
    const size_t index = kNames.find(c);
    if (index == std::string_view::npos) {
      return fail("unknown escape; expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX");
    }
    *out += kBytes[index];
    at_ += 2;
    return true;
  }
  unsigned code = 0;
  if (!hex4(&code)) {
    return false;
  }
  if (code >= 0xd800 && code <= 0xdbff && line_.substr(at_, 2) == "\\u") {
    const size_t second_at = at_;
    unsigned second = 0;
    if (!hex4(&second)) {
      return false;
    }
    if (second >= 0xdc00 && second <= 0xdfff) {
      append_utf8(*out, 0x10000 + ((code - 0xd800) << 10) + (second - 0xdc00));
      return true;
    }
    at_ = second_at;  // a character of its own
  }
  append_utf8(*out, code >= 0xd800 && code <= 0xdfff ? 0xfffd : code);
  return true;
}

// Reads \uXXXX.
bool Reader::hex4(unsigned* code) {
  const std::string_view digits = line_.substr(at_ + 2, 4);
  *code = 0;
  for (const char c : digits) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) {
      return fail("expected four hexadecimal digits after \\u");
    }
    *code = *code * 16 + static_cast<unsigned>(digit);
  }
  if (digits.size() < 4) {
    return fail("expected four hexadecimal digits after \\u");
  }
  at_ += 6;
  return true;
}

bool Reader::integers(const char* what, std::vector<int32_t>* out) {
  if (!take('[')) {
    return fail(std::string("expected ") + what);
  }
  if (take(']')) {
    return true;
  }
  do {
    int32_t number = 0;
    if (!integer(what, &number)) {
      return false;
    }
    out->push_back(number);
  } while (take(','));
  if (!take(']')) {
    return fail("expected , or ] after a number");
  }
  return true;
}

bool Reader::integer(const char* what, int32_t* out) {
  skip_space();
  const size_t begin = at_;
  const auto digit = [&](size_t i) { return i < line_.size() && line_[i] >= '0' && line_[i] <= '9'; };
  const bool negative = at_ < line_.size() && line_[at_] == '-';
  size_t end = begin + (negative ? 1 : 0);
  if (!digit(end) || (line_[end] == '0' && digit(end + 1))) {
    return fail(std::string("expected ") + what);
  }
  int64_t number = 0;
  for (; digit(end); ++end) {
    number = number * 10 + (line_[end] - '0');
    if (number > int64_t{1} << 31) {
      return fail("the number does not fit 32 bits");
    }
  }
  if (end < line_.size() && std::strchr(".eE", line_[end]) != nullptr && line_[end] != '\0') {
    return fail("not a whole number; expected " + std::string(what));
  }
  number = negative ? -number : number;
  if (number > INT32_MAX) {
    return fail("the number does not fit 32 bits");
  }
  at_ = end;
  *out = static_cast<int32_t>(number);
  return true;
}

}  // namespace

bool parse_request(std::string_view line, unsigned allowed, Request* request, std::string* error) {
  *request = Request();
  allowed |= (allowed & kFieldTypeIds) != 0 ? kFieldLang : 0u;
  if (!Reader(line, error).object(allowed, request)) {
    return false;
  }
  // Two fields that only come together.
  constexpr unsigned kTogether[] = {kFieldQuestion | kFieldContext, kFieldQuery | kFieldTexts};
  for (const unsigned both : kTogether) {
    if ((allowed & both) && (request->fields & both) != both) {
      *error = "the object lacks a field; expected " + field_list(both);
      return false;
    }
  }
  if (request->fields & (kFieldQuestion | kFieldQuery)) {
    request->fields |= kFieldText;
  }
  if (request->fields & kFieldContext) {
    request->fields |= kFieldPair;
  }
  const unsigned given = request->fields;
  if (!(given & (kFieldText | kFieldIds))) {
    *error = (allowed & kFieldIds) ? "the object has neither \"text\" nor \"ids\"" : "the object has no \"text\"";
    return false;
  }
  if ((given & kFieldIds) && (given & (kFieldText | kFieldPair))) {
    *error = "the object has both \"ids\" and a text; expected one of them";
    return false;
  }
  if (given & kFieldLang) {
    if (!(given & kFieldIds) || (given & kFieldTypeIds)) {
      *error = "the object has \"lang\"; expected it with \"ids\" and without \"type_ids\"";
      return false;
    }
    request->type_ids.assign(request->ids.size(), request->lang);
    request->fields |= kFieldTypeIds;
  }
  if (given & kFieldTypeIds) {
    if (!(given & kFieldIds)) {
      *error = "the object has \"type_ids\" without \"ids\"";
      return false;
    }
    if (request->type_ids.size() != request->ids.size()) {
      *error = "\"type_ids\" has " + std::to_string(request->type_ids.size()) +
               " numbers; expected as many as \"ids\", " + std::to_string(request->ids.size());
      return false;
    }
  }
  return true;
}

}  // namespace kinglet::cli
