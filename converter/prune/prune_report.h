// A pruning that ends with a page about it.
#pragma once

#include "prune/prune.h"
#include "report/convert_report.h"

namespace kinglet::convert {

// prune(), and then, with both checkpoints in 8 bits: sizes, times here, what was pruned, the curve, and, with
// PruneOptions::dev, how both answer. The page is written last, whole or not at all. Throws Error.
PruneResult prune_with_report(const PruneOptions& options, const ReportOptions& report);

}  // namespace kinglet::convert
