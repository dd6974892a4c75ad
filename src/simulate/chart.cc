#include "simulate/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace snug::simulate {
namespace {

constexpr double kWidth = 960, kHeight = 240;
constexpr double kLeft = 64, kRight = 20, kTop = 14, kBottom = 40;
constexpr double kRowHeight = 30, kNameWidth = 150, kValueWidth = 90;
constexpr int kTicks = 5;
constexpr size_t kHeatLevels = 10;  // and one for more than the whole

std::string Number(double value) {
  if (std::abs(value) < 1e-9) return "0";
  if (std::abs(value) < 0.01) return fmt::format("{:.4f}", value);
  if (std::abs(value - std::round(value)) < 1e-9) return fmt::format("{:.0f}", value);
  return fmt::format("{:.{}f}", value, std::abs(value) < 10 ? 2 : 1);
}

// A step of 1, 2 or 5 times a power of ten, so that about `count` fit.
double TickStep(double span, int count) {
  double raw = span / count, power = std::pow(10, std::floor(std::log10(raw)));
  for (double factor : {1.0, 2.0, 5.0}) {
    if (raw <= factor * power) return factor * power;
  }
  return 10 * power;
}

// Where values lie in a picture.
struct Frame {
  double x_first, x_last, y_first, y_last, height = kHeight;

  double X(double x) const { return kLeft + (kWidth - kLeft - kRight) * (x - x_first) / (x_last - x_first); }
  double Y(double y) const {
    double inside = height - kTop - kBottom;
    return kTop + inside * (1 - (std::clamp(y, y_first, y_last) - y_first) / (y_last - y_first));
  }
};

Frame MakeFrame(const Axes& axes, double most) {
  double last = axes.y_last > axes.y_first ? axes.y_last : most;
  if (!(last > axes.y_first)) last = axes.y_first + 1;
  if (axes.y_last <= axes.y_first) {
    double step = TickStep(last - axes.y_first, kTicks);
    last = axes.y_first + std::ceil((last - axes.y_first) / step - 1e-9) * step;
  }
  double x_last = axes.x_last > axes.x_first ? axes.x_last : axes.x_first + 1;
  return {axes.x_first, x_last, axes.y_first, last};
}

std::string Text(double x, double y, std::string_view anchor, std::string_view text,
                 std::string_view kind = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>", x, y, anchor,
                     kind.empty() ? "" : fmt::format(" class=\"{}\"", kind), Escape(text));
}

std::string Rule(double x1, double y1, double x2, double y2, std::string_view kind) {
  return fmt::format("<path class=\"{}\" d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\"/>", kind, x1, y1, x2, y2);
}

std::string XAxis(const Frame& frame, const std::string& name) {
  std::string svg;
  double step = TickStep(frame.x_last - frame.x_first, 2 * kTicks), bottom = frame.height - kBottom;
  for (double x = std::ceil(frame.x_first / step - 1e-9) * step; x <= frame.x_last + step * 1e-6; x += step) {
    svg += Rule(frame.X(x), bottom, frame.X(x), bottom + 4, "tick");
    svg += Text(frame.X(x), bottom + 17, "middle", Number(x));
  }
  return svg + Text((kLeft + kWidth - kRight) / 2, frame.height - 6, "middle", name, "axis");
}

std::string YAxis(const Frame& frame, const std::string& name) {
  std::string svg;
  double step = TickStep(frame.y_last - frame.y_first, kTicks);
  for (double y = frame.y_first; y <= frame.y_last + step * 1e-6; y += step) {
    svg += Rule(kLeft, frame.Y(y), kWidth - kRight, frame.Y(y), "grid");
    svg += Text(kLeft - 8, frame.Y(y) + 4, "end", Number(y));
  }
  double middle = (frame.height - kBottom + kTop) / 2;
  return svg + fmt::format(
                   "<text class=\"axis\" text-anchor=\"middle\" transform=\"translate(14 {:.1f}) "
                   "rotate(-90)\">{}</text>",
                   middle, Escape(name));
}

std::string Svg(double height, std::string_view title, const std::string& inside) {
  return fmt::format("<svg viewBox=\"0 0 {} {:.0f}\" role=\"img\" aria-label=\"{}\">{}</svg>", kWidth, height,
                     Escape(title), inside);
}

std::string Figure(std::string_view title, std::string_view how, const std::string& legend,
                   const std::string& svg) {
  return fmt::format("<figure><figcaption><h3>{}</h3><p>{}</p></figcaption>{}{}</figure>\n", Escape(title),
                     Escape(how), legend, svg);
}

std::string Swatch(std::string_view kind, std::string_view name) {
  return fmt::format("<span><i class=\"{}\"></i>{}</span>", kind, Escape(name));
}

std::string Legend(const std::vector<Line>& lines) {
  if (lines.size() < 2) return "";
  std::string items;
  for (const Line& line : lines) {
    items +=
        Swatch(fmt::format("f{}{}", line.colour % kSeriesColours, line.dashed ? " dash" : ""), line.name);
  }
  return "<div class=\"legend\">" + items + "</div>";
}

std::vector<double> Thinned(const std::vector<double>& values) {
  if (values.size() <= kChartPointsMax) return values;
  std::vector<double> thin(kChartPointsMax);
  std::vector<size_t> count(kChartPointsMax);
  for (size_t i = 0; i < values.size(); ++i) {
    size_t to = i * kChartPointsMax / values.size();
    thin[to] += values[i];
    ++count[to];
  }
  for (size_t i = 0; i < thin.size(); ++i) thin[i] /= static_cast<double>(count[i]);
  return thin;
}

double Most(const std::vector<double>& values) {
  return values.empty() ? 0.0 : *std::max_element(values.begin(), values.end());
}

std::string LinePath(const Frame& frame, const Line& line) {
  std::vector<double> values = Thinned(line.values);
  if (values.empty()) return "";
  double intervals = static_cast<double>(line.steps ? values.size() : std::max<size_t>(2, values.size()) - 1);
  auto x = [&](size_t i) {
    return frame.X(frame.x_first + (frame.x_last - frame.x_first) * static_cast<double>(i) / intervals);
  };
  std::string path = fmt::format("M{:.1f} {:.1f}", x(0), frame.Y(values[0]));
  for (size_t i = 1; i < values.size(); ++i) {
    path += line.steps ? fmt::format("H{:.1f}V{:.1f}", x(i), frame.Y(values[i]))
                       : fmt::format("L{:.1f} {:.1f}", x(i), frame.Y(values[i]));
  }
  if (line.steps) path += fmt::format("H{:.1f}", x(values.size()));
  return fmt::format("<path class=\"line c{}{}\" d=\"{}\"/>", line.colour % kSeriesColours,
                     line.dashed ? " dash" : "", path);
}

std::string HeatLegend(bool any_above, std::string_view nothing) {
  std::string items = "<div class=\"legend heat\"><span>0 %</span>";
  for (size_t level = 0; level < kHeatLevels; ++level) items += fmt::format("<i class=\"h{}\"></i>", level);
  items += "<span>100 %</span>";
  if (any_above) items += Swatch(fmt::format("h{}", kHeatLevels), "more than there is");
  if (!nothing.empty()) items += Swatch("off", nothing);
  return items + "</div>";
}

size_t HeatLevel(float part) {
  if (part > 1.0f + 1e-6f) return kHeatLevels;
  return std::min(kHeatLevels - 1, static_cast<size_t>(part * static_cast<float>(kHeatLevels)));
}

}  // namespace

std::string Escape(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string LineChart(std::string_view title, std::string_view how, const Axes& axes,
                      const std::vector<Line>& lines) {
  double most = axes.y_first;
  for (const Line& line : lines) most = std::max(most, Most(Thinned(line.values)));
  Frame frame = MakeFrame(axes, most);
  std::string svg = YAxis(frame, axes.y) + XAxis(frame, axes.x);
  for (const Line& line : lines) svg += LinePath(frame, line);
  return Figure(title, how, Legend(lines), Svg(frame.height, title, svg));
}

std::string ColumnChart(std::string_view title, std::string_view how, const Axes& axes,
                        const std::vector<double>& values, size_t colour) {
  Frame frame = MakeFrame(axes, Most(values));
  std::string svg = YAxis(frame, axes.y) + XAxis(frame, axes.x), path;
  double width = (kWidth - kLeft - kRight) / static_cast<double>(std::max<size_t>(1, values.size()));
  double gap = width > 6 ? 2 : 0, bottom = frame.Y(frame.y_first);
  for (size_t i = 0; i < values.size(); ++i) {
    if (!(values[i] > frame.y_first)) continue;
    // A column too low to be seen is still there.
    double height = std::max(1.5, bottom - frame.Y(values[i]));
    fmt::format_to(std::back_inserter(path), "M{:.1f} {:.1f}h{:.2f}v{:.1f}h-{:.2f}z",
                   kLeft + width * static_cast<double>(i) + gap / 2, bottom - height,
                   std::max(1.2, width - gap), height, std::max(1.2, width - gap));
  }
  svg += fmt::format("<path class=\"f{}\" d=\"{}\"/>", colour % kSeriesColours, path);
  if (path.empty()) svg += Text(kWidth / 2, kHeight / 2, "middle", "none", "none");
  return Figure(title, how, "", Svg(frame.height, title, svg));
}

std::string BarChart(std::string_view title, std::string_view how, const std::vector<Bar>& bars, double mark,
                     std::string_view mark_name) {
  double most = mark;
  for (const Bar& bar : bars) most = std::max(most, bar.value);
  double height = kRowHeight * static_cast<double>(bars.size()) + 24, y = 20;
  double scale = (kWidth - kNameWidth - kValueWidth) / (most > 0 ? most : 1);
  std::string svg;
  for (const Bar& bar : bars) {
    double width = std::max(1.0, bar.value * scale);
    svg += Text(kNameWidth - 10, y + 18, "end", bar.name, "name");
    svg += fmt::format("<rect class=\"f{}\" x=\"{}\" y=\"{:.0f}\" width=\"{:.1f}\" height=\"{}\" rx=\"2\"/>",
                       bar.colour % kSeriesColours, kNameWidth, y + 4, width, kRowHeight - 8);
    svg += Text(kNameWidth + width + 8, y + 19, "start", Number(bar.value), "value");
    y += kRowHeight;
  }
  if (mark > 0) {
    double x = kNameWidth + mark * scale;
    svg += Rule(x, 16, x, height, "mark") + Text(x, 11, "middle", mark_name);
  }
  return Figure(title, how, "", Svg(height, title, svg));
}

std::string RangeChart(std::string_view title, std::string_view how, std::string_view x,
                       const std::vector<std::string>& mark_names, const std::vector<Range>& ranges) {
  double low = 1e300, high = 0;
  for (const Range& range : ranges) {
    for (double mark : range.marks) {
      if (mark <= 0) continue;
      low = std::min(low, mark);
      high = std::max(high, mark);
    }
  }
  if (!(high > 0))
    return Figure(title, how, "", Svg(40, title, Text(kWidth / 2, 25, "middle", "none", "none")));
  double first = std::floor(std::log10(low)), last = std::max(first + 1, std::ceil(std::log10(high)));
  auto at = [&](double value) {
    double part = std::max(0.0, (std::log10(std::max(value, 1e-9)) - first) / (last - first));
    return kNameWidth + (kWidth - kNameWidth - kRight - 20) * part;
  };
  double height = kRowHeight * static_cast<double>(ranges.size()) + kBottom, bottom = height - kBottom;
  std::string svg;
  for (double power = first; power <= last + 0.5; ++power) {
    double value = std::pow(10, power);
    svg +=
        Rule(at(value), 0, at(value), bottom, "grid") + Text(at(value), bottom + 16, "middle", Number(value));
  }
  svg += Text((kNameWidth + kWidth) / 2, height - 6, "middle", x, "axis");
  double y = kRowHeight / 2;
  for (const Range& range : ranges) {
    svg += Text(kNameWidth - 10, y + 4, "end", range.name, "name");
    if (!range.marks.empty()) svg += Rule(at(range.marks.front()), y, at(range.marks.back()), y, "span");
    for (size_t m = 0; m < range.marks.size(); ++m) {
      svg += fmt::format(
          "<circle class=\"f{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\"><title>{} {}</title></circle>",
          range.colour % kSeriesColours, at(range.marks[m]), y, 4 + 1.5 * static_cast<double>(m),
          Escape(m < mark_names.size() ? mark_names[m] : ""), Number(range.marks[m]));
    }
    y += kRowHeight;
  }
  return Figure(title, how, "", Svg(height, title, svg));
}

std::string HeatMap(std::string_view title, std::string_view how, const Axes& axes,
                    const std::vector<std::vector<float>>& cells, std::string_view nothing) {
  size_t rows = 0;
  for (const auto& column : cells) rows = std::max(rows, column.size());
  if (rows == 0) return "";
  size_t columns = std::min(cells.size(), std::max<size_t>(1, kHeatCellsMax / rows));
  Frame frame = MakeFrame(axes, static_cast<double>(rows));
  double row_height = std::clamp(360.0 / static_cast<double>(rows), 2.0, 14.0);
  frame.height = row_height * static_cast<double>(rows) + kTop + kBottom;
  double width = (kWidth - kLeft - kRight) / static_cast<double>(columns);
  std::array<std::string, kHeatLevels + 1> paths;
  for (size_t c = 0; c < columns; ++c) {
    for (size_t r = 0; r < cells[c].size(); ++r) {
      if (cells[c][r] < 0) continue;
      fmt::format_to(std::back_inserter(paths[HeatLevel(cells[c][r])]),
                     "M{:.1f} {:.1f}h{:.2f}v{:.1f}h-{:.2f}z", kLeft + width * static_cast<double>(c),
                     kTop + row_height * static_cast<double>(r), width, row_height, width);
    }
  }
  std::string svg = fmt::format("<rect class=\"off\" x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"{:.1f}\"/>",
                                kLeft, kTop, kWidth - kLeft - kRight, row_height * static_cast<double>(rows));
  for (size_t level = 0; level < paths.size(); ++level) {
    if (!paths[level].empty()) svg += fmt::format("<path class=\"cell h{}\" d=\"{}\"/>", level, paths[level]);
  }
  double middle = (frame.height - kBottom + kTop) / 2;
  svg += XAxis(frame, axes.x) +
         fmt::format(
             "<text class=\"axis\" text-anchor=\"middle\" transform=\"translate({} {:.1f}) "
             "rotate(-90)\">{}</text>",
             kLeft - 12, middle, Escape(axes.y));
  return Figure(title, how, HeatLegend(!paths[kHeatLevels].empty(), nothing), Svg(frame.height, title, svg));
}

}  // namespace snug::simulate
