// Throughput and latency of a real model, batched and not, without a network: closed-loop clients, each sends
// its next request when it has the answer to the last. Prints a table.
//
//   batching_bench MODELS_DIR MODEL PLUGIN_DIR ENGINE_PROGRAM [FREE_DIM [SECONDS]]
//
// Batching off and auto alternate, so that a change of the machine's load hits both. A model with
// batching.padding gets requests of all lengths up to the largest bucket, and what alternates is: no padding,
// padding to the largest bucket alone, and padding to the buckets.
//
// With MODE and REQUESTS one client sends so many requests and nothing is measured: for counting instructions
// (valgrind --tool=callgrind), as the difference between two numbers of requests.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "base/rng.h"
#include "engine/engine.h"
#include "os/cpu_seconds.h"
#include "parsers/parser_host.h"
#include "repository/repository.h"
#include "serving/batch_plan.h"
#include "serving/checks.h"
#include "serving/loader.h"

namespace snug::serving {
namespace {

constexpr int kRounds = 3;
constexpr int kClients[] = {1, 8, 32};
constexpr size_t kRequests = 64;  // different ones

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
  double cpu_seconds = 0;  // of the whole process, the clients too
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

using Mode = repository::BatchingConfig::Mode;
using Requests = std::vector<std::vector<Tensor>>;

void Drive(Servable& servable, const Requests& requests, int clients, double seconds, Numbers& sum) {
  const TimePoint begun = SystemClock().Now();
  const double cpu_before = os::OwnCpuSeconds();
  std::mutex mutex;
  std::vector<std::thread> threads;
  threads.reserve(static_cast<size_t>(clients));
  for (int i = 0; i < clients; ++i) {
    threads.emplace_back([&, next = static_cast<size_t>(i)]() mutable {
      Numbers own;
      while (Seconds(SystemClock().Now() - begun) < seconds) {
        const TimePoint sent = SystemClock().Now();
        ++(One(servable, requests[next++ % requests.size()]) ? own.answers : own.failures);
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
  sum.cpu_seconds += os::OwnCpuSeconds() - cpu_before;
}

Mode ModeOf(const std::string& name) {
  return name == "off" ? Mode::kOff : name == "on" ? Mode::kOn : Mode::kAuto;
}

// A way to serve the model.
struct Arm {
  const char* name;
  std::function<void(repository::BatchingConfig&)> configure;
};

void OnlyLargest(repository::BatchingConfig& config) {
  for (auto& length : config.padding) length.buckets = {length.buckets.back()};
}

std::vector<Arm> ArmsOf(const repository::BatchingConfig& config) {
  if (config.padding.empty()) {
    return {{"off", [](auto& batching) { batching.mode = Mode::kOff; }},
            {"auto", [](auto& batching) { batching.mode = Mode::kAuto; }}};
  }
  return {{"unpadded", [](auto& batching) { batching.padding.clear(); }},
          {"largest", OnlyLargest},
          {"buckets", [](auto&) {}}};
}

// The model's inputs with lengths from an eighth of the largest bucket to all of it.
std::vector<TensorSpec> SpecsOf(std::vector<TensorSpec> specs, const repository::BatchingConfig& config,
                                Rng& rng) {
  for (const auto& length : config.padding) {
    const auto most = static_cast<uint64_t>(length.buckets.back());
    const auto own = static_cast<int64_t>(most / 8 + rng.Below(most - most / 8) + 1);
    for (const auto& input : length.inputs) {
      auto spec =
          std::find_if(specs.begin(), specs.end(), [&](const auto& s) { return s.name == input.name; });
      spec->shape[static_cast<size_t>(input.dim)] = own;
    }
  }
  return specs;
}

// A model, loaded once for each way that is asked for.
class Bench {
 public:
  explicit Bench(const Settings& settings) : settings_(settings) {
    engine::HostOptions host;
    host.plugin_dirs = {settings.plugins};
    host.engine_program = settings.engine_program;
    engines_ = engine::EngineHost::Create(host);
    parsers_ = parsers::ParserHost::Create({settings.plugins});
  }

  Status Count() {
    const Mode mode = ModeOf(settings_.mode);
    SNUG_RETURN_IF_ERROR(Prepare());
    SNUG_RETURN_IF_ERROR(Load({settings_.mode.c_str(), [mode](auto& config) { config.mode = mode; }}));
    uint64_t failures = 0;
    for (uint64_t i = 0; i < settings_.requests; ++i) failures += One(*servables_[0], requests_[0]) ? 0 : 1;
    fmt::print("{} requests, {} failures\n", settings_.requests, failures);
    return {};
  }

  Status Table() {
    SNUG_RETURN_IF_ERROR(Prepare());
    arms_ = ArmsOf(entry_.config.batching);
    for (const Arm& arm : arms_) SNUG_RETURN_IF_ERROR(Load(arm));
    for (size_t i = 0; i < arms_.size(); ++i)
      fmt::print("{}, {}: {}\n", settings_.model, arms_[i].name, servables_[i]->batching_note());
    fmt::print("{:>8} {:>9} {:>10} {:>9} {:>9} {:>9} {:>9}\n", "clients", "batching", "answers/s", "CPU us",
               "p50 ms", "p99 ms", "failures");
    for (int clients : kClients) Rows(clients);
    return {};
  }

 private:
  Status Prepare() {
    SNUG_ASSIGN_OR_RETURN(entry_, repository::ReadModel(settings_.models, settings_.model));
    return {};
  }

  Status Load(const Arm& arm) {
    LoadContext context{
        .engines = *engines_, .parsers = *parsers_, .clock = SystemClock(), .on_wait = [](TimePoint) {}};
    repository::ModelEntry entry = entry_;
    arm.configure(entry.config.batching);
    std::string note;
    SNUG_ASSIGN_OR_RETURN(
        servables_.emplace_back(),
        LoadServable(context, entry, entry.versions.rbegin()->first, std::make_shared<VersionStats>(), note));
    return requests_.empty() ? MakeRequests(servables_[0]->info().inputs) : Status();
  }

  Status MakeRequests(const std::vector<TensorSpec>& specs) {
    Rng rng(58);
    for (size_t i = 0; i < kRequests; ++i) {
      SNUG_ASSIGN_OR_RETURN(requests_.emplace_back(),
                            ZeroInputs(SpecsOf(specs, entry_.config.batching, rng), settings_.free_dim));
    }
    return {};
  }

  void Rows(int clients) {
    std::vector<Numbers> numbers(arms_.size());
    for (int round = 0; round < kRounds; ++round) {
      for (size_t i = 0; i < arms_.size(); ++i)
        Drive(*servables_[i], requests_, clients, settings_.seconds, numbers[i]);
    }
    for (size_t i = 0; i < arms_.size(); ++i) {
      fmt::print(
          "{:>8} {:>9} {:>10.1f} {:>9.1f} {:>9.2f} {:>9.2f} {:>9}\n", clients, arms_[i].name,
          static_cast<double>(numbers[i].answers) / numbers[i].seconds,
          numbers[i].cpu_seconds * 1e6 / static_cast<double>(std::max<uint64_t>(numbers[i].answers, 1)),
          numbers[i].Percentile(0.5), numbers[i].Percentile(0.99), numbers[i].failures);
    }
  }

  const Settings settings_;
  std::unique_ptr<engine::EngineHost> engines_;
  std::unique_ptr<parsers::ParserHost> parsers_;
  std::vector<std::shared_ptr<Servable>> servables_;
  repository::ModelEntry entry_;
  std::vector<Arm> arms_;
  Requests requests_;
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
