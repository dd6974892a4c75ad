#include "grpc_load.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <mutex>
#include <optional>

namespace snug::load {
namespace {

// What the callers share.
struct Run {
  explicit Run(const Options& options_in) : options(options_in), window(options_in) {}

  const Options& options;
  Window window;
  std::mutex mutex;
  std::condition_variable all_done;
  int active = 0;
};

// One caller: the answer to a request sends the next one, on gRPC's threads.
class Caller {
 public:
  Caller(Run& run, std::shared_ptr<grpc::Channel> channel) : run_(run), stub_(std::move(channel)) {
    for (const std::string& body : run.options.bodies) {
      grpc::Slice slice(body);
      requests_.emplace_back(&slice, 1);
    }
  }

  // The next request, or the caller's end.
  void Send() {
    auto number = run_.window.Next();
    if (!number) return End();
    number_ = *number;
    context_.emplace();
    context_->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    sent_ = SystemClock().Now();
    stub_.UnaryCall(&*context_, run_.options.path, grpc::StubOptions(),
                    &requests_[number_ % requests_.size()], &response_,
                    [this](const grpc::Status& status) { OnAnswer(status); });
  }
  Tally& tally() { return tally_; }

 private:
  void OnAnswer(const grpc::Status& status) {
    run_.window.Count(tally_, number_, sent_,
                      status.ok() ? "" : std::to_string(status.error_code()) + ": " + status.error_message());
    Send();
  }
  void End() {
    std::lock_guard lock(run_.mutex);
    if (--run_.active == 0) run_.all_done.notify_all();
  }

  Run& run_;
  grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer> stub_;
  std::vector<grpc::ByteBuffer> requests_;
  grpc::ByteBuffer response_;
  std::optional<grpc::ClientContext> context_;
  uint64_t number_ = 0;
  TimePoint sent_;
  Tally tally_;
};

std::vector<std::shared_ptr<grpc::Channel>> Connect(const Options& options) {
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < options.connections; ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
    arguments.SetMaxReceiveMessageSize(-1);
    channels.push_back(
        grpc::CreateCustomChannel(options.target, grpc::InsecureChannelCredentials(), arguments));
    channels.back()->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10));
  }
  return channels;
}

}  // namespace

Report RunGrpc(const Options& options, const Hooks& hooks) {
  auto channels = Connect(options);
  Run run(options);
  run.active = options.concurrency;
  std::vector<std::unique_ptr<Caller>> callers;
  for (size_t i = 0; i < static_cast<size_t>(options.concurrency); ++i) {
    callers.push_back(std::make_unique<Caller>(run, channels[i % channels.size()]));
  }
  run.window.Run(
      hooks,
      [&] {
        for (auto& caller : callers) caller->Send();
      },
      [&] {
        std::unique_lock lock(run.mutex);
        run.all_done.wait(lock, [&] { return run.active == 0; });
      });
  std::vector<Tally> tallies;
  tallies.reserve(callers.size());
  for (auto& caller : callers) tallies.push_back(std::move(caller->tally()));
  return run.window.Join(std::move(tallies));
}

}  // namespace snug::load
