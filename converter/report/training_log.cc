// Lines of JSON to points.
#include "report/training_log.h"

#include <cmath>
#include <fstream>

#include "base/json_file.h"

namespace kinglet::convert {

TrainingCurve read_training_log(const std::filesystem::path& path, const std::string& name) {
  TrainingCurve curve;
  curve.name = name;
  std::ifstream file(path);
  for (std::string text; std::getline(file, text);) {
    const Json line = Json::parse(text, nullptr, false);
    if (!line.is_object() || !line.contains("step") || !line["step"].is_number_unsigned()) {
      continue;
    }
    const auto step = line["step"].get<uint64_t>();
    const auto number = [&](const char* field) {
      return line.contains(field) && line[field].is_number() ? line[field].get<double>() : 0.0;
    };
    if (line.contains("loss")) {
      curve.losses.push_back({step, number("loss")});
      if (const double epoch = number("epoch"); epoch > 0) {
        curve.steps_per_epoch = static_cast<uint64_t>(std::llround(static_cast<double>(step) / epoch));
      }
    } else if (line.contains("dev") && line["dev"].is_object() && line["dev"].size() == 1) {
      const auto figure = line["dev"].begin();
      if (figure.value().is_number()) {
        curve.metric = figure.key();
        curve.figures.push_back({step, 100 * figure.value().get<double>(), line.value("best", false)});
      }
    }
  }
  return curve;
}

}  // namespace kinglet::convert
