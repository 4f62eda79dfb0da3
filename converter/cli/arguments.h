// Splitting the command line before CLI11 sees it.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace kinglet::cli {

struct SplitArguments {
  std::vector<std::string> options;    // for CLI11: options and their values, in order
  std::vector<std::string> arguments;  // everything else, in order and untouched
};

// Tells options (known to `app`, or unknown ones, which CLI11 then refuses) from arguments. CLI11 itself may not see
// texts: it takes "[a, b]", "++" and "{}" for syntax of its own. "--" ends the options; "-" and "-5…" are arguments.
SplitArguments split_arguments(const CLI::App& app, const std::vector<std::string>& raw);

}  // namespace kinglet::cli
