// Throughput and latency of a real model, batched and not, without a network: closed-loop clients, each sends
// its next request when it has the answer to the last. Prints a table.
//
//   batching_bench MODELS_DIR MODEL PLUGIN_DIR ENGINE_PROGRAM [FREE_DIM [SECONDS]]
//
// Batching off and auto alternate, so that a change of the machine's load hits both.
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

int Run(const Settings& settings) {
  engine::HostOptions host;
  host.plugin_dirs = {settings.plugins};
  host.engine_program = settings.engine_program;
  auto engines = engine::EngineHost::Create(host);
  auto parsers = parsers::ParserHost::Create({settings.plugins});
  auto entry = repository::ReadModel(settings.models, settings.model);
  if (!entry.ok()) return fmt::print(stderr, "{}\n", entry.status().ToString()), 1;
  LoadContext context{*engines, *parsers, "", SystemClock(), [] {}, true};
  std::vector<std::shared_ptr<Servable>> servables;
  for (auto mode : {repository::BatchingConfig::Mode::kOff, repository::BatchingConfig::Mode::kAuto}) {
    entry->config.batching.mode = mode;
    std::string note;
    const int64_t version = entry->versions.rbegin()->first;
    auto loaded = LoadServable(context, *entry, version, std::make_shared<VersionStats>(), note);
    if (!loaded.ok()) return fmt::print(stderr, "{}\n", loaded.status().ToString()), 1;
    servables.push_back(*std::move(loaded));
  }
  fmt::print("{}: {}\n", settings.model, servables[1]->batching_note());
  auto inputs = ZeroInputs(servables[0]->info().inputs, settings.free_dim);
  if (!inputs.ok()) return fmt::print(stderr, "{}\n", inputs.status().ToString()), 1;
  fmt::print("{:>8} {:>9} {:>10} {:>9} {:>9} {:>9}\n", "clients", "batching", "answers/s", "p50 ms", "p99 ms",
             "failures");
  for (int clients : kClients) {
    Numbers numbers[2];
    for (int round = 0; round < kRounds; ++round) {
      for (size_t i = 0; i < 2; ++i) Drive(*servables[i], *inputs, clients, settings.seconds, numbers[i]);
    }
    for (size_t i = 0; i < 2; ++i) {
      fmt::print("{:>8} {:>9} {:>10.1f} {:>9.2f} {:>9.2f} {:>9}\n", clients, i == 0 ? "off" : "auto",
                 static_cast<double>(numbers[i].answers) / numbers[i].seconds, numbers[i].Percentile(0.5),
                 numbers[i].Percentile(0.99), numbers[i].failures);
    }
  }
  return 0;
}

}  // namespace
}  // namespace snug::serving

int main(int argc, char** argv) {
  if (argc < 5) {
    fmt::print(stderr,
               "usage: batching_bench MODELS_DIR MODEL PLUGIN_DIR ENGINE_PROGRAM [FREE_DIM [SECONDS]]\n");
    return 2;
  }
  snug::serving::Settings settings{argv[1], argv[2], argv[3], argv[4]};
  if (argc > 5) settings.free_dim = std::atoll(argv[5]);
  if (argc > 6) settings.seconds = std::atof(argv[6]);
  return snug::serving::Run(settings);
}
