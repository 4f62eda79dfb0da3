// `kinglet compress`: from a model, its data and a budget to a file that keeps both limits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "compress/plan.h"

namespace kinglet::compress {

struct Options {
  std::filesystem::path source;  // what ConvertOptions::source takes
  std::filesystem::path data;    // texts to count tokens in, to prune and to train on
  std::filesystem::path dev;     // what figures are measured on
  std::filesystem::path output;  // a .kgl file; replaced atomically
  std::filesystem::path page;    // of the report; empty: none
  uint64_t budget = 0;
  Loss loss;
  std::string device = "auto";  // to train on
  uint32_t threads = 2;
  uint64_t seed = 1;
  bool fresh = false;      // forgets what a run that was stopped has left
  bool plan_only = false;  // nothing is carried out, and nothing is left behind; needs no output
  std::string command;     // the command line, for the page
  std::optional<std::filesystem::path> trainer;        // kinglet-train; nothing: only what needs no training
  std::function<void(const std::string& line)> say;  // a line of the plan or of what came of it
  std::function<void(const std::string& what, double fraction)> progress;
};

// Prints the plans, then carries them out one after the other until a file is within the budget and the loss. All that
// is not finished lies in the folder OUTPUT.compress, with which the same command goes on after a kill; it is removed
// when the output is there. Throws convert::Error, with one line, also when nothing was good enough: the
// output is then as it was, and the best of what was small enough stays in the folder.
void compress(const Options& options);

}  // namespace kinglet::compress
