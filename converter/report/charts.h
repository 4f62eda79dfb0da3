// The drawings of the page. Horizontal places are percentages, so that drawings fill any width while their text keeps
// its size; what is to be read is text beside them, so that none needs a script or a pointer.
#pragma once

#include <string>
#include <utility>

#include "report/report.h"

namespace kinglet::convert {

extern const char kReportStyle[];  // CSS

constexpr size_t kNameLength = 24;  // characters of before_name and after_name that are shown

// Each returns the inside of a section, or "" when there is nothing to draw.
std::string draw_sizes(const Report& report);
std::string draw_measurements(const Report& report);
std::string draw_latencies(const Report& report);
std::string draw_sensitivities(const Report& report);
std::string draw_layers(const Report& report);
std::string draw_curve(const Report& report);
std::string draw_plan(const Report& report);
std::string draw_training(const Report& report);

// Numbers on a scale: the ends, widened to whole steps of 1, 2 or 5 times a power of ten.
struct Scale {
  double low = 0, high = 1, step = 1;
  double share(double value) const { return (value - low) / (high - low); }
  int decimals() const;  // that a step needs
};
Scale make_scale(double least, double most, int steps);

}  // namespace kinglet::convert
