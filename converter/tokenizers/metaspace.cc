// Reads Metaspace.
#include "tokenizers/metaspace.h"

#include <algorithm>

#include "tokenizer/marking.h"
#include "tokenizer/utf8.h"

namespace kinglet::convert {

uint32_t Metaspace::flags() const {
  return (prefix ? (only_first ? Marking::kPrefixFirst : Marking::kPrefix) : 0u) | (split ? Marking::kSplit : 0u) |
         (split_spaces ? Marking::kSplitSpaces : 0u);
}

namespace {

// Whether there is nothing to split at: no pre-tokenizer, or one that splits at spaces where there are none any more,
// as in the tokenizers of Llama and Gemma.
bool splits_nothing(const Field& field, bool has_spaces) {
  return field.is_null() ||
         (!has_spaces && field["type"].string() == "Split" && field["pattern"].get("String").json() == " " &&
          (field.get("invert").is_null() || !field["invert"].boolean()));
}

}  // namespace

Metaspace read_metaspace(const Field& field, const TextRules& rules, const char* model) {
  const std::pair<std::string, uint32_t> replaced{" ", 0x2581};
  const bool has_spaces = std::find(rules.literals.begin(), rules.literals.end(), replaced) == rules.literals.end() ||
                          !rules.charsmap.empty() || rules.compatibility || rules.collapse != Rules::kKeep;
  if (splits_nothing(field, has_spaces)) {
    return {has_spaces ? uint32_t{' '} : 0x2581, false, false, false, false};
  }
  const std::string type = field["type"].string();
  if (type == "Sequence") {
    const Field parts = field["pretokenizers"];
    const size_t count = parts.array().size();
    if (count == 2 && parts[size_t{0}]["type"].string() == "WhitespaceSplit") {
      Metaspace metaspace = read_metaspace(parts[1], rules, model);
      metaspace.split_spaces = true;
      return metaspace;
    }
    if (count == 1) {
      return read_metaspace(parts[size_t{0}], rules, model);
    }
    parts.fail("this Sequence is not implemented, expected Metaspace, or WhitespaceSplit and Metaspace");
  }
  if (type != "Metaspace") {
    field.fail("the pre-tokenizer " + type + " is not implemented for " + model);
  }
  Metaspace metaspace;
  const std::string marker = field["replacement"].string();
  const Source source({}, marker);
  size_t at = 0;
  metaspace.marker = marker.empty() ? 0 : decode(source, marker.size(), at);
  if (metaspace.marker == 0 || at != marker.size()) {
    field["replacement"].fail("expected one character");
  }
  std::string scheme = field.get("prepend_scheme").is_null() ? "always" : field["prepend_scheme"].string();
  if (!field.get("add_prefix_space").is_null() && !field["add_prefix_space"].boolean()) {
    if (scheme != "never" && !field.get("prepend_scheme").is_null()) {
      field["prepend_scheme"].fail("contradicts add_prefix_space");
    }
    scheme = "never";
  }
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    field["prepend_scheme"].fail("expected \"always\", \"first\" or \"never\", got \"" + scheme + "\"");
  }
  metaspace.prefix = scheme != "never";
  metaspace.only_first = scheme == "first";
  metaspace.split = field.get("split").is_null() || field["split"].boolean();
  return metaspace;
}

}  // namespace kinglet::convert
