#include "serving/compute_gate.h"

#include <gtest/gtest.h>

#include <future>

namespace snug::serving {
namespace {

void Nothing() {}

TEST(ComputeGate, WhereAllFitNobodyIsCounted) {
  ManualClock clock;
  ComputeGate gate(2, 0, clock);
  ComputeGate::Member a(gate, 1, 1, 1), b(gate, 1, 1, 1);
  const ComputeGate::Pass first = a.TryEnter(), second = b.TryEnter(), third = a.TryEnter();
  EXPECT_TRUE(first && second && third);
}

TEST(ComputeGate, OneMoreWaitsForOneThatEnds) {
  ManualClock clock;
  ComputeGate gate(1, 0, clock);
  ComputeGate::Member a(gate, 1, 1, 1), b(gate, 1, 1, 1);
  ComputeGate::Pass first = a.TryEnter();
  ASSERT_TRUE(first);
  EXPECT_FALSE(b.TryEnter());
  std::promise<void> waits;
  auto second = std::async(std::launch::async, [&] { return b.Enter([&] { waits.set_value(); }); });
  waits.get_future().wait();
  first = {};
  EXPECT_TRUE(second.get());
}

TEST(ComputeGate, AWorkerWithMoreToDoGoesOnWhenItIsItsTurn) {
  ManualClock clock;
  ComputeGate gate(1, 0, clock);
  ComputeGate::Member a(gate, 1, 1, 1), b(gate, 1, 1, 1);
  ComputeGate::Pass first = a.TryEnter();
  first.Renew();
  EXPECT_FALSE(b.TryEnter());
  std::promise<void> waits;
  auto second = std::async(std::launch::async, [&] { return !!b.Enter([&] { waits.set_value(); }); });
  waits.get_future().wait();
  clock.Advance(std::chrono::seconds(1));
  first.Renew();  // b, which has had nothing yet, may have gone first
  first.End();
  EXPECT_TRUE(second.get());
}

TEST(ComputeGate, AMemberThatGoesMakesRoom) {
  ManualClock clock;
  ComputeGate gate(1, 0, clock);
  ComputeGate::Member a(gate, 1, 1, 1);
  {
    ComputeGate::Member b(gate, 1, 1, 1);
    const ComputeGate::Pass pass = b.Enter(Nothing);
    EXPECT_FALSE(a.TryEnter());
  }
  EXPECT_TRUE(a.TryEnter());
}

}  // namespace
}  // namespace snug::serving
