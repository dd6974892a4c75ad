#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/json_access.h"
#include "cli/model_call.h"
#include "load/closed_loop.h"

namespace snug::cli {
namespace {

constexpr double kWarmupSeconds = 0.5;

// What so many clients saw, each of which asks again as soon as it has its answer.
struct Measured {
  int clients = 0;
  load::Report report;

  double milliseconds(double share) const { return load::Percentile(report.latencies_us, share) / 1e3; }
  double per_second() const { return static_cast<double>(report.requests) / report.seconds; }
};

Measured Measure(const ModelCall& call, int clients, const MeasureOptions& wanted) {
  load::Options options;
  options.target = call.front_door;
  options.path = call.path;
  options.content_type = call.payload.content_type;
  options.bodies = {call.payload.bytes};
  options.concurrency = clients;
  options.warmup_seconds = kWarmupSeconds;
  options.seconds = wanted.seconds;
  options.requests = wanted.requests;
  return {clients, load::RunRest(options, {})};
}

Json ToJson(const Measured& measured) {
  return {{"clients", measured.clients},           {"answers", measured.report.requests},
          {"errors", measured.report.errors},      {"answers_per_s", measured.per_second()},
          {"p50_ms", measured.milliseconds(0.5)},  {"p90_ms", measured.milliseconds(0.9)},
          {"p99_ms", measured.milliseconds(0.99)}, {"max_ms", measured.milliseconds(1)}};
}

constexpr const char* kTitles = "clients  answers/s    p50 ms    p90 ms    p99 ms    max ms  errors\n";

// As each is known: a row takes seconds.
void PrintRow(const Session& session, const Measured& measured) {
  session.terminal.out << fmt::format("{:>7}  {:>9.1f}  {:>8.2f}  {:>8.2f}  {:>8.2f}  {:>8.2f}  {:>6}\n",
                                      measured.clients, measured.per_second(), measured.milliseconds(0.5),
                                      measured.milliseconds(0.9), measured.milliseconds(0.99),
                                      measured.milliseconds(1), measured.report.errors)
                       << std::flush;
}

Status MeasureAll(const Session& session, const MeasureOptions& options) {
  SNUG_ASSIGN_OR_RETURN(const ModelCall call, MakeCall(session, options.call));
  // Once alone: what is wrong with the request is said as `snug predict` says it.
  SNUG_RETURN_IF_ERROR(Ask(call, options.call).status());
  Json rows = Json::array();
  if (!session.globals.json) session.terminal.out << kTitles << std::flush;
  Status failed;
  for (const int clients : options.clients) {
    const Measured measured = Measure(call, clients, options);
    session.globals.json ? rows.push_back(ToJson(measured)) : PrintRow(session, measured);
    if (measured.report.errors == 0 || !failed.ok()) continue;
    failed = Error(Code::kUnknown, "{} of the requests of {} clients failed, the first with {}",
                   measured.report.errors, clients, measured.report.first_error.substr(0, 500));
  }
  if (session.globals.json)
    session.terminal.out << Dump({{"model", options.call.name}, {"rows", rows}}) << "\n";
  return failed;
}

}  // namespace

int RunMeasure(const Session& session, const MeasureOptions& options) {
  if (!HasInput(options.call)) return NothingToSend(session);
  Status status = MeasureAll(session, options);
  return status.ok() ? kExitOk : Fail(session, status);
}

}  // namespace snug::cli
