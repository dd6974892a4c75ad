#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "repository/limits.h"
#include "repository/repository.h"

namespace snug::repository {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

Result<ModelConfig> Parse(std::string_view yaml) {
  return ParseModelConfig(yaml, "m/model.yaml");
}

TEST(ModelConfig, NothingMeansDefaults) {
  for (const char* text : {"", "# only a comment\n", "---\n", "~"}) {
    auto config = Parse(text);
    ASSERT_TRUE(config.ok()) << text << config.status().ToString();
    EXPECT_EQ(config->engine, "auto");
    EXPECT_EQ(config->engine_options_json, "{}");
    EXPECT_EQ(config->isolation, "default");
    EXPECT_EQ(config->parser, "");
    EXPECT_EQ(config->threads, 1);
    EXPECT_EQ(config->instances, 1);
    EXPECT_EQ(config->queue_limit, 256);
    EXPECT_EQ(config->execution_timeout_s, 300);
  }
}

TEST(ModelConfig, ReadsEveryKey) {
  auto config = Parse(R"(
engine: openvino
engine_options: {precision: bf16, streams: 2}
isolation: process
parser: ocr
parser_options:
  dictionary: dict.txt
threads: 256
instances: 64
queue_limit: 65536
execution_timeout_s: 20
labels: {stable: 3, canary: 0004}
)");
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_EQ(config->engine, "openvino");
  EXPECT_EQ(json::parse(config->engine_options_json), json::parse(R"({"precision":"bf16","streams":2})"));
  EXPECT_EQ(config->isolation, "process");
  EXPECT_EQ(config->parser, "ocr");
  EXPECT_EQ(json::parse(config->parser_options_json), json::parse(R"({"dictionary":"dict.txt"})"));
  EXPECT_EQ(config->threads, 256);
  EXPECT_EQ(config->instances, 64);
  EXPECT_EQ(config->queue_limit, 65536);
  EXPECT_EQ(config->execution_timeout_s, 20);
  EXPECT_EQ(config->labels, (std::map<std::string, int64_t>{{"canary", 4}, {"stable", 3}}));
}

TEST(ModelConfig, OptionsBecomeJsonOfTheSameTypes) {
  auto config = Parse(
      "engine_options: {i: -7, f: 2.5, e: 1e3, t: true, on: on, no: no, q: \"1\", s: a b, n: ~, y: y, v: "
      "1.2.3, "
      "l: [1, [x]], m: {k: {}}, u: \"\\u00e4\"}");
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_EQ(json::parse(config->engine_options_json),
            json::parse(R"({"i":-7,"f":2.5,"e":1000.0,"t":true,"on":true,
      "no":false,"q":"1","s":"a b","n":null,"y":"y","v":"1.2.3","l":[1,["x"]],"m":{"k":{}},"u":"ä"})"));
}

TEST(ModelConfig, BatchingIsAWordOrAMap) {
  using Mode = BatchingConfig::Mode;
  EXPECT_EQ(Parse("")->batching.mode, Mode::kAuto);
  EXPECT_EQ(Parse("batching: off")->batching.mode, Mode::kOff);
  EXPECT_EQ(Parse("batching: on")->batching.mode, Mode::kOn);
  auto config = Parse(R"(
batching:
  sizes: [1, 4, 16]
  delay_us_max: 500
  priorities: [{queue_limit: 8, timeout_ms: 50, on_timeout: delay}, {}]
  default_priority: 2
)");
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  const BatchingConfig& batching = config->batching;
  EXPECT_EQ(batching.mode, Mode::kOn);
  EXPECT_EQ(batching.sizes, (std::vector<int64_t>{1, 4, 16}));
  EXPECT_EQ(batching.delay_us_max, 500);
  EXPECT_EQ(batching.priorities, (std::vector<PriorityConfig>{{8, 50, true}, {}}));
  EXPECT_EQ(batching.default_priority, 2);
  EXPECT_EQ(Parse("batching: {mode: auto, rows_max: 8}")->batching.mode, Mode::kAuto);
}

TEST(ModelConfig, VersionsAndSwap) {
  using Kind = VersionPolicy::Kind;
  EXPECT_EQ(Parse("")->versions, VersionPolicy{});
  EXPECT_EQ(Parse("")->swap, Swap::kAvailable);
  EXPECT_EQ(Parse("versions: all")->versions, VersionPolicy{});
  EXPECT_EQ(Parse("versions: latest")->versions, (VersionPolicy{Kind::kLatest, 1, {}}));
  EXPECT_EQ(Parse("versions: {latest: 2}")->versions, (VersionPolicy{Kind::kLatest, 2, {}}));
  EXPECT_EQ(Parse("versions: [3, 5]\nswap: frugal")->versions, (VersionPolicy{Kind::kListed, 1, {3, 5}}));
  EXPECT_EQ(Parse("versions: labelled")->versions, (VersionPolicy{Kind::kListed, 1, {}}));
  EXPECT_EQ(Parse("swap: frugal")->swap, Swap::kFrugal);
  EXPECT_EQ(Parse("class_labels: {y: a.txt}")->class_labels.at("y"), "a.txt");
  EXPECT_EQ(Parse("")->load, std::nullopt);
  EXPECT_EQ(Parse("load: at-start")->load, LoadTime::kAtStart);
  EXPECT_EQ(Parse("load: background")->load, LoadTime::kBackground);
  EXPECT_EQ(Parse("load: on-request")->load, LoadTime::kOnRequest);
  EXPECT_EQ(Parse("")->standby_after_s, std::nullopt);
  EXPECT_EQ(Parse("standby_after_s: never")->standby_after_s, 0);
  EXPECT_EQ(Parse("standby_after_s: 600")->standby_after_s, 600);
}

TEST(ModelConfig, LimitsAndCache) {
  EXPECT_EQ(Parse("")->limits, LimitsConfig{});
  EXPECT_EQ(Parse("limits: {requests_per_second: 2.5, burst: 7, concurrent: 3}")->limits,
            (LimitsConfig{2.5, 7, 3}));
  EXPECT_FALSE(Parse("")->cache.on);
  EXPECT_FALSE(Parse("cache: off")->cache.on);
  EXPECT_TRUE(Parse("cache: on")->cache.on);
  EXPECT_EQ(Parse("cache: {mib_max: 1, entries_max: 2, ttl_s: 3}")->cache, (CacheConfig{true, 1, 2, 3}));
}

TEST(ModelConfig, PayloadLog) {
  EXPECT_EQ(Parse("")->payload_log.rate, 0.0);
  EXPECT_EQ(Parse("payload_log: {rate: 0.01, mib_max: 3}")->payload_log, (PayloadLogConfig{0.01, 3}));
}

TEST(ModelConfig, Warmup) {
  EXPECT_EQ(Parse("")->warmup, (WarmupConfig{true, true, 1}));
  EXPECT_EQ(Parse("warmup: {zeros: false, rounds: 3}")->warmup, (WarmupConfig{false, true, 3}));
}

struct Bad {
  const char* yaml;
  const char* text;
};

TEST(ModelConfig, SaysWhatIsWrongAndWhere) {
  const Bad rows[] = {
      {"engine: echo\nthread: 2\n",
       "m/model.yaml:2: unknown key \"thread\"; known keys: engine, engine_options, "},
      {"batching: maybe", "m/model.yaml:1: batching: expected auto, on, off or a map, got maybe"},
      {"batching:\n  row_max: 3",
       "m/model.yaml:2: batching: unknown key \"row_max\"; known keys: mode, rows_max, "},
      {"batching: {rows_max: 0}", "batching.rows_max: expected a whole number from 1 to 4096, got 0"},
      {"batching: {rows_max: 8, sizes: [1, 4]}", "rows_max 8 is not the last of sizes, 4"},
      {"batching: {sizes: [4, 2]}", "batching.sizes: expected ascending sizes, got 2 after 4"},
      {"batching: {priorities: [{on_timeout: x}]}", "on_timeout: expected reject or delay, got x"},
      {"batching: {default_priority: 2}", "default_priority 2: there are 1 priorities"},
      {"threads: 0", "m/model.yaml:1: threads: expected a whole number from 1 to 256, got 0"},
      {"threads: 257", "threads: expected a whole number from 1 to 256, got 257"},
      {"threads: 1.5", "got 1.5"},
      {"threads: \"2\"", "got the text \"2\""},
      {"threads: [2]", "got a list"},
      {"threads:", "got nothing"},
      {"threads: 99999999999999999999", "got 99999999999999999999"},
      {"instances: 65", "instances: expected a whole number from 1 to 64"},
      {"execution_timeout_s: 0", "execution_timeout_s: expected a whole number from 1 to 86400"},
      {"compute_weight: 0", "compute_weight: expected a whole number from 1 to 100"},
      {"queue_limit: 65537", "queue_limit: expected a whole number from 1 to 65536"},
      {"engine: ../evil", "engine: expected a name of"},
      {"engine: {a: b}", "engine: expected a name of"},
      {"parser: a/b", "parser: expected a name of"},
      {"isolation: docker", "isolation: expected default, in-process or process, got docker"},
      {"engine_options: fast", "engine_options: expected a map of options, got fast"},
      {"engine_options: {a: 1, a: 2}", "engine_options: a is given twice"},
      {"engine_options: {a: inf}", "cannot be said in JSON"},
      {"engine_options: {[1]: 2}", "expected a text as key"},
      {"versions: newest", "versions: expected all, latest, {latest: 2}, labelled or a list such as [3, 5]"},
      {"versions: {latest: 0}", "versions.latest: expected a whole number from 1 to 1000, got 0"},
      {"versions: {oldest: 1}", "versions: unknown key \"oldest\"; known keys: latest"},
      {"versions: [1, x]", "versions: expected a version (a positive integer), got x"},
      {"swap: fast", "swap: expected available or frugal, got fast"},
      {"class_labels: labels.txt", "class_labels: expected a map from output to a file"},
      {"class_labels: {y: ../labels.txt}", "class_labels: y: expected the name of a file of"},
      {"standby_after_s: 0", "standby_after_s: expected never or a whole number from 1 to 604800, got 0"},
      {"standby_after_s: off", "standby_after_s: expected never or a whole number from 1 to 604800, got off"},
      {"load: lazy", "load: expected at-start, background or on-request, got lazy"},
      {"limits: {requests_per_second: 0}",
       "limits.requests_per_second: expected a number from 0.001 to 1000000"},
      {"limits: {requests_per_second: nan}", "got nan"},
      {"limits: {burst: 3}", "limits: burst has no meaning without requests_per_second"},
      {"limits: {rps: 3}", "limits: unknown key \"rps\"; known keys: requests_per_second, burst, concurrent"},
      {"cache: {mib_max: 65537}", "cache.mib_max: expected a whole number from 1 to 65536"},
      {"cache: 7", "cache: expected on, off or a map, got 7"},
      {"warmup: {zeros: no, files: no}", "warmup: a version is READY only after a warm-up"},
      {"warmup: {files: 3}", "warmup.files: expected true or false, got 3"},
      {"warmup: off", "warmup: expected a map, got off; known keys: zeros, files, rounds"},
      {"payload_log: {rate: 2}", "payload_log.rate: expected a number from 0 to 1, got 2"},
      {"labels: 3", "labels: expected a map from label to version"},
      {"labels: {stable: x}", "labels: stable: expected a version"},
      {"labels: {stable: -1}", "labels: stable: expected a version"},
      {"labels: {stable: 0}", "labels: stable: expected a version"},
      {"labels: {7: 1}", "expected a label of"},
      {"labels: {a/b: 1}", "expected a label of"},
      {"labels: {a: 1, a: 2}", "labels: a is given twice"},
      {"sequence: on", "sequence: expected a map, got on"},
      {"sequence: {strategy: newest}", "sequence.strategy: expected direct or oldest, got newest"},
      {"sequence: {sequences_max: 4}", "sequences_max is of `strategy: oldest`"},
      {"sequence: {idle_ms_max: 0}", "sequence.idle_ms_max: expected a whole number from 1 to 86400000"},
      {"sequence: {controls: {begin: S}}",
       "sequence.controls: unknown key \"begin\"; known keys: start, end"},
      {"sequence: {controls: {start: {values: [0, 1]}}}", "sequence.controls.start: `input` is missing"},
      {"sequence: {controls: {start: {input: S, values: [0]}}}", "expected two numbers"},
      {"sequence: {controls: {start: {input: S, values: [0, inf]}}}", "expected a number from -1000000"},
      {"sequence: {states: []}", "sequence.states: expected a list of 1 to 64 maps"},
      {"sequence: {states: [{input: s}]}", "sequence.states: expected `input` and `output`"},
      {"sequence: {states: [{input: s, output: t, shape: [2, 0]}]}", "sequence.states: shape"},
      {"batching: {padding: 3}", "batching.padding: expected a list of 1 to 4 lengths, got 3"},
      {"batching: {padding: [{buckets: [4, 4]}]}",
       "batching.padding.buckets: expected ascending sizes, got 4 after 4"},
      {"batching: {padding: [{buckets: [4]}]}", "batching.padding: a length needs `buckets` and `inputs`"},
      {"batching: {padding: [{buckets: [4], inputs: [{name: x, dim: 1}]}]}",
       "an input needs `name`, `dim` and `value` (what it is padded with)"},
      {"batching: {padding: [{buckets: [4], inputs: [{name: x, dim: 0, value: 0}]}]}",
       "batching.padding.dim: expected a whole number from 1 to 15, got 0"},
      {"batching: {padding: [{buckets: [4], inputs: [{name: x, dim: 1, value: inf}]}]}",
       "batching.padding.value: expected a number from -1000000000 to 1000000000, got inf"},
      {"batching: {padding: [{buckets: [4], inputs: [{name: x, dim: 1, value: 0}], outputs: [{dim: 1}]}]}",
       "an output needs `name` and `dim`, and maybe `per`"},
      {"batching: {padding: [{bucket: [4]}]}",
       "unknown key \"bucket\"; known keys: buckets, inputs, outputs"},
      {"threads: 1\nthreads: 2", "m/model.yaml:2: key \"threads\" is given twice"},
      {"- a\n- b\n", "expected lines of `key: value`, got a list"},
      {"hello", "expected lines of `key: value`, got hello"},
      {"{[a]: b}", "expected a key, got a list"},
      {"engine: a\n---\nengine: b\n", "model.yaml:2: expected one YAML document"},
      {"engine: a\n]", "m/model.yaml:2: "},
      {"]", "m/model.yaml:1: "},
      {"engine: [", "not valid YAML"},
      {"engine: *nowhere", "not valid YAML"},
      {"\tengine: x", "not valid YAML"},
  };
  for (const Bad& row : rows) {
    auto config = Parse(row.yaml);
    ASSERT_FALSE(config.ok()) << row.yaml;
    EXPECT_EQ(config.status().code(), Code::kInvalidArgument);
    EXPECT_THAT(config.status().text(), StartsWith("m/model.yaml:"));
    EXPECT_THAT(config.status().text(), HasSubstr(row.text)) << row.yaml;
  }
}

TEST(ModelConfig, ReadsSequences) {
  auto config = Parse(
      "sequence:\n"
      "  strategy: oldest\n  sequences_max: 8\n  rows_max: 4\n  backlog_max: 2\n  idle_ms_max: 500\n"
      "  controls: {start: START, ready: {input: READY, values: [-1, 1]}, corrid: ID}\n"
      "  states: [{input: s, output: t, shape: [2, 1, 128]}]\n");
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  const SequenceConfig& sequence = config->sequence;
  EXPECT_TRUE(sequence.on && sequence.oldest);
  EXPECT_EQ(sequence.sequences_max, 8);
  EXPECT_EQ(sequence.rows_max, 4);
  EXPECT_EQ(sequence.backlog_max, 2);
  EXPECT_EQ(sequence.idle_ms_max, 500);
  EXPECT_EQ(sequence.start, (SequenceControlConfig{"START", 0, 1}));
  EXPECT_EQ(sequence.ready, (SequenceControlConfig{"READY", -1, 1}));
  EXPECT_EQ(sequence.end, SequenceControlConfig());
  EXPECT_EQ(sequence.states, (std::vector<SequenceStateConfig>{{"s", "t", {2, 1, 128}}}));
  EXPECT_FALSE(Parse("")->sequence.on);
}

TEST(ModelConfig, ReadsPadding) {
  auto config = Parse(
      "batching:\n"
      "  padding:\n"
      "    - buckets: [16, 64]\n"
      "      inputs: [{name: ids, dim: 1, value: 0}, {name: bias, dim: 2, value: -1.5}]\n"
      "      outputs: [{name: y, dim: 1, per: 8}]\n"
      "    - {buckets: [7], inputs: [{name: bias, dim: 1, value: 0}]}\n");
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_EQ(config->batching.padding,
            (std::vector<PaddingConfig>{{{16, 64}, {{"ids", 1, 0}, {"bias", 2, -1.5}}, {{"y", 1, 8}}},
                                        {{7}, {{"bias", 1, 0}}, {}}}));
}

TEST(ModelConfig, IsBounded) {
  EXPECT_THAT(Parse(std::string(kModelYamlBytesMax + 1, '#')).status().text(),
              HasSubstr("at most 65536 are read"));

  std::string deep = "engine_options: {a: " + std::string(100, '[') + std::string(100, ']') + "}";
  EXPECT_THAT(Parse(deep).status().text(), HasSubstr("more than 32 levels"));
  std::string endless = "engine_options: {a: " + std::string(60000, '[');
  EXPECT_FALSE(Parse(endless).ok());

  std::string laughs = "engine_options:\n  a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n";
  for (int i = 1; i < 20; ++i) {
    laughs += fmt::format("  a{0}: &a{0} [*a{1},*a{1},*a{1},*a{1},*a{1},*a{1},*a{1},*a{1}]\n", i, i - 1);
  }
  EXPECT_THAT(Parse(laughs).status().text(), HasSubstr("4096 values"));
  EXPECT_FALSE(Parse("engine_options: &a {b: *a}").ok());

  std::string labels = "labels:\n";
  for (int i = 0; i < 70; ++i) labels += fmt::format("  l{}: 1\n", i);
  EXPECT_THAT(Parse(labels).status().text(), HasSubstr("labels: more than 64"));
}

}  // namespace
}  // namespace snug::repository
