// The executable: finds the command, lets CLI11 parse its options, runs it, and turns every way in which it can end
// into an exit code and at most one line on standard error.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/stream.h"
#include "cli/text.h"
#include "kinglet.hpp"

namespace kinglet::cli {

namespace {

std::vector<std::string> command_words;  // of this process, from main()

using Maker = std::unique_ptr<Command> (*)();
constexpr Maker kCommands[] = {make_convert_command,  make_inspect_command,    make_verify_command,
                               make_tokenize_command, make_encode_command,     make_embed_command,
                               make_classify_command, make_tag_command,        make_answer_command,
                               make_fill_mask_command, make_similarity_command, make_rerank_command,
                               make_eval_command,     make_bench_command,      make_prune_command,
                               make_finetune_command, make_distill_command,    make_compress_command};

std::unique_ptr<Command> find_command(const std::string& name) {
  std::string known;
  for (const Maker make : kCommands) {
    std::unique_ptr<Command> command = make();
    if (name == command->name()) {
      return command;
    }
    known += std::string(known.empty() ? "" : ", ") + command->name();
  }
  throw UsageError("unknown command \"" + name + "\"; expected one of " + known);
}

std::string general_help() {
  std::string help =
      "kinglet: BERT-family encoders on small devices\n"
      "\n"
      "Usage: kinglet COMMAND ARGUMENT… [OPTION…]\n"
      "\n"
      "Commands:\n";
  for (const Maker make : kCommands) {
    const std::unique_ptr<Command> command = make();
    help += format("  %-11s %s\n", command->name(), command->summary());
  }
  help +=
      "\n"
      "  kinglet COMMAND --help   the manual of a command\n"
      "  kinglet --version        the version, and the kernel path that this machine runs\n"
      "\n"
      "Exit codes: 0 all good; 1 an input or a file was bad (good inputs still get their answers); 2 wrong usage.\n"
      "Errors go to standard error, one line each.\n"
      "\n"
      "Environment: KINGLET_ISA=NAME forces a kernel path (reference, avx2, avx_vnni, avx512_vnni,\n"
      "amx_int8, neon, neon_dotprod, neon_i8mm, wasm_simd128); one that this machine cannot run is an error.\n";
  return help;
}

std::string command_help(const Command& command, const CLI::App& app) {
  std::string help = std::string("kinglet ") + command.name() + ": " + command.summary() + "\n\nUsage: kinglet " +
                     command.name() + " " + command.arguments() + " [OPTION…]\n\n" + command.manual() +
                     "\n\nOptions:\n";
  for (const CLI::Option* option : app.get_options()) {
    std::string left = "  " + option->get_name(false, true);
    if (option->get_items_expected_max() > 0) {
      left += " " + option->get_type_name().substr(0, option->get_type_name().find(':'));
    }
    constexpr size_t kLeft = 26;
    left += left.size() + 1 < kLeft ? std::string(kLeft - left.size(), ' ') : "\n" + std::string(kLeft, ' ');
    help += left + option->get_description() + "\n";
  }
  return help;
}

int show(const std::string& text) {
  output().write(text);
  output().flush();
  return kExitGood;
}

int show_version() {
  if (isa().empty()) {
    const char* forced = std::getenv("KINGLET_ISA");
    throw InputError(std::string("KINGLET_ISA=") + (forced != nullptr ? forced : "") +
                     ": this processor or build has no such kernel path; expected one of those in kinglet --help");
  }
  return show("kinglet " + std::string(version()) + " (kernel path: " + std::string(isa()) + ")\n");
}

int run_command(const std::string& name, const std::vector<std::string>& raw) {
  const std::unique_ptr<Command> command = find_command(name);
  CLI::App app;
  app.set_help_flag("-h,--help", "Show this manual");
  command->add_options(app);
  SplitArguments split = split_arguments(app, raw);
  std::reverse(split.options.begin(), split.options.end());  // as CLI11 wants them
  try {
    app.parse(std::move(split.options));
  } catch (const CLI::CallForHelp&) {
    return show(command_help(*command, app));
  } catch (const CLI::ExtrasError& error) {
    throw UsageError(std::string(error.what()) + "; see kinglet " + name +
                     " --help (a text that begins with - goes behind --)");
  } catch (const CLI::ParseError& error) {
    throw UsageError(std::string(error.what()) + "; see kinglet " + name + " --help");
  }
  const int code = command->run(split.arguments);
  output().flush();
  return code;
}

int run(const std::vector<std::string>& arguments) {
  command_words = arguments;
  if (arguments.empty()) {
    throw UsageError("no command; expected kinglet COMMAND …, see kinglet --help");
  }
  const std::string& first = arguments[0];
  const std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
  if (first == "--help" || first == "-h") {
    return show(general_help());
  }
  if (first == "help") {
    return rest.empty() ? show(general_help()) : run_command(rest[0], {"--help"});
  }
  if (first == "--version") {
    return show_version();
  }
  return run_command(first, rest);
}

}  // namespace

std::string command_line() {
  std::string line = "kinglet";
  for (const std::string& word : command_words) {
    constexpr const char* kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./,:=+@%";
    if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) {
      line += ' ' + word;
      continue;
    }
    line += " '";
    for (const char c : word) {
      line += c == '\'' ? "'\\''" : std::string(1, c);
    }
    line += '\'';
  }
  return line;
}

void report_error(const std::string& message) {
  const std::string line = "kinglet: " + shorten(message, SIZE_MAX) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace kinglet::cli

int main(int argc, char** argv) {
  using namespace kinglet::cli;
  prepare_streams();
  const auto fail = [](const std::string& message, int code) {
    try {
      output().flush();  // answers that came before
    } catch (const std::exception&) {
    }
    report_error(message);
    return code;
  };
  try {
    return run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const UsageError& error) {
    return fail(error.what(), kExitUsage);
  } catch (const OutputClosed&) {
    return kExitBadInput;
  } catch (const std::bad_alloc&) {
    return fail("out of memory", kExitBadInput);
  } catch (const std::exception& error) {
    return fail(error.what(), kExitBadInput);
  }
}
