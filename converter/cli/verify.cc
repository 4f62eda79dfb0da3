// kinglet verify: checks a model file from the first byte to the last and runs the samples inside it.
#include <CLI/CLI.hpp>

#include "cli/stream.h"
#include "cli/task.h"
#include "cli/text.h"

namespace kinglet::cli {

namespace {

class VerifyCommand : public Command {
 public:
  const char* name() const override { return "verify"; }
  const char* summary() const override { return "Check a model file and run its self-test"; }
  const char* arguments() const override { return "M.kgl"; }
  const char* manual() const override {
    return "Checks the file as every load does (header, sizes, checksums, tables, shapes, values) and then runs the\n"
           "samples that the converter put into it: their tokens and outputs must come out as recorded; for int8\n"
           "models to the last bit, on every kernel path.\n"
           "\n"
           "Exit code 0: all good; 1: the file is damaged or the self-test failed.\n"
           "\n"
           "Example:\n"
           "  kinglet verify m.kgl";
  }
  void add_options(CLI::App&) override {}

  int run(const std::vector<std::string>& arguments) override {
    check_arguments(*this, arguments, 1, 1);
    Model model = open_model(arguments[0]);
    if (const Result<void> result = model.self_test(); !result) {
      throw InputError(arguments[0] + ": self-test: " + result.error().message());
    }
    const kinglet_model_info info = model.info();
    output().write(shorten(arguments[0], SIZE_MAX) + ": good (" + info.architecture + ", " + info.precision +
                   ", self-test passed on " + std::string(isa()) + ")\n");
    output().flush();
    return kExitGood;
  }
};

}  // namespace

std::unique_ptr<Command> make_verify_command() { return std::make_unique<VerifyCommand>(); }

}  // namespace kinglet::cli
