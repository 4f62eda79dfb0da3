// A restricted pickle machine: its operations, and what it gives.
#include "readers/pickle.h"

#include <cstring>
#include <map>
#include <optional>

#include "readers/pickle_values.h"

namespace kinglet::convert {

namespace {

using pickle::Id;
using pickle::Kind;
using pickle::kKindNames;
using pickle::Value;

// The names that a pickle may mention.
bool is_allowed_global(const std::string& name) {
  if (name == "collections.OrderedDict" || name == "torch._utils._rebuild_tensor" ||
      name == "torch._utils._rebuild_tensor_v2" || name == "torch._utils._rebuild_parameter") {
    return true;
  }
  for (const char* type : {"Float", "Half", "BFloat16", "Double", "Long", "Int", "Short", "Char", "Byte", "Bool"}) {
    if (name == std::string("torch.") + type + "Storage") {
      return true;
    }
  }
  return false;
}

class Machine : pickle::Values {
 public:
  // Runs the pickle that begins at byte `at`.
  Machine(std::span<const uint8_t> bytes, const std::string& name, size_t at = 0) : Values(bytes, name, at) {
    bool stopped = false;
    while (!stopped) {
      stopped = step();
    }
    root_ = pop();
  }

  size_t end() const { return at_; }
  const std::vector<PickledStorage>& storages() const { return storages_; }

  int64_t integer() { return expect(root_, Kind::integer, "its content").integer; }

  std::vector<std::string> texts() {
    std::vector<std::string> texts;
    for (const Id item : expect(root_, Kind::list, "its content").items) {
      texts.push_back(short_name(expect(item, Kind::text, "the key of a storage").text));
    }
    return texts;
  }

  // Whether a dict has True under `key`.
  bool says(const char* key) {
    expect(root_, Kind::dict, "its content");
    const auto found = lookup(root_, key);
    return found && values_[*found].kind == Kind::boolean && values_[*found].integer != 0;
  }

  std::vector<PickledTensor> tensors() { return collect(root_); }

 private:
  // ---- Operations ----

  void append_to(Kind kind, const std::vector<Id>& items, const char* what) {
    const Id target = top();
    expect(target, kind, what);
    if (kind == Kind::dict && items.size() % 2 != 0) {
      refuse_pickle("sets a key without a value");
    }
    values_[target].items.insert(values_[target].items.end(), items.begin(), items.end());
  }

  void push_global(const std::string& module, const std::string& attribute) {
    const std::string full = module + "." + attribute;
    if (!is_allowed_global(full)) {
      refuse_pickle("asks for ", quote(full), ", which is not allowed: only tensors are read, nothing is run");
    }
    push(Kind::global, 0, full);
  }

  void push_storage() {
    const auto& items = expect(pop(), Kind::tuple, "a persistent id").items;
    // Old files have a sixth part, None unless a storage is a view of another.
    if (items.size() == 6 && values_[items[5]].kind != Kind::none) {
      refuse_pickle("has a storage that is a view of another, which is not read");
    }
    if ((items.size() != 5 && items.size() != 6) ||
        expect(items[0], Kind::text, "the kind of a persistent id").text != "storage") {
      refuse_pickle("has a persistent id that is not a storage of torch.save");
    }
    const std::string& type = expect(items[1], Kind::global, "the type of a storage").text;
    constexpr std::string_view kEnd = "Storage";
    if (!type.starts_with("torch.") || !type.ends_with(kEnd)) {
      refuse_pickle("has ", quote(type), " as the type of a storage");
    }
    const std::string& key = expect(items[2], Kind::text, "the key of a storage").text;
    storages_.push_back({type.substr(6), short_name(key), expect_count(items[4], "the size of a storage")});
    push(Kind::storage, static_cast<int64_t>(storages_.size() - 1));
  }

  void reduce() {
    const Id arguments = pop();
    const std::string function = expect(pop(), Kind::global, "what is called").text;
    const size_t count = expect(arguments, Kind::tuple, "the arguments of a call").items.size();
    if (function == "collections.OrderedDict" && count <= 1) {
      push_ordered_dict(arguments, count);
    } else if ((function == "torch._utils._rebuild_tensor_v2" && (count == 6 || count == 7)) ||
               (function == "torch._utils._rebuild_tensor" && count == 4)) {
      push_tensor(values_[arguments].items);
    } else if (function == "torch._utils._rebuild_parameter" && count == 3) {
      const Id tensor = values_[arguments].items[0];
      expect(tensor, Kind::tensor, "the data of a parameter");
      push(tensor);
    } else {
      refuse_pickle("calls ", quote(function), " with ", count, " arguments, which is not allowed");
    }
  }

  // OrderedDict() or OrderedDict([(key, value), …]).
  void push_ordered_dict(Id arguments, size_t count) {
    std::vector<Id> items;
    if (count == 1) {
      for (const Id pair : expect(values_[arguments].items[0], Kind::list, "the contents of an OrderedDict").items) {
        const Value& value = values_[pair];
        if ((value.kind != Kind::tuple && value.kind != Kind::list) || value.items.size() != 2) {
          refuse_pickle("has an OrderedDict whose contents are not pairs");
        }
        items.insert(items.end(), value.items.begin(), value.items.end());
        charge(1);
      }
    }
    push(make(Kind::dict, 0, {}, std::move(items)));
  }

  void push_tensor(const std::vector<Id>& arguments) {
    const PickledStorage& storage =
        storages_[static_cast<size_t>(expect(arguments[0], Kind::storage, "the storage of a tensor").integer)];
    PickledTensor tensor;
    tensor.storage_type = storage.type;
    tensor.storage_key = storage.key;
    tensor.storage_elements = storage.elements;
    tensor.storage_offset = expect_count(arguments[1], "the offset of a tensor");
    tensor.shape = expect_counts(arguments[2], "the shape of a tensor");
    tensor.strides = expect_counts(arguments[3], "the strides of a tensor");
    tensors_.push_back(std::move(tensor));
    push(Kind::tensor, static_cast<int64_t>(tensors_.size() - 1));
  }

  // State of an object: an OrderedDict's attributes (_metadata) are of no use here.
  void build() {
    pop();
    expect(top(), Kind::dict, "an object with a state");
  }

  void put(uint64_t key) {
    // Keys are given out in order by every writer; a far one would only be there to take memory.
    if (key > bytes_.size()) {
      refuse_pickle("stores a value under the far memo key ", key);
    }
    charge(1);
    memo_[static_cast<uint32_t>(key)] = top();
  }

  void get(uint64_t key) {
    const auto found = memo_.find(static_cast<uint32_t>(key));
    if (key > bytes_.size() || found == memo_.end()) {
      refuse_pickle("asks for the memo key ", key, ", which was never stored");
    }
    push(found->second);
  }

  // One opcode (names as in Python's pickletools); true at STOP.
  bool step() {
    const size_t place = at_;
    const uint8_t op = *take(1);
    switch (op) {
      case 0x80:  // PROTO
        if (const uint64_t protocol = number(1); protocol > 5) {
          refuse_pickle("is of protocol ", protocol, ", at most 5 is known");
        }
        break;
      case 0x95:  // FRAME: only a hint for buffering
        take(8);
        break;
      case '.':  // STOP
        return true;
      case '(':  // MARK
        marks_.push_back(stack_.size());
        break;
      case '0':  // POP
        if (!marks_.empty() && stack_.size() == marks_.back()) {
          marks_.pop_back();
        } else {
          pop();
        }
        break;
      case '1':  // POP_MARK
        pop_to_mark();
        break;
      case '2':  // DUP
        push(top());
        break;
      case 'N':  // NONE
        push(Kind::none);
        break;
      case 0x88:  // NEWTRUE
      case 0x89:  // NEWFALSE
        push(Kind::boolean, op == 0x88);
        break;
      case 'J':  // BININT
        push(Kind::integer, static_cast<int32_t>(number(4)));
        break;
      case 'K':  // BININT1
        push(Kind::integer, static_cast<int64_t>(number(1)));
        break;
      case 'M':  // BININT2
        push(Kind::integer, static_cast<int64_t>(number(2)));
        break;
      case 0x8a:  // LONG1
        push(Kind::integer, long_number(number(1)));
        break;
      case 0x8b:  // LONG4
        push(Kind::integer, long_number(number(4)));
        break;
      case 'G':  // BINFLOAT: no number that is not a tensor's matters here
        take(8);
        push(Kind::real);
        break;
      case 'X':  // BINUNICODE
      case 'T':  // BINSTRING
        push(Kind::text, 0, text(number(4)));
        break;
      case 0x8c:  // SHORT_BINUNICODE
      case 'U':   // SHORT_BINSTRING
        push(Kind::text, 0, text(number(1)));
        break;
      case 0x8d:  // BINUNICODE8
        push(Kind::text, 0, text(number(8)));
        break;
      case ')':  // EMPTY_TUPLE
        push(Kind::tuple);
        break;
      case 0x85:  // TUPLE1
      case 0x86:  // TUPLE2
      case 0x87:  // TUPLE3
        push(make(Kind::tuple, 0, {}, pop_items(op - 0x84u)));
        break;
      case 't':  // TUPLE
        push(make(Kind::tuple, 0, {}, pop_to_mark()));
        break;
      case ']':  // EMPTY_LIST
        push(Kind::list);
        break;
      case 'l':  // LIST
        push(make(Kind::list, 0, {}, pop_to_mark()));
        break;
      case 'a':  // APPEND
        append_to(Kind::list, pop_items(1), "what is appended to");
        break;
      case 'e':  // APPENDS
        append_to(Kind::list, pop_to_mark(), "what is appended to");
        break;
      case '}':  // EMPTY_DICT
        push(Kind::dict);
        break;
      case 's':  // SETITEM
        append_to(Kind::dict, pop_items(2), "what a key is set in");
        break;
      case 'u':  // SETITEMS
        append_to(Kind::dict, pop_to_mark(), "what keys are set in");
        break;
      case 'q':  // BINPUT
        put(number(1));
        break;
      case 'r':  // LONG_BINPUT
        put(number(4));
        break;
      case 0x94:  // MEMOIZE
        put(memo_.size());
        break;
      case 'h':  // BINGET
        get(number(1));
        break;
      case 'j':  // LONG_BINGET
        get(number(4));
        break;
      case 'c': {  // GLOBAL
        const std::string module = line();
        push_global(module, line());
        break;
      }
      case 0x93: {  // STACK_GLOBAL
        const std::string attribute = expect(pop(), Kind::text, "a name").text;
        push_global(expect(pop(), Kind::text, "a module").text, attribute);
        break;
      }
      case 'Q':  // BINPERSID
        push_storage();
        break;
      case 'R':  // REDUCE
        reduce();
        break;
      case 'b':  // BUILD
        build();
        break;
      default: {
        constexpr char kHex[] = "0123456789abcdef";
        refuse_pickle("has the opcode 0x", kHex[op >> 4], kHex[op & 15], " at byte ", place,
                      ", which a file of tensors does not need");
      }
    }
    return false;
  }

  // ---- The result ----

  // The value of a text key in a dict; the last one where there are several.
  std::optional<Id> lookup(Id dict, const char* key) {
    std::optional<Id> found;
    const auto& items = values_[dict].items;
    for (size_t i = 0; i < items.size(); i += 2) {
      if (values_[items[i]].kind == Kind::text && values_[items[i]].text == key) {
        found = items[i + 1];
      }
    }
    return found;
  }

  std::vector<PickledTensor> collect(Id root) {
    expect(root, Kind::dict, "its content");
    for (const char* wrapper : {"state_dict", "model_state_dict", "model"}) {
      if (const auto inner = lookup(root, wrapper); inner && values_[*inner].kind == Kind::dict) {
        root = *inner;
        break;
      }
    }
    std::vector<PickledTensor> tensors;
    const auto& items = values_[root].items;
    for (size_t i = 0; i < items.size(); i += 2) {
      const Value& key = values_[items[i]];
      const Value& value = values_[items[i + 1]];
      if (value.kind != Kind::tensor) {
        continue;
      }
      if (key.kind != Kind::text) {
        refuse_pickle("names a tensor by ", kKindNames[static_cast<size_t>(key.kind)]);
      }
      tensors.push_back(tensors_[static_cast<size_t>(value.integer)]);
      tensors.back().name = short_name(key.text);
    }
    return tensors;
  }

  Id root_ = 0;
  std::vector<PickledStorage> storages_;
  std::vector<PickledTensor> tensors_;
  std::map<uint32_t, Id> memo_;
};

}  // namespace

std::vector<PickledTensor> read_pickle(std::span<const uint8_t> bytes, const std::string& name) {
  return Machine(bytes, name).tensors();
}

LegacyPickles read_legacy_pickles(std::span<const uint8_t> bytes, const std::string& name) {
  // 0x1950a86a20f9469cfc6c as Python pickles it.
  constexpr uint8_t kMagic[] = {0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};
  constexpr int64_t kVersion = 1001;
  if (bytes.size() < sizeof(kMagic) || std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) != 0) {
    refuse(name, ": begins like a pickle, but is none of torch.save, expected a PyTorch checkpoint");
  }
  Machine version(bytes, name, sizeof(kMagic));
  if (version.integer() != kVersion) {
    refuse(name, ": is of torch.save's version ", version.integer(), ", expected ", kVersion);
  }
  Machine machine(bytes, name, version.end());
  if (!machine.says("little_endian")) {
    refuse(name, ": was written on a machine that is not little-endian");
  }
  Machine content(bytes, name, machine.end());
  Machine keys(bytes, name, content.end());
  std::map<std::string, const PickledStorage*> by_key;
  for (const PickledStorage& storage : content.storages()) {
    const auto [place, added] = by_key.emplace(storage.key, &storage);
    if (!added && (place->second->type != storage.type || place->second->elements != storage.elements)) {
      refuse(name, ": speaks of the storage ", quote(storage.key), " in two ways");
    }
  }
  LegacyPickles legacy;
  legacy.tensors = content.tensors();
  for (const std::string& key : keys.texts()) {
    const auto found = by_key.find(key);
    if (found == by_key.end()) {
      refuse(name, ": holds the storage ", quote(key), ", which no tensor has");
    }
    legacy.storages.push_back(*found->second);
  }
  legacy.end = keys.end();
  return legacy;
}

}  // namespace kinglet::convert
