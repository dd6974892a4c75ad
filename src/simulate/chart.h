// Pictures as inline SVG for the pages of snug simulate. Colours are classes that the page's style gives, so
// that a picture is right on light and on dark ground: c0-c7 for series, h0-h10 for parts of a whole.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace snug::simulate {

inline constexpr size_t kChartPointsMax = 1000;   // of a line; more are averaged
inline constexpr size_t kHeatCellsMax = 200'000;  // of a heat map; columns beyond are left out
inline constexpr size_t kSeriesColours = 8;

// For text between tags and in attributes.
std::string Escape(std::string_view text);

struct Line {
  std::string name;
  std::vector<double> values;  // evenly spaced from x_first to x_last
  size_t colour = 0;
  bool dashed = false;
  bool steps = false;  // each value holds until the next
};

struct Axes {
  std::string x, y;  // what they show, with the unit
  double x_first = 0, x_last = 1;
  double y_first = 0;
  double y_last = 0;  // 0: from the values
};

struct Bar {
  std::string name;
  double value = 0;
  size_t colour = 0;
};

// A row of a chart of ranges: marks on a line.
struct Range {
  std::string name;
  std::vector<double> marks;  // ascending
  size_t colour = 0;
};

// Each of these is a <figure> with a title, the picture and a line that says how to read it.
std::string LineChart(std::string_view title, std::string_view how, const Axes& axes,
                      const std::vector<Line>& lines);
// Bars upright, one beside the other, evenly spaced from x_first to x_last.
std::string ColumnChart(std::string_view title, std::string_view how, const Axes& axes,
                        const std::vector<double>& values, size_t colour);
// Bars lying, one a row, with their values; `mark`: a line across all of them, with its name, where it is
// above 0.
std::string BarChart(std::string_view title, std::string_view how, const std::vector<Bar>& bars, double mark,
                     std::string_view mark_name);
// On a logarithmic axis.
std::string RangeChart(std::string_view title, std::string_view how, std::string_view x,
                       const std::vector<std::string>& mark_names, const std::vector<Range>& ranges);
// cells[column][row], parts of a whole; below 0: `nothing` says what that means.
std::string HeatMap(std::string_view title, std::string_view how, const Axes& axes,
                    const std::vector<std::vector<float>>& cells, std::string_view nothing = "");

}  // namespace snug::simulate
