// What model.yaml may say of a model. Each section is read by a file of its own (config_sections.h);
// model_config.cc joins them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "repository/version_policy.h"

namespace snug::repository {

// Of one priority of requests.
struct PriorityConfig {
  int queue_limit = 0;            // requests that wait; 0: the model's alone
  int timeout_ms = 0;             // of waiting; 0: the requests' own deadlines alone
  bool delay_on_timeout = false;  // served after all others instead of refused

  bool operator==(const PriorityConfig&) const = default;
};

// A dimension of an input that has a length which requests choose, and what fills it up.
struct PaddedInputConfig {
  std::string name;
  int dim = 0;  // 0 is the batch's: from 1
  double value = 0;

  bool operator==(const PaddedInputConfig&) const = default;
};

// A dimension of an output that follows such a length.
struct CutOutputConfig {
  std::string name;
  int dim = 0;
  int per = 1;  // one element for each so many of the length, rounded up

  bool operator==(const CutOutputConfig&) const = default;
};

// A length that requests choose.
struct PaddingConfig {
  std::vector<int64_t> buckets;  // what it is padded to: ascending; longer requests are refused
  std::vector<PaddedInputConfig> inputs;
  std::vector<CutOutputConfig> outputs;

  bool operator==(const PaddingConfig&) const = default;
};

// Key `batching`: executing several requests as one.
struct BatchingConfig {
  enum class Mode { kAuto, kOn, kOff };
  Mode mode = Mode::kAuto;     // auto: where loading measures that it pays
  int rows_max = 0;            // 0: the last of `sizes`, else the best of those measured
  std::vector<int64_t> sizes;  // allowed ones, ascending; empty: any
  int delay_us_max = 0;
  std::vector<PriorityConfig> priorities;  // the highest first; empty: one for all
  int default_priority = 1;
  std::vector<PaddingConfig> padding;  // empty: requests are executed as they come

  bool operator==(const BatchingConfig&) const = default;
};

// Key `limits`: of all versions of a model together. What is over them is refused, not queued.
struct LimitsConfig {
  double requests_per_second = 0;  // 0: no limit, as in what follows
  int burst = 0;                   // requests that may come at once; 0: those of one second
  int concurrent = 0;              // requests taken and not yet answered

  bool operator==(const LimitsConfig&) const = default;
};

// Key `cache`: answers kept for requests that are the same. Of one version.
struct CacheConfig {
  bool on = false;
  int mib_max = 64;
  int entries_max = 100'000;
  int ttl_s = 0;  // 0: as long as there is room

  bool operator==(const CacheConfig&) const = default;
};

// An input by which a model is told of a sequence.
struct SequenceControlConfig {
  std::string input;  // empty: the model has none
  double value_false = 0, value_true = 1;

  bool operator==(const SequenceControlConfig&) const = default;
};

// What a model computes for its own next call in the sequence.
struct SequenceStateConfig {
  std::string input, output;
  std::vector<int64_t> shape;  // where the model leaves dimensions free; empty: it does not

  bool operator==(const SequenceStateConfig&) const = default;
};

// Key `sequence`: requests that belong together and come one after the other.
struct SequenceConfig {
  bool on = false;
  bool oldest = false;    // strategy: oldest, else direct
  int rows_max = 0;       // 0: 1
  int sequences_max = 0;  // of strategy oldest; 0: the default
  int backlog_max = 64;   // sequences that wait
  int idle_ms_max = 1000;
  SequenceControlConfig start, end, ready, corrid;
  std::vector<SequenceStateConfig> states;

  bool operator==(const SequenceConfig&) const = default;
};

// Key `warmup`: what is executed on each instance before a version is READY.
struct WarmupConfig {
  bool zeros = true;
  bool files = true;  // requests that lie among the version's files, where there are any
  int rounds = 1;     // of those

  bool operator==(const WarmupConfig&) const = default;
};

// Key `payload_log`: a part of the requests is kept in files, where the server is started with a directory
// for them.
struct PayloadLogConfig {
  double rate = 0;   // of the requests, 0-1
  int mib_max = 64;  // of the model's files

  bool operator==(const PayloadLogConfig&) const = default;
};

// Key `swap`: what happens while one version, or a newer copy of it, takes another's place.
enum class Swap {
  kAvailable,  // the new one is loaded first: both are in memory meanwhile, and requests are always answered
  kFrugal,     // the old one goes first: never both in memory, and nobody answers meanwhile
};

// Key `load`: when a version is loaded that nobody loads by a call.
enum class LoadTime {
  kAtStart,     // at once: the server's start waits for it
  kBackground,  // later, one after the other; one that is asked for goes first, and its requests wait
  kOnRequest,   // by the first request, which waits
};
// "at-start", as model.yaml and the command line have it.
std::string_view LoadTimeName(LoadTime time);

// One step of a pipeline: an execution of another model, or one for each of several items.
struct StepConfig {
  std::string name;
  std::string model;                          // in the folder `steps` of the version, else of the same server
  std::string version;                        // of it: a number or a label; empty: the model's default
  std::map<std::string, std::string> inputs;  // the model's input -> the pipeline's value that it gets
  std::map<std::string, std::string> outputs;  // the model's output -> the value that it becomes
  std::vector<std::string> for_each;           // values of whose rows each is executed by itself
  int items_max = 256;                         // of those rows

  bool operator==(const StepConfig&) const = default;
};

// Key `pipeline`: a model made of others. Without steps it is none.
struct PipelineConfig {
  std::vector<std::string> inputs;   // values that a request brings
  std::vector<std::string> outputs;  // values that the answer holds
  std::vector<StepConfig> steps;

  bool operator==(const PipelineConfig&) const = default;
};

// What model.yaml may say. Unknown keys are errors that name the known ones.
struct ModelConfig {
  std::string engine = "auto";
  std::string engine_options_json = "{}";  // key `engine_options`
  std::string isolation = "default";       // default | in-process | process
  std::string parser;                      // empty: none, only tensor protocols work
  std::string parser_options_json = "{}";  // key `parser_options`
  int threads = 1;                         // per instance
  int instances = 1;
  int execution_timeout_s = 300;  // after which a process of its own is taken for hung and killed
  int compute_weight = 1;         // of its compute time where models want more than there is
  int queue_limit = 256;          // requests waiting for an instance before RESOURCE_EXHAUSTED
  VersionPolicy versions;
  Swap swap = Swap::kAvailable;
  std::optional<LoadTime> load;                     // nothing: as the server is told
  std::optional<int> standby_after_s;               // 0: never; nothing: as the server is told
  std::map<std::string, int64_t> labels;            // "stable" -> 3
  std::map<std::string, std::string> class_labels;  // output -> the file with its classes' names
  BatchingConfig batching;
  SequenceConfig sequence;
  WarmupConfig warmup;
  LimitsConfig limits;
  PayloadLogConfig payload_log;
  CacheConfig cache;
  PipelineConfig pipeline;

  bool operator==(const ModelConfig&) const = default;
  bool is_pipeline() const { return !pipeline.steps.empty(); }
};

// Parses model.yaml's text. `origin` names the file in errors ("models/ocr/model.yaml:3: unknown key …").
Result<ModelConfig> ParseModelConfig(std::string_view yaml, std::string_view origin);
// The same text, checked like that, as a JSON object: what it says and nothing else.
Result<std::string> ModelConfigAsJson(std::string_view yaml, std::string_view origin);

}  // namespace snug::repository
