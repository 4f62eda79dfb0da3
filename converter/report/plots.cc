// Drawings of points: sensitivity of matrices, accuracy against operations.
#include <algorithm>
#include <cctype>
#include <cmath>

#include "report/charts.h"
#include "report/html.h"

namespace kinglet::convert {

namespace {

constexpr size_t kListed = 6;  // matrices named below the plot

// The number of the layer in a matrix's name, or -1: its first number.
int layer_of(const std::string& name) {
  const size_t digit = name.find_first_of("0123456789");
  int number = -1;
  for (size_t i = digit; i < name.size() && i < digit + 4 && std::isdigit(static_cast<unsigned char>(name[i])); ++i) {
    number = std::max(number, 0) * 10 + (name[i] - '0');
  }
  return number;
}

std::string y_at(double share, double top, double height) {
  return number_text("%.1f", top + height * (1 - (std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0.0)));
}

}  // namespace

std::string draw_sensitivities(const Report& report) {
  const std::vector<Sensitivity>& all = report.sensitivities;
  if (all.empty()) {
    return "";
  }
  // A logarithmic scale: errors of matrices differ by powers of ten.
  double least = 0, most = 0;
  bool any_kept = false;
  for (const Sensitivity& s : all) {
    any_kept = any_kept || s.kept_fp32;
    if (s.error > 0 && std::isfinite(s.error)) {
      least = least == 0 ? s.error : std::min(least, s.error);
      most = std::max(most, s.error);
    }
  }
  const double low = std::floor(std::log10(least > 0 ? least : 1e-3) - 0.2);  // no point on the lowest line
  const double high = std::max(std::ceil(std::log10(most > 0 ? most : 1.0)), low + 1);
  constexpr double kTop = 22, kHeight = 190;
  const auto share = [&](double error) {
    return error > 0 && std::isfinite(error) ? (std::log10(error) - low) / (high - low) : 0;
  };
  const auto n = static_cast<double>(all.size());
  std::string out =
      "<ul class=\"legend\"><li><span class=\"key dot\" style=\"background:var(--after)\"></span>in 8 bits</li>";
  out +=
      any_kept ? "<li><span class=\"key dot\" style=\"border:2.5px solid var(--warn)\"></span>kept in fp32</li>" : "";
  out +=
      "</ul>\n<svg width=\"100%\" height=\"242\" role=\"img\" aria-label=\"Error of each matrix in 8 bits, in the "
      "order of the program\">";
  // Bands behind the matrices of every other layer, named below.
  for (size_t begin = 0; begin < all.size();) {
    const int layer = layer_of(all[begin].matrix);
    size_t end = begin;
    while (end < all.size() && layer_of(all[end].matrix) == layer) {
      ++end;
    }
    const double x = static_cast<double>(begin) / n, width = static_cast<double>(end - begin) / n;
    if (layer >= 0 && layer % 2 == 0) {
      out += "<rect style=\"fill:var(--faint)\" x=\"" + percent_attribute(x) + "\" y=\"22\" height=\"190\" width=\"" +
             percent_attribute(width) + "\"/>";
    }
    if (layer >= 0 && width > 0.03) {
      out += "<text x=\"" + percent_attribute(x + width / 2) + "\" y=\"229\" text-anchor=\"middle\">" +
             (width > 0.12 ? "layer " : "") + std::to_string(layer) + "</text>";
    }
    begin = end;
  }
  std::string labels;  // on top of the points
  for (double decade = low; decade <= high; ++decade) {
    const std::string y = y_at((decade - low) / (high - low), kTop, kHeight);
    out += "<line class=\"rule\" x1=\"0\" x2=\"100%\" y1=\"" + y + "\" y2=\"" + y + "\"/>";
    const double value = std::pow(10.0, decade);
    labels += "<text class=\"halo\" x=\"0\" y=\"" + number_text("%.1f", std::stod(y) - 4) + "\">" +
              number_text(decade < -4 ? "%.0e" : "%g", value) + "</text>";
  }
  for (size_t i = 0; i < all.size(); ++i) {
    const std::string place = "cx=\"" + percent_attribute((static_cast<double>(i) + .5) / n) + "\" cy=\"" +
                              y_at(share(all[i].error), kTop, kHeight) + "\"";
    const std::string title = "<title>" + escape_html(all[i].matrix, 120) + ": " + number_text("%.3g", all[i].error) +
                              (all[i].kept_fp32 ? ", kept in fp32" : "") + "</title>";
    out += all[i].kept_fp32
               ? "<circle class=\"line-warn paper\" stroke-width=\"2.5\" r=\"4\" " + place + ">" + title + "</circle>"
               : "<circle class=\"after\" r=\"" + std::string(all.size() > 120 ? "2.5" : "3.5") + "\" " + place + ">" +
                     title + "</circle>";
  }
  out += labels + "</svg>\n";
  std::vector<const Sensitivity*> order;
  for (const Sensitivity& s : all) {
    order.push_back(&s);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const Sensitivity* a, const Sensitivity* b) { return a->error > b->error; });
  order.resize(std::min(order.size(), kListed));
  out +=
      "<h3>The most sensitive</h3>\n<table><thead><tr><th>Matrix</th><th class=\"n\">error</th><th>stored "
      "in</th></tr></thead><tbody>\n";
  for (const Sensitivity* s : order) {
    out += "<tr><td>" + escape_html(s->matrix, 160) + "</td><td class=\"n\">" + number_text("%.3g", s->error) +
           "</td><td>" + (s->kept_fp32 ? "fp32" : "8 bits") + "</td></tr>\n";
  }
  return out + "</tbody></table>\n";
}

std::string draw_curve(const Report& report) {
  if (report.curve.empty()) {
    return "";
  }
  std::vector<CurvePoint> points = report.curve;
  std::stable_sort(points.begin(), points.end(),
                   [](const CurvePoint& a, const CurvePoint& b) { return a.operations < b.operations; });
  double least = points[0].accuracy, most = points[0].accuracy;
  for (const CurvePoint& point : points) {
    least = std::min(least, point.accuracy);
    most = std::max(most, point.accuracy);
  }
  const Scale y = make_scale(least, most, 4);
  const Scale x = make_scale(std::min(points.front().operations, 0.9), std::max(points.back().operations, 1.0), 5);
  constexpr double kTop = 24, kHeight = 220;
  // Room for the labels of the first and last point.
  const auto at_x = [&](double value) { return percent_attribute(0.07 + 0.88 * x.share(value)); };
  const auto at_y = [&](double value) { return y_at(y.share(value), kTop, kHeight); };
  const std::string metric = report.curve_metric.empty() ? "accuracy" : report.curve_metric;
  std::string out = "<svg width=\"100%\" height=\"284\" role=\"img\" aria-label=\"" + escape_html(metric) +
                    " against the operations kept\">";
  const std::string pattern = "%." + std::to_string(y.decimals()) + "f";
  for (double value = y.low; value <= y.high + y.step / 2; value += y.step) {
    out += "<line class=\"rule\" x1=\"0\" x2=\"100%\" y1=\"" + at_y(value) + "\" y2=\"" + at_y(value) +
           "\"/><text x=\"0\" y=\"" + number_text("%.1f", std::stod(at_y(value)) - 4) + "\">" +
           number_text(pattern.c_str(), value) + "</text>";
  }
  for (double value = x.low; value <= x.high + x.step / 2; value += x.step) {
    out += "<text x=\"" + at_x(value) + "\" y=\"262\" text-anchor=\"middle\">" + number_text("%.0f %%", value * 100) +
           "</text>";
  }
  out += "<text x=\"51%\" y=\"280\" text-anchor=\"middle\">of the encoder’s operations kept</text>";
  for (size_t i = 0; i + 1 < points.size(); ++i) {
    out += "<line class=\"line-after\" stroke-width=\"2.5\" x1=\"" + at_x(points[i].operations) + "\" y1=\"" +
           at_y(points[i].accuracy) + "\" x2=\"" + at_x(points[i + 1].operations) + "\" y2=\"" +
           at_y(points[i + 1].accuracy) + "\"/>";
  }
  for (const CurvePoint& point : points) {
    const double top = std::stod(at_y(point.accuracy));
    out += "<circle class=\"after\" r=\"5\" cx=\"" + at_x(point.operations) + "\" cy=\"" + at_y(point.accuracy) +
           "\"/><text class=\"ink\" text-anchor=\"middle\" x=\"" + at_x(point.operations) + "\" y=\"" +
           number_text("%.1f", top < kTop + 14 ? top + 20 : top - 11) + "\">" + number_text("%.1f", point.accuracy) +
           "</text>";
  }
  out +=
      "</svg>\n<table><thead><tr><th class=\"n\">asked for</th><th class=\"n\">operations kept</th><th class=\"n\">" +
      escape_html(metric, kNameLength) +
      "</th><th class=\"n\">of the best</th><th class=\"n\">speed</th></tr></thead><tbody>\n";
  std::reverse(points.begin(), points.end());
  for (const CurvePoint& point : points) {
    out += "<tr><td class=\"n\">" + number_text("%.2f", point.target) + "</td><td class=\"n\">" +
           number_text("%.1f %%", point.operations * 100) + "</td><td class=\"n\">" +
           number_text("%.2f", point.accuracy) + "</td><td class=\"n\">" +
           (most > 0 ? number_text("%.1f %%", 100 * point.accuracy / most) : "") + "</td><td class=\"n\">" +
           (point.speed > 0 ? number_text("%.2f×", point.speed) : "–") + "</td></tr>\n";
  }
  return out + "</tbody></table>\n";
}

}  // namespace kinglet::convert
