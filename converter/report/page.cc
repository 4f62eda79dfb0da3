// The page: a headline that says it all, then one section for each question that a colleague would ask.
#include <algorithm>
#include <cmath>

#include "report/charts.h"
#include "report/html.h"

namespace kinglet::convert {

namespace {

constexpr size_t kChangedShown = 10;
constexpr size_t kTextLength = 320;

std::string section(const char* title, const std::string& below, const std::string& inside) {
  return inside.empty() ? ""
                        : "<section>\n<h2>" + std::string(title) + "</h2>\n" +
                              (below.empty() ? "" : "<p class=\"sub\">" + below + "</p>\n") + inside + "</section>\n";
}

std::string tile(const std::string& name, const std::string& big, const std::string& small, bool none = false) {
  return std::string("<div class=\"tile") + (none ? " none" : "") + "\"><dt>" + name + "</dt><dd><span class=\"big\">" +
         big + "</span><span class=\"small\">" + small + "</span></dd></div>\n";
}

// The latency in the middle of the lengths, or null.
const Latency* typical(const Report& report) {
  return report.latencies.empty() ? nullptr : &report.latencies[(report.latencies.size() - 1) / 2];
}

struct Change {
  const Measurement* first = nullptr;
  const Measurement* last = nullptr;
};

// Of the first metric, from the first pass to the last; null without measurements.
Change overall(const Report& report) {
  Change change;
  for (const Measurement& m : report.measurements) {
    if (change.first == nullptr) {
      change.first = &m;
    }
    if (m.metric == change.first->metric) {
      change.last = &m;
    }
  }
  return change;
}

// Whether what came in has a name besides "before".
bool is_named(const Report& report) { return report.before_name != Report().before_name; }

std::string signed_points(double change) {
  return std::fabs(change) < 0.005 ? "±0" : (change > 0 ? "+" : "") + number_text("%.2f", change);
}

std::string tiles(const Report& report) {
  std::string out = "<dl class=\"tiles\">\n";
  if (report.bytes_after > 0) {
    out += report.bytes_before > 0
               ? tile("Size", bytes_text(report.bytes_after),
                      number_text("%.0f %% of ", 100.0 * static_cast<double>(report.bytes_after) /
                                                     static_cast<double>(report.bytes_before)) +
                          bytes_text(report.bytes_before))
               : tile("Size", bytes_text(report.bytes_after), escape_html(report.after_name, kNameLength));
  }
  if (const Latency* latency = typical(report); latency != nullptr && latency->after_ms > 0) {
    out += latency->before_ms > 0 ? tile("Speed", number_text("%.1f×", latency->before_ms / latency->after_ms),
                                         ms_text(latency->before_ms) + " → " + ms_text(latency->after_ms) + " ms, " +
                                             escape_html(latency->shape, 40))
                                  : tile("Time", ms_text(latency->after_ms) + " ms", escape_html(latency->shape, 40));
  }
  if (const Change change = overall(report); change.first != nullptr) {
    const std::string name = escape_html(change.first->metric, 40);
    const bool alone = change.first == change.last;
    const std::string interval =
        change.last->low < change.last->high
            ? " (" + number_text("%.1f", change.last->low) + "–" + number_text("%.1f", change.last->high) + ")"
            : "";
    out += tile(name, number_text("%.2f", change.last->value),
                (alone ? "" : signed_points(change.last->value - change.first->value) + " points") + interval);
  } else {
    out += tile("Accuracy", "not measured", escape_html(report.not_measured), true);
  }
  if (!report.agreement.empty()) {
    out += tile(escape_html(report.agreement[0].name, 60), escape_html(report.agreement[0].value, 40),
                is_named(report) ? "as " + escape_html(report.before_name, kNameLength) + " answers" : "as before");
  }
  return out + "</dl>\n";
}

// One sentence: smaller, faster, as good as.
std::string lead(const Report& report) {
  std::string out;
  if (report.bytes_before > 0 && report.bytes_after > 0) {
    const double ratio = static_cast<double>(report.bytes_before) / static_cast<double>(report.bytes_after);
    out += bytes_text(report.bytes_after) + " instead of " + bytes_text(report.bytes_before) +
           (is_named(report) ? " in " + escape_html(report.before_name, kNameLength) : "") +
           (ratio > 1.005 ? ", " + number_text("%.1f times smaller", ratio) : "");
  } else if (report.bytes_after > 0) {
    out += bytes_text(report.bytes_after);
  }
  if (const Latency* latency = typical(report); latency != nullptr && latency->before_ms > 0 && latency->after_ms > 0) {
    const double speed = latency->before_ms / latency->after_ms;
    out += (out.empty() ? "" : "; ") + number_text("%.1f times ", speed >= 1 ? speed : 1 / speed) +
           (speed >= 1 ? "as fast" : "slower") + " on " + escape_html(latency->shape, 40);
  }
  if (const Change change = overall(report); change.first != nullptr && change.first != change.last) {
    const double points = change.last->value - change.first->value;
    const std::string from = number_text("%.2f", change.first->value), to = number_text("%.2f", change.last->value);
    const bool unclear = change.last->change_low <= 0 && change.last->change_high >= 0 &&
                         change.last->change_low < change.last->change_high;
    out += (out.empty() ? "" : "; ") + escape_html(change.first->metric, 40) + " ";
    if (std::fabs(points) < 0.005) {
      out += "unchanged at " + to;
    } else if (unclear) {
      out += to + " after " + from + ", a difference that this data cannot tell from chance";
    } else {
      out += (points < 0 ? "down from " : "up from ") + from + " to " + to;
    }
  } else if (change.first == nullptr) {
    out += (out.empty() ? "" : "; ") + std::string("what it costs in accuracy was not measured");
  }
  if (out.empty()) {
    return "";
  }
  return "<p class=\"lead\">" + out + ".</p>\n";
}

std::string changed_answers(const Report& report) {
  if (report.changed.empty()) {
    return "";
  }
  const bool truth = std::any_of(report.changed.begin(), report.changed.end(),
                                 [](const ChangedAnswer& answer) { return !answer.truth.empty(); });
  const size_t shown = std::min(report.changed.size(), kChangedShown);
  const uint64_t count = std::max<uint64_t>(report.changed_count, shown);
  std::string out =
      "<h3>" + (count == shown ? std::to_string(count) : std::to_string(shown) + " of the " + grouped(count)) +
      (count == 1 ? " text that is" : " texts that are") +
      " answered differently</h3>\n<table class=\"changed\"><thead><tr><th>Text</th><th>" +
      escape_html(report.before_name, kNameLength) + "</th><th>" + escape_html(report.after_name, kNameLength) +
      "</th>" + (truth ? "<th>true</th>" : "") + "</tr></thead><tbody>\n";
  for (size_t i = 0; i < shown; ++i) {
    const ChangedAnswer& answer = report.changed[i];
    const auto chip = [&](const std::string& text) {
      const std::string label = text.empty() ? std::string("(nothing)") : escape_html(text, 120);
      return answer.truth.empty() || answer.before == answer.after
                 ? label
                 : "<span class=\"chip " + std::string(text == answer.truth ? "right" : "wrong") + "\">" + label +
                       "</span>";
    };
    out += "<tr><td><bdi>" + escape_html(answer.text, kTextLength) + "</bdi></td><td data-name=\"" +
           escape_html(report.before_name, kNameLength) + "\">" + chip(answer.before) + "</td><td data-name=\"" +
           escape_html(report.after_name, kNameLength) + "\">" + chip(answer.after) + "</td>" +
           (truth ? "<td data-name=\"true\" class=\"muted\">" + escape_html(answer.truth, 120) + "</td>" : "") +
           "</tr>\n";
  }
  return out + "</tbody></table>\n";
}

std::string accuracy(const Report& report) {
  std::string out;
  if (report.measurements.empty()) {
    out += "<p class=\"callout\"><b>Accuracy was not measured.</b> " + escape_html(report.not_measured) + "</p>\n";
  } else {
    out += draw_measurements(report);
  }
  if (!report.agreement.empty()) {
    out += "<h3>Agreement of " + escape_html(report.after_name, kNameLength) + " with " +
           escape_html(report.before_name, kNameLength) + "</h3>\n<table class=\"facts\"><tbody>\n";
    for (const AgreementFact& fact : report.agreement) {
      out += "<tr><td>" + escape_html(fact.name) + "</td><td>" + escape_html(fact.value) + "</td></tr>\n";
    }
    out += "</tbody></table>\n";
  }
  return out + changed_answers(report);
}

std::string facts(const Report& report) {
  std::string out;
  if (!report.command.empty()) {
    out += "<code>" + escape_html(report.command) + "</code>\n";
  }
  out += "<table class=\"facts\"><tbody>\n";
  const auto line = [&](const std::string& name, const std::string& value) {
    const bool hash = value.size() >= 32 && value.find_first_not_of("0123456789abcdef") == std::string::npos;
    out += "<tr><td>" + escape_html(name) + "</td><td" + (hash ? " class=\"hash\"" : "") + "><bdi>" +
           escape_html(value) + "</bdi></td></tr>\n";
  };
  line("What went in", report.source);
  line("What came out", report.output);
  for (const auto& [name, value] : report.facts) {
    line(name, value);
  }
  out += "</tbody></table>\n";
  if (!report.notes.empty()) {
    out += "<h3>Notes</h3>\n<ul>\n";
    for (const std::string& note : report.notes) {
      out += "<li>" + escape_html(note) + "</li>\n";
    }
    out += "</ul>\n";
  }
  return out;
}

}  // namespace

std::string render_report(const Report& report) {
  const std::string title = escape_html(report.title, 200);
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<meta name=\"referrer\" content=\"no-referrer\">\n<title>" +
      title + "</title>\n";
  out += "<link rel=\"icon\" href=\"data:,\">\n<style>" + std::string(kReportStyle) +
         "</style>\n</head>\n<body>\n<main>\n";
  out += "<header>\n<p class=\"kicker\">kinglet report</p>\n<h1><bdi>" + title + "</bdi></h1>\n" + lead(report) +
         tiles(report) + "</header>\n";
  out += section("Does it still answer as before?", escape_html(report.data), accuracy(report));
  out += section("What was planned, and what came of it", "", draw_plan(report));
  out += section("How it learnt", "Points are figures on dev, larger where they were the best so far.",
                 draw_training(report));
  out += section("Where the bytes are", "", draw_sizes(report));
  out += section("How fast it is here", escape_html(report.latency_conditions), draw_latencies(report));
  out += section("Accuracy against work", "", draw_curve(report));
  out += section("What was pruned", "Filled squares and bars are what stays.", draw_layers(report));
  out += section("How sensitive the matrices are", escape_html(report.sensitivity_meaning), draw_sensitivities(report));
  out += section("What went in, what came out", "", facts(report));
  return out +
         "<footer>Made by kinglet. This page is one file and loads nothing.</footer>\n</main>\n</body>\n</html>\n";
}

}  // namespace kinglet::convert
