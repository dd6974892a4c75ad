// The manager's numbers as Prometheus text.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "os/process.h"
#include "serving/model_manager.h"
#include "serving/pipeline/pipeline.h"

namespace snug::serving {
namespace {

using Numbers = ModelManager::VersionNumbers;

std::string Labels(const Numbers& numbers) {
  return MetricLabels({{"model", numbers.name}, {"version", std::to_string(numbers.version)}});
}

template <typename Value>
void Each(MetricsText& text, const std::vector<Numbers>& all, std::string_view name, std::string_view type,
          std::string_view help, Value value) {
  text.Family(name, type, help);
  for (const Numbers& numbers : all) text.Sample(Labels(numbers), value(numbers));
}

double SecondsOf(const Counter& nanoseconds) {
  return static_cast<double>(nanoseconds.value()) * 1e-9;
}

void WriteRequests(MetricsText& text, const std::vector<Numbers>& all) {
  text.Family("snug_requests_total", "counter", "Requests answered, by gRPC code.");
  for (const Numbers& numbers : all) {
    for (size_t code = 0; code < numbers.stats->requests.size(); ++code) {
      uint64_t count = numbers.stats->requests[code].value();
      if (count == 0 && code != 0) continue;
      text.Sample(Labels(numbers) + "," + MetricLabels({{"code", CodeName(static_cast<Code>(code))}}),
                  static_cast<double>(count));
    }
  }
}

// What engines in processes of their own use.
void WriteProcesses(MetricsText& text, const std::vector<Numbers>& all) {
  std::vector<std::pair<const Numbers*, os::ProcessUsage>> usages;
  for (const Numbers& numbers : all) {
    if (numbers.engine_process == 0) continue;
    auto process = os::Identify(static_cast<pid_t>(numbers.engine_process));
    auto usage = process.ok() ? os::Usage(*process) : Result<os::ProcessUsage>(process.status());
    if (usage.ok()) usages.emplace_back(&numbers, *usage);
  }
  text.Family("snug_engine_process_cpu_seconds_total", "counter",
              "User and system CPU time of an engine in a process of its own; begins anew with the process.");
  for (const auto& [numbers, usage] : usages) text.Sample(Labels(*numbers), usage.cpu_seconds);
  text.Family("snug_engine_process_memory_bytes", "gauge", "Resident memory of that process.");
  for (const auto& [numbers, usage] : usages)
    text.Sample(Labels(*numbers), static_cast<double>(usage.memory_bytes));
  text.Family("snug_engine_process_memory_peak_bytes", "gauge", "The most that it was.");
  for (const auto& [numbers, usage] : usages)
    text.Sample(Labels(*numbers), static_cast<double>(usage.memory_peak_bytes));
}

std::string InstanceLabels(const Numbers& numbers, size_t instance) {
  return Labels(numbers) + "," + MetricLabels({{"instance", std::to_string(instance)}});
}

void WriteCompute(MetricsText& text, const std::vector<Numbers>& all) {
  Each(text, all, "snug_compute_cpu_seconds_total", "counter",
       "CPU time of the threads that called the engine; its own threads and processes are not in it.",
       [](const Numbers& n) { return SecondsOf(n.stats->compute_cpu_ns); });
  text.Family("snug_instance_compute_seconds_total", "counter", "Seconds in the engine, of each instance.");
  for (const Numbers& numbers : all) {
    for (size_t i = 0; i < numbers.instances; ++i)
      text.Sample(InstanceLabels(numbers, i), SecondsOf(numbers.stats->instances[i].compute_ns));
  }
  text.Family("snug_instance_executions_total", "counter", "Calls of the engine, of each instance.");
  for (const Numbers& numbers : all) {
    for (size_t i = 0; i < numbers.instances; ++i) {
      text.Sample(InstanceLabels(numbers, i),
                  static_cast<double>(numbers.stats->instances[i].executions.value()));
    }
  }
}

void WriteCache(MetricsText& text, const std::vector<Numbers>& all) {
  Each(text, all, "snug_cache_hits_total", "counter", "Requests answered from the response cache.",
       [](const Numbers& n) { return static_cast<double>(n.stats->cache_hits.value()); });
  Each(text, all, "snug_cache_misses_total", "counter", "Requests that were not in the response cache.",
       [](const Numbers& n) { return static_cast<double>(n.stats->cache_misses.value()); });
  Each(text, all, "snug_cache_joined_total", "counter",
       "Of those, requests that waited for the answer of an equal one instead of being executed.",
       [](const Numbers& n) { return static_cast<double>(n.stats->cache_joined.value()); });
  Each(text, all, "snug_cache_bytes", "gauge", "Memory of the response cache.",
       [](const Numbers& n) { return static_cast<double>(n.cache.bytes); });
  Each(text, all, "snug_cache_entries", "gauge", "Answers in the response cache.",
       [](const Numbers& n) { return static_cast<double>(n.cache.entries); });
}

void WriteBatches(MetricsText& text, const std::vector<Numbers>& all) {
  text.Family("snug_batches_total", "counter", "Executions of batched models, by rows (at most so many).");
  for (const Numbers& numbers : all) {
    for (size_t i = 0; i < RowsHistogram::kBuckets; ++i) {
      const uint64_t count = numbers.stats->batch_rows.Count(i);
      if (count == 0) continue;
      const std::string le = i + 1 < RowsHistogram::kBuckets ? std::to_string(1u << i) : "+Inf";
      text.Sample(Labels(numbers) + "," + MetricLabels({{"rows", le}}), static_cast<double>(count));
    }
  }
}

void WriteHistogram(MetricsText& text, const std::vector<Numbers>& all, std::string_view name,
                    std::string_view help, LatencyHistogram VersionStats::*histogram) {
  text.Family(name, "histogram", help);
  for (const Numbers& numbers : all) text.Sample(Labels(numbers), (*numbers.stats).*histogram);
}

template <typename Value>
void EachStep(MetricsText& text, const std::vector<Numbers>& all, std::string_view name,
              std::string_view type, std::string_view help, Value value) {
  text.Family(name, type, help);
  for (const Numbers& numbers : all) {
    if (!numbers.pipeline) continue;
    for (const auto& step : numbers.pipeline->stats()) {
      text.Sample(Labels(numbers) + "," + MetricLabels({{"step", step->step}}), value(*step));
    }
  }
}

void WritePipelines(MetricsText& text, const std::vector<Numbers>& all) {
  const bool any =
      std::any_of(all.begin(), all.end(), [](const Numbers& n) { return n.pipeline != nullptr; });
  if (!any) return;
  EachStep(text, all, "snug_pipeline_step_seconds", "histogram",
           "From a step's first execution for a request to its last answer.",
           [](const StepStats& step) -> const LatencyHistogram& { return step.latency; });
  EachStep(text, all, "snug_pipeline_step_executions_total", "counter", "Executions of a step's model.",
           [](const StepStats& step) { return static_cast<double>(step.items.value()); });
}

}  // namespace

void ModelManager::WriteMetrics(MetricsText& text) const {
  const auto all = *Statistics("", "");
  WriteRequests(text, all);
  WriteHistogram(text, all, "snug_request_seconds", "From a request's arrival to its answer.",
                 &VersionStats::request_latency);
  WriteHistogram(text, all, "snug_queue_seconds", "Waiting for an instance.", &VersionStats::queue_latency);
  Each(text, all, "snug_compute_seconds_total", "counter",
       "Seconds in the engine, summed over the instances.",
       [](const Numbers& n) { return SecondsOf(n.stats->compute_ns); });
  WriteCompute(text, all);
  Each(text, all, "snug_parse_seconds_total", "counter", "Seconds in the parser before the engine.",
       [](const Numbers& n) { return SecondsOf(n.stats->parse_ns); });
  Each(text, all, "snug_format_seconds_total", "counter", "Seconds in the parser after the engine.",
       [](const Numbers& n) { return SecondsOf(n.stats->format_ns); });
  Each(text, all, "snug_executions_total", "counter", "Calls of the engine.",
       [](const Numbers& n) { return static_cast<double>(n.stats->executions.value()); });
  Each(text, all, "snug_retries_total", "counter",
       "Executions repeated because the engine's process had died.",
       [](const Numbers& n) { return static_cast<double>(n.stats->retries.value()); });
  Each(text, all, "snug_limited_requests_total", "counter", "Requests that the model's limits refused.",
       [](const Numbers& n) { return static_cast<double>(n.stats->limited.value()); });
  WriteCache(text, all);
  WriteBatches(text, all);
  Each(text, all, "snug_batch_rows_total", "counter", "Rows of those batches, without padding.",
       [](const Numbers& n) { return static_cast<double>(n.stats->batch_rows.sum()); });
  Each(text, all, "snug_padding_rows_total", "counter",
       "Rows that only filled a batch up to an allowed size.",
       [](const Numbers& n) { return static_cast<double>(n.stats->padding_rows.value()); });
  Each(text, all, "snug_input_bytes_total", "counter", "Bytes of inputs that the engine was called with.",
       [](const Numbers& n) { return static_cast<double>(n.stats->input_bytes.value()); });
  Each(text, all, "snug_padding_bytes_total", "counter",
       "Bytes of those that only filled requests up to batching.padding's buckets and sizes.",
       [](const Numbers& n) { return static_cast<double>(n.stats->padding_bytes.value()); });
  Each(text, all, "snug_batches_split_total", "counter",
       "Batches that failed and whose requests were executed one by one.",
       [](const Numbers& n) { return static_cast<double>(n.stats->batches_split.value()); });
  Each(text, all, "snug_model_memory_bytes", "gauge", "Bytes that unloading gives back, as the engine tells.",
       [](const Numbers& n) { return n.loaded ? static_cast<double>(n.stats->memory_bytes.load()) : 0.0; });
  Each(text, all, "snug_model_memory_peak_bytes", "gauge",
       "The most that all copies of the version held at a time, as the engine tells.",
       [](const Numbers& n) { return static_cast<double>(n.stats->held_bytes_peak.load()); });
  WriteProcesses(text, all);
  Each(text, all, "snug_model_threads", "gauge", "CPU threads that the instances may keep busy together.",
       [](const Numbers& n) { return n.loaded ? static_cast<double>(n.stats->threads.load()) : 0.0; });
  Each(text, all, "snug_model_ready", "gauge", "1 while the version takes requests.",
       [](const Numbers& n) { return n.ready ? 1.0 : 0.0; });
  Each(text, all, "snug_model_loaded", "gauge", "1 while the version is in memory: 0 on standby.",
       [](const Numbers& n) { return n.loaded ? 1.0 : 0.0; });
  Each(text, all, "snug_queue_depth", "gauge", "Requests that wait for an instance.",
       [](const Numbers& n) { return static_cast<double>(n.queue_depth); });
  Each(text, all, "snug_inflight", "gauge", "Requests taken and not yet answered.",
       [](const Numbers& n) { return static_cast<double>(n.stats->in_flight.load()); });
  WritePipelines(text, all);
  text.Family("snug_rejected_requests_total", "counter",
              "Requests that found no READY version, by gRPC code.");
  for (size_t code = 1; code < rejected_.size(); ++code) {
    if (uint64_t count = rejected_[code].value(); count > 0) {
      text.Sample(MetricLabels({{"code", CodeName(static_cast<Code>(code))}}), static_cast<double>(count));
    }
  }
}

}  // namespace snug::serving
