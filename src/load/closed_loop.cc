#include "load/closed_loop.h"

#include <algorithm>
#include <thread>

#include "os/cpu_seconds.h"

namespace snug::load {
namespace {

Duration FromSeconds(double seconds) {
  return Duration(static_cast<int64_t>(seconds * 1e9));
}

}  // namespace

Window::Window(const Options& options)
    : requests_(options.requests),
      begin_(SystemClock().Now() + FromSeconds(options.warmup_seconds)),
      end_(begin_ + FromSeconds(options.seconds)) {
  if (options.record) records_.resize(requests_);
}

std::optional<uint64_t> Window::Next() {
  const uint64_t number = next_.fetch_add(1, std::memory_order_relaxed);
  const bool over = counts_requests() ? number >= requests_ : SystemClock().Now() >= end_;
  return over ? std::nullopt : std::optional(number);
}

void Window::Count(Tally& tally, uint64_t number, TimePoint sent, const std::string& error,
                   std::string answer) {
  const TimePoint now = SystemClock().Now();
  if (!error.empty()) {
    ++tally.errors;
    if (tally.first_error.empty()) tally.first_error = error;
    return;
  }
  // Also what was sent before the window: so much came out in that time.
  if (!counts_requests() && (now < begin_ || now > end_)) return;
  tally.latencies_us.push_back(
      static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(now - sent).count()));
  if (number < records_.size()) records_[number] = {tally.latencies_us.back(), std::move(answer)};
}

void Window::Run(const Hooks& hooks, const std::function<void()>& start, const std::function<void()>& join) {
  if (counts_requests()) {
    Begin(hooks);
    start();
    join();
    End(hooks);
    return;
  }
  start();
  std::this_thread::sleep_until(begin_);
  Begin(hooks);
  std::this_thread::sleep_until(end_);
  End(hooks);
  join();
}

void Window::Begin(const Hooks& hooks) {
  hooks.at_begin();
  client_cpu_ = -os::OwnCpuSeconds();
  if (counts_requests()) begin_ = SystemClock().Now();
}

void Window::End(const Hooks& hooks) {
  if (counts_requests()) end_ = SystemClock().Now();
  client_cpu_ += os::OwnCpuSeconds();
  hooks.at_end();
}

Report Window::Join(std::vector<Tally> tallies) {
  Report report;
  report.seconds = Seconds(end_ - begin_);
  report.client_cpu_seconds = client_cpu_;
  report.records = std::move(records_);
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
