// snug-load: requests in a closed loop against a model server or a front door, and what they cost.
//
//   snug-load predict --target 127.0.0.1:8080 --model ocr --payload line1.png --payload line2.png -c 8
//   snug-load infer --model tiny --input x:FP32:1,16    KServe v2 over gRPC; zeros, or :FILE after the shape
//   snug-load rest --model ocr --payload line1.png      POST /v1/predict/ocr; --path for any other
//   snug-load grpc --path /pkg.Service/Method --payload message.bin
//
// --pid N (repeatable) adds the CPU time that those processes took meanwhile. --json prints one JSON object.
// --requests N sends so many instead of going on for --seconds; --record FILE writes what came of each.
// Ends with 1 when any request failed.
#include <absl/synchronization/mutex.h>
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "base/tensor.h"
#include "grpc_load.h"
#include "os/cpu_seconds.h"
#include "os/files.h"

namespace snug::load {
namespace {

constexpr int kKeptBytesMax = 32 << 20;

struct Arguments {
  Options load;
  bool rest = false;
  std::string model = "ocr", version, content_type;
  std::vector<std::string> payload_files, inputs, headers;
  std::vector<pid_t> pids;
  uint64_t warmup_requests = 0;
  std::string record_file;
  bool json = false;
};

std::string Varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}
std::string Field(int number, std::string_view content) {
  return Varint(static_cast<uint64_t>(number) << 3 | 2) + Varint(content.size()) + std::string(content);
}
std::string OptionalField(int number, std::string_view content) {
  return content.empty() ? "" : Field(number, content);
}

// snug.v1.PredictRequest
std::string PredictMessage(const Arguments& a, const std::string& payload) {
  return Field(1, a.model) + OptionalField(2, a.version) + OptionalField(3, a.content_type) +
         Field(4, payload);
}

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (char c : text) c == separator ? parts.emplace_back() : parts.back() += c;
  return parts;
}

struct Input {
  std::string tensor;  // InferInputTensor {1: name, 2: datatype, 3: shape}
  std::string data;
};

// "x:FP32:1,16" or "x:FP32:1,16:FILE"
Result<Input> ParseInput(const std::string& text) {
  std::vector<std::string> parts = Split(text, ':');
  auto dtype = parts.size() >= 3 ? DTypeFromName(parts[1]) : std::nullopt;
  if (!dtype || parts.size() > 4) {
    return InvalidArgument("--input {}: expected NAME:DTYPE:D0,D1,…[:FILE], e.g. x:FP32:1,16", text);
  }
  Shape shape;
  std::string packed;
  for (const std::string& dimension : Split(parts[2], ',')) {
    shape.push_back(std::atoll(dimension.c_str()));
    packed += Varint(static_cast<uint64_t>(shape.back()));
  }
  auto count = ElementCount(shape);
  if (!count) return InvalidArgument("--input {}: every dimension must be known", text);
  Input input{Field(1, parts[0]) + Field(2, parts[1]) + Field(3, packed),
              std::string(*count * ElementBytes(*dtype), '\0')};
  if (parts.size() == 4) {
    SNUG_ASSIGN_OR_RETURN(input.data, os::ReadFile(parts[3]));
  }
  return input;
}

// inference.ModelInferRequest
Result<std::string> InferMessage(const Arguments& a) {
  std::string tensors, contents;
  for (const std::string& text : a.inputs) {
    SNUG_ASSIGN_OR_RETURN(Input input, ParseInput(text));
    tensors += Field(5, input.tensor);
    contents += Field(7, input.data);
  }
  return Field(1, a.model) + OptionalField(2, a.version) + tensors + contents;
}

Status ReadPayloads(Arguments& a) {
  for (const std::string& file : a.payload_files) {
    SNUG_ASSIGN_OR_RETURN(std::string payload, os::ReadFile(file));
    a.load.bodies.push_back(std::move(payload));
  }
  if (a.load.bodies.empty()) a.load.bodies.emplace_back();
  return {};
}

// "Name: value"
Status TakeHeaders(Arguments& a) {
  for (const std::string& header : a.headers) {
    const size_t colon = header.find(": ");
    if (colon == 0 || colon == std::string::npos)
      return InvalidArgument("--header {}: expected \"Name: value\"", header);
    a.load.headers.emplace_back(header.substr(0, colon), header.substr(colon + 2));
  }
  return {};
}

Status Prepare(const std::string& kind, Arguments& a) {
  if (kind == "infer") {
    SNUG_ASSIGN_OR_RETURN(std::string message, InferMessage(a));
    a.load.bodies = {std::move(message)};
    a.load.path = "/inference.GRPCInferenceService/ModelInfer";
    return {};
  }
  SNUG_RETURN_IF_ERROR(ReadPayloads(a));
  if (kind == "predict") {
    for (std::string& body : a.load.bodies) body = PredictMessage(a, body);
    a.load.path = "/snug.v1.Prediction/Predict";
  }
  if (kind == "rest") {
    a.rest = true;
    if (!a.content_type.empty()) a.load.content_type = a.content_type;
    SNUG_RETURN_IF_ERROR(TakeHeaders(a));
    if (a.load.path.empty()) {
      a.load.path = "/v1/predict/" + a.model + (a.version.empty() ? "" : "/versions/" + a.version);
    }
  }
  if (a.load.path.empty())
    return InvalidArgument("--path is missing: the gRPC method, /package.Service/Method");
  return {};
}

// CPU seconds of processes, by pid; one that is gone counts 0.
std::map<pid_t, double> CpuSeconds(const std::vector<pid_t>& pids) {
  std::map<pid_t, double> seconds;
  for (pid_t pid : pids) seconds[pid] = os::CpuSecondsOf(pid);
  return seconds;
}

nlohmann::json ToJson(const Report& report, const std::map<pid_t, double>& cpu) {
  const auto requests = static_cast<double>(std::max<uint64_t>(report.requests, 1));
  nlohmann::json out = {{"requests", report.requests},
                        {"errors", report.errors},
                        {"seconds", report.seconds},
                        {"requests_per_s", static_cast<double>(report.requests) / report.seconds},
                        {"p50_us", Percentile(report.latencies_us, 0.5)},
                        {"p90_us", Percentile(report.latencies_us, 0.9)},
                        {"p99_us", Percentile(report.latencies_us, 0.99)},
                        {"max_us", Percentile(report.latencies_us, 1)},
                        {"client_cpu_us_per_request", report.client_cpu_seconds * 1e6 / requests}};
  if (!report.first_error.empty()) out["first_error"] = report.first_error;
  for (const auto& [pid, seconds] : cpu) {
    out["processes"][std::to_string(pid)] = {{"cpu_seconds", seconds},
                                             {"cores", seconds / report.seconds},
                                             {"cpu_us_per_request", seconds * 1e6 / requests}};
  }
  return out;
}

void Print(const nlohmann::json& r) {
  std::printf("%.0f requests/s   p50 %.0f us   p90 %.0f us   p99 %.0f us   errors %llu\n",
              r["requests_per_s"].get<double>(), r["p50_us"].get<double>(), r["p90_us"].get<double>(),
              r["p99_us"].get<double>(), static_cast<unsigned long long>(r["errors"].get<uint64_t>()));
  if (r.contains("first_error"))
    std::printf("first error: %s\n", r["first_error"].get<std::string>().c_str());
  if (!r.contains("processes")) return;
  for (const auto& [pid, p] : r["processes"].items()) {
    std::printf("process %s: %.2f cores, %.1f CPU-us a request\n", pid.c_str(), p["cores"].get<double>(),
                p["cpu_us_per_request"].get<double>());
  }
}

// Where requests are counted, time says nothing about when a server is warm.
template <class Runner>
void WarmUp(Runner run, const Arguments& a) {
  if (a.load.requests == 0 || a.warmup_requests == 0) return;
  Options warm_up = a.load;
  warm_up.requests = a.warmup_requests;
  warm_up.record = false;
  (void)run(warm_up, {});
}

// {"latencies_us": [...], "answers": [...]} in the order of the requests; an answer that failed is "".
void WriteRecord(const Report& report, const std::string& file) {
  nlohmann::json latencies = nlohmann::json::array(), answers = nlohmann::json::array();
  for (const Record& record : report.records) {
    latencies.push_back(record.latency_us);
    answers.push_back(record.answer);
  }
  std::ofstream(file) << nlohmann::json{{"latencies_us", latencies}, {"answers", answers}}.dump(
      -1, ' ', false, nlohmann::json::error_handler_t::replace);
}

int Run(const std::string& kind, Arguments& a) {
  if (Status status = Prepare(kind, a); !status.ok()) {
    std::fprintf(stderr, "snug-load: %s\n", status.ToString().c_str());
    return 2;
  }
  std::map<pid_t, double> before, after;
  auto run = a.rest ? RunRest : RunGrpc;
  WarmUp(run, a);
  Report report = run(a.load, {.at_begin = [&] { before = CpuSeconds(a.pids); },
                               .at_end = [&] { after = CpuSeconds(a.pids); }});
  if (!a.record_file.empty()) WriteRecord(report, a.record_file);
  for (auto& [pid, seconds] : after) seconds -= before[pid];
  nlohmann::json out = ToJson(report, after);
  a.json ? (void)std::puts(out.dump().c_str()) : Print(out);
  return report.errors == 0 && report.requests > 0 ? 0 : 1;
}

int Main(int argc, char** argv) {
  Arguments a;
  CLI::App app("Requests in a closed loop, and what they cost");
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--target", a.load.target, "HOST:PORT")->capture_default_str();
  app.add_option("--model", a.model)->capture_default_str();
  app.add_option("--version", a.version, "number or label; none: the model's route decides");
  app.add_option("--content-type", a.content_type);
  app.add_option("--payload", a.payload_files, "files, sent in turn");
  app.add_option("--path", a.load.path, "gRPC method, or path for POST");
  app.add_option("-c,--concurrency", a.load.concurrency)->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--connections", a.load.connections, "gRPC")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--seconds", a.load.seconds)->check(CLI::Range(0.1, 3600.0))->capture_default_str();
  app.add_option("--warmup-seconds", a.load.warmup_seconds)
      ->check(CLI::Range(0.0, 600.0))
      ->capture_default_str();
  app.add_option("--requests", a.load.requests, "send so many, instead of for --seconds")
      ->check(CLI::Range(1, 100'000'000));
  app.add_option("--warmup-requests", a.warmup_requests, "with --requests: as many before them, not counted");
  app.add_option("--record", a.record_file, "with --requests, rest: each one's latency and answer as JSON");
  app.add_option("--pid", a.pids, "processes whose CPU time is measured");
  app.add_flag("--json", a.json);
  app.add_subcommand("predict", "snug.v1.Prediction/Predict");
  app.add_subcommand("infer", "KServe v2 ModelInfer")
      ->add_option("--input", a.inputs, "NAME:DTYPE:D0,D1[:FILE]");
  app.add_subcommand("rest", "POST /v1/predict/MODEL, or --path")
      ->add_option("--header", a.headers, "\"Name: value\"");
  app.add_subcommand("grpc", "any unary method, --path and --payload");
  CLI11_PARSE(app, argc, argv);
  a.load.record = !a.record_file.empty();
  return Run(app.get_subcommands().front()->get_name(), a);
}

}  // namespace
}  // namespace snug::load

int main(int argc, char** argv) {
  // What the client takes of the CPUs that it shares with the server lowers the server's figures: memory of
  // large answers that goes back to the system each time, and Abseil's search for deadlocks (as Debian builds
  // it).
  mallopt(M_MMAP_THRESHOLD, snug::load::kKeptBytesMax);
  mallopt(M_TRIM_THRESHOLD, snug::load::kKeptBytesMax);
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return snug::load::Main(argc, argv);
}
