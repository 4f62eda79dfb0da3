// A conversion that ends with a page about it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "convert.h"

namespace kinglet::convert {

struct ReportOptions {
  std::filesystem::path page;  // replaced atomically; its folder must exist
  std::string command;         // the command line, for the page
  uint32_t threads = 2;        // to evaluate with; they change no result
};

// convert(), and then, next to a copy of the checkpoint converted to fp32 (a file without a name): sizes, times here,
// and, with ConvertOptions::dev, how both answer. The data is read before anything is written, and the page is written
// last, whole or not at all. Throws Error.
ConvertResult convert_with_report(const ConvertOptions& options, const ReportOptions& report);

}  // namespace kinglet::convert
