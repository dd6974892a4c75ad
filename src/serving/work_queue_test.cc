#include "serving/work_queue.h"

#include <gtest/gtest.h>

#include <thread>

namespace snug::serving {
namespace {

using namespace std::chrono_literals;

class NullJob : public Job {
 public:
  explicit NullJob(int n) : number(n) {}
  void Run(engine::Instance*) override {}
  void Fail(const Status&) override {}
  const int number;
};

std::unique_ptr<Job> Make(int number, TimePoint end = TimePoint::max()) {
  auto job = std::make_unique<NullJob>(number);
  job->deadline = end;
  return job;
}

int NumberOf(const std::unique_ptr<Job>& job) {
  return static_cast<const NullJob&>(*job).number;
}

TEST(WorkQueue, IsFifoAndBounded) {
  WorkQueue queue(2);
  bool waits = false;
  for (int i = 0; i < 2; ++i) {
    auto job = Make(i);
    EXPECT_EQ(queue.Push(job, &waits), WorkQueue::Pushed::kYes);
    EXPECT_TRUE(waits);
  }
  auto third = Make(2);
  EXPECT_EQ(queue.Push(third, &waits), WorkQueue::Pushed::kFull);
  ASSERT_NE(third, nullptr) << "a refused job stays the caller's";
  EXPECT_EQ(queue.PushUnbounded(third, &waits), WorkQueue::Pushed::kYes);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(NumberOf(queue.Pop(0)), i);
}

TEST(WorkQueue, TakesExpiredAndCancelledFromTheMiddle) {
  WorkQueue queue(10);
  const TimePoint start;
  bool waits = false;
  auto cancel = std::make_shared<std::atomic<bool>>(false);
  std::unique_ptr<Job> jobs[] = {Make(0), Make(1, start + 1s), Make(2), Make(3, start + 2s)};
  jobs[2]->cancelled = cancel;
  for (auto& job : jobs) queue.Push(job, &waits);
  EXPECT_TRUE(queue.TakeUnwanted(start).empty());
  *cancel = true;
  auto taken = queue.TakeUnwanted(start + 1s);
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(NumberOf(taken[0]), 1);
  EXPECT_EQ(StillWanted(*taken[0], start + 1s).code(), Code::kDeadlineExceeded);
  EXPECT_EQ(StillWanted(*taken[1], start + 1s).code(), Code::kCancelled);
  EXPECT_EQ(NumberOf(queue.Pop(0)), 0);
  EXPECT_EQ(NumberOf(queue.Pop(0)), 3);
}

TEST(WorkQueue, HandsOutWhatIsInsideAfterClose) {
  WorkQueue queue(10);
  bool waits = false;
  auto job = Make(7);
  queue.Push(job, &waits);
  queue.Close();
  auto late = Make(8);
  EXPECT_EQ(queue.Push(late, &waits), WorkQueue::Pushed::kClosed);
  EXPECT_EQ(NumberOf(queue.Pop(0)), 7);
  EXPECT_EQ(queue.Pop(0), nullptr);
}

TEST(WorkQueue, WakesTheWorkerThatFellAsleepLast) {
  WorkQueue queue(2);
  int got[2] = {};
  std::vector<std::thread> workers;
  for (size_t worker = 0; worker < 2; ++worker) {
    workers.emplace_back([&, worker] { got[worker] = NumberOf(queue.Pop(worker)); });
    while (queue.idle_workers() <= worker) std::this_thread::yield();
  }
  bool waits = true;
  for (int number : {1, 2}) {
    auto job = Make(number);
    EXPECT_EQ(queue.Push(job, &waits), WorkQueue::Pushed::kYes);
    EXPECT_FALSE(waits);
    workers[static_cast<size_t>(2 - number)].join();
  }
  EXPECT_EQ(got[1], 1);
  EXPECT_EQ(got[0], 2);
}

TEST(WorkQueue, CloseWakesTheWorkers) {
  WorkQueue queue(1);
  std::thread worker([&] { EXPECT_EQ(queue.Pop(0), nullptr); });
  queue.Close();
  worker.join();
}

}  // namespace
}  // namespace snug::serving
