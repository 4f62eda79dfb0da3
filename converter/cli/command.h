// What every command of the executable looks like to main.cc, and the errors it may end with.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace kinglet::cli {

constexpr int kExitGood = 0;
constexpr int kExitBadInput = 1;  // an input or a file was bad
constexpr int kExitUsage = 2;     // the command line was

// The command line is wrong: exit code 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// An input or a file is bad and nothing more can be done: exit code 1.
class InputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Standard output was closed by its reader: the command ends at once, silently, with exit code 1.
class OutputClosed : public std::exception {};

class Command {
 public:
  virtual ~Command() = default;
  virtual const char* name() const = 0;
  virtual const char* summary() const = 0;    // one line of `kinglet --help`
  virtual const char* arguments() const = 0;  // "M.kgl [TEXT…]"
  virtual const char* manual() const = 0;     // paragraphs of `kinglet NAME --help`, examples last
  virtual void add_options(CLI::App& app) = 0;
  // Runs after the options are parsed; `arguments` are those that are neither options nor their values. Returns the
  // exit code, or throws any of the above or convert::Error.
  virtual int run(const std::vector<std::string>& arguments) = 0;
};

std::unique_ptr<Command> make_convert_command();
std::unique_ptr<Command> make_inspect_command();
std::unique_ptr<Command> make_verify_command();
std::unique_ptr<Command> make_tokenize_command();
std::unique_ptr<Command> make_encode_command();
std::unique_ptr<Command> make_embed_command();
std::unique_ptr<Command> make_similarity_command();
std::unique_ptr<Command> make_classify_command();
std::unique_ptr<Command> make_tag_command();
std::unique_ptr<Command> make_answer_command();
std::unique_ptr<Command> make_fill_mask_command();
std::unique_ptr<Command> make_rerank_command();
std::unique_ptr<Command> make_eval_command();
std::unique_ptr<Command> make_bench_command();
std::unique_ptr<Command> make_prune_command();
std::unique_ptr<Command> make_finetune_command();
std::unique_ptr<Command> make_distill_command();
std::unique_ptr<Command> make_compress_command();

// The command line that this process was started with, as a shell takes it.
std::string command_line();

// Writes "kinglet: MESSAGE" to standard error as exactly one line, whatever the message contains.
void report_error(const std::string& message);

// The number of arguments must be `least` to `most`; throws UsageError that repeats what is expected.
void check_arguments(const Command& command, const std::vector<std::string>& arguments, size_t least, size_t most);

// Adds an option whose value is a whole number from 1 to `most`; anything else is a UsageError.
void add_number(CLI::App& app, const char* name, uint32_t* value, uint32_t most, const char* help);

// "16,32,64" → numbers; throws UsageError that names `option`. Every number must lie in [1, most].
std::vector<uint32_t> parse_numbers(const std::string& text, const char* option, uint32_t most);
// "a,b" → names, empty ones refused with a UsageError.
std::vector<std::string> parse_names(const std::string& text, const char* option);

}  // namespace kinglet::cli
