// Throughput and latency of a real model, batched and not, without a network: closed-loop clients, each sends
// its next request when it has the answer to the last. Prints a table.
//
//   batching_bench MODELS_DIR MODEL PLUGIN_DIR ENGINE_PROGRAM [FREE_DIM [SECONDS]]
//
// Batching off and auto alternate, so that a change of the machine's load hits both.
//
// With MODE and REQUESTS one client sends so many requests and nothing is measured: for counting instructions
// (valgrind --tool=callgrind), as the difference between two numbers of requests.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <future>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "engine/engine.h"
#include "parsers/parser_host.h"
#include "repository/repository.h"
#include "serving/batch_plan.h"
#include "serving/checks.h"
#include "serving/loader.h"

namespace snug::serving {
namespace {

constexpr int kRounds = 3;
constexpr int kClients[] = {1, 8, 32};

struct Settings {
  std::string models, model, plugins, engine_program;
  int64_t free_dim = 32;
  double seconds = 2;
  std::string mode;       // of the run that only counts
  uint64_t requests = 0;  // of it; 0: the table
};

struct Numbers {
  uint64_t answers = 0, failures = 0;
  double seconds = 0;
  std::vector<double> ms;

  double Percentile(double p) {
    std::sort(ms.begin(), ms.end());
    return ms.empty() ? 0 : ms[static_cast<size_t>(p * static_cast<double>(ms.size() - 1))];
  }
};

bool One(Servable& servable, const std::vector<Tensor>& inputs) {
  InferRequest request;
  request.arrival = SystemClock().Now();
  request.inputs = inputs;
  std::promise<bool> outcome;
  InferCallback done = [&](auto result) { outcome.set_value(result.ok()); };
  return servable.Infer(request, done) && outcome.get_future().get();
}

void Drive(Servable& servable, const std::vector<Tensor>& inputs, int clients, double seconds, Numbers& sum) {
  const TimePoint begun = SystemClock().Now();
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (int i = 0; i < clients; ++i) {
    threads.emplace_back([&] {
      Numbers own;
      while (Seconds(SystemClock().Now() - begun) < seconds) {
        const TimePoint sent = SystemClock().Now();
        ++(One(servable, inputs) ? own.answers : own.failures);
        own.ms.push_back(Seconds(SystemClock().Now() - sent) * 1e3);
      }
      std::lock_guard lock(mutex);
      sum.answers += own.answers;
      sum.failures += own.failures;
      sum.ms.insert(sum.ms.end(), own.ms.begin(), own.ms.end());
    });
  }
  for (auto& thread : threads) thread.join();
  sum.seconds += Seconds(SystemClock().Now() - begun);
}

using Mode = repository::BatchingConfig::Mode;

Mode ModeOf(const std::string& name) {
  return name == "off" ? Mode::kOff : name == "on" ? Mode::kOn : Mode::kAuto;
}

// A model, loaded once for each mode that is asked for.
class Bench {
 public:
  explicit Bench(const Settings& settings) : settings_(settings) {
    engine::HostOptions host;
    host.plugin_dirs = {settings.plugins};
    host.engine_program = settings.engine_program;
    engines_ = engine::EngineHost::Create(host);
    parsers_ = parsers::ParserHost::Create({settings.plugins});
  }

  Status Load(Mode mode) {
    SNUG_ASSIGN_OR_RETURN(repository::ModelEntry entry,
                          repository::ReadModel(settings_.models, settings_.model));
    LoadContext context{.engines = *engines_, .parsers = *parsers_, .clock = SystemClock(), .on_wait = [] {}};
    entry.config.batching.mode = mode;
    std::string note;
    SNUG_ASSIGN_OR_RETURN(
        servables_.emplace_back(),
        LoadServable(context, entry, entry.versions.rbegin()->first, std::make_shared<VersionStats>(), note));
    SNUG_ASSIGN_OR_RETURN(inputs_, ZeroInputs(servables_[0]->info().inputs, settings_.free_dim));
    return {};
  }

  Status Count() {
    SNUG_RETURN_IF_ERROR(Load(ModeOf(settings_.mode)));
    uint64_t failures = 0;
    for (uint64_t i = 0; i < settings_.requests; ++i) failures += One(*servables_[0], inputs_) ? 0 : 1;
    fmt::print("{} requests, {} failures\n", settings_.requests, failures);
    return {};
  }

  Status Table() {
    SNUG_RETURN_IF_ERROR(Load(Mode::kOff));
    SNUG_RETURN_IF_ERROR(Load(Mode::kAuto));
    fmt::print("{}: {}\n", settings_.model, servables_[1]->batching_note());
    fmt::print("{:>8} {:>9} {:>10} {:>9} {:>9} {:>9}\n", "clients", "batching", "answers/s", "p50 ms",
               "p99 ms", "failures");
    for (int clients : kClients) Rows(clients);
    return {};
  }

 private:
  void Rows(int clients) {
    Numbers numbers[2];
    for (int round = 0; round < kRounds; ++round) {
      for (size_t i = 0; i < 2; ++i) Drive(*servables_[i], inputs_, clients, settings_.seconds, numbers[i]);
    }
    for (size_t i = 0; i < 2; ++i) {
      fmt::print("{:>8} {:>9} {:>10.1f} {:>9.2f} {:>9.2f} {:>9}\n", clients, i == 0 ? "off" : "auto",
                 static_cast<double>(numbers[i].answers) / numbers[i].seconds, numbers[i].Percentile(0.5),
                 numbers[i].Percentile(0.99), numbers[i].failures);
    }
  }

  const Settings settings_;
  std::unique_ptr<engine::EngineHost> engines_;
  std::unique_ptr<parsers::ParserHost> parsers_;
  std::vector<std::shared_ptr<Servable>> servables_;
  std::vector<Tensor> inputs_;
};

int Run(const Settings& settings) {
  Bench bench(settings);
  Status status = settings.requests > 0 ? bench.Count() : bench.Table();
  if (!status.ok()) fmt::print(stderr, "{}\n", status.ToString());
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace snug::serving

int main(int argc, char** argv) {
  if (argc < 5) {
    fmt::print(stderr,
               "usage: batching_bench MODELS_DIR MODEL PLUGIN_DIR ENGINE_PROGRAM [FREE_DIM [SECONDS]]\n"
               "       batching_bench MODELS_DIR MODEL PLUGIN_DIR ENGINE_PROGRAM FREE_DIM MODE REQUESTS\n");
    return 2;
  }
  snug::serving::Settings settings{argv[1], argv[2], argv[3], argv[4]};
  if (argc > 5) settings.free_dim = std::atoll(argv[5]);
  if (argc == 7) settings.seconds = std::atof(argv[6]);
  if (argc == 8) settings.mode = argv[6], settings.requests = std::strtoull(argv[7], nullptr, 10);
  return snug::serving::Run(settings);
}
