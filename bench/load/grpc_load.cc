#include "grpc_load.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>

#include "os/cpu_budget.h"

namespace snug::load {
namespace {

// A load takes part of the machine: where a single thread could not keep a large server busy, it has more.
constexpr int kThreadsForAWorker = 4;
constexpr std::chrono::seconds kConnectTimeMax{10};
constexpr std::chrono::seconds kAnswerTimeMax{60};

// One caller: the answer to a request sends the next one, on its worker's thread.
class Caller {
 public:
  Caller(const Options& options, Window& window, std::shared_ptr<grpc::Channel> channel,
         grpc::CompletionQueue& answers)
      : options_(options), window_(window), stub_(std::move(channel)), answers_(answers) {
    for (const std::string& body : options_.bodies) {
      grpc::Slice slice(body);
      requests_.emplace_back(&slice, 1);
    }
  }

  // The next request; false: there is none, and the caller is done.
  bool Send() {
    auto number = window_.Next();
    if (!number) return false;
    number_ = *number;
    context_.emplace();
    context_->set_deadline(std::chrono::system_clock::now() + kAnswerTimeMax);
    sent_ = SystemClock().Now();
    call_ =
        stub_.PrepareUnaryCall(&*context_, options_.path, requests_[number_ % requests_.size()], &answers_);
    call_->StartCall();
    call_->Finish(&response_, &status_, this);
    return true;
  }
  void Answered() {
    const std::string error =
        status_.ok() ? "" : std::to_string(status_.error_code()) + ": " + status_.error_message();
    window_.Count(tally_, number_, sent_, error);
  }
  Tally& tally() { return tally_; }

 private:
  const Options& options_;
  Window& window_;
  grpc::GenericStub stub_;
  grpc::CompletionQueue& answers_;
  std::vector<grpc::ByteBuffer> requests_;
  std::optional<grpc::ClientContext> context_;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> call_;
  grpc::ByteBuffer response_;
  grpc::Status status_;
  uint64_t number_ = 0;
  TimePoint sent_;
  Tally tally_;
};

// A connection of its own, once it stands.
std::shared_ptr<grpc::Channel> Connect(const Options& options) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // no other channel's connection
  arguments.SetMaxReceiveMessageSize(-1);
  auto channel = grpc::CreateCustomChannel(options.target, grpc::InsecureChannelCredentials(), arguments);
  channel->WaitForConnected(std::chrono::system_clock::now() + kConnectTimeMax);
  return channel;
}

// Callers whose requests one thread sends, and whose answers it takes: a load should cost little beside the
// server, with which it mostly shares the machine.
class Worker {
 public:
  void Add(const Options& options, Window& window, std::shared_ptr<grpc::Channel> channel) {
    callers_.push_back(std::make_unique<Caller>(options, window, std::move(channel), answers_));
  }
  void Start() {
    thread_ = std::thread([this] { Loop(); });
  }
  void Join() { thread_.join(); }
  void TakeTallies(std::vector<Tally>& tallies) {
    for (auto& caller : callers_) tallies.push_back(std::move(caller->tally()));
  }

 private:
  void Loop() {
    size_t under_way = 0;
    for (auto& caller : callers_) under_way += caller->Send() ? 1 : 0;
    void* tag = nullptr;
    bool ok = false;  // of Finish: always
    while (under_way > 0 && answers_.Next(&tag, &ok)) {
      auto* caller = static_cast<Caller*>(tag);
      caller->Answered();
      if (!caller->Send()) --under_way;
    }
  }

  grpc::CompletionQueue answers_;
  std::vector<std::unique_ptr<Caller>> callers_;
  std::thread thread_;
};

}  // namespace

Report RunGrpc(const Options& options, const Hooks& hooks) {
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  channels.reserve(static_cast<size_t>(options.connections));
  for (int i = 0; i < options.connections; ++i) channels.push_back(Connect(options));
  Window window(options);
  std::vector<Worker> workers(static_cast<size_t>(
      std::clamp(os::ReadCpuBudget().threads / kThreadsForAWorker, 1, options.connections)));
  for (size_t i = 0; i < static_cast<size_t>(options.concurrency); ++i) {
    const size_t connection = i % channels.size();
    workers[connection % workers.size()].Add(options, window, channels[connection]);
  }
  window.Run(
      hooks,
      [&] {
        for (Worker& worker : workers) worker.Start();
      },
      [&] {
        for (Worker& worker : workers) worker.Join();
      });
  std::vector<Tally> tallies;
  for (Worker& worker : workers) worker.TakeTallies(tallies);
  return window.Join(std::move(tallies));
}

}  // namespace snug::load
