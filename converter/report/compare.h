// Two checkpoints side by side, for the report of a pruning: both converted to int8, into files without names.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "report/anatomy.h"
#include "report/measure.h"
#include "report/report.h"
#include "writer/output_file.h"

namespace kinglet::convert {

struct CompareOptions {
  std::filesystem::path before, after;  // checkpoints
  std::filesystem::path dev;            // a data file; empty: answers are not compared
  std::optional<std::string> task;      // as ConvertOptions::task
  uint32_t threads = 2;                 // to evaluate with; they change no result
  MeasureProgress progress;
};

// Fills what the two checkpoints say of themselves: names, facts, sizes, latencies, and with `dev` agreement, changed
// answers and, where the report has no measurements yet, those of both. Throws Error.
void compare_checkpoints(const CompareOptions& options, Report* report);

// The last part of a path: the name of a file or a folder.
std::string file_name(const std::filesystem::path& path);

// Sizes by part; `before` may be null.
void add_sizes(const Anatomy* before, const Anatomy& after, Report* report);

// Renders a page into a file that was made earlier (so that a name that cannot be written is refused before the work),
// and gives it its name.
void write_page(const Report& report, OutputFile& page);

}  // namespace kinglet::convert
