// Splitting the command line before CLI11 sees it, and small parsers for option values.
#include "cli/arguments.h"

#include <CLI/CLI.hpp>

#include "cli/command.h"

namespace kinglet::cli {

namespace {

bool takes_value(const CLI::App& app, const std::string& option) {
  const CLI::Option* found = app.get_option_no_throw(option);
  return found != nullptr && found->get_items_expected_max() > 0;
}

}  // namespace

SplitArguments split_arguments(const CLI::App& app, const std::vector<std::string>& raw) {
  SplitArguments split;
  for (size_t i = 0; i < raw.size(); ++i) {
    const std::string& argument = raw[i];
    if (argument == "--") {
      split.arguments.insert(split.arguments.end(), raw.begin() + static_cast<std::ptrdiff_t>(i) + 1, raw.end());
      break;
    }
    const bool is_option =
        argument.size() > 1 && argument[0] == '-' && !(argument[1] >= '0' && argument[1] <= '9');
    if (!is_option) {
      split.arguments.push_back(argument);
      continue;
    }
    split.options.push_back(argument);
    const bool has_value =
        argument[1] == '-' ? argument.find('=') != std::string::npos : argument.size() > 2;  // --name=value, -ovalue
    if (!has_value && takes_value(app, argument) && i + 1 < raw.size()) {
      split.options.push_back(raw[++i]);
    }
  }
  return split;
}

void check_arguments(const Command& command, const std::vector<std::string>& arguments, size_t least, size_t most) {
  if (arguments.size() >= least && arguments.size() <= most) {
    return;
  }
  std::string expected = std::string("expected: kinglet ") + command.name() + " " + command.arguments();
  if (arguments.size() > most) {
    throw UsageError("too many arguments, the first of them \"" + arguments[most] + "\"; " + expected);
  }
  throw UsageError("an argument is missing; " + expected);
}

void add_number(CLI::App& app, const char* name, uint32_t* value, uint32_t most, const char* help) {
  // As text, for CLI11 reads "010" as 8 and "0x10" as 16.
  app.add_option_function<std::string>(
         name,
         [=](const std::string& text) {
           const std::vector<uint32_t> numbers = parse_numbers(text, name, most);
           if (numbers.size() != 1) {
             throw UsageError(std::string(name) + ": \"" + text + "\" is a list; expected one number");
           }
           *value = numbers[0];
         },
         help)
      ->type_name("N");
}

std::vector<std::string> parse_names(const std::string& text, const char* option) {
  std::vector<std::string> names;
  size_t begin = 0;
  for (;;) {
    const size_t end = std::min(text.find(',', begin), text.size());
    if (end == begin) {
      throw UsageError(std::string(option) + ": \"" + text + "\" has an empty item; expected a,b,…");
    }
    names.push_back(text.substr(begin, end - begin));
    if (end == text.size()) {
      return names;
    }
    begin = end + 1;
  }
}

std::vector<uint32_t> parse_numbers(const std::string& text, const char* option, uint32_t most) {
  std::vector<uint32_t> numbers;
  for (const std::string& item : parse_names(text, option)) {
    uint64_t number = 0;
    for (const char digit : item) {
      if (digit < '0' || digit > '9' || number > most) {
        number = 0;
        break;
      }
      number = number * 10 + static_cast<uint64_t>(digit - '0');
    }
    if (number < 1 || number > most) {
      throw UsageError(std::string(option) + ": \"" + item + "\" is not a whole number from 1 to " +
                       std::to_string(most));
    }
    numbers.push_back(static_cast<uint32_t>(number));
  }
  return numbers;
}

}  // namespace kinglet::cli
