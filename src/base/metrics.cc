#include "base/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace snug {
namespace {

constexpr auto kBoundsNs = [] {
  std::array<int64_t, LatencyHistogram::kBounds.size()> ns{};
  for (size_t i = 0; i < ns.size(); ++i)
    ns[i] = static_cast<int64_t>(LatencyHistogram::kBounds[i] * 1e9 + 0.5);  // NOLINT: constexpr, above 0
  return ns;
}();

void AppendEscaped(std::string& out, std::string_view value) {
  for (char c : value) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
}

}  // namespace

void LatencyHistogram::Observe(Duration latency) {
  int64_t ns = std::max<int64_t>(0, latency.count());
  auto bucket = std::lower_bound(kBoundsNs.begin(), kBoundsNs.end(), ns) - kBoundsNs.begin();
  buckets_[static_cast<size_t>(bucket)].Add();
  sum_ns_.Add(static_cast<uint64_t>(ns));
}

std::array<uint64_t, LatencyHistogram::kBounds.size() + 1> LatencyHistogram::Counts() const {
  std::array<uint64_t, kBounds.size() + 1> counts{};
  for (size_t i = 0; i < counts.size(); ++i) counts[i] = buckets_[i].value();
  return counts;
}

std::string MetricLabels(std::initializer_list<std::pair<std::string_view, std::string_view>> labels) {
  std::string out;
  for (const auto& [key, value] : labels) {
    if (!out.empty()) out += ',';
    out.append(key).append("=\"");
    AppendEscaped(out, value);
    out += '"';
  }
  return out;
}

void MetricsText::Family(std::string_view name, std::string_view type, std::string_view help) {
  family_ = name;
  fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void MetricsText::Sample(std::string_view labels, double value) {
  Line("", labels, "", value);
}

void MetricsText::Sample(std::string_view labels, const LatencyHistogram& histogram) {
  auto counts = histogram.Counts();
  uint64_t total = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    total += counts[i];
    std::string bound = i < LatencyHistogram::kBounds.size()
                            ? fmt::format("le=\"{}\"", LatencyHistogram::kBounds[i])
                            : "le=\"+Inf\"";
    Line("_bucket", labels, bound, static_cast<double>(total));
  }
  Line("_sum", labels, "", histogram.SumSeconds());
  Line("_count", labels, "", static_cast<double>(total));
}

void MetricsText::Line(std::string_view suffix, std::string_view labels, std::string_view more,
                       double value) {
  text_.append(family_).append(suffix);
  if (!labels.empty() || !more.empty()) {
    text_.append("{").append(labels);
    if (!labels.empty() && !more.empty()) text_ += ',';
    text_.append(more).append("}");
  }
  fmt::format_to(std::back_inserter(text_), " {}\n", value);
}

}  // namespace snug
