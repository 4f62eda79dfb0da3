// Drawings of rows: sizes, measurements, latencies, pruned layers.
#include "report/charts.h"

#include <algorithm>
#include <cmath>

#include "report/html.h"

namespace kinglet::convert {

int Scale::decimals() const {
  return std::clamp(-static_cast<int>(std::floor(std::log10(step) + 1e-9)), 0, 9);
}

Scale make_scale(double least, double most, int steps) {
  if (!std::isfinite(least) || !std::isfinite(most) || !(most > least)) {
    const double middle = std::isfinite(least) ? least : 0;
    const double margin = std::max(std::fabs(middle) * 0.01, 0.5);
    least = middle - margin;
    most = middle + margin;
  }
  const double rough = (most - least) / steps;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough) {
      step = factor * power;
      break;
    }
  }
  return {std::floor(least / step) * step, std::ceil(most / step) * step, step};
}

namespace {

constexpr size_t kParts = 6;            // colours
constexpr double kLeastLabelled = .13;  // of the bar: a part that has room for its name

std::string size_bar(const Report& report, const std::string& name, bool after, uint64_t total, uint64_t widest) {
  std::string out = "<div class=\"bar-name\"><span>" + escape_html(name) + "</span><b>" + bytes_text(total) +
                    "</b></div>\n<div class=\"bar\">";
  for (size_t i = 0; i < report.sizes.size(); ++i) {
    const uint64_t bytes = after ? report.sizes[i].after : report.sizes[i].before;
    if (bytes == 0) {
      continue;
    }
    const double share = static_cast<double>(bytes) / static_cast<double>(widest);
    const std::string color = "b" + std::to_string(i % kParts);
    out += "<span class=\"" + color + (share < kLeastLabelled ? " thin" : "") + "\" style=\"flex:0 0 " +
           percent_attribute(share) + "\">" + (share < kLeastLabelled ? "" : escape_html(report.sizes[i].name, 60)) +
           "</span>";
  }
  return out + "</div>\n";
}

// A row with a drawing between a name and a figure.
std::string row(const std::string& name, const std::string& drawing, const std::string& figure) {
  return "<div class=\"row\"><div>" + name + "</div><div class=\"plot\">" + drawing + "</div><div>" + figure +
         "</div></div>\n";
}

std::string scale_row(const Scale& scale) {
  std::string out =
      "<div class=\"row head\"><div></div><div class=\"plot\"><svg width=\"100%\" height=\"16\" "
      "aria-hidden=\"true\">";
  const auto count = static_cast<int>(std::lround((scale.high - scale.low) / scale.step));
  const std::string pattern = "%." + std::to_string(scale.decimals()) + "f";
  const int every = count > 6 ? 2 : 1;
  for (int i = 0; i <= count; i += every) {
    const double value = scale.low + i * scale.step;
    out += "<text x=\"" + percent_attribute(scale.share(value)) + "\" y=\"12\" text-anchor=\"" +
           (i == 0       ? "start"
            : i == count ? "end"
                         : "middle") +
           "\">" + number_text(pattern.c_str(), value) + "</text>";
  }
  return out + "</svg></div><div></div></div>\n";
}

std::string measurement_drawing(const Measurement& measurement, const Measurement& first, const Scale& scale,
                                bool is_first) {
  const auto at = [&](double value) { return percent_attribute(scale.share(value)); };
  std::string out =
      "<svg width=\"100%\" height=\"24\" aria-hidden=\"true\"><line class=\"rule\" x1=\"0\" x2=\"100%\" "
      "y1=\"12\" y2=\"12\"/>";
  out += "<line class=\"line-before\" stroke-dasharray=\"3 3\" x1=\"" + at(first.value) + "\" x2=\"" + at(first.value) +
         "\" y1=\"-5\" y2=\"29\"/>";
  const char* color = is_first ? "before" : "after";
  if (measurement.low < measurement.high) {
    out += std::string("<line class=\"line-") + color + "\" stroke-width=\"5\" stroke-opacity=\".5\" x1=\"" +
           at(measurement.low) + "\" x2=\"" + at(measurement.high) + "\" y1=\"12\" y2=\"12\"/>";
  }
  return out + "<circle class=\"" + color + "\" cx=\"" + at(measurement.value) + "\" cy=\"12\" r=\"6.5\"/></svg>";
}

}  // namespace

std::string draw_sizes(const Report& report) {
  if (report.sizes.empty()) {
    return "";
  }
  uint64_t before = 0, after = 0;
  for (const SizePart& part : report.sizes) {
    before += part.before;
    after += part.after;
  }
  const uint64_t widest = std::max<uint64_t>({before, after, 1});
  std::string out;
  if (before > 0) {
    out += size_bar(report, report.before_name, false, before, widest);
  }
  out += size_bar(report, report.after_name, true, after, widest);
  out += "<table><thead><tr><th>Part</th>";
  out += before > 0 ? "<th class=\"n\">" + escape_html(report.before_name, kNameLength) + "</th>" : "";
  out += "<th class=\"n\">" + escape_html(report.after_name, kNameLength) + "</th>";
  out += before > 0 ? "<th class=\"n\">kept</th>" : "";
  out += "</tr></thead><tbody>\n";
  const auto line = [&](const std::string& name, uint64_t from, uint64_t to, const char* kind) {
    out +=
        std::string("<tr") + kind + "><td>" + name + "</td>" +
        (before > 0 ? "<td class=\"n\">" + bytes_text(from) + "</td>" : "") + "<td class=\"n\">" + bytes_text(to) +
        "</td>" +
        (before > 0
             ? "<td class=\"n\">" +
                   (from == 0 ? std::string("new")
                              : number_text("%.0f %%", 100.0 * static_cast<double>(to) / static_cast<double>(from))) +
                   "</td>"
             : "") +
        "</tr>\n";
  };
  for (size_t i = 0; i < report.sizes.size(); ++i) {
    line("<span class=\"key b" + std::to_string(i % kParts) + "\"></span>" + escape_html(report.sizes[i].name),
         report.sizes[i].before, report.sizes[i].after, "");
  }
  line("in all", before, after, " class=\"total\"");
  return out + "</tbody></table>\n";
}

std::string draw_measurements(const Report& report) {
  std::string out;
  for (size_t begin = 0; begin < report.measurements.size();) {
    const Measurement& first = report.measurements[begin];
    size_t end = begin;
    double least = first.value, most = first.value;
    bool intervals = false;
    for (; end < report.measurements.size() && report.measurements[end].metric == first.metric; ++end) {
      const Measurement& m = report.measurements[end];
      const bool interval = m.low < m.high;
      intervals = intervals || interval;
      least = std::min({least, m.value, interval ? m.low : m.value});
      most = std::max({most, m.value, interval ? m.high : m.value});
    }
    const Scale scale = make_scale(least, most, 5);
    out += "<h3>" + escape_html(first.metric) + " <span class=\"muted\" style=\"font-weight:400\">of " +
           grouped(first.count) + " examples, times 100</span></h3>\n";
    out += scale_row(scale);
    for (size_t i = begin; i < end; ++i) {
      const Measurement& m = report.measurements[i];
      std::string figure = "<b>" + number_text("%.2f", m.value) + "</b>";
      if (i > begin) {
        const double change = m.value - first.value;
        figure += " <span class=\"muted pair\">" + std::string(change >= 0.005 ? "+" : "") +
                  (std::fabs(change) < 0.005 ? "±0" : number_text("%.2f", change)) + "</span>";
      }
      out += row(escape_html(m.pass, 60), measurement_drawing(m, first, scale, i == begin), figure);
    }
    std::string changes;
    for (size_t i = begin + 1; i < end; ++i) {
      const Measurement& m = report.measurements[i];
      if (m.change_low < m.change_high) {
        changes += (changes.empty() ? "" : " ") + std::string("By “") + escape_html(m.pass, 60) + "” it changed by " +
                   number_text("%.2f", m.change_low) + " to " + number_text("%.2f", m.change_high) +
                   " points against what came in (95 %, the same examples drawn for both)" +
                   (m.change_low > 0 || m.change_high < 0 ? "." : ": these examples cannot tell the two apart.");
      }
    }
    out += changes.empty() ? "" : "<p class=\"sub\">" + changes + "</p>\n";
    begin = end;
    if (begin == report.measurements.size() && intervals && report.resamples > 0) {
      out += "<p class=\"sub\">Dots: measured. Pale lines: 95 % intervals, by bootstrap over the examples (" +
             grouped(report.resamples) + " resamples, seed " + std::to_string(report.seed) +
             "). Dashed: what came in.</p>\n";
    }
  }
  return out;
}

std::string draw_latencies(const Report& report) {
  if (report.latencies.empty()) {
    return "";
  }
  double slowest = 0;
  bool both = false;
  for (const Latency& latency : report.latencies) {
    slowest = std::max({slowest, latency.before_ms, latency.after_ms});
    both = both || latency.before_ms > 0;
  }
  std::string out;
  if (both) {
    out += "<ul class=\"legend\"><li><span class=\"key\" style=\"background:var(--before)\"></span>" +
           escape_html(report.before_name, kNameLength) +
           "</li><li><span class=\"key\" style=\"background:var(--after)\"></span>" +
           escape_html(report.after_name, kNameLength) + "</li></ul>\n";
  }
  for (const Latency& latency : report.latencies) {
    const auto bar = [&](double ms, const char* color, int y) {
      return std::string("<rect class=\"") + color + "\" x=\"0\" y=\"" + std::to_string(y) +
             "\" height=\"11\" width=\"" + percent_attribute(slowest > 0 ? ms / slowest : 0) + "\"/>";
    };
    const bool pair = latency.before_ms > 0;
    std::string drawing = std::string("<svg width=\"100%\" height=\"") + (pair ? "24" : "11") +
                          "\" aria-hidden=\"true\">" + (pair ? bar(latency.before_ms, "before", 0) : "") +
                          bar(latency.after_ms, "after", pair ? 13 : 0) + "</svg>";
    std::string figure;
    if (pair && latency.after_ms > 0) {
      figure = "<b>" + number_text("%.1f×", latency.before_ms / latency.after_ms) + "</b> <span class=\"muted pair\">" +
               ms_text(latency.before_ms) + " → " + ms_text(latency.after_ms) + " ms</span>";
    } else {
      figure = "<b>" + ms_text(latency.after_ms) + " ms</b>";
    }
    out += row(escape_html(latency.shape, 40), drawing, figure);
  }
  return out;
}

std::string draw_layers(const Report& report) {
  if (report.layers.empty()) {
    return "";
  }
  uint32_t widest = 1;
  for (const PrunedLayer& layer : report.layers) {
    widest = std::max(widest, layer.neurons);
  }
  std::string out =
      "<div class=\"layers\"><div class=\"row head\"><div></div><div>attention heads</div><div>feed-forward "
      "neurons</div><div></div></div>\n";
  for (const PrunedLayer& layer : report.layers) {
    out += "<div class=\"row\"><div>" + escape_html(layer.name, 40) + "</div>";
    if (layer.removed) {
      out +=
          "<div class=\"gone-layer\">layer removed</div><div></div><div class=\"muted pair\">nothing "
          "kept</div></div>\n";
      continue;
    }
    size_t kept = 0;
    out += "<div class=\"heads\" role=\"img\" aria-label=\"heads kept and pruned\">";
    for (const bool head : layer.heads) {
      kept += head ? 1 : 0;
      out += head ? "<i></i>" : "<i class=\"gone\"></i>";
    }
    const double share = layer.neurons == 0 ? 0 : static_cast<double>(layer.neurons_kept) / layer.neurons;
    out += "</div><div><div class=\"track\" style=\"width:" +
           percent_attribute(static_cast<double>(layer.neurons) / widest) +
           "\"><i style=\"width:" + percent_attribute(share) + "\"></i></div></div><div class=\"muted pair\">" +
           std::to_string(kept) + "/" + std::to_string(layer.heads.size()) + " heads, " + grouped(layer.neurons_kept) +
           "/" + grouped(layer.neurons) + "</div></div>\n";
  }
  return out + "</div>\n";
}

}  // namespace kinglet::convert
