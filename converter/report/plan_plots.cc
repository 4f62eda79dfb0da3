// Drawings of runs with a plan: passes as expected and as they came, and curves of training.
#include <algorithm>
#include <cmath>

#include "report/charts.h"
#include "report/html.h"

namespace kinglet::convert {

namespace {

std::string seconds_text(double seconds) {
  const double whole = std::max(0.0, seconds);
  return whole < 90 ? number_text("%.0f s", whole) : number_text("%.0f min", whole / 60);
}

std::string cell(const std::string& text) { return "<td class=\"n\">" + text + "</td>"; }

// A bar of what a file weighs, and a mark where the budget is.
std::string size_drawing(const PlannedPass& pass, uint64_t budget, uint64_t widest) {
  const auto at = [&](uint64_t bytes) {
    return percent_attribute(static_cast<double>(bytes) / static_cast<double>(widest));
  };
  std::string out = "<svg width=\"100%\" height=\"24\" aria-hidden=\"true\">";
  out += "<line class=\"line-" + std::string(pass.bytes > budget ? "before" : "after") +
         "\" stroke-width=\"9\" stroke-opacity=\".7\" x1=\"0\" x2=\"" + at(pass.bytes) + "\" y1=\"12\" y2=\"12\"/>";
  return out + "<line class=\"line-before\" stroke-dasharray=\"3 3\" x1=\"" + at(budget) + "\" x2=\"" + at(budget) +
         "\" y1=\"-5\" y2=\"29\"/></svg>";
}

std::string training_plot(const TrainingCurve& curve) {
  double most = 0;
  uint64_t last = 1;
  for (const TrainingLoss& point : curve.losses) {
    most = std::isfinite(point.loss) ? std::max(most, point.loss) : most;
    last = std::max(last, point.step);
  }
  for (const TrainingFigure& figure : curve.figures) {
    last = std::max(last, figure.step);
  }
  const Scale y = make_scale(0, most, 4);
  constexpr double kTop = 24, kHeight = 180;
  const auto at_x = [&](uint64_t step) {
    return percent_attribute(0.07 + 0.88 * static_cast<double>(step) / static_cast<double>(last));
  };
  const auto at_y = [&](double share) {
    return number_text("%.1f", kTop + kHeight * (1 - (std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0.0)));
  };
  std::string out = "<svg width=\"100%\" height=\"244\" role=\"img\" aria-label=\"Loss and figures by step\">";
  const std::string pattern = "%." + std::to_string(y.decimals()) + "f";
  for (double value = y.low; value <= y.high + y.step / 2; value += y.step) {
    const std::string place = at_y(y.share(value));
    out += "<line class=\"rule\" x1=\"0\" x2=\"100%\" y1=\"" + place + "\" y2=\"" + place +
           "\"/><text x=\"0\" y=\"" + number_text("%.1f", std::stod(place) - 4) + "\">" +
           number_text(pattern.c_str(), value) + "</text>";
  }
  for (uint64_t epoch = 0; curve.steps_per_epoch > 0 && epoch * curve.steps_per_epoch <= last && epoch <= 50; ++epoch) {
    out += "<text x=\"" + at_x(epoch * curve.steps_per_epoch) + "\" y=\"222\" text-anchor=\"middle\">" +
           std::to_string(epoch) + "</text>";
  }
  out += "<text x=\"51%\" y=\"240\" text-anchor=\"middle\">epochs; the line is the loss</text>";
  for (size_t i = 0; i + 1 < curve.losses.size(); ++i) {
    out += "<line class=\"line-before\" stroke-width=\"1.5\" x1=\"" + at_x(curve.losses[i].step) + "\" y1=\"" +
           at_y(y.share(curve.losses[i].loss)) + "\" x2=\"" + at_x(curve.losses[i + 1].step) + "\" y2=\"" +
           at_y(y.share(curve.losses[i + 1].loss)) + "\"/>";
  }
  if (!curve.figures.empty()) {
    double low = curve.figures[0].value, high = low;
    for (const TrainingFigure& figure : curve.figures) {
      low = std::min(low, figure.value);
      high = std::max(high, figure.value);
    }
    // A scale of their own, in the upper half.
    const Scale scale = make_scale(low, high, 4);
    for (const TrainingFigure& figure : curve.figures) {
      const std::string place = at_y(0.5 + 0.5 * scale.share(figure.value));
      out += "<circle class=\"after\" r=\"" + std::string(figure.best ? "6" : "3.5") + "\" cx=\"" +
             at_x(figure.step) + "\" cy=\"" + place + "\"/><text class=\"ink halo\" text-anchor=\"middle\" x=\"" +
             at_x(figure.step) + "\" y=\"" + number_text("%.1f", std::stod(place) - 11) + "\">" +
             number_text("%.2f", figure.value) + "</text>";
    }
  }
  return out + "</svg>\n";
}

}  // namespace

std::string draw_plan(const Report& report) {
  if (report.plan.empty()) {
    return "";
  }
  uint64_t widest = std::max<uint64_t>(report.budget, 1);
  for (const PlannedPass& pass : report.plan) {
    widest = std::max({widest, pass.bytes, pass.expected_bytes});
  }
  std::string out =
      "<div class=\"wide\"><table><thead><tr><th>Plan</th><th>Pass</th><th class=\"n\">expected</th>"
      "<th class=\"n\">came out</th><th class=\"n\">expected</th><th class=\"n\">took</th><th class=\"n\">fp32</th>"
      "<th class=\"n\">int8</th><th></th></tr></thead><tbody>\n";
  for (const PlannedPass& pass : report.plan) {
    const bool done = pass.seconds >= 0;
    out += "<tr><td>" + escape_html(pass.plan, 20) + "</td><td>" + escape_html(pass.name, 120) + "</td>" +
           cell("≤ " + bytes_text(pass.expected_bytes)) + cell(pass.bytes > 0 ? bytes_text(pass.bytes) : "–") +
           cell(seconds_text(pass.expected_seconds)) + cell(done ? seconds_text(pass.seconds) : "–") +
           cell(pass.fp32 > 0 ? number_text("%.2f", pass.fp32) : "–") +
           cell(pass.int8 > 0 ? number_text("%.2f", pass.int8) : "–") + "<td>" + escape_html(pass.outcome, 80) +
           "</td></tr>\n";
  }
  out += "</tbody></table></div>\n<h3>Size by pass, in int8</h3>\n<p class=\"muted\">The dashed line is the budget, " +
         bytes_text(report.budget) + ".</p>\n<div class=\"rows\">\n";
  for (const PlannedPass& pass : report.plan) {
    if (pass.bytes > 0) {
      out += "<div class=\"row\"><div>" + escape_html(pass.plan + ": " + pass.name, 60) + "</div><div class=\"plot\">" +
             size_drawing(pass, report.budget, widest) + "</div><div>" + bytes_text(pass.bytes) + "</div></div>\n";
    }
  }
  return out + "</div>\n";
}

std::string draw_training(const Report& report) {
  std::string out;
  for (const TrainingCurve& curve : report.training) {
    if (curve.losses.empty() && curve.figures.empty()) {
      continue;
    }
    out += "<h3>" + escape_html(curve.name, 80) + "</h3>\n" + training_plot(curve);
    if (!curve.figures.empty()) {
      out += "<table><thead><tr><th class=\"n\">step</th><th class=\"n\">" + escape_html(curve.metric, kNameLength) +
             "</th><th></th></tr></thead><tbody>\n";
      for (const TrainingFigure& figure : curve.figures) {
        out += "<tr>" + cell(grouped(figure.step)) + cell(number_text("%.2f", figure.value)) + "<td>" +
               (figure.best ? "the best so far" : "") + "</td></tr>\n";
      }
      out += "</tbody></table>\n";
    }
  }
  return out;
}

}  // namespace kinglet::convert
