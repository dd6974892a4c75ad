#include "load.h"

#include <algorithm>
#include <thread>

#include "support/cpu_seconds.h"

namespace snug::load {
namespace {

Duration FromSeconds(double seconds) {
  return Duration(static_cast<int64_t>(seconds * 1e9));
}

}  // namespace

Window::Window(const Options& options)
    : begin(SystemClock().Now() + FromSeconds(options.warmup_seconds)),
      end(begin + FromSeconds(options.seconds)) {}

void Window::Count(Tally& tally, TimePoint sent, const std::string& error) const {
  const TimePoint now = SystemClock().Now();
  if (!error.empty()) {
    ++tally.errors;
    if (tally.first_error.empty()) tally.first_error = error;
  } else if (now >= begin && now <= end) {  // also what was sent before: so much came out in that time
    tally.latencies_us.push_back(
        static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(now - sent).count()));
  }
}

double Window::Watch(const std::function<void()>& at_begin, const std::function<void()>& at_end) const {
  std::this_thread::sleep_until(begin);
  at_begin();
  const double cpu = bench::OwnCpuSeconds();
  std::this_thread::sleep_until(end);
  at_end();
  return bench::OwnCpuSeconds() - cpu;
}

Report Join(const Window& window, std::vector<Tally> tallies) {
  Report report;
  report.seconds = Seconds(window.end - window.begin);
  for (Tally& tally : tallies) {
    report.errors += tally.errors;
    if (report.first_error.empty()) report.first_error = tally.first_error;
    report.latencies_us.insert(report.latencies_us.end(), tally.latencies_us.begin(),
                               tally.latencies_us.end());
  }
  report.requests = report.latencies_us.size();
  std::sort(report.latencies_us.begin(), report.latencies_us.end());
  return report;
}

double Percentile(const std::vector<uint32_t>& sorted, double p) {
  if (sorted.empty()) return 0;
  auto index = static_cast<size_t>(p * static_cast<double>(sorted.size()));
  return sorted[std::min(index, sorted.size() - 1)];
}

}  // namespace snug::load
