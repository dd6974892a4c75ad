#include "server/grpc_stream.h"

#include <grpcpp/support/async_stream.h>

#include <condition_variable>
#include <deque>
#include <list>
#include <optional>
#include <utility>
#include <vector>

#include "server/grpc_events.h"
#include "server/grpc_methods.h"

namespace snug::server {

// Alive while gRPC or a request holds it.
class StreamCall : public std::enable_shared_from_this<StreamCall> {
 public:
  StreamCall(std::shared_ptr<Streams::State> streams, AwaitStream await)
      : streams_(std::move(streams)), await_(std::move(await)) {}
  ~StreamCall() {
    std::lock_guard lock(streams_->mutex);
    streams_->open.erase(this);
  }

  void Await() {
    over_.holder = arrived_.holder = shared_from_this();
    context_.AsyncNotifyWhenDone(&over_);
    await_(&context_, &stream_, &arrived_);
  }

  void Drain() {
    std::lock_guard lock(mutex_);
    FinishWhenDone();
  }

 private:
  template <void (StreamCall::*Handle)(bool)>
  struct Tag : GrpcEvent {
    explicit Tag(StreamCall& c) : call(c) {}
    void Happened(bool ok) override {
      auto held = std::exchange(holder, nullptr);
      (call.*Handle)(ok);
    }
    StreamCall& call;
    std::shared_ptr<StreamCall> holder;  // while the event is to come
  };
  // What leaves for one request.
  class Answers : public StreamedAnswers {
   public:
    explicit Answers(std::shared_ptr<StreamCall> call) : call_(std::move(call)) {}
    void AnyNumber() override {
      std::lock_guard lock(call_->mutex_);
      any_number = true;
    }
    bool Part(grpc::ByteBuffer answer) override {
      std::unique_lock lock(call_->mutex_);
      call_->space_.wait(lock, [this] { return waiting.size() < kStreamPartsMax || call_->broken_; });
      if (call_->broken_) return false;
      waiting.push_back(std::move(answer));
      call_->WriteNext();
      return true;
    }
    void End(std::optional<grpc::ByteBuffer> answer) override {
      std::lock_guard lock(call_->mutex_);
      if (answer) waiting.push_back(*std::move(answer));
      ended = true;
      call_->WriteNext();
      call_->Ended();
    }

    // Under the call's lock.
    std::deque<grpc::ByteBuffer> waiting;
    bool any_number = false, ended = false;

   private:
    const std::shared_ptr<StreamCall> call_;
  };

  void Arrived(bool ok) {
    if (!ok) {  // shutting down; Over never comes
      over_.holder.reset();
      return;
    }
    if (!streams_->draining) std::make_shared<StreamCall>(streams_, await_)->Await();
    {
      std::lock_guard lock(streams_->mutex);
      streams_->open.insert(this);
    }
    deadline_ = GrpcDeadline(context_, SystemClock().Now());
    trace_ = TraceParentOf(GrpcMetadata(context_, "traceparent"));
    std::lock_guard lock(mutex_);
    if (streams_->draining) return FinishWhenDone();
    Read();
  }

  void Read() {
    reading_ = true;
    read_.holder = shared_from_this();
    stream_.Read(&message_, &read_);
  }

  void HasRead(bool ok) {
    if (!ok) {
      std::lock_guard lock(mutex_);
      reading_ = false;
      return FinishWhenDone();
    }
    auto answers = std::make_shared<Answers>(shared_from_this());
    {
      std::lock_guard lock(mutex_);
      answers_.push_back(answers);
    }
    serving::RequestHead head;
    head.arrival = SystemClock().Now();
    head.deadline = deadline_;
    head.cancelled = cancelled_;
    head.trace = trace_;
    GrpcStreamedInfer(streams_->core, message_, head, std::move(answers));
    std::lock_guard lock(mutex_);
    reading_ = false;
    paused_ = streams_->draining || answers_.size() >= kStreamRequestsMax;
    if (!paused_) return Read();
    FinishWhenDone();
  }

  // The rest with mutex_ held. One that is not of a decoupled model keeps those behind it waiting.
  void WriteNext() {
    if (writing_) return;
    for (const auto& answers : answers_) {
      if (!answers->waiting.empty()) {
        writing_ = true;
        written_ = answers;
        write_.holder = shared_from_this();
        stream_.Write(answers->waiting.front(), &write_);
        return;
      }
      if (!answers->any_number && !answers->ended) return;
    }
  }

  void Written(bool ok) {  // a stream that broke says so to the next read as well
    std::lock_guard lock(mutex_);
    writing_ = false;
    broken_ = broken_ || !ok;
    std::exchange(written_, nullptr)->waiting.pop_front();
    space_.notify_all();
    WriteNext();
    Ended();
  }

  // Requests of which nothing more leaves make room for others.
  void Ended() {
    answers_.remove_if(
        [this](const auto& one) { return one->ended && one->waiting.empty() && one != written_; });
    if (paused_ && !streams_->draining && answers_.size() < kStreamRequestsMax) {
      paused_ = false;
      Read();
    }
    FinishWhenDone();
  }

  void FinishWhenDone() {
    const bool more = reading_ || paused_;
    if (finished_ || writing_ || !answers_.empty() || (more && !streams_->draining)) return;
    finished_ = true;
    ended_.holder = shared_from_this();
    stream_.Finish(more ? ToGrpc(Unavailable("the server is shutting down")) : grpc::Status::OK, &ended_);
  }

  void Over(bool) {
    if (!context_.IsCancelled()) return;
    cancelled_->store(true, std::memory_order_relaxed);
    std::lock_guard lock(mutex_);
    broken_ = true;
    space_.notify_all();
  }
  void Finished(bool) {}

  const std::shared_ptr<Streams::State> streams_;
  const AwaitStream await_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer> stream_{&context_};
  grpc::ByteBuffer message_;
  TimePoint deadline_ = TimePoint::max();
  std::string trace_;  // of all the stream's requests
  const serving::CancelFlag cancelled_ = std::make_shared<std::atomic<bool>>(false);
  Tag<&StreamCall::Arrived> arrived_{*this};
  Tag<&StreamCall::Over> over_{*this};
  Tag<&StreamCall::HasRead> read_{*this};
  Tag<&StreamCall::Written> write_{*this};
  Tag<&StreamCall::Finished> ended_{*this};

  std::mutex mutex_;
  std::condition_variable space_;                // for parts, or broken_
  std::list<std::shared_ptr<Answers>> answers_;  // in the order of the requests
  std::shared_ptr<Answers> written_;             // whose first one is being written
  bool reading_ = false, paused_ = false, writing_ = false, finished_ = false, broken_ = false;
};

void Streams::Await(const AwaitStream& await) {
  std::make_shared<StreamCall>(state_, await)->Await();
}

void Streams::Drain() {
  state_->draining = true;
  std::vector<std::shared_ptr<StreamCall>> open;
  {
    std::lock_guard lock(state_->mutex);
    for (StreamCall* call : state_->open) {
      if (auto held = call->weak_from_this().lock()) open.push_back(std::move(held));
    }
  }
  for (const auto& call : open) call->Drain();
}

}  // namespace snug::server
